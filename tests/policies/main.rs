//! Policies decide as their test cases say: the cases of the engine in `tests/cases/decide` and
//! `tests/cases/ir/validate`, and those of every pack.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn folders(below: &str) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = std::fs::read_dir(root().join(below))
        .expect("folder of cases")
        .map(|entry| entry.expect("entry").path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    assert!(!folders.is_empty(), "{below} holds no cases");
    folders
}

/// Runs `lictor test` and gives what it printed where it did not answer `ok`.
fn failure(arguments: &[&str]) -> Option<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_lictor")).arg("test").args(arguments).output().expect("lictor runs");
    let printed = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (!output.status.success()).then(|| format!("lictor test {}\n{printed}", arguments.join(" ")))
}

/// Runs the cases of every topic below a folder. A topic has a folder for each layer that it uses.
fn run_topics(below: &str) {
    let failures: Vec<String> = folders(below)
        .into_iter()
        .filter_map(|topic| {
            let layer = |name: &str| topic.join(name).display().to_string();
            let (system, organisation, tenant) = (layer("system"), layer("organisation"), layer("tenant"));
            let mut arguments = vec![organisation.as_str()];
            if Path::new(&system).exists() {
                arguments.extend(["--system", &system]);
            }
            if Path::new(&tenant).exists() {
                arguments.extend(["--tenant", &tenant]);
            }
            failure(&arguments)
        })
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn the_engine_decides_as_its_cases_say() {
    run_topics("tests/cases/decide");
}

#[test]
fn plans_are_validated_as_their_cases_say() {
    run_topics("tests/cases/ir/validate");
}

#[test]
fn every_pack_passes_its_tests_at_full_rule_coverage() {
    let mut packs = folders("policies/packs");
    packs.push(root().join("policies/default"));
    let failures: Vec<String> =
        packs.iter().filter_map(|pack| failure(&[&pack.display().to_string(), "--min-coverage", "100"])).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn administration_is_decided_as_its_cases_say() {
    let system = root().join("policies/system").display().to_string();
    let failure = failure(&["--system", &system, "--min-coverage", "100"]);
    assert!(failure.is_none(), "{}", failure.unwrap_or_default());
}
