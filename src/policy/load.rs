//! Texts to documents.

use std::collections::HashMap;
use std::sync::Arc;

use crate::diag::{Finding, Findings, Sources, Span};
use crate::model::{Layer, Text};
use crate::yaml;

use super::DocumentSet;
use super::decode::{Context, document};
use super::lint::lint;

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
    /// How many documents the texts hold, good and bad ones.
    pub document_count: usize,
    /// All errors and lints, in the order of their places.
    pub findings: Findings,
}

/// Reads, checks and compiles documents. Reports every error and lint at once.
#[must_use]
pub fn load(texts: &[SourceText]) -> Loaded {
    let mut sources = Sources::default();
    let mut findings = Findings::default();
    let mut documents = DocumentSet::default();
    let mut names = Names::default();
    let mut document_count = 0;
    for text in texts {
        let source = sources.add(text.name.clone(), text.text.clone());
        let context = Context { text: &text.text, layer: text.layer };
        let known = findings.iter().len();
        let nodes = yaml::parse(source, &text.text, &mut findings);
        if nodes.is_empty() && findings.iter().len() == known {
            findings.push(empty_file(Span::new(source, 0, 0)));
        }
        for node in nodes {
            document_count += 1;
            document(&node, context, &mut documents, &mut names, &mut findings);
        }
    }
    let complete = !findings.has_errors();
    lint(&documents, complete, &mut findings);
    findings.sort();
    Loaded { sources, documents, document_count, findings }
}

/// A file that was emptied, or cut off while it was written, would otherwise silently take its rules away.
fn empty_file(at: Span) -> Finding {
    Finding::error("empty-file", "the file holds no document").at(at).help("write a document, or delete the file")
}

/// The names that documents have so far, to report a second use.
#[derive(Debug, Default)]
pub(super) struct Names {
    taken: HashMap<(&'static str, Text), Span>,
}

impl Names {
    /// Takes `name` for a document of `kind`; reports that another has it.
    pub(super) fn take(&mut self, kind: &'static str, name: &str, span: Span, out: &mut Findings) {
        match self.taken.entry((kind, name.into())) {
            std::collections::hash_map::Entry::Vacant(free) => {
                free.insert(span);
            }
            std::collections::hash_map::Entry::Occupied(taken) => out.push(
                Finding::error("duplicate-name", format!("there is another {kind} named `{name}`"))
                    .at(span)
                    .label("again here")
                    .related(*taken.get(), "first here")
                    .help("every document of a kind needs its own name, across all files and layers"),
            ),
        }
    }
}
