//! The contract as another language sees it: a client generated from `proto/` alone, over the socket and over TCP.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
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

/// The default policies with their catalogue, as one file.
fn default_documents() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let names = ["policies", "catalogue"].map(|name| format!("policies/default/{name}.yaml"));
    names.map(|name| std::fs::read_to_string(root.join(&name)).expect(&name).trim_end().to_owned()).join("\n---\n")
}

/// A page's walk-through below a heading.
struct WalkThrough {
    page: &'static str,
    heading: &'static str,
}

impl WalkThrough {
    /// What runs it against `lictor`.
    fn command(&self, lictor: &Lictor) -> Command {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut command = Command::new(python());
        command
            .arg(root.join("tests/system/walkthrough.py"))
            .arg(root.join(self.page))
            .arg(self.heading)
            .args([root.join("proto"), lictor.path("generated")])
            .arg(format!("unix:{}", lictor.socket().display()))
            .arg(lictor.http.to_string())
            .env("no_proxy", "*")
            .env("PYTHONUNBUFFERED", "1");
        command
    }

    /// What the page says behind `#` that each `print` prints, where it does.
    fn said(&self) -> Vec<Option<String>> {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join(self.page);
        let text = std::fs::read_to_string(page).expect("the page");
        let (_, section) = text.split_once(self.heading).expect("the section");
        let section = section.split("\n## ").next().expect("its text");
        let prints = section.lines().filter(|line| line.trim_start().starts_with("print("));
        prints.map(|line| line.split_once("# ").map(|(_, said)| said.trim().to_owned())).collect()
    }
}

#[test]
fn the_first_program_prints_what_the_readme_says() {
    let lictor = Lictor::start(&default_documents());
    let walk = WalkThrough { page: "README.md", heading: "## Ask from a program" };
    let printed = run(&mut walk.command(&lictor));
    let said: Option<Vec<String>> = walk.said().into_iter().collect();
    assert_eq!(printed.lines().map(str::to_owned).collect::<Vec<_>>(), said.expect("each says what it prints"));
}

#[test]
fn the_walk_through_of_the_readme_does_what_it_says() {
    let lictor = Lictor::start(&default_documents());
    let walk = WalkThrough { page: "README.md", heading: "## Validate a plan" };
    let printed = run(&mut walk.command(&lictor));
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines.len(), 7, "{printed}");
    // The one in the loop prints twice.
    let of_print: Vec<&str> = [&lines[..3], &lines[4..]].concat();
    for (line, said) in of_print.iter().zip(&walk.said()) {
        assert!(said.as_ref().is_none_or(|said| said == *line), "{printed}");
    }
    assert!(lines[2].starts_with("outline 1 [") && lines[3].starts_with("records 2 [\'"), "{printed}");
    assert!(lines[6].starts_with("False [") && lines[6].contains("infra.destroy"), "{printed}");

    let kinds = ["ir.validated_pass", "ir.validated_escalate", "ir.dag_diff_ok", "ir.dag_diff_failed"];
    crate::harness::wait_for("the records", || kinds.iter().all(|kind| lictor.records(kind).len() == 1));
}

#[test]
fn a_human_approves_what_a_program_asks_for() {
    let mut lictor = Lictor::prepare(&default_documents());
    lictor.arguments = vec!["--dev"];
    lictor.run();
    let walk = WalkThrough { page: "docs/approvals.md", heading: "## From a program" };
    let mut program = walk.command(&lictor).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("python runs");
    let mut lines = Vec::new();
    for line in BufReader::new(program.stdout.take().expect("its output")).lines() {
        let line = line.expect("UTF-8");
        if let Some(rest) = line.strip_prefix("lictor ") {
            // The human at the command line, who looks first.
            let socket = lictor.socket().display().to_string();
            let as_alice = ["--socket", &socket, "--dev-as", "alice", "--dev-level", "4", "--timeout-ms", "30000"];
            let words: Vec<&str> = rest.split(' ').collect();
            let (code, printed) = lictor.command(&[&["approvals", "show", words[2]][..], &as_alice].concat());
            assert!(code == 0 && printed.contains("192.0.2.7") && printed.contains(rest), "{printed}");
            let (code, printed) = lictor.command(&[&words[..], &as_alice].concat());
            assert_eq!(code, 0, "{printed}");
        }
        lines.push(line);
    }
    let output = program.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{lines:?} {}", String::from_utf8_lossy(&output.stderr));
    let said = walk.said();
    assert_eq!(lines.len(), said.len(), "{lines:?}");
    for (line, said) in lines.iter().zip(&said) {
        assert!(said.as_ref().is_none_or(|said| said == line), "{lines:?}");
    }
    assert!(said.iter().flatten().count() >= 7, "{said:?}");
    let kinds = ["created", "approved", "consumed", "invalid"].map(|kind| format!("ir.approval_{kind}"));
    crate::harness::wait_for("the records", || kinds.iter().all(|kind| lictor.records(kind).len() == 1));
}
