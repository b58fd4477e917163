//! Answers, encoded straight from the domain's types.

mod answer;
mod attributes;
mod writer;

#[cfg(test)]
mod tests;

pub use answer::{Answer, evaluate_response, snapshot_ref};
pub use writer::Writer;
