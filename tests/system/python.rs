//! The contract as another language sees it: a client generated from `proto/` alone, over the socket and over TCP.

use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

use crate::harness::Lictor;

/// One test makes the environment, the others wait.
static ENVIRONMENT: Mutex<()> = Mutex::new(());

/// Makes a Python environment with what a client needs below `target/`, once.
fn python() -> std::path::PathBuf {
    let _alone = ENVIRONMENT.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let environment = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python");
    let python = environment.join("bin/python");
    let ready = environment.join("ready");
    let path = root.join("tests/system/requirements.txt");
    let requirements = std::fs::read_to_string(&path).expect("requirements");
    if std::fs::read_to_string(&ready).ok().as_ref() != Some(&requirements) {
        run(Command::new("python3").args(["-m", "venv"]).arg(&environment));
        let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
        run(Command::new(&python).args(install).arg(path));
        std::fs::write(ready, requirements).expect("mark the environment ready");
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

#[test]
fn the_walk_through_of_the_readme_does_what_it_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut policies = String::new();
    for name in ["policies", "catalogue"] {
        policies += &std::fs::read_to_string(root.join(format!("policies/default/{name}.yaml"))).expect(name);
        policies += "\n---\n";
    }
    let lictor = Lictor::start(policies.trim_end().trim_end_matches("---"));
    let printed = run(Command::new(python())
        .arg(root.join("tests/system/walkthrough.py"))
        .args([root.join("README.md"), root.join("proto"), lictor.path("generated")])
        .arg(format!("unix:{}", lictor.socket().display()))
        .arg(lictor.http.to_string())
        .env("no_proxy", "*"));
    // What the page says behind `#`, and what it leaves to the reader to see.
    let page = std::fs::read_to_string(root.join("README.md")).expect("README.md");
    let (_, section) = page.split_once("## Validate a plan").expect("the walk-through");
    let said = section
        .lines()
        .filter(|line| line.starts_with("print("))
        .map(|line| line.split_once("# ").map(|(_, said)| said.trim()));
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines.len(), 7, "{printed}");
    let of_print: Vec<&str> = [&lines[..2], &lines[4..]].concat();
    for (line, said) in of_print.iter().zip(said) {
        assert!(said.is_none_or(|said| said == *line), "{printed}");
    }
    assert!(lines[2].starts_with("outline 1 [") && lines[3].starts_with("records 2 [\'"), "{printed}");
    assert!(lines[6].starts_with("False [") && lines[6].contains("infra.destroy"), "{printed}");

    let kinds = ["ir.validated_pass", "ir.validated_escalate", "ir.dag_diff_ok", "ir.dag_diff_failed"];
    crate::harness::wait_for("the records", || kinds.iter().all(|kind| lictor.records(kind).len() == 1));
}
