//! What the README tells readers to paste into a shell.

use std::path::Path;
use std::process::Command;

use crate::harness::free_address;

/// The first shell block below a heading of the README.
fn block(heading: &str) -> String {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("README.md");
    let (_, section) = text.split_once(heading).expect("the heading");
    let section = section.split("\n## ").next().expect("its text");
    let (_, block) = section.split_once("```sh\n").expect("a block");
    block.split_once("```").expect("its end").0.to_owned()
}

/// A failing line ends it, and with it the server that it has started.
const CAREFULLY: &str = "set -eu\ntrap 'kill $(jobs -p) 2>/dev/null || true; cat lictor.log >&2' EXIT\n";

#[test]
fn people_decide_as_the_readme_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let inside = |name: &str| folder.path().join(name);
    std::fs::create_dir(inside("bin")).expect("a folder");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_lictor"), inside("bin/lictor")).expect("the program");
    let policies = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    std::os::unix::fs::symlink(policies, inside("policies")).expect("the policies");
    let path = format!("{}:{}", inside("bin").display(), std::env::var("PATH").expect("a PATH"));
    let output = Command::new("bash")
        .args(["-c", &format!("{CAREFULLY}{}", block("## Let people decide"))])
        .current_dir(folder.path())
        .env("PATH", path)
        // Others on this machine may have the usual ports.
        .env("LICTOR_LISTEN__TCP", free_address().to_string())
        .env("LICTOR_HTTP__ADDRESS", free_address().to_string())
        .output()
        .expect("bash runs");
    let printed = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}\n{errors}");
    for said in ["what will run", "dns.update_records on zone:example.com", "192.0.2.7", "granted"] {
        assert!(printed.contains(said), "{said}: {printed}\n{errors}");
    }
    let history = printed.lines().rev().take(6).collect::<Vec<_>>().join("\n");
    for step in ["PENDING  by dev:runtime", "PENDING → APPROVED  by dev:alice", "APPROVED → CONSUMED  by dev:runtime"]
    {
        assert!(history.contains(step), "{step}: {printed}");
    }
}
