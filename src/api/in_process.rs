//! The call without a server: for programs that have the messages of the wire and embed the engine.

use std::sync::Arc;

use super::decode;
use super::desk::{Desk, write_answer};
use super::refusal::Refusal;
use crate::decide;
use crate::model::{Limits, Ticket, Timestamp};
use crate::snapshot::Residents;

/// Decides the `EvaluateRequest` in `message` at `now` and appends the `EvaluateResponse` to `out`, as a server does, but
/// for what a server adds: nothing is recorded, and the answer says that evaluation took no time, because no clock is
/// read. `ticket` makes the decision's id; whoever keeps records gives each decision its own.
///
/// ```
/// use lictor::api::{evaluate_message, proto::v1};
/// use lictor::model::{BootId, Limits, Ticket, Timestamp};
/// use prost::Message;
///
/// let request = v1::EvaluateRequest {
///     subject: Some(v1::Subject { id: "agent-1".into(), ..Default::default() }),
///     action: Some(v1::Action { name: "file.read".into(), ..Default::default() }),
///     ..Default::default()
/// };
/// let ticket = Ticket { boot: BootId::from_bits(1), worker: 0, number: 1 };
/// let (mut answer, now) = (Vec::new(), Timestamp::from_micros(1_800_000_000_000_000));
/// let nothing_loaded = lictor::snapshot::Holder::default();
/// let (residents, limits) = (nothing_loaded.load(), Limits::default());
/// evaluate_message(&request.encode_to_vec(), &residents, ticket, now, &limits, &mut answer)?;
/// assert!(!v1::EvaluateResponse::decode(&*answer)?.allowed);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// The status with which a server would refuse the question; nothing is appended then.
pub fn evaluate_message(
    message: &[u8],
    residents: &Residents,
    ticket: Ticket,
    now: Timestamp,
    limits: &Limits,
    out: &mut Vec<u8>,
) -> Result<(), Box<tonic::Status>> {
    let refused = |refusal: Refusal| Box::new(refusal.to_status());
    if message.len() > limits.message_bytes {
        return Err(refused(Refusal::message_too_large(message.len(), limits.message_bytes)));
    }
    let decoded = decode::evaluate_request(message, None, limits).map_err(|why| refused(Refusal::malformed(why)))?;
    if !decoded.violations.is_empty() {
        return Err(refused(Refusal::invalid(decoded.violations)));
    }
    let request = decoded.request;
    let snapshot = Desk::select(residents, &request.snapshot).map_err(refused)?;
    let decision = decide::evaluate(snapshot.map(Arc::as_ref), &request, now, limits);
    write_answer(out, &request, &decision, ticket.decision_id(now), 0);
    Ok(())
}
