//! What falls due while no server runs, what cron does in its place, and what is old.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use lictor::api::proto::v1::{self, ApprovalStatus};
use tonic::Code;

use crate::house::eventually;
use crate::served::{
    Backend, Client, DOCUMENTS, approval_of, approving, as_role, by, client, consuming, created, creation, getting,
    history_of, rejecting, served_by_both, status_of,
};
use crate::system::{Lictor, wait_for};

served_by_both!(
    what_fell_due_while_the_server_was_down_happens_once,
    cron_does_what_no_server_does,
    cron_tells_the_webhooks_that_a_server_would_tell,
    cron_without_policies_tells_all_webhooks_and_warns,
    what_was_resolved_long_ago_leaves_the_hot_path_and_stays_readable,
);

/// Approvals of each sort.
const EACH: usize = 15;

/// Approvals at a server that has been killed, with hours passed since.
struct Left {
    /// Wait, and their time is over.
    late: Vec<v1::CreateApprovalResponse>,
    /// Were approved and not redeemed, and their time is over.
    unused: Vec<v1::CreateApprovalResponse>,
    /// Wait, and the first approvers' time is over.
    patient: Vec<v1::CreateApprovalResponse>,
}

impl Left {
    async fn at(lictor: &mut Lictor, backend: &Backend) -> Self {
        let mut client = client(lictor).await;
        let mut make = async |sort: &str, ttl: i64| {
            let mut made = Vec::new();
            for number in 0..EACH {
                let creation =
                    v1::CreateApprovalRequest { ttl_seconds: Some(ttl), ..creation("", &format!("{sort}-{number}")) };
                made.push(client.create_approval(by("runtime", None, creation)).await.unwrap().into_inner());
            }
            made
        };
        let left = Self {
            late: make("late", 3_600).await,
            unused: make("unused", 3_600).await,
            patient: make("patient", 86_400).await,
        };
        for made in &left.unused {
            client.approve(by("ann", Some("3"), approving("", approval_of(made)))).await.unwrap();
        }
        lictor.signal("-KILL");
        lictor.wait();
        backend.hours_pass(lictor, 2);
        left
    }

    fn expiring(&self) -> BTreeSet<String> {
        self.late.iter().chain(&self.unused).map(|made| approval_of(made).id.clone()).collect()
    }

    fn escalating(&self) -> BTreeSet<String> {
        self.patient.iter().map(|made| approval_of(made).id.clone()).collect()
    }

    /// All of it has happened, each once, in the store and in the journal of the server, which runs.
    async fn has_happened(&self, lictor: &Lictor) {
        let mut client = client(lictor).await;
        for (ids, status, event) in [
            (self.expiring(), ApprovalStatus::Expired, "ir.approval_expired"),
            (self.escalating(), ApprovalStatus::Escalated, "ir.approval_escalated"),
        ] {
            wait_for("records", || lictor.records(event).len() >= ids.len());
            for id in &ids {
                assert_eq!(status_of(&mut client, "", id).await, status);
                let rows = history_of(&mut client, "", id).await;
                assert_eq!(rows.iter().filter(|row| row.to_status() == status).count(), 1, "{rows:?}");
            }
            let mut told = BTreeMap::<String, u32>::new();
            for record in lictor.records(event) {
                *told.entry(record["payload"]["approval_id"].as_str().unwrap().to_owned()).or_default() += 1;
            }
            assert_eq!(told, ids.into_iter().map(|id| (id, 1)).collect());
        }
        self.is_held_to(&mut client).await;
    }

    /// What is over is over, and what has escalated needs the higher level.
    async fn is_held_to(&self, client: &mut Client) {
        let late = client.approve(by("ann", Some("5"), approving("", approval_of(&self.late[0])))).await;
        assert_eq!(late.unwrap_err().code(), Code::FailedPrecondition);
        let unused = client.consume(by("runtime", None, consuming("", &self.unused[0]))).await;
        assert_eq!(unused.unwrap_err().code(), Code::NotFound);
        let patient = approval_of(&self.patient[0]);
        let low = client.approve(by("ann", Some("3"), approving("", patient))).await.unwrap().into_inner();
        assert_eq!(low.approval.unwrap().status(), ApprovalStatus::Escalated);
        let high = client.approve(by("eve", Some("4"), approving("", patient))).await.unwrap().into_inner();
        let high = high.approval.unwrap();
        assert_eq!((high.status(), high.required_level), (ApprovalStatus::Approved, 4));
        client.consume(by("runtime", None, consuming("", &self.patient[0]))).await.expect("redeemed");
    }
}

