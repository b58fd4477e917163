//! Governance of whole plans (IR): their canonical form and hashes, and the audit of what was executed against them.
//!
//! Pure: no I/O, no clock, no lock.

mod call;
mod canonical;
mod dag;
mod flow;
mod hash;
mod hex;
pub mod legacy;
mod refusal;
mod validate;

pub use crate::model::{BoundPaths, bound_paths};
pub use call::{ParamsFit, call_hash, differing_call, params_fit, wrong_open_params};
pub use dag::{Binding, Schemas, verify_dag};
pub use hash::{PlanHashes, dag_hash, plan_canonical, plan_hash, plan_hashes, step_canonical, step_hash};
pub use refusal::{Refusal, Refused, RefusedField};
pub use validate::{validate, validate_briefly};
