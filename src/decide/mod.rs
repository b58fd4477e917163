//! Evaluate: a snapshot and a question give a decision. Pure: no input or output, no clock, no lock.

use crate::model::{Decision, Limits, Request, Timestamp};
use crate::snapshot::Snapshot;

/// Decides `request` with `snapshot` at `now`; `None` stands for a server without policies, which denies.
#[must_use]
pub fn evaluate(snapshot: Option<&Snapshot>, request: &Request, now: Timestamp, limits: &Limits) -> Decision {
    let _ = (snapshot, request, now, limits);
    unreachable!()
}