const DONE: &str = "SELECT COUNT(*) FROM approval_history \
                    WHERE to_status IN ('EXPIRED', 'ESCALATED') AND from_status <> to_status";

async fn what_fell_due_while_the_server_was_down_happens_once(backend: Backend) {
    let mut lictor = backend.server();
    let left = Left::at(&mut lictor, &backend).await;
    // Killed over and over while it catches up: early, in the middle, and when all is done.
    for millis in [60, 140, 220, 320] {
        lictor.spawn();
        std::thread::sleep(Duration::from_millis(millis));
        lictor.signal("-KILL");
        lictor.wait();
        // What the dead have claimed is nobody's for half a minute, which passes too.
        backend.sql(&lictor, "UPDATE approval SET claimed_until = 0");
    }
    lictor.run();
    left.has_happened(&lictor).await;
    lictor.signal("-TERM");
    assert!(lictor.wait().success(), "{}", lictor.log());
    assert_eq!(backend.count(&lictor, DONE), 3 * EACH as u64, "nothing more");
}

async fn cron_does_what_no_server_does(backend: Backend) {
    let mut lictor = backend.server();
    let left = Left::at(&mut lictor, &backend).await;
    let once = ["escalate", "--once", "--state", "state", "--policies", "policies"];
    assert_eq!(lictor.command(&once), (0, format!("{EACH} escalated, {} expired, 0 archived\n", 2 * EACH)));
    assert_eq!(lictor.command(&once), (0, "0 escalated, 0 expired, 0 archived\n".to_owned()));
    assert_eq!(backend.count(&lictor, DONE), 3 * EACH as u64);
    assert!(lictor.records("ir.approval_expired").is_empty(), "the journal is the server's");
    lictor.run();
    left.has_happened(&lictor).await;
    lictor.signal("-TERM");
    assert!(lictor.wait().success(), "{}", lictor.log());
    backend.hours_pass(&lictor, 24 * 91);
    // One was redeemed; what was expired is as old. The others had a day, and expire now.
    let (expired, archived) = (EACH - 1, 2 * EACH + 1);
    let expected = format!("0 escalated, {expired} expired, {archived} archived\n");
    assert_eq!(lictor.command(&once), (0, expected));
}

/// Endpoints where nobody answers, each with events of its own.
const ENDPOINTS: &str = r#"
---
apiVersion: lictor.dev/v1
kind: WebhookEndpoint
metadata: {name: all}
spec: {url: 'https://127.0.0.1:9', allowPrivate: true, secrets: [{version: v1, env: LICTOR_NO_SECRET}]}
---
apiVersion: lictor.dev/v1
kind: WebhookEndpoint
metadata: {name: ends}
spec: {url: 'https://127.0.0.1:9', allowPrivate: true, secrets: [{version: v1, env: LICTOR_NO_SECRET}],
       events: [ir.approval_expired]}
---
apiVersion: lictor.dev/v1
kind: WebhookEndpoint
metadata: {name: none}
spec: {url: 'https://127.0.0.1:9', allowPrivate: true, secrets: [{version: v1, env: LICTOR_NO_SECRET}],
       events: [ir.approval_rejected]}
"#;

async fn cron_tells_the_webhooks_that_a_server_would_tell(backend: Backend) {
    let (printed, told) = told_by_cron(&backend, &["--policies", "policies"]).await;
    assert!(!printed.contains("warning"), "{printed}");
    assert_eq!(told, ["all|ir.approval_escalated", "all|ir.approval_expired", "ends|ir.approval_expired"]);
}

async fn cron_without_policies_tells_all_webhooks_and_warns(backend: Backend) {
    // There is no `policies/default` here.
    let (printed, told) = told_by_cron(&backend, &[]).await;
    assert!(printed.contains("the policies cannot be used") && printed.contains("policies/default"), "{printed}");
    let every = ["all", "ends", "none"];
    let of = |event| every.map(|endpoint| format!("{endpoint}|ir.approval_{event}"));
    assert_eq!(BTreeSet::from_iter(told), [of("escalated"), of("expired")].concat().into_iter().collect());
}

