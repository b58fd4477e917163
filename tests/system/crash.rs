//! Killed under load: what was written can be verified, the sequence goes on, and what was lost is named.

use std::io::Write as _;

use crate::harness::{Lictor, Load, question, wait_for};

const POLICY: &str =
    "apiVersion: lictor.dev/v1\nkind: Policy\nmetadata: {name: p}\nspec:\n  rules:\n    - {name: r, effect: allow}\n";

fn sequences(lictor: &Lictor) -> Vec<u64> {
    lictor.journal().iter().map(|record| record["meta"]["sequence"].as_u64().expect("a sequence")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_under_load() {
    let mut lictor = Lictor::start(POLICY);
    for round in 0..3 {
        let load = Load::start(&lictor, 8, "a").await;
        let before = load.answered();
        wait_for("some load", || load.answered() > before + 500);
        lictor.signal("-KILL");
        lictor.wait();
        let (_, failures) = load.stop().await;
        assert!(failures.iter().all(|status| status.code() != tonic::Code::Internal), "{failures:?}");
        if round == 1 {
            // A crash in the middle of a write.
            let last = lictor.segments().pop().expect("a segment");
            let mut file = std::fs::OpenOptions::new().append(true).open(last).expect("open segment");
            file.write_all(b"{\"id\":\"0198c1b2-torn").expect("write a torn tail");
        }
        let kept = sequences(&lictor);
        lictor.run();
        wait_for("the gap", || lictor.records("events.gap").len() > round);
        let gaps = lictor.records("events.gap");
        let gap = gaps.last().expect("a gap");
        assert_eq!(gap["payload"]["reason"], "unclean_shutdown", "{gap}");
        assert!(gap["payload"]["boot"].is_string() && gap["payload"]["first"].is_u64(), "{gap}");
        let now = sequences(&lictor);
        assert_eq!(now[..kept.len()], kept[..], "nothing that was written is rewritten");
        let dense: Vec<u64> = (1..=now.len() as u64).collect();
        assert_eq!(now, dense, "no sequence is reused or left out");
        let (code, printed) = lictor.audit_verify();
        assert_eq!(code, 0, "{printed}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_with_every_answer_on_record() {
    let mut lictor = Lictor::prepare(POLICY);
    lictor.config = "events: {mode: guaranteed, answerWaitMillis: 30000}\n".to_owned();
    lictor.run();
    let client = lictor.client().await;
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let mut client = client.clone();
            tokio::spawn(async move {
                let mut answered = Vec::new();
                while let Ok(answer) = client.evaluate(question("a")).await {
                    answered.push(answer.into_inner());
                }
                answered
            })
        })
        .collect();
    wait_for("some records", || lictor.records("policy.evaluated").len() > 200);
    lictor.signal("-KILL");
    lictor.wait();
    let recorded: std::collections::HashSet<String> = lictor
        .records("policy.evaluated")
        .iter()
        .map(|event| event["payload"]["decision_id"].as_str().expect("an id").to_owned())
        .collect();
    let mut answers = 0;
    for caller in callers {
        for answer in caller.await.expect("a caller") {
            assert!(answer.allowed, "{answer:?}");
            assert!(recorded.contains(&answer.decision_id), "{} was answered and is not on record", answer.decision_id);
            answers += 1;
        }
    }
    assert!(answers > 100, "{answers} answers");
    lictor.run();
    let (code, printed) = lictor.audit_verify();
    assert_eq!(code, 0, "{printed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tampering_is_found_with_its_place() {
    let mut lictor = Lictor::start(POLICY);
    let load = Load::start(&lictor, 2, "a").await;
    wait_for("some load", || load.answered() > 50);
    load.stop().await;
    lictor.signal("-TERM");
    assert!(lictor.wait().success());
    let (code, printed) = lictor.audit_verify();
    assert_eq!(code, 0, "{printed}");

    let segment = lictor.segments().remove(0);
    let whole = std::fs::read_to_string(&segment).expect("segment");
    let lines: Vec<&str> = whole.lines().collect();
    assert!(lines.len() > 30, "{} lines", lines.len());
    let flipped = lines[9].replacen("agent-1", "agent-2", 1);
    assert_ne!(flipped, lines[9]);
    let edit = |change: &dyn Fn(&mut Vec<String>)| {
        let mut edited: Vec<String> = lines.iter().map(ToString::to_string).collect();
        change(&mut edited);
        std::fs::write(&segment, edited.join("\n") + "\n").expect("write segment");
        lictor.audit_verify()
    };
    let name = segment.file_name().expect("name").to_string_lossy().into_owned();
    for (what, (code, printed), line) in [
        ("a changed byte", edit(&|lines| lines[9].clone_from(&flipped)), 10),
        ("a removed line", edit(&|lines| _ = lines.remove(14)), 15),
        ("swapped lines", edit(&|lines| lines.swap(19, 20)), 20),
    ] {
        assert_eq!(code, 1, "{what}: {printed}");
        assert!(printed.contains(&format!("{name}:{line}")), "{what} should be found at {name}:{line}\n{printed}");
    }
    std::fs::write(&segment, whole).expect("restore segment");
    assert_eq!(lictor.audit_verify().0, 0);
}

/// A small file system below a state directory; needs root. Unmounted when dropped.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    fn mount(at: std::path::PathBuf) -> Option<Self> {
        std::fs::create_dir_all(&at).expect("a directory");
        let mut mount = std::process::Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=16m,mode=0700", "tmpfs"]).arg(&at);
        mount.output().is_ok_and(|run| run.status.success()).then_some(Self(at))
    }

    fn fill(&self) {
        let path = self.0.join("ballast");
        let mut ballast = std::fs::OpenOptions::new().append(true).create(true).open(path).expect("ballast");
        for size in [64 << 10, 4 << 10, 1] {
            while ballast.write_all(&vec![7; size]).is_ok() {}
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_and_started_again_on_a_full_disk() {
    let mut lictor = Lictor::prepare(POLICY);
    let Some(disk) = SmallDisk::mount(lictor.path("state")) else {
        assert!(std::env::var_os("CI").is_none(), "a small file system must be mountable in CI: run it as root");
        eprintln!("not tried: mounting a small file system needs root");
        return;
    };
    lictor.run();
    // Again and again: what a start needs is kept for the next one.
    for _ in 0..3 {
        disk.fill();
        lictor.signal("-KILL");
        lictor.wait();
        lictor.spawn();
        wait_for("an answer", || lictor.http_get("/healthz").is_some());
        let answer = lictor.client().await.evaluate(question("a")).await.expect("an answer").into_inner();
        assert!(answer.allowed, "{answer:?}");
    }
    assert!(lictor.log().contains("its reserve was given up"), "{}", lictor.log());
    std::fs::remove_file(lictor.path("state/ballast")).expect("room");
    wait_for("readiness", || lictor.http_get("/readyz").is_some_and(|answer| answer.starts_with("HTTP/1.1 200")));
    lictor.signal("-TERM");
    assert!(lictor.wait().success(), "{}", lictor.log());
    assert_eq!(lictor.audit_verify().0, 0);
}
