//! What goes wrong with a store: damaged, newer, full, away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lictor::model::{ApprovalQuery, ApprovalStatus, HistoryQuery};
use lictor::store::{
    AttemptOutcome, Changed, Created, DeliveryClaim, NewDelivery, Place, Store, StoreError, StoreOptions,
};
use tokio::task::JoinSet;

use crate::harness::{Fixture, PATIENCE, delivery, later, new, on_both, to};
use crate::postgres::{self, Cluster};

on_both!(a_store_of_the_schema_before_is_brought_up_to_date);

/// Waits until `holds`, which should be soon.
async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "no {what} within {PATIENCE:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_file_is_refused() {
    let fixture = Fixture::sqlite().await;
    fixture.store.close().await;
    rusqlite::Connection::open(fixture.file()).unwrap().execute_batch(NEWER).unwrap();
    let refused = Store::open(fixture.options.clone()).await.expect_err("newer than the program");
    let message = refused.to_string();
    assert!(matches!(refused, StoreError::NewerSchema { found: 9_999, .. }), "{message}");
    assert!(message.contains("lictor.db") && message.contains("run the version that wrote it"), "{message}");
}

/// A migration that this program does not know was applied.
const NEWER: &str = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                     VALUES (9999, 'from the future', TRUE, '', 0)";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_postgres_is_refused() {
    let fixture = Fixture::postgres().await;
    let Place::Postgres { url, .. } = &fixture.options.place else { unreachable!() };
    let name = url.split('?').next().unwrap().rsplit('/').next().unwrap();
    postgres::shared().psql(name, NEWER);
    let refused = Store::open(fixture.options.clone()).await.expect_err("newer than the program");
    assert!(matches!(refused, StoreError::NewerSchema { found: 9_999, .. }), "{refused}");
}

/// What the second step has made, unmade.
const BACK: &str = "DROP INDEX approval_archive_key; ALTER TABLE delivery DROP COLUMN approval_version; \
                    CREATE INDEX approval_epoch ON approval (epoch); \
                    DELETE FROM _sqlx_migrations WHERE version = 2;";

