//! The embedded store on a file system that is really full: one of a few megabytes, in a mount namespace of its own.

use std::path::Path;
use std::process::Command;

use lictor::model::ApprovalStatus;
use lictor::store::{Changed, Created, Place, Store, StoreError, StoreOptions};
use tokio::task::JoinSet;

use crate::harness::{PATIENCE, approval, new, to};

/// Set for the process that runs in the namespace; holds the folder.
const INSIDE: &str = "LICTOR_TEST_FULL_FOLDER";
const NAME: &str = "store_full::a_full_file_system_is_told_and_left_again";

/// Runs itself once more, in a namespace where the folder is a small file system. Needs root or user namespaces
/// (`sysctl kernel.apparmor_restrict_unprivileged_userns=0`).
#[test]
fn a_full_file_system_is_told_and_left_again() {
    if let Some(folder) = std::env::var_os(INSIDE) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        return runtime.block_on(fill(Path::new(&folder)));
    }
    let folder = tempfile::tempdir().unwrap();
    let script = "mount -t tmpfs -o size=4m lictor-full \"$1\" && exec \"$2\" --exact \"$3\" --nocapture";
    let mut command = Command::new("unshare");
    if !rustix::process::getuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command.args(["--mount", "sh", "-c", script, "sh"]).arg(folder.path());
    command.arg(std::env::current_exe().unwrap()).arg(NAME).env(INSIDE, folder.path());
    let output = command.output().expect("unshare, of util-linux");
    let printed = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && printed.contains("1 passed"), "{printed}");
    assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none(), "it was not in a file system of its own");
}

async fn fill(folder: &Path) {
    let ballast = folder.join("ballast");
    std::fs::write(&ballast, vec![0x5a; 1 << 20]).unwrap();
    let mut options = StoreOptions::new(Place::Sqlite(folder.join("lictor.db")));
    options.wait = PATIENCE;
    let store = Store::open(options.clone()).await.unwrap();
    let now = store.now().await.unwrap();
    let mut there = Vec::new();
    let refused = loop {
        let approval = approval(now, 1);
        match store.create_approval(new(approval.clone())).await {
            Ok(created) => assert_eq!(created, Created::New),
            Err(error) => break error,
        }
        there.push(approval);
        assert!(there.len() < 10_000, "it never gets full");
    };
    assert!(matches!(refused, StoreError::Full { .. }), "{refused}");
    assert!(!there.is_empty());
    // Several at once, which are one group and then one by one.
    let mut tasks = JoinSet::new();
    for _ in 0..8 {
        let (store, approval) = (store.clone(), approval(now, 1));
        tasks.spawn(async move { (approval.clone(), store.create_approval(new(approval)).await) });
    }
    for (approval, outcome) in tasks.join_all().await {
        let found = store.approval("acme", &approval.id).await.expect("reading goes on");
        assert_eq!(found.is_some(), outcome.is_ok(), "{outcome:?}");
        match outcome {
            Ok(_) => there.push(approval),
            Err(error) => assert!(matches!(error, StoreError::Full { .. }), "{error}"),
        }
    }
    // With room again it goes on, without being opened anew.
    std::fs::remove_file(&ballast).unwrap();
    let change = to(&there[0], ApprovalStatus::Rejected, "jwt:iss#ann", now);
    there[0] = change.approval.clone();
    assert_eq!(store.change_approval(change).await.unwrap(), Changed::Done);
    let last = approval(now, 1);
    assert_eq!(store.create_approval(new(last.clone())).await.unwrap(), Created::New);
    there.push(last);
    store.close().await;
    // Looked through for damage when it is opened.
    let store = Store::open(options).await.unwrap();
    for approval in &there {
        assert_eq!(store.approval("acme", &approval.id).await.unwrap().as_ref(), Some(approval), "what was answered");
    }
    let figures = store.figures().await.unwrap();
    assert_eq!(figures.outbox as usize, there.len() + 1, "an event a change, and none of what was refused");
    store.close().await;
}
