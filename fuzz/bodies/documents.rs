//! Any text as a policy file: it is loaded or refused with findings that can be shown, and what is loaded can be decided
//! with and written canonically.

use lictor::diag::{render_json, render_text};
use lictor::model::{Action, Layer, Limits, Request, Subject, Timestamp};
use lictor::policy::{self, Loaded, SourceText};
use lictor::snapshot::Snapshot;

/// The property. What is not UTF-8 never reaches the loader.
pub fn check(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let loaded = load(text, Layer::Tenant);
    for finding in loaded.findings.iter() {
        assert!(!render_text(&loaded.sources, finding, false).is_empty());
        assert!(render_json(&loaded.sources, finding).is_object());
        if let Some(span) = finding.span {
            assert!(
                loaded.sources.excerpt(span).is_some(),
                "{finding:?} points outside of the text, or into a character"
            );
        }
    }
    let imported = policy::import(text);
    if !imported.yaml.is_empty() {
        let again = load(&imported.yaml, Layer::Tenant);
        assert!(
            !again.findings.has_errors(),
            "an import wrote what is refused: {:?}\n{}",
            again.findings,
            imported.yaml
        );
    }
    if loaded.findings.has_errors() {
        return;
    }
    let snapshot = Snapshot::build(&loaded.documents, 1);
    assert_eq!(snapshot.digest(), Snapshot::digest_of(&loaded.documents));
    let _ = lictor::decide::evaluate(Some(&snapshot), &question(), Timestamp::from_micros(0), &Limits::default());

    // What the digest is of says the same as the text: written as documents, it has the same digest.
    let canonical: serde_json::Value = serde_json::from_slice(&Snapshot::canonical_form(&loaded.documents)).unwrap();
    assert!(canonical.is_array());
    let documents: Vec<String> = loaded.documents.canonical.iter().map(|document| document.text.clone()).collect();
    if !documents.is_empty() {
        let again = load(&documents.join("\n---\n"), Layer::Tenant);
        assert!(!again.findings.has_errors(), "{:?}\n{documents:?}", again.findings);
        assert_eq!(Snapshot::digest_of(&again.documents), snapshot.digest(), "{documents:?}");
    }
}

fn load(text: &str, layer: Layer) -> Loaded {
    policy::load(&[SourceText { name: "fuzzed.yaml".into(), layer, text: text.into() }])
}

fn question() -> Request {
    Request {
        subject: Subject {
            kind: "agent".into(),
            id: "support-7".into(),
            roles: vec!["support".into()],
            ..Subject::default()
        },
        action: Action { name: "payment.refund".into(), ..Action::default() },
        ..Request::default()
    }
}
