//! Stores to test, and approvals to put into them.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use lictor::event::EventType;
use lictor::model::{Approval, ApprovalStatus, HistoryRow, Progress, Stage, TargetKind, Text, Timestamp};
use lictor::store::{ApprovalChange, NewApproval, NewDelivery, OutboxEvent, Place, Store, StoreOptions};

use crate::postgres;

/// Longest that a test waits for something that should happen soon.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until `holds`, which should be soon.
pub fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "no {what} within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A moment, at most so many milliseconds long.
pub fn moment(most: u64) -> Duration {
    // The low bits of a UUIDv7 are random.
    let random = uuid::Uuid::now_v7().as_u128() as u64;
    Duration::from_millis(random % most)
}

/// A store over one of the databases, and how to open it again.
pub struct Fixture {
    pub store: Store,
    /// What the store was opened with.
    pub options: StoreOptions,
    /// Added to the embedded store's clock, in microseconds. PostgreSQL has its own.
    pub skew: Arc<AtomicI64>,
    /// The embedded store's monotonic clock, in microseconds.
    pub passed: Arc<AtomicI64>,
    /// Folder of the embedded store.
    pub folder: tempfile::TempDir,
}

impl Fixture {
    /// An embedded store in a new folder.
    pub async fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let place = Place::Sqlite(folder.path().join("lictor.db"));
        Self::over(place, folder).await
    }

    /// A new database of the shared PostgreSQL server.
    pub async fn postgres() -> Self {
        let url = tokio::task::spawn_blocking(|| postgres::shared().database()).await.expect("a database");
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self::over(Place::Postgres { url, password: None }, folder).await
    }

    async fn over(place: Place, folder: tempfile::TempDir) -> Self {
        let skew = Arc::<AtomicI64>::default();
        let mut options = StoreOptions::new(place);
        // Machines that run these tests may be busy.
        options.wait = PATIENCE;
        let theirs = skew.clone();
        options.clock = Arc::new(move || {
            let now = Timestamp::from_system(SystemTime::now()).as_micros();
            Timestamp::from_micros(now + theirs.load(Ordering::Relaxed))
        });
        // Time stands still where a test sets the clock back, unless it says how much has passed.
        let passed = Arc::<AtomicI64>::default();
        let theirs = passed.clone();
        options.elapsed =
            Arc::new(move || Duration::from_micros(theirs.load(Ordering::Relaxed).try_into().unwrap_or(0)));
        let store = Store::open(options.clone()).await.expect("the store opens");
        Self { store, options, skew, passed, folder }
    }

    /// Closes the store and opens it again.
    pub async fn reopen(&mut self) {
        self.store.close().await;
        self.store = Store::open(self.options.clone()).await.expect("the store opens again");
    }

    /// Leaves the store as a crash would: nothing is closed, and what was in memory is gone. An embedded one goes on with
    /// its files as they are now.
    pub async fn crash(&mut self) {
        if matches!(self.options.place, Place::Sqlite(_)) {
            let folder = tempfile::tempdir().expect("a temporary folder");
            // The log first: what is moved from it meanwhile is then in both copies.
            for name in ["lictor.db-wal", "lictor.db"] {
                let file = self.folder.path().join(name);
                if file.exists() {
                    std::fs::copy(file, folder.path().join(name)).expect("a copy");
                }
            }
            self.options.place = Place::Sqlite(folder.path().join("lictor.db"));
            self.folder = folder;
        }
        self.store = Store::open(self.options.clone()).await.expect("the store opens again");
    }

    /// Runs a statement in the database of the store, which is PostgreSQL.
    pub fn psql(&self, sql: &str) {
        let Place::Postgres { url, .. } = &self.options.place else { panic!("not PostgreSQL") };
        let name = url.split('?').next().and_then(|url| url.rsplit('/').next()).expect("a database");
        drop(postgres::shared().psql(name, sql));
    }

    /// Lets so many seconds pass for all approvals: by the clock of the embedded store, else by moving their times.
    pub fn pass(&self, seconds: i64) {
        let micros = seconds * 1_000_000;
        if matches!(self.options.place, Place::Sqlite(_)) {
            self.skew.fetch_add(micros, Ordering::Relaxed);
            return;
        }
        let columns = ["created_at", "updated_at", "escalates_at", "expires_at", "resolved_at", "consumed_at"];
        let set = columns.map(|column| format!("{column} = {column} - {micros}")).join(", ");
        self.psql(&format!("UPDATE approval SET {set}"));
    }

    /// The database file of an embedded store.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("lictor.db")
    }

    /// An approval that waits, of tenant `acme`, created now by `uid:1000`, with a number that no other has.
    pub async fn approval(&self) -> Approval {
        let now = self.store.now().await.expect("the time");
        approval(now, self.store.epoch().expect("an epoch"))
    }

    /// Creates an approval of this sort, with its event.
    pub async fn created(&self, change: impl FnOnce(&mut Approval)) -> Approval {
        let mut approval = self.approval().await;
        change(&mut approval);
        let created = self.store.create_approval(new(approval.clone())).await.expect("creation");
        assert_eq!(created, lictor::store::Created::New);
        approval
    }
}

