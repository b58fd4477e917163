//! The pages say what the program says.

use std::path::Path;

/// The mistakes of the page "Ten mistakes and what Lictor says", by the names of their cases.
const MISTAKES: [&str; 10] = [
    "misspelt-field",
    "wrong-effect",
    "bad-cel",
    "unknown-variable",
    "duplicate-rule",
    "tab-indentation",
    "alias",
    "wrong-type",
    "bad-glob",
    "missing-name",
];

#[test]
fn the_manual_shows_the_messages_of_typical_mistakes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| std::fs::read_to_string(root.join(path)).expect(path);
    let manual = read("docs/policy-language.md");
    let missing: Vec<&str> = MISTAKES
        .into_iter()
        .filter(|name| !manual.contains(read(&format!("tests/cases/policy/mistakes/{name}.txt")).trim()))
        .collect();
    assert!(missing.is_empty(), "docs/policy-language.md does not show what the program says of {missing:?}");
}
