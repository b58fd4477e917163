//! Requests, decoded from the wire straight into the domain's types.
//!
//! One pass over the message builds [`Request`](crate::model::Request) without an intermediate form, and finds
//! everything that has no canonical form: a repeated key (protobuf would let the last one win), NaN and infinities,
//! values without a kind, nesting beyond the limit, bad ids. All of it is reported with field paths, not just the first.
//!
//! For everything else the rules are protobuf's: fields in any order, unknown fields skipped, the last of a repeated
//! scalar wins, and the occurrences of a repeated message field are merged, as if they had been written one after the
//! other. A key that occurs in two merged maps is therefore a repeated key.

mod approval;
mod attributes;
mod checks;
mod dag;
mod plan;
mod reader;
mod request;
mod violation;

#[cfg(test)]
mod tests;

pub use approval::{DecodedTarget, consume_request, create_approval_request, flat_violations};
pub use dag::{Binding, DecodedDag, verify_dag_request};
pub use plan::{DecodedPlan, validate_ir_request};
pub use request::{Decoded, batch_request, evaluate_request, stream_request};
pub use violation::{Fault, Violation};

/// Why bytes are not the protobuf message that they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It ends in the middle of a field.
    #[error("the message ends in the middle of a field")]
    Truncated,
    /// An integer is longer than ten bytes.
    #[error("an integer is too long")]
    Varint,
    /// A field number or wire type that protobuf does not have.
    #[error("a field has no valid number or wire type")]
    Tag,
    /// A known field with another wire type than its own.
    #[error("a field has another type than its definition")]
    WireType,
    /// A string that is not UTF-8.
    #[error("a string is not UTF-8")]
    Utf8,
    /// A group that does not end, or ends without having begun.
    #[error("a group does not end where it should")]
    Group,
}
