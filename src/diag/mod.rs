//! Findings: what is wrong with something that a person wrote, where, and what to write instead.
//!
//! A [`Finding`] has a stable code, a message, a byte range in a named source and a help text. The same value renders as
//! text with an excerpt and a caret, or as JSON for machines. Nothing here knows what is being checked.

mod finding;
mod render;
mod source;
mod suggest;

pub use finding::{Finding, Findings, Label, Severity};
pub use render::{render_json, render_text};
pub use source::{Position, Source, SourceId, Sources, Span};
pub use suggest::did_you_mean;