/// An approval that waits and that no other is like.
pub fn approval(now: Timestamp, epoch: u64) -> Approval {
    static NUMBER: AtomicU64 = AtomicU64::new(1);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let id = uuid::Uuid::now_v7();
    let digest = |kind: u8| {
        let mut digest = [kind; 32];
        digest[..16].copy_from_slice(id.as_bytes());
        digest
    };
    Approval {
        id: Text::from(id.to_string()),
        tenant_id: "acme".into(),
        version: 1,
        status: ApprovalStatus::Pending,
        target_kind: TargetKind::Plan,
        target_hash: "sha256:0123".into(),
        target: format!("target {number}").into_bytes(),
        view: format!("view {number}").into_bytes(),
        tier: 2,
        required_level: 3,
        snapshot: "sha256:4567".into(),
        policy: "standard".into(),
        requested_by: "agent-7".into(),
        on_behalf_of: "".into(),
        created_by: "uid:1000".into(),
        justification: "größe \u{1f44d} \"quoted\"\n".to_owned(),
        cost_cents: Some(1_250),
        correlation_id: "corr-1".into(),
        created_at: now,
        updated_at: now,
        escalates_at: Some(later(now, 300)),
        expires_at: later(now, 3_600),
        resolved_at: None,
        consumed_at: None,
        token_hash: digest(1),
        key_hash: digest(2),
        body_hash: digest(3),
        epoch,
        webhook_endpoints: vec!["ops".into()],
        progress: Progress {
            stages: vec![Stage { level: 3, quorum: 2, approvals: Vec::new() }],
            ..Progress::default()
        },
    }
}

/// `seconds` after `at`.
pub fn later(at: Timestamp, seconds: i64) -> Timestamp {
    Timestamp::from_micros(at.as_micros() + seconds * 1_000_000)
}

/// The creation of `approval`, with one event.
pub fn new(approval: Approval) -> NewApproval {
    let history = HistoryRow {
        approval_id: approval.id.clone(),
        tenant_id: approval.tenant_id.clone(),
        version: 1,
        from_status: None,
        to_status: approval.status,
        actor: approval.created_by.clone(),
        reason: String::new(),
        at: approval.created_at,
    };
    let events = vec![event(&approval, "created")];
    NewApproval {
        approval,
        max_open: 1_000_000,
        max_open_of_tenant: 1_000_000,
        history,
        events,
        deliveries: Vec::new(),
    }
}

/// An event about `approval`.
pub fn event(approval: &Approval, what: &str) -> OutboxEvent {
    // Any type serves: the store does not look at it.
    let mut event = OutboxEvent::new(
        EventType::IrValidatedEscalate,
        &*approval.tenant_id,
        &*approval.created_by,
        approval.updated_at,
    );
    event.correlation_id = approval.correlation_id.clone();
    event.payload = serde_json::json!({"approval_id": approval.id.as_str(), "version": approval.version, "what": what});
    event
}

/// The change of `approval` to `status` by `actor`, with one event.
pub fn to(approval: &Approval, status: ApprovalStatus, actor: &str, at: Timestamp) -> ApprovalChange {
    let mut after = approval.clone();
    after.version += 1;
    after.status = status;
    after.updated_at = at;
    if status.is_final() || status == ApprovalStatus::Approved {
        after.resolved_at = Some(at);
        after.progress.resolved_by = actor.into();
    }
    let history = HistoryRow {
        approval_id: after.id.clone(),
        tenant_id: after.tenant_id.clone(),
        version: after.version,
        from_status: Some(approval.status),
        to_status: status,
        actor: actor.into(),
        reason: format!("to {}", status.as_str()),
        at,
    };
    let events = vec![event(&after, status.as_str())];
    ApprovalChange {
        expected_version: approval.version,
        only_while_live: !matches!(status, ApprovalStatus::Expired),
        only_after: None,
        approval: after,
        history: Some(history),
        voter: matches!(status, ApprovalStatus::Approved | ApprovalStatus::Rejected).then(|| actor.into()),
        events,
        deliveries: Vec::new(),
    }
}

/// A delivery about `approval` to `endpoint`.
pub fn delivery(approval: &Approval, endpoint: &str, not_before: Timestamp) -> NewDelivery {
    NewDelivery {
        id: Text::from(uuid::Uuid::now_v7().to_string()),
        endpoint: endpoint.into(),
        tenant_id: approval.tenant_id.clone(),
        approval_id: approval.id.clone(),
        approval_version: approval.version,
        event_id: Text::from(uuid::Uuid::now_v7().to_string()),
        event_type: "ir.approval_created".into(),
        payload: b"{\"event\":\"approval_request_created\"}".to_vec(),
        not_before,
    }
}

/// Runs each case over both databases.
macro_rules! on_both {
    ($($case:ident),+ $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case(crate::harness::Fixture::sqlite().await).await;
            })+
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case(crate::harness::Fixture::postgres().await).await;
            })+
        }
    };
}
pub(crate) use on_both;
