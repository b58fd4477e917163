//! Text written in YAML, read into a tree whose every node knows its place.
//!
//! Used by the rooms that own a file format (`policy` for documents, `config` for the configuration); this room knows the
//! keys of neither. What a text *means* is decided by one parser (`serde_yaml`), where things *stand* by another
//! (`granit-parser`). [`parse`] walks both at once; where they disagree the text is refused, so that nothing is ever read
//! in two ways. Of YAML it takes the plain part: no anchors, aliases, merge keys, tags, directives, duplicate or
//! non-string keys, non-finite numbers or tabs in the indentation; and no plain scalar that is a text to some readers and a truth
//! value or a number to others, such as `no` and `05`.
//!
//! [`Fields`] and [`Field`] then read typed values from the tree and report everything that is wrong instead of the first.

mod ambiguous;
mod attributes;
mod field;
mod fields;
mod meaning;
mod node;
mod offsets;
mod parse;
mod positions;
mod schema;
mod spec;
mod syntax;
mod text;
mod write;

#[cfg(test)]
mod tests;

pub use attributes::{attributes, value};
pub use field::Field;
pub use fields::{Elsewhere, Fields};
pub use node::{Entry, Kind, Node, Number, ScalarStyle};
pub use offsets::place_in_scalar;
pub use parse::{MAX_BYTES, MAX_DEPTH, parse, parse_settings};
pub(crate) use schema::complete_schema;
pub(crate) use spec::{key_of, spec};
pub use text::{NotText, text_of_bytes};
pub use write::write;