async fn a_store_of_the_schema_before_is_brought_up_to_date(mut fixture: Fixture) {
    let now = fixture.store.now().await.unwrap();
    let old = fixture.created(|_| {}).await;
    fixture.store.change_approval(to(&old, ApprovalStatus::Rejected, "ann", later(now, -100))).await.unwrap();
    assert_eq!(fixture.store.archive_resolved(now, 10).await.unwrap(), 1);
    let approval = fixture.created(|_| {}).await;
    let first = delivery(&approval, "ops", later(now, -9));
    let second = delivery(&approval, "ops", later(now, -9));
    fixture.store.add_deliveries(vec![second.clone(), first.clone()]).await.unwrap();
    fixture.store.close().await;
    match &fixture.options.place {
        Place::Sqlite(file) => rusqlite::Connection::open(file).unwrap().execute_batch(BACK).unwrap(),
        Place::Postgres { .. } => fixture.psql(BACK),
    }
    fixture.store = Store::open(fixture.options.clone()).await.expect("it is brought up to date");
    until("answer of the store", || async { fixture.store.now().await.is_ok() }).await;
    let mut creation = new(fixture.approval().await);
    creation.approval.key_hash = old.key_hash;
    let again = fixture.store.create_approval(creation).await.unwrap();
    assert!(matches!(&again, Created::Existing(existing) if existing.id == old.id), "{again:?}");
    // What was queued before goes before what is queued now.
    let mut change = to(&approval, ApprovalStatus::Approved, "ann", now);
    let third =
        NewDelivery { id: "00000000-0000-7000-8000-000000000000".into(), ..delivery(&change.approval, "ops", now) };
    change.deliveries = vec![third.clone()];
    assert_eq!(fixture.store.change_approval(change).await.unwrap(), Changed::Done);
    for next in [first, second, third] {
        let claim = DeliveryClaim { limit: 9, per_endpoint: 9, lease_micros: 60_000_000, busy: Vec::new() };
        let claimed = fixture.store.claim_deliveries(claim).await.unwrap();
        assert_eq!(claimed.iter().map(|claimed| &claimed.message.id).collect::<Vec<_>>(), [&next.id]);
        let delivered = AttemptOutcome::Delivered { status: 200 };
        assert!(fixture.store.finish_delivery(&next.id, 0, delivered).await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_file_is_refused_with_the_remedy() {
    let fixture = Fixture::sqlite().await;
    for _ in 0..50 {
        fixture.created(|_| {}).await;
    }
    fixture.store.close().await;
    let whole = std::fs::read(fixture.file()).unwrap();
    let page = 4_096;
    assert!(whole.len() > 10 * page);
    let mut torn = whole.clone();
    torn[5 * page..8 * page].fill(0xa5);
    for (what, bytes) in [("no database", b"not a database at all, just text\n".repeat(200)), ("torn pages", torn)] {
        std::fs::write(fixture.file(), bytes).unwrap();
        let refused = Store::open(fixture.options.clone()).await.expect_err(what);
        let message = refused.to_string();
        assert!(matches!(refused, StoreError::Corrupt { .. }), "{what}: {message}");
        assert!(message.contains("lictor.db") && message.contains("lictor restore --from FILE"), "{message}");
    }
    std::fs::write(fixture.file(), whole).unwrap();
    Store::open(fixture.options.clone()).await.expect("the file as it was");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_store_says_so_and_recovers() {
    let mut fixture = Fixture::sqlite().await;
    let first = fixture.created(|_| {}).await;
    fixture.store.close().await;
    let mut small = fixture.options.clone();
    small.max_bytes = Some(400 << 10);
    fixture.store = Store::open(small).await.unwrap();
    let mut created = Vec::new();
    let refused = loop {
        let approval = fixture.approval().await;
        match fixture.store.create_approval(new(approval.clone())).await {
            Ok(outcome) => {
                assert_eq!(outcome, Created::New);
                created.push(approval);
            }
            Err(error) => break error,
        }
        assert!(created.len() < 10_000, "it never gets full");
    };
    assert!(matches!(refused, StoreError::Full { .. }), "{refused}");
    let said = refused.to_string();
    assert!(said.contains("lictor.db` may not grow") && said.contains("store.maxBytes"), "{said}");
    // File and log together; of the log, what one commit may add.
    let bytes = |name: &str| std::fs::metadata(fixture.folder.path().join(name)).map_or(0, |file| file.len());
    let used = bytes("lictor.db") + bytes("lictor.db-wal");
    assert!(used <= (400 << 10) + (200 << 10), "{used} bytes");
    // Several at once: a group that does not fit is tried one by one, and what needs no room still goes through.
    let mut tasks = JoinSet::new();
    for _ in 0..8 {
        let (store, approval) = (fixture.store.clone(), fixture.approval().await);
        tasks.spawn(async move { (approval.id.clone(), store.create_approval(new(approval)).await) });
    }
    for (id, outcome) in tasks.join_all().await {
        let there = fixture.store.approval("acme", &id).await.expect("reading goes on").is_some();
        assert_eq!(there, outcome.is_ok(), "{outcome:?}");
    }
    for approval in &created {
        let found = fixture.store.approval("acme", &approval.id).await.unwrap();
        assert_eq!(found.as_ref(), Some(approval), "what was answered is there");
    }
    fixture.reopen().await;
    let now = fixture.store.now().await.unwrap();
    let changed = fixture.store.change_approval(to(&first, ApprovalStatus::Approved, "x", now)).await;
    assert_eq!(changed.unwrap(), Changed::Done, "with room again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_server_it_opens_and_waits() {
    let mut cluster = tokio::task::spawn_blocking(Cluster::own).await.unwrap();
    let url = cluster.database();
    cluster.stop();
    let store = Store::open(StoreOptions::new(Place::Postgres { url, password: None })).await.expect("it opens");
    assert_eq!(store.epoch(), None);
    let refused = store.now().await.expect_err("there is no server");
    assert!(matches!(refused, StoreError::Unavailable { .. }), "{refused}");
    assert!(matches!(store.figures().await, Err(StoreError::Unavailable { .. })));
    // Kept, because the server ends with it.
    let cluster = tokio::task::spawn_blocking(move || {
        cluster.run();
        cluster
    })
    .await
    .unwrap();
    until("answer of the store", || async { store.now().await.is_ok() }).await;
    assert_eq!(store.epoch(), Some(1));
    drop(cluster);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_stops_and_starts_under_load() {
    let mut cluster = tokio::task::spawn_blocking(Cluster::own).await.unwrap();
    let place = Place::Postgres { url: cluster.database(), password: None };
    let mut options = StoreOptions::new(place);
    options.wait = Duration::from_secs(2);
    let store = Store::open(options).await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let mut callers = JoinSet::new();
    for caller in 0..8 {
        callers.spawn(load(store.clone(), stop.clone(), caller));
    }
    for _ in 0..2 {
        let so_far = || async { answered(&store).await };
        let before = so_far().await;
        until("progress", || async { so_far().await > before + 20 }).await;
        cluster.stop();
        until("refusal", || async { matches!(store.now().await, Err(StoreError::Unavailable { .. })) }).await;
        cluster = tokio::task::spawn_blocking(move || {
            cluster.run();
            cluster
        })
        .await
        .unwrap();
        until("answer after the restart", || async { store.now().await.is_ok() }).await;
    }
    stop.store(true, Ordering::Relaxed);
    let told: Vec<Told> = callers.join_all().await.into_iter().flatten().collect();
    assert!(told.len() > 40, "{}", told.len());
    check(&store, &told).await;
}

/// Number of operations that have ended well.
async fn answered(store: &Store) -> u64 {
    let operations = store.metrics().operations();
    operations
        .iter()
        .filter(|(name, outcome, _)| *name == "change_approval" && *outcome == "ok")
        .map(|(.., count)| count)
        .sum()
}

/// What a caller was told of one approval.
struct Told {
    id: lictor::model::Text,
    /// The status that is sure, and the one that it may have got besides.
    sure: Option<ApprovalStatus>,
    maybe: Option<ApprovalStatus>,
}

/// Creates, approves and consumes until told to stop, whatever the store answers.
async fn load(store: Store, stop: Arc<AtomicBool>, caller: u32) -> Vec<Told> {
    let mut told = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let Ok(now) = store.now().await else {
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let mut approval = crate::harness::approval(now, 1);
        approval.created_by = format!("caller-{caller}").into();
        let mut entry = Told { id: approval.id.clone(), sure: None, maybe: None };
        match store.create_approval(new(approval.clone())).await {
            Ok(created) => {
                assert_eq!(created, Created::New);
                entry.sure = Some(ApprovalStatus::Pending);
            }
            Err(StoreError::Uncertain { .. }) => entry.maybe = Some(ApprovalStatus::Pending),
            Err(error) => assert!(error.is_transient(), "{error}"),
        }
        for status in [ApprovalStatus::Approved, ApprovalStatus::Consumed] {
            if entry.sure.is_none() || entry.maybe.is_some() {
                break;
            }
            let change = to(&approval, status, "jwt:iss#ann", now);
            let after = change.approval.clone();
            match store.change_approval(change).await {
                Ok(changed) => {
                    assert_eq!(changed, Changed::Done);
                    entry.sure = Some(status);
                    approval = after;
                }
                Err(StoreError::Uncertain { .. }) => entry.maybe = Some(status),
                Err(error) => {
                    assert!(error.is_transient(), "{error}");
                    break;
                }
            }
        }
        told.push(entry);
    }
    told
}

/// What is in the store is what the callers were told: nothing lost, nothing twice, nothing from nowhere.
async fn check(store: &Store, told: &[Told]) {
    let mut rows = 0;
    for entry in told {
        let found = store.approval("acme", &entry.id).await.unwrap();
        let status = found.as_ref().map(|approval| approval.status);
        assert!(
            status == entry.sure || (entry.maybe.is_some() && status == entry.maybe),
            "{}: told {:?} or {:?}, found {status:?}",
            entry.id,
            entry.sure,
            entry.maybe
        );
        let query = HistoryQuery {
            tenant_id: "acme".into(),
            approval_id: entry.id.clone(),
            limit: 9,
            ..HistoryQuery::default()
        };
        let history = store.list_history(&query).await.unwrap().items;
        assert_eq!(history.len() as u64, found.map_or(0, |approval| approval.version), "a row a change");
        rows += history.len();
    }
    let figures = store.figures().await.unwrap();
    assert_eq!(figures.outbox as usize, rows, "an event a change");
    let query = ApprovalQuery { tenant_id: "acme".into(), limit: 100_000, ..ApprovalQuery::default() };
    let listed = store.list_approvals(&query).await.unwrap().items.len();
    let expected = told.iter().filter(|entry| entry.sure.is_some()).count();
    let possible = told.iter().filter(|entry| entry.sure.is_some() || entry.maybe.is_some()).count();
    assert!((expected..=possible).contains(&listed), "{listed} approvals, {expected} to {possible} told");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_others_may_write_to_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let fixture = Fixture::sqlite().await;
    fixture.store.close().await;
    for mode in [0o666, 0o620] {
        std::fs::set_permissions(fixture.file(), std::fs::Permissions::from_mode(mode)).unwrap();
        let refused = Store::open(fixture.options.clone()).await.expect_err("others may write to it");
        let message = refused.to_string();
        assert!(matches!(refused, StoreError::Exposed { .. }) && !refused.is_transient(), "{message}");
        assert!(message.contains(&format!("has mode 0{mode:o}")) && message.contains("chmod 0600"), "{message}");
    }
    std::fs::set_permissions(fixture.file(), std::fs::Permissions::from_mode(0o640)).unwrap();
    Store::open(fixture.options.clone()).await.expect("its group may read it").close().await;
}
