//! `EvaluateBatch`: up to 256 questions against one snapshot.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::context::CallContext;
use super::decode::{self, Decoded};
use super::desk::Desk;
use super::ease::ease;
use super::encode::{Writer, snapshot_ref};
use super::frame::write_frame;
use super::refusal::Refusal;
use super::unconfirmed::{Form, Unconfirmed};
use crate::event::{DecisionRecord, Pending};
use crate::snapshot::Snapshot;

/// A batch lets others on the worker have their turn after so long.
const TURN: Duration = Duration::from_micros(200);

/// Answers the batch in `message`, as a framed `EvaluateBatchResponse`.
///
/// # Errors
/// The batch itself is malformed or invalid, its pin is not resident, the deadline passed between two items, or too many
/// bytes of answers wait to be sent.
pub async fn answer_batch(context: CallContext, message: Bytes, deadline: Option<Instant>) -> Result<Bytes, Refusal> {
    let desk = &context.worker().desk;
    let batch = decode::batch_request(&message, &desk.limits).map_err(Refusal::malformed)?;
    if !batch.violations.is_empty() {
        return Err(Refusal::invalid(batch.violations));
    }
    // An owned reference: the batch is decided with one snapshot although others have their turn in between.
    let snapshot = Desk::select(&desk.holder.load(), &batch.snapshot)?.map(Arc::clone);
    let mut content = Vec::new();
    if let Some(snapshot) = &snapshot {
        snapshot_ref(&mut Writer::new(&mut content), 1, snapshot.label());
    }
    let pinned = !batch.snapshot.is_empty();
    let mut room = context.worker().unsent.room();
    let mut turn = Instant::now();
    let mut unconfirmed = Unconfirmed::default();
    ease(&desk.recorder).await;
    for item in batch.items {
        let start = content.len();
        let mut pending = None;
        Writer::new(&mut content).nested(2, |out| {
            pending = answer_item(&context, item, snapshot.as_deref(), pinned, out);
        });
        if let Some(pending) = pending {
            unconfirmed.push(start..content.len(), pending);
        }
        room.grow_to(content.len())?;
        let now = Instant::now();
        if deadline.is_some_and(|deadline| now >= deadline) {
            return Err(Refusal::deadline_exceeded());
        }
        if now.duration_since(turn) >= TURN {
            tokio::task::yield_now().await;
            turn = Instant::now();
        }
    }
    if !unconfirmed.is_empty() {
        content = unconfirmed.settle(desk, content, Form::Item).await;
        room.grow_to(content.len())?;
    }
    let mut framed = Vec::with_capacity(content.len() + super::frame::HEADER_BYTES);
    write_frame(&mut framed, |out| out.extend_from_slice(&content));
    Ok(context.connection().untaken().around(room, framed))
}

fn answer_item(
    context: &CallContext,
    item: Decoded,
    snapshot: Option<&Snapshot>,
    pinned: bool,
    out: &mut Vec<u8>,
) -> Option<Pending<DecisionRecord>> {
    let desk = &context.worker().desk;
    let request_id = item.request_id_to_echo(&desk.limits);
    Writer::new(out).string(1, &request_id);
    let admitted = if item.violations.is_empty() {
        desk.admit(context.caller(), &item.request, pinned)
    } else {
        Err(Refusal::invalid(item.violations))
    };
    if let Err(refusal) = admitted {
        context.worker().refused(&refusal);
        Writer::new(out).bytes(3, &refusal.to_rpc_status());
        return None;
    }
    let (actor, mut pending) = (&context.caller().principal, None);
    Writer::new(out).nested(2, |out| pending = desk.answer(item.request, snapshot, actor, out));
    pending
}
