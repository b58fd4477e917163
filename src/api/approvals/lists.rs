//! Lists, page by page.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use super::wire::{self, View};
use super::{ApprovalDesk, read, refuse_invalid, tenant, wrong};
use crate::api::decode::{Fault, flat_violations};
use crate::api::proto::v1;
use crate::api::refusal::Refusal;
use crate::identity::Caller;
use crate::model::{ApprovalCursor, ApprovalQuery, ApprovalStatus, HistoryCursor, HistoryQuery, Text, Timestamp};

/// Entries of a page where the request does not say.
const PAGE: u32 = 50;
/// Most entries of a page.
const LARGEST_PAGE: u32 = 500;

impl ApprovalDesk {
    pub(super) async fn list(&self, message: &[u8], caller: &Caller) -> Result<v1::ListApprovalsResponse, Refusal> {
        let request: v1::ListApprovalsRequest = read(message)?;
        let ids = [
            ("tenant_id", request.tenant_id.as_str()),
            ("created_by", &request.created_by),
            ("approver", &request.approver),
        ];
        refuse_invalid(flat_violations(&ids, &[], &[], &self.limits))?;
        let tenant = tenant(&request.tenant_id);
        self.authorise(caller, "list", "", tenant)?;
        let filters =
            filters(&v1::ListApprovalsRequest { page_token: String::new(), page_size: None, ..request.clone() });
        let after = cursor(&request.page_token, &filters, |parts| match parts {
            [created_at, id] => {
                Some(ApprovalCursor { created_at: Timestamp::from_micros(created_at.parse().ok()?), id: (*id).into() })
            }
            _ => None,
        });
        let query = ApprovalQuery {
            tenant_id: tenant.into(),
            statuses: statuses(&request.status)?,
            created_by: request.created_by.into(),
            approver: request.approver.into(),
            from: moment("from", request.from)?,
            to: moment("to", request.to)?,
            include_archived: request.include_archived,
            with_target: false,
            after: after?,
            limit: page_size(request.page_size)?,
        };
        let page = self.approvals.list(&query).await.map_err(Refusal::approval)?;
        let last = page.items.last().filter(|_| page.more);
        let next = last.map(|last| page_token(&filters, &[&last.created_at.as_micros().to_string(), &last.id]));
        Ok(v1::ListApprovalsResponse {
            approvals: page.items.iter().map(|approval| wire::approval(approval, View::Hidden)).collect(),
            next_page_token: next.unwrap_or_default(),
        })
    }

    pub(super) async fn history(
        &self,
        message: &[u8],
        caller: &Caller,
    ) -> Result<v1::ListApprovalHistoryResponse, Refusal> {
        let request: v1::ListApprovalHistoryRequest = read(message)?;
        let ids = [
            ("tenant_id", request.tenant_id.as_str()),
            ("approval_id", &request.approval_id),
            ("actor", &request.actor),
        ];
        refuse_invalid(flat_violations(&ids, &[], &[], &self.limits))?;
        let tenant = tenant(&request.tenant_id);
        self.authorise(caller, "history", &request.approval_id, tenant)?;
        let filters =
            filters(&v1::ListApprovalHistoryRequest { page_token: String::new(), page_size: None, ..request.clone() });
        let after = cursor(&request.page_token, &filters, |parts| match parts {
            [at, version, id] => Some(HistoryCursor {
                at: Timestamp::from_micros(at.parse().ok()?),
                approval_id: (*id).into(),
                version: version.parse().ok()?,
            }),
            _ => None,
        });
        let query = HistoryQuery {
            tenant_id: tenant.into(),
            approval_id: request.approval_id.into(),
            actor: request.actor.into(),
            from: moment("from", request.from)?,
            to: moment("to", request.to)?,
            after: after?,
            limit: page_size(request.page_size)?,
        };
        let page = self.approvals.history(&query).await.map_err(Refusal::approval)?;
        let last = page.items.last().filter(|_| page.more);
        let next = last.map(|row| {
            page_token(&filters, &[&row.at.as_micros().to_string(), &row.version.to_string(), &row.approval_id])
        });
        Ok(v1::ListApprovalHistoryResponse {
            entries: page.items.iter().map(wire::history_entry).collect(),
            next_page_token: next.unwrap_or_default(),
        })
    }
}

/// The statuses of a filter.
pub(super) fn statuses(numbers: &[i32]) -> Result<Vec<ApprovalStatus>, Refusal> {
    let mut statuses = Vec::new();
    for (index, number) in numbers.iter().enumerate() {
        let known = v1::ApprovalStatus::try_from(*number).ok().and_then(wire::status_of);
        let Some(status) = known else {
            let field = format!("status[{index}]");
            return Err(wrong(&field, Fault::UnknownValue, "the server does not know this status"));
        };
        statuses.push(status);
    }
    Ok(statuses)
}

/// The time of a filter.
pub(super) fn moment(field: &str, time: Option<prost_types::Timestamp>) -> Result<Option<Timestamp>, Refusal> {
    let Some(time) = time else { return Ok(None) };
    let micros =
        time.seconds.checked_mul(1_000_000).and_then(|micros| micros.checked_add(i64::from(time.nanos / 1_000)));
    match micros.filter(|_| (0..1_000_000_000).contains(&time.nanos)) {
        Some(micros) => Ok(Some(Timestamp::from_micros(micros))),
        None => Err(wrong(field, Fault::OutOfRange, "this is no time")),
    }
}

pub(super) fn page_size(given: Option<i32>) -> Result<u32, Refusal> {
    let Some(given) = given else { return Ok(PAGE) };
    let fitting = u32::try_from(given).ok().filter(|size| (1..=LARGEST_PAGE).contains(size));
    fitting.ok_or_else(|| {
        let what = format!("a page has 1 to {LARGEST_PAGE} entries, and {given} were asked for");
        wrong("page_size", Fault::OutOfRange, what)
    })
}

/// What names the filters of a list: `request` without its token and size.
pub(super) fn filters(request: &impl prost::Message) -> String {
    let digest: [u8; 32] = Sha256::digest(request.encode_to_vec()).into();
    URL_SAFE_NO_PAD.encode(digest.split_at(9).0)
}

/// A place in the list of these filters, as a token that clients need not understand.
pub(super) fn page_token(filters: &str, parts: &[&str]) -> String {
    URL_SAFE_NO_PAD.encode(format!("{filters}\n{}", parts.join("\n")))
}

/// The place that a token means, in the list of these filters.
pub(super) fn cursor<T>(token: &str, filters: &str, read: impl Fn(&[&str]) -> Option<T>) -> Result<Option<T>, Refusal> {
    if token.is_empty() {
        return Ok(None);
    }
    let place = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok()).and_then(|text| {
        let parts: Vec<&str> = text.split('\n').collect();
        let (of, parts) = parts.split_first()?;
        let fine = parts.iter().all(|part| part.len() <= 256 && !crate::model::has_forbidden_character(part));
        if fine && *of == filters { read(parts) } else { None }
    });
    let what = "a page token is the `next_page_token` of the page before, for the same filters";
    place.map(Some).ok_or_else(|| wrong("page_token", Fault::OutOfRange, what))
}

/// The tenant of a filter, as the store has it.
pub(super) fn query_of(tenant: &str) -> ApprovalQuery {
    ApprovalQuery { tenant_id: Text::from(tenant), ..ApprovalQuery::default() }
}
