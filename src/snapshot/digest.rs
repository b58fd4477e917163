//! The content address of a set of documents.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use crate::policy::CanonicalDocument;

/// `sha256:` and the hash of the canonical form of `documents`.
pub fn digest(documents: &[CanonicalDocument]) -> String {
    let mut hasher = Sha256::new();
    parts(documents, |part| hasher.update(part));
    let mut text = String::from("sha256:");
    for byte in hasher.finalize() {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// The RFC 8785 array of `documents`, sorted by layer, kind and name.
pub fn canonical_form(documents: &[CanonicalDocument]) -> Vec<u8> {
    let mut out = Vec::with_capacity(documents.iter().map(|document| document.text.len() + 32).sum());
    parts(documents, |part| out.extend_from_slice(part));
    out
}

fn parts(documents: &[CanonicalDocument], mut take: impl FnMut(&[u8])) {
    let mut sorted: Vec<&CanonicalDocument> = documents.iter().collect();
    sorted.sort_by_key(|document| (document.layer, document.kind, &document.name));
    take(b"[");
    for (number, document) in sorted.into_iter().enumerate() {
        if number > 0 {
            take(b",");
        }
        document.covered().iter().for_each(|part| take(part.as_bytes()));
    }
    take(b"]");
}
