//! Governance of whole plans (IR): their canonical form and hashes, and the audit of what was executed against them.
//!
//! Pure: no I/O, no clock, no lock.

mod bound;
mod canonical;
mod hash;
mod refusal;

pub use bound::{BoundPaths, bound_paths};
pub use hash::{PlanHashes, dag_hash, plan_canonical, plan_hash, plan_hashes, step_canonical, step_hash};
pub use refusal::{Refusal, Refused, RefusedField};
