//! Webhook deliveries: what became of them, and sending one again.

use super::lists::{cursor, filters, page_size, page_token};
use super::wire::time;
use super::{ApprovalDesk, read, refuse_invalid, tenant, wrong};
use crate::api::decode::{Fault, flat_violations};
use crate::api::proto::v1;
use crate::api::refusal::Refusal;
use crate::identity::Caller;
use crate::model::Text;
use crate::store::{Delivery, DeliveryQuery, DeliveryState};

impl ApprovalDesk {
    pub(super) async fn redeliver(
        &self,
        message: &[u8],
        caller: &Caller,
    ) -> Result<v1::RedeliverWebhookResponse, Refusal> {
        let request: v1::RedeliverWebhookRequest = read(message)?;
        let ids = [("tenant_id", request.tenant_id.as_str())];
        refuse_invalid(flat_violations(&ids, &[("delivery_id", &request.delivery_id)], &[], &self.limits))?;
        let tenant = tenant(&request.tenant_id);
        self.authorise(caller, "redeliver", &request.delivery_id, tenant)?;
        let queued = self.courier.redeliver(tenant, &request.delivery_id).await;
        match queued.map_err(|error| Refusal::approval(error.into()))? {
            Some(_) => Ok(v1::RedeliverWebhookResponse { delivery_id: request.delivery_id }),
            None => Err(Refusal::no_such_delivery()),
        }
    }

    pub(super) async fn deliveries(
        &self,
        message: &[u8],
        caller: &Caller,
    ) -> Result<v1::ListWebhookDeliveriesResponse, Refusal> {
        let request: v1::ListWebhookDeliveriesRequest = read(message)?;
        let ids = [
            ("tenant_id", request.tenant_id.as_str()),
            ("endpoint", &request.endpoint),
            ("approval_id", &request.approval_id),
        ];
        refuse_invalid(flat_violations(&ids, &[], &[], &self.limits))?;
        let tenant = tenant(&request.tenant_id);
        // Who may send them again may see them.
        self.authorise(caller, "redeliver", "", tenant)?;
        let filters = filters(&v1::ListWebhookDeliveriesRequest {
            page_token: String::new(),
            page_size: None,
            ..request.clone()
        });
        let after = cursor(&request.page_token, &filters, |parts| match parts {
            [id] => Some(Text::from(*id)),
            _ => None,
        });
        let query = DeliveryQuery {
            tenant_id: tenant.into(),
            endpoint: request.endpoint.into(),
            approval_id: request.approval_id.into(),
            state: state(request.state)?,
            after: after?.unwrap_or_default(),
            limit: page_size(request.page_size)?,
        };
        let page = self.courier.list(&query).await.map_err(|error| Refusal::approval(error.into()))?;
        let last = page.items.last().filter(|_| page.more);
        Ok(v1::ListWebhookDeliveriesResponse {
            deliveries: page.items.iter().map(delivery).collect(),
            next_page_token: last.map(|last| page_token(&filters, &[&last.message.id])).unwrap_or_default(),
        })
    }
}

/// The state of a filter; `None` for every state.
fn state(number: i32) -> Result<Option<DeliveryState>, Refusal> {
    match v1::WebhookDeliveryState::try_from(number) {
        Ok(v1::WebhookDeliveryState::Unspecified) => Ok(None),
        Ok(v1::WebhookDeliveryState::Pending) => Ok(Some(DeliveryState::Pending)),
        Ok(v1::WebhookDeliveryState::Delivered) => Ok(Some(DeliveryState::Delivered)),
        Ok(v1::WebhookDeliveryState::Dead) => Ok(Some(DeliveryState::Dead)),
        Err(_) => Err(wrong("state", Fault::UnknownValue, "the server does not know this state")),
    }
}

fn delivery(delivery: &Delivery) -> v1::WebhookDelivery {
    let message = &delivery.message;
    let state = match delivery.state {
        DeliveryState::Pending => v1::WebhookDeliveryState::Pending,
        DeliveryState::Delivered => v1::WebhookDeliveryState::Delivered,
        DeliveryState::Dead => v1::WebhookDeliveryState::Dead,
    };
    v1::WebhookDelivery {
        delivery_id: message.id.to_string(),
        endpoint: message.endpoint.to_string(),
        approval_id: message.approval_id.to_string(),
        event_type: message.event_type.to_string(),
        state: state.into(),
        attempts: delivery.attempts,
        last_status: delivery.last_status.map(u32::from),
        last_error: delivery.last_error.clone(),
        created_at: Some(time(delivery.created_at)),
        attempted_at: delivery.attempted_at.map(time),
        next_attempt_at: (delivery.state == DeliveryState::Pending).then(|| time(message.not_before)),
    }
}
