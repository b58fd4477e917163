//! `ApprovalService`: on the control runtime, never in a decision's queue.
//!
//! Messages are read and answers written here; what happens is the room `approval`'s. Who may call what is decided by the
//! system policies (`lictor.approval.*`), and then, by creator, stage and hash, by the approval itself.

mod codec;
mod create;
mod deliveries;
mod errors;
mod lists;
mod streams;
mod verbs;
mod wire;

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use prost::Message;
use tokio::runtime::Handle;

use super::decode::{Fault, Violation};
use super::frame::write_frame;
use super::refusal::Refusal;
use crate::approval::{Actor, Approvals, People};
use crate::identity::{Caller, Identity};
use crate::model::{Approval, Attributes, Limits, Resource, Text, Value, default_tenant};
use crate::webhook::CourierHandle;

pub use codec::WireCodec;
pub use streams::StreamBody;

/// Path of the service.
pub const SERVICE: &str = "/lictor.v1.ApprovalService/";

/// Where calls about approvals are answered. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ApprovalDesk {
    /// The service.
    pub approvals: Approvals,
    /// Decides who may call what.
    pub identity: Arc<Identity>,
    /// Sends webhooks.
    pub courier: CourierHandle,
    /// Limits on messages.
    pub limits: Arc<Limits>,
    /// Where it is answered.
    pub control: Handle,
}

/// An answer.
#[derive(Debug)]
pub enum Answer {
    /// One framed message.
    Message(Bytes),
    /// A stream of them.
    Stream(StreamBody),
}

/// Which message a method takes.
pub fn takes_plan(method: &str) -> bool {
    matches!(method, "CreateApproval" | "Consume")
}

impl ApprovalDesk {
    /// Answers the call of `method` with `message` by `caller`, on the control runtime.
    ///
    /// # Errors
    /// Why it is not answered.
    pub async fn call(
        self,
        method: String,
        message: Bytes,
        caller: Arc<Caller>,
        deadline: Option<Instant>,
    ) -> Result<Answer, Refusal> {
        let control = self.control.clone();
        // A call that was begun is finished, whether or not its client waits: what it changes must be whole.
        let answer = control.spawn(async move { self.answer(&method, &message, &caller).await });
        let answer = match deadline {
            Some(deadline) => tokio::time::timeout_at(deadline.into(), answer).await,
            None => Ok(answer.await),
        };
        // The task fails only by a fault of ours, or because the runtime is gone.
        answer.map_err(|_| Refusal::deadline_exceeded())?.unwrap_or_else(|_| Err(Refusal::internal()))
    }

    /// The approval that binds a plan for its audit. Waits for the store: only for threads that may.
    ///
    /// # Errors
    /// The caller may not see it, there is none, or it was not approved.
    pub fn binding(&self, caller: &Caller, tenant: &str, id: &str) -> Result<Approval, Refusal> {
        self.authorise(caller, "get", id, tenant)?;
        self.control.block_on(self.approvals.binding(tenant, id)).map_err(Refusal::approval)
    }

    async fn answer(self, method: &str, message: &[u8], caller: &Caller) -> Result<Answer, Refusal> {
        let framed = match method {
            "CreateApproval" => framed(&self.create(message, caller).await?),
            "Consume" => framed(&self.consume(message, caller).await?),
            "GetApproval" => framed(&self.get(message, caller).await?),
            "ListApprovals" => framed(&self.list(message, caller).await?),
            "Approve" => framed(&self.approve(message, caller).await?),
            "Reject" => framed(&self.reject(message, caller).await?),
            "Cancel" => framed(&self.cancel(message, caller).await?),
            "ListApprovalHistory" => framed(&self.history(message, caller).await?),
            "RedeliverWebhook" => framed(&self.redeliver(message, caller).await?),
            "ListWebhookDeliveries" => framed(&self.deliveries(message, caller).await?),
            "WatchApproval" => return self.watch(message, caller).await.map(Answer::Stream),
            "ExportApprovals" => return self.export(message, caller).await.map(Answer::Stream),
            other => return Err(Refusal::unknown_method(&format!("{SERVICE}{other}"))),
        };
        Ok(Answer::Message(framed))
    }

    /// Whether `caller` may do `verb` to the approval `id` of `tenant`.
    fn authorise(&self, caller: &Caller, verb: &str, id: &str, tenant: &str) -> Result<(), Refusal> {
        let resource = Resource { kind: Text::const_new("approval"), id: id.into(), properties: Attributes::default() };
        let action = format!("lictor.approval.{verb}");
        self.identity.may_administer(caller, &action, &resource, tenant).map_err(Refusal::denied)
    }

    /// The same, for the creation of an approval that `requested_by` is said to ask for.
    fn authorise_creation(&self, caller: &Caller, requested_by: &Text, tenant: &str) -> Result<(), Refusal> {
        let entries = vec![(Text::const_new("requested_by"), Value::String(requested_by.clone()))];
        let properties = Attributes::from_entries(entries).unwrap_or_default();
        let resource = Resource { kind: Text::const_new("approval"), id: Text::default(), properties };
        let decided = self.identity.may_administer(caller, "lictor.approval.create", &resource, tenant);
        decided.map_err(Refusal::denied)
    }
}

/// Who goes by several names, as identity knows it.
#[derive(Debug, Clone)]
pub struct KnownPeople(pub Arc<Identity>);

impl People for KnownPeople {
    fn one_name(&self, name: &str) -> Text {
        self.0.one_name(name)
    }
}

/// Who acts, for the room `approval`.
fn actor(caller: &Caller) -> Actor {
    Actor { principal: caller.principal.clone(), level: caller.level }
}

/// The tenant that is meant.
fn tenant(given: &str) -> &str {
    if given.is_empty() { default_tenant() } else { given }
}

/// Reads a flat message.
fn read<M: Message + Default>(message: &[u8]) -> Result<M, Refusal> {
    M::decode(message).map_err(|error| Refusal::undecodable(&error))
}

fn refuse_invalid(violations: Vec<Violation>) -> Result<(), Refusal> {
    if violations.is_empty() { Ok(()) } else { Err(Refusal::invalid(violations)) }
}

/// One thing wrong with one field.
fn wrong(field: &str, fault: Fault, description: impl Into<String>) -> Refusal {
    Refusal::invalid(vec![Violation { field: field.to_owned(), fault, description: description.into() }])
}

fn framed(message: &impl Message) -> Bytes {
    let mut framed = Vec::new();
    write_frame(&mut framed, |out| out.extend_from_slice(&message.encode_to_vec()));
    Bytes::from(framed)
}
