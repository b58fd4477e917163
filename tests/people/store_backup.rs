//! `lictor backup` and `lictor restore`.

use std::path::Path;
use std::process::Command;

use lictor::api::proto::v1;
use lictor::model::ApprovalStatus;
use lictor::state_dir::StateDir;
use lictor::store::{Changed, DeliveryState, Due, Place, Store, StoreOptions};

use crate::harness::{approval, delivery, new, to};
use crate::postgres::binaries;
use crate::served::{Backend, approval_of, approving, by, client, consuming, created, getting, history_of, status_of};

/// Runs `lictor` and gives exit code and output.
fn lictor(folder: &Path, arguments: &[&str]) -> (i32, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_lictor")).args(arguments).current_dir(folder).output().expect("lictor runs");
    let printed = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.code().unwrap_or(-1), printed)
}

async fn open(folder: &Path) -> Store {
    let mut options = StoreOptions::new(Place::Sqlite(folder.join("lictor-data/lictor.db")));
    options.wait = crate::harness::PATIENCE;
    Store::open(options).await.expect("the store")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_is_put_back_and_ends_what_was_approved() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    drop(StateDir::open(&folder.join("lictor-data")).unwrap());
    let store = open(folder).await;
    let now = store.now().await.unwrap();
    let kept = approval(now, 1);
    let mut creation = new(kept.clone());
    creation.deliveries.push(delivery(&kept, "ops", now));
    store.create_approval(creation).await.unwrap();

    // Beside the open store.
    let (code, printed) = lictor(folder, &["backup", "--to", "copy.db"]);
    assert_eq!(code, 0, "{printed}");
    assert!(printed.contains("epoch 1, 1 open approvals, 1 events"), "{printed}");
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(folder.join("copy.db")).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let (code, printed) = lictor(folder, &["backup", "--to", "copy.db"]);
    assert_eq!((code, printed.contains("copy.db") && printed.contains("exists")), (2, true), "{printed}");

    // What came after the backup is not in it.
    let lost = approval(now, 1);
    store.create_approval(new(lost.clone())).await.unwrap();
    let approve = to(&kept, ApprovalStatus::Approved, "jwt:iss#ann", now);
    assert_eq!(store.change_approval(approve).await.unwrap(), Changed::Done);
    store.close().await;

    let (code, printed) = lictor(folder, &["restore", "--from", "copy.db"]);
    assert_eq!(code, 0, "{printed}");
    assert!(printed.contains("epoch 2 begins") && printed.contains("lictor.db.before-restore"), "{printed}");
    let store = open(folder).await;
    assert_eq!(store.epoch(), Some(2));
    assert_eq!(store.approval("acme", &lost.id).await.unwrap(), None);
    assert_eq!(store.approval("acme", &kept.id).await.unwrap(), Some(kept.clone()), "as it was backed up");
    let approve = to(&kept, ApprovalStatus::Approved, "jwt:iss#ann", now);
    assert_eq!(store.change_approval(approve).await.unwrap(), Changed::Expired, "of an epoch that is over");
    assert_eq!(store.due_approvals(Due::Expiry, 9).await.unwrap(), std::slice::from_ref(&kept));
    let query = lictor::store::DeliveryQuery { limit: 9, ..Default::default() };
    let deliveries = store.list_deliveries(&query).await.unwrap().items;
    assert_eq!(deliveries.iter().map(|delivery| delivery.state).collect::<Vec<_>>(), [DeliveryState::Dead]);
    store.close().await;

    // What was there before can be looked at, and a second restore keeps the first's too.
    let before = StoreOptions::new(Place::Sqlite(folder.join("lictor-data/lictor.db.before-restore")));
    let before = Store::open(before).await.unwrap();
    assert!(before.approval("acme", &lost.id).await.unwrap().is_some());
    before.close().await;
    let (code, printed) = lictor(folder, &["restore", "--from", "copy.db"]);
    assert_eq!(code, 0, "{printed}");
    assert!(printed.contains("epoch 3 begins") && printed.contains("before-restore-1"), "{printed}");
    let (code, printed) = lictor(folder, &["restore", "--epoch-only"]);
    assert_eq!((code, printed.contains("epoch 4 begins")), (0, true), "{printed}");
    // Also where nothing but the number is left of what was there.
    std::fs::remove_file(folder.join("lictor-data/lictor.db")).unwrap();
    let (code, printed) = lictor(folder, &["restore", "--from", "copy.db"]);
    assert_eq!((code, printed.contains("epoch 5 begins")), (0, true), "{printed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_backup_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let state_dir = StateDir::open(&folder.join("lictor-data")).unwrap();
    let store = open(folder).await;
    let now = store.now().await.unwrap();
    let kept = approval(now, 1);
    store.create_approval(new(kept.clone())).await.unwrap();
    assert_eq!(lictor(folder, &["backup", "--to", "copy.db"]).0, 0);
    let (code, printed) = lictor(folder, &["restore", "--from", "copy.db"]);
    assert_eq!((code, printed.contains("is in use by")), (2, true), "the server runs: {printed}");
    let (code, printed) = lictor(folder, &["restore", "--from", "lictor-data/lictor.db"]);
    assert_eq!(code, 2, "{printed}");
    store.close().await;
    drop(state_dir);

    let copy = std::fs::read(folder.join("copy.db")).unwrap();
    let mut torn = copy.clone();
    torn[4 * 4_096..7 * 4_096].fill(0x5a);
    std::fs::write(folder.join("torn.db"), torn).unwrap();
    std::fs::write(folder.join("text.db"), "just text\n".repeat(900)).unwrap();
    let other = rusqlite::Connection::open(folder.join("other.db")).unwrap();
    other.execute_batch("CREATE TABLE t (a)").unwrap();
    other.close().unwrap();
    for (file, reason) in [
        ("torn.db", "is damaged"),
        ("text.db", "is damaged"),
        ("other.db", "is no backup of a store"),
        ("missing.db", "cannot read"),
    ] {
        let (code, printed) = lictor(folder, &["restore", "--from", file]);
        assert_eq!((code, printed.contains(reason), printed.contains(file)), (2, true, true), "{printed}");
    }
    let store = open(folder).await;
    assert_eq!((store.epoch(), store.approval("acme", &kept.id).await.unwrap()), (Some(1), Some(kept)));
    store.close().await;
    let (code, printed) = lictor(folder, &["backup", "--state", "nowhere", "--to", "x.db"]);
    assert_eq!((code, printed.contains("there is no `nowhere/lictor.db`")), (2, true), "{printed}");
    assert!(!folder.join("x.db").exists());
}

#[test]
fn postgres_has_its_own_tools() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("lictor.yaml"), "store: {url: 'postgres://lictor@db/lictor'}\n").unwrap();
    let (code, printed) = lictor(folder.path(), &["backup", "--to", "copy"]);
    assert_eq!((code, printed.contains("pg_dump --format=custom --file=copy")), (2, true), "{printed}");
    let (code, printed) = lictor(folder.path(), &["restore", "--from", "copy"]);
    assert_eq!((code, printed.contains("lictor restore --epoch-only")), (2, true), "{printed}");
    std::fs::write(folder.path().join("lictor.yaml"), "store: {url: 'postgres://u:geheim@db/lictor'}\n").unwrap();
    let (code, printed) = lictor(folder.path(), &["backup", "--to", "copy"]);
    assert_eq!((code, printed.contains("store.password"), printed.contains("geheim")), (2, true, false), "{printed}");
}

