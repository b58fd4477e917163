//! The contract as another language sees it: a client generated from `proto/` alone, over the socket and over TCP.

use std::path::Path;
use std::process::Command;

use crate::harness::Lictor;

/// Makes a Python environment with grpcio below `target/`, once.
fn python() -> std::path::PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let environment = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python");
    let python = environment.join("bin/python");
    let ready = environment.join("ready");
    if !ready.exists() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&environment));
        let requirements = root.join("tests/system/requirements.txt");
        let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
        run(Command::new(&python).args(install).arg(requirements));
        std::fs::write(ready, "").expect("mark the environment ready");
    }
    python
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn a_python_client_over_both_transports() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let policies: String =
        std::fs::read_to_string(root.join("policies/default/policies.yaml")).expect("default policies");
    let lictor = Lictor::start(&policies);
    let targets = [format!("unix:{}", lictor.socket().display()), lictor.tcp.to_string()];
    let printed = run(Command::new(python())
        .arg(root.join("tests/system/evaluate.py"))
        .arg(root.join("proto"))
        .arg(lictor.path("generated"))
        .args(&targets));
    let answers: Vec<serde_json::Value> =
        printed.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(answers.len(), 2, "{printed}");
    for (answer, target) in answers.iter().zip(&targets) {
        assert_eq!(answer["target"], **target);
        assert_eq!(answer["read"]["decision"], "DECISION_ALLOW", "{answer}");
        assert_eq!(answer["read"]["allowed"], true);
        assert_eq!(answer["read"]["request_id"], "q-file.read");
        assert!(answer["read"]["snapshot"]["digest"].as_str().is_some_and(|digest| digest.starts_with("sha256:")));
        assert_eq!(answer["secret"]["decision"], "DECISION_DENY", "{answer}");
        assert_eq!(answer["refused"]["code"], "INVALID_ARGUMENT", "{answer}");
        assert_eq!(answer["stream"], serde_json::json!(["0", "1", "2"]));
        assert_eq!(answer["health"], "SERVING");
    }
}