/// What `lictor escalate --once` prints, and what it queues for whom.
async fn told_by_cron(backend: &Backend, policies: &[&str]) -> (String, Vec<String>) {
    let told = "  escalation: {afterSeconds: 300, level: 4}\n  webhooks: [all, ends, none]\n";
    let documents = DOCUMENTS.replace("  escalation: {afterSeconds: 300, level: 4}\n", told);
    assert!(documents.contains(told));
    let mut lictor = backend.prepare();
    lictor.write_policies(&format!("{documents}{ENDPOINTS}"));
    lictor.run();
    Left::at(&mut lictor, backend).await;
    let (code, printed) = lictor.command(&[&["escalate", "--once", "--state", "state"], policies].concat());
    assert_eq!(code, 0, "{printed}");
    let query = "SELECT DISTINCT endpoint, event_type FROM delivery \
                 WHERE event_type IN ('ir.approval_escalated', 'ir.approval_expired') ORDER BY endpoint, event_type";
    (printed, backend.sql(&lictor, query).lines().map(str::to_owned).collect())
}

async fn what_was_resolved_long_ago_leaves_the_hot_path_and_stays_readable(backend: Backend) {
    let mut lictor = backend.server();
    let mut client_before = client(&lictor).await;
    let (old, waiting) =
        (created(&mut client_before, "", "old").await, created(&mut client_before, "", "waiting").await);
    let (old, waiting) = (approval_of(&old).clone(), approval_of(&waiting).clone());
    client_before.reject(by("ann", Some("3"), rejecting("", &old))).await.unwrap();
    lictor.signal("-TERM");
    assert!(lictor.wait().success());
    backend.hours_pass(&lictor, 24 * 91);
    // One that waits is never old.
    let more = 24 * 92 * 3_600_000_000_i64;
    backend.sql(&lictor, &format!("UPDATE approval SET expires_at = expires_at + {more} WHERE id = '{}'", waiting.id));
    lictor.run();
    let mut client = client(&lictor).await;
    let recent = approval_of(&created(&mut client, "", "recent").await).clone();
    client.reject(by("ann", Some("3"), rejecting("", &recent))).await.unwrap();

    let reader = client.clone();
    let listed = async |include_archived: bool| {
        let mut client = reader.clone();
        let request = v1::ListApprovalsRequest { include_archived, ..v1::ListApprovalsRequest::default() };
        let answer = client.list_approvals(by("ann", None, request)).await.unwrap().into_inner();
        answer.approvals.into_iter().map(|approval| approval.id).collect::<BTreeSet<_>>()
    };
    let ids =
        |approvals: &[&v1::Approval]| approvals.iter().map(|approval| approval.id.clone()).collect::<BTreeSet<_>>();
    let expected = ids(&[&waiting, &recent]);
    eventually("archive", async || listed(false).await == expected).await;
    assert_eq!(listed(true).await, ids(&[&old, &waiting, &recent]));
    let got = client.get_approval(by("ann", None, getting("", &old.id))).await.unwrap().into_inner().approval.unwrap();
    assert_eq!((got.status(), &got.target_hash), (ApprovalStatus::Rejected, &old.target_hash));
    assert_eq!(history_of(&mut client, "", &old.id).await.len(), 2);
    let again = client.reject(by("eve", Some("3"), rejecting("", &old))).await;
    assert!(again.is_err(), "what is archived does not change");
    let key = client.create_approval(by("runtime", None, creation("", "old"))).await.unwrap_err();
    assert_eq!(key.code(), Code::AlreadyExists, "a key that was used up stays so: {key}");

    let mut exported = async |include_archived: bool| {
        let request = v1::ExportApprovalsRequest { include_archived, ..v1::ExportApprovalsRequest::default() };
        let mut pieces = client.export_approvals(as_role("auditor", "auditor", request)).await.unwrap().into_inner();
        let mut csv = Vec::new();
        while let Some(piece) = pieces.message().await.unwrap() {
            csv.extend(piece.csv);
        }
        String::from_utf8(csv).unwrap()
    };
    assert!(!exported(false).await.contains(&old.id));
    assert!(exported(true).await.contains(&old.id));
    let server = lictor.tcp.to_string();
    let list = ["approvals", "list", "--server", &server, "--dev-as", "ann", "--all"];
    let (code, printed) = lictor.command(&list);
    assert!(code == 0 && !printed.contains(&old.id) && printed.contains(&recent.id), "{printed}");
    let (code, printed) = lictor.command(&[&list[..], &["--archived"]].concat());
    assert!(code == 0 && printed.contains(&old.id), "{printed}");
    lictor.signal("-TERM");
    assert!(lictor.wait().success(), "{}", lictor.log());
    for (table, rows) in [("approval_archive", 1), ("approval", 2)] {
        assert_eq!(backend.count(&lictor, &format!("SELECT COUNT(*) FROM {table}")), rows, "{table}");
    }
}