/// The page's way: dumped beside the running server, put back while none runs, and told so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dump_of_postgres_is_put_back_and_ends_what_was_approved() {
    let backend = Backend::postgres().await;
    let Backend::Postgres { url, .. } = &backend else { unreachable!() };
    let mut lictor = backend.server();
    let mut before = client(&lictor).await;
    let approved = created(&mut before, "", "approved").await;
    before.approve(by("ann", Some("4"), approving("", approval_of(&approved)))).await.unwrap();
    let rejected = created(&mut before, "", "rejected").await;
    before.reject(by("ann", Some("4"), crate::served::rejecting("", approval_of(&rejected)))).await.unwrap();

    let folder = tempfile::tempdir().unwrap();
    let dump = folder.path().join("lictor.dump");
    let tool = |name: &str, arguments: &[&str]| {
        let output = Command::new(binaries().join(name)).args(arguments).output().unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    };
    let file = format!("--file={}", dump.display());
    tool("pg_dump", &["--format=custom", &file, url]);
    // What comes after the dump is not in it: a redemption, which must not be possible once more, and another approval.
    before.consume(by("runtime", None, consuming("", &approved))).await.unwrap();
    let later = created(&mut before, "", "later").await;
    lictor.signal("-TERM");
    assert!(lictor.wait().success(), "{}", lictor.log());
    let to = format!("--dbname={url}");
    tool("pg_restore", &["--clean", "--if-exists", &to, &dump.display().to_string()]);
    let (code, printed) = lictor.command(&["restore", "--epoch-only", "--state", "state"]);
    assert!(code == 0 && printed.contains("epoch 2 begins"), "{code}: {printed}");

    lictor.run();
    let mut client = client(&lictor).await;
    let again = client.consume(by("runtime", None, consuming("", &approved))).await.unwrap_err();
    assert_eq!(again.code(), tonic::Code::NotFound, "redeemed twice");
    let id = approval_of(&approved).id.clone();
    let reader = client.clone();
    crate::house::eventually("expiry", async || {
        status_of(&mut reader.clone(), "", &id).await == v1::ApprovalStatus::Expired
    })
    .await;
    let rows = history_of(&mut client, "", &id).await;
    assert!(rows.last().unwrap().reason.contains("restored"), "{rows:?}");
    assert_eq!(status_of(&mut client, "", &approval_of(&rejected).id).await, v1::ApprovalStatus::Rejected);
    let lost = client.get_approval(by("ann", None, getting("", &approval_of(&later).id))).await.unwrap_err();
    assert_eq!(lost.code(), tonic::Code::NotFound);
    let fresh = created(&mut client, "", "fresh").await;
    client.approve(by("ann", Some("4"), approving("", approval_of(&fresh)))).await.unwrap();
    client.consume(by("runtime", None, consuming("", &fresh))).await.expect("the new epoch goes on");
}
