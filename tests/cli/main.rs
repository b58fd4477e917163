//! The commands as a user meets them: exit codes, what is printed where, and what is written.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod plans;
mod serving;
mod webhooks;

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Exit code, standard output, standard error.
fn lictor(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_lictor")).args(arguments).current_dir(folder).output().expect("lictor runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code().expect("an exit code"), text(output.stdout), text(output.stderr))
}

fn folder_with(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

const POLICY: &str = "apiVersion: lictor.dev/v1\nkind: Policy\nmetadata: {name: files}\nspec:\n  rules:\n    \
                      - {name: read, effect: allow, actions: [file.read]}\n";
const MISSPELT: &str = "apiVersion: lictor.dev/v1\nkind: Policy\nmetadata: {name: other}\nspec:\n  rules:\n    \
                        - {name: read, efect: allow, actions: [\"<file>.read\"]}\n";

#[test]
fn an_import_that_leaves_rules_out_writes_nothing_unless_asked_to() {
    let rules = r#"[{"rule_id": "lost", "effect": "deny", "condition": []}, {"rule_id": "kept", "effect": "deny"}]"#;
    let folder = folder_with(&[("old.json", rules), ("none.json", "[]")]);
    for arguments in [&["import", "old.json"][..], &["import", "old.json", "-o", "new.yaml"]] {
        let (code, out, error) = lictor(folder.path(), arguments);
        assert_eq!((code, out.as_str()), (1, ""), "{error}");
        assert!(error.contains("1 rule is left out (2 errors); `--partial` writes the rest"), "{error}");
        assert!(error.contains("did you mean `conditions`?"), "{error}");
        assert!(!folder.path().join("new.yaml").exists());
    }
    let (code, out, error) = lictor(folder.path(), &["import", "old.json", "-o", "new.yaml", "--partial"]);
    assert_eq!((code, out.as_str()), (1, ""), "{error}");
    let written = fs::read_to_string(folder.path().join("new.yaml")).unwrap();
    assert!(written.contains("kept") && !written.contains("lost"), "{written}");
    let (code, out, error) = lictor(folder.path(), &["import", "none.json", "--partial"]);
    assert_eq!((code, out.as_str()), (1, ""), "{error}");
    assert!(error.contains("no rules found"), "{error}");
}

#[test]
fn a_file_that_is_named_twice_is_read_once() {
    let folder = folder_with(&[("lay/org.yaml", POLICY)]);
    let (code, out, error) = lictor(folder.path(), &["check", "lay", "lay/org.yaml", "./lay/../lay/org.yaml"]);
    assert_eq!(code, 0, "{error}");
    assert!(out.contains("1 file, 1 document"), "{out}");
}

#[test]
fn an_unreadable_file_hides_no_finding() {
    let folder = folder_with(&[("lay/good.yaml", POLICY), ("lay/misspelt.yaml", MISSPELT)]);
    fs::write(folder.path().join("lay/latin.yaml"), b"kind: Policy\nname: caf\xe9\n").unwrap();
    std::os::unix::fs::symlink("nowhere", folder.path().join("lay/link.yaml")).unwrap();
    std::os::unix::fs::symlink(".", folder.path().join("lay/circle")).unwrap();
    let (code, out, error) = lictor(folder.path(), &["check", "lay", "--output", "json"]);
    assert_eq!(code, 1, "{error}");
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["files"], 4);
    let findings = report["findings"].as_array().unwrap();
    let has = |code: &str, file: &str, line: u64| {
        findings.iter().any(|one| {
            one["code"] == code && one["message"].as_str().unwrap().contains(file) && one["line"].as_u64() == Some(line)
                || one["code"] == code && one["file"] == file && one["line"].as_u64() == Some(line)
        })
    };
    assert!(has("unreadable-file", "lay/latin.yaml", 2), "{out}");
    assert!(has("unknown-field", "lay/misspelt.yaml", 6), "{out}");
    assert!(out.contains("cannot read `lay/link.yaml`"), "{out}");
    assert!(out.contains("byte 22 of the file is not UTF-8"), "{out}");
    let (code, _, error) = lictor(folder.path(), &["check", "lay/link.yaml"]);
    assert_eq!(code, 2, "{error}");
}

#[test]
fn a_test_of_refused_documents_still_reports() {
    let folder = folder_with(&[("lay/misspelt.yaml", MISSPELT)]);
    let (code, out, error) = lictor(folder.path(), &["test", "lay", "--output", "json"]);
    assert_eq!((code, error.as_str()), (1, ""));
    let report: Value = serde_json::from_str(&out).unwrap();
    let (_, checked, _) = lictor(folder.path(), &["check", "lay", "--output", "json"]);
    let checked: Value = serde_json::from_str(&checked).unwrap();
    assert_eq!(report["ok"], false);
    for key in ["errors", "warnings", "findings", "truncated"] {
        assert_eq!(report[key], checked[key], "{key}");
    }
    let (code, out, _) = lictor(folder.path(), &["test", "lay", "--output", "junit"]);
    assert_eq!(code, 1);
    assert_eq!(out.matches("<failure ").count() as u64, checked["errors"].as_u64().unwrap(), "{out}");
    assert!(out.contains("name=\"lay/misspelt.yaml:6:20 unknown-field\"") && !out.contains("<file>"), "{out}");
}

