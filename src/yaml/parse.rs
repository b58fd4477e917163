//! Text to tree.

use crate::diag::{Finding, Findings, SourceId, Span};

use super::{Node, meaning, positions};

/// Largest text that is read, in bytes.
pub const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Deepest nesting of lists and maps that is read.
pub const MAX_DEPTH: usize = 64;

/// The documents of `text`, those without content left out. Reports everything that is wrong with the YAML; empty where
/// the text cannot be read.
pub fn parse(source: SourceId, text: &str, out: &mut Findings) -> Vec<Node> {
    read(source, text, true, out)
}

/// Like [`parse`], for settings, whose words are known to this reader alone: `off` is a text there.
pub fn parse_settings(source: SourceId, text: &str, out: &mut Findings) -> Vec<Node> {
    read(source, text, false, out)
}

fn read(source: SourceId, text: &str, is_strict: bool, out: &mut Findings) -> Vec<Node> {
    if text.len() > MAX_BYTES {
        out.push(
            Finding::error(
                "file-too-large",
                format!("the file has {} bytes, more than the {MAX_BYTES} that are read", text.len()),
            )
            .at(Span::new(source, 0, 0))
            .help("split it into several files"),
        );
        return Vec::new();
    }
    if let Some(at) = text.find('\0') {
        out.push(Finding::error("control-character", "the file holds a NUL byte").at(Span::new(source, at, at)));
        return Vec::new();
    }
    let Some(skeletons) = positions::skeletons(source, text, out) else { return Vec::new() };
    match meaning::fill(source, text, &skeletons, is_strict, out) {
        Ok(nodes) => nodes,
        Err(finding) => {
            out.push(*finding);
            Vec::new()
        }
    }
}
