//! Answers, encoded straight from the domain's types.

mod answer;
mod attributes;
mod dag;
mod plan;
mod writer;

#[cfg(test)]
mod tests;

pub use answer::{Answer, evaluate_response, snapshot_ref};
pub use dag::{DagAnswer, verify_dag_response};
pub use plan::{PlanAnswer, validate_ir_response};
pub use writer::Writer;
