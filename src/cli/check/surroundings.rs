//! What documents refer to and is not to be found here. They may be right all the same: the server runs elsewhere, with
//! other files and variables. That is why none of it makes a check fail, whatever is asked of warnings. What is here and can
//! never work does.

use std::path::Path;

use crate::config::SecretError;
use crate::diag::{Finding, Findings};
use crate::policy::{DocumentSet, SecretReference};
use crate::webhook::Key;

/// Fewest bytes of a key that signs webhooks; Standard Webhooks asks for 24 to 64.
const MIN_KEY_BYTES: usize = 24;

/// Warnings of what the documents refer to and is not here; errors of what is here and cannot work.
pub fn missing(documents: &DocumentSet) -> Findings {
    let mut out = Findings::default();
    for endpoint in &documents.webhook_endpoints {
        for reference in std::iter::once(&endpoint.secret).chain(&endpoint.grace) {
            out.extend(key(reference));
        }
        if let Some(path) = endpoint.ca_file.as_ref().filter(|path| !Path::new(path.as_str()).is_file()) {
            let message =
                format!("the endpoint `{}` trusts the certificates in `{path}`, which is not here", endpoint.name);
            out.push(
                Finding::warning("missing-file", message)
                    .at(endpoint.span)
                    .help("make sure that it is where the server runs"),
            );
        }
    }
    out
}

fn key(reference: &SecretReference) -> Option<Finding> {
    let (code, message, help) = match Key::read(reference) {
        Ok(key) if key.bytes() >= MIN_KEY_BYTES => return None,
        Ok(key) => (
            "short-secret",
            format!("the secret has only {} bytes, which can be guessed", key.bytes()),
            "make one with `openssl rand -base64 32`",
        ),
        Err(error @ SecretError::Malformed { .. }) => {
            let finding = Finding::error("malformed-secret", error.to_string()).at(reference.span);
            return Some(finding.help("every delivery to this endpoint would fail"));
        }
        Err(error) => ("unusable-secret", error.to_string(), "make sure that it is in order where the server runs"),
    };
    Some(Finding::warning(code, message).at(reference.span).help(help))
}