#[test]
fn eval_takes_layers_in_process_and_no_time_for_a_server() {
    let wall = POLICY.replace("files", "wall").replace("allow", "deny");
    let folder = folder_with(&[("org.yaml", POLICY), ("wall.yaml", &wall)]);
    let ask = ["eval", "--subject", "agent/a", "--action", "file.read", "--output", "json"];
    for (layers, allowed) in [
        (&["--policies", "org.yaml"][..], true),
        (&["--policies", "org.yaml", "--system-policies", "wall.yaml"], false),
        (&["--policies", "org.yaml", "--tenant-policies", "wall.yaml"], false),
    ] {
        let (code, out, error) = lictor(folder.path(), &[&ask[..], layers].concat());
        assert_eq!(code, i32::from(!allowed), "{error}");
        assert_eq!(serde_json::from_str::<Value>(&out).unwrap()["allowed"], allowed);
    }
    for server in [&["--socket", "s"][..], &["--address", "127.0.0.1:1"]] {
        let (code, _, error) = lictor(folder.path(), &[&ask[..], server, &["--now", "2026-01-01T00:00:00Z"]].concat());
        assert_eq!(code, 2);
        assert!(error.contains("`--now` needs `--policies`"), "{error}");
    }
}

#[test]
fn a_type_that_no_event_has_is_refused() {
    let folder = folder_with(&[]);
    let (code, _, error) = lictor(folder.path(), &["audit", "tail", "--type", "policy.denid"]);
    assert_eq!(code, 2);
    assert!(error.contains("did you mean `policy.denied`?") && error.contains("events.gap"), "{error}");
}

/// A report that could not be written is an error of the environment, not a report.
#[test]
fn a_full_standard_output_is_an_error_and_no_panic() {
    let policies = concat!(env!("CARGO_MANIFEST_DIR"), "/policies/default");
    for arguments in [vec!["schema"], vec!["check", policies], vec!["test", policies]] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output =
            std::process::Command::new(env!("CARGO_BIN_EXE_lictor")).args(&arguments).stdout(full).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {errors}");
        assert!(errors.contains("standard output") && !errors.contains("panicked"), "{arguments:?}: {errors}");
    }
}

#[test]
fn a_catalogue_is_made_of_the_tools_of_a_server() {
    let tools = r#"{"tools": [
        {"name": "read", "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": true, "openWorldHint": false}},
        {"name": "wipe", "description": "Removes all.", "inputSchema": {"type": "object"}}]}"#;
    let folder = folder_with(&[("tools.json", tools), ("bad.json", r#"[{"name": " x"}, {"name": "y"}]"#)]);
    let (code, out, error) =
        lictor(folder.path(), &["catalog", "import", "--mcp", "tools.json", "-o", "catalogue.yaml"]);
    assert_eq!((code, out.as_str()), (0, ""), "{error}");
    assert!(error.contains("imported; actions: 2, left out: 0, errors: 0, notes: 0"), "{error}");
    let (code, _, error) = lictor(folder.path(), &["check", "catalogue.yaml"]);
    assert_eq!(code, 0, "{error}");
    let kept = fs::read_to_string(folder.path().join("catalogue.yaml")).unwrap();
    fs::write(folder.path().join("kept.yaml"), kept.replace("tier: 3", "tier: 2")).unwrap();
    let (code, out, error) =
        lictor(folder.path(), &["catalog", "import", "--mcp", "tools.json", "--over", "kept.yaml"]);
    assert_eq!(code, 0, "{error}");
    assert!(out.contains("tier: 2") && error.contains("the server's annotations would give 3"), "{out} {error}");

    let (code, out, error) = lictor(folder.path(), &["catalog", "import", "--mcp", "bad.json"]);
    assert_eq!((code, out.as_str()), (1, ""), "{error}");
    assert!(error.contains("starts or ends with a blank") && error.contains("`--partial` writes"), "{error}");
    let (code, out, error) = lictor(folder.path(), &["catalog", "import", "--mcp", "bad.json", "--partial"]);
    assert_eq!((code, out.contains("name: y")), (1, true), "{error}");
    let (code, _, error) = lictor(folder.path(), &["catalog", "import", "--mcp", "missing.json"]);
    assert_eq!(code, 2, "{error}");
}
