//! What falls due while a server runs happens by itself, and goes on happening.

use lictor::api::proto::v1::{self, ApprovalStatus};

use crate::harness::PATIENCE;
use crate::served::{
    Backend, Client, DOCUMENTS, approval_of, by, client, creation, history_of, served_by_both, status_of,
};
use crate::system::wait_for;

served_by_both!(what_falls_due_at_a_running_server_happens_by_itself_again_and_again);

/// Tenants whose approvals expire, or go to others, after a second.
const HASTY: &str = r#"
---
apiVersion: lictor.dev/v1
kind: ApprovalPolicy
metadata: {name: brief}
spec:
  scope: {tenants: [brief]}
  ttl: {minSeconds: 1, defaultSeconds: 1}
---
apiVersion: lictor.dev/v1
kind: ApprovalPolicy
metadata: {name: hasty}
spec:
  scope: {tenants: [hasty]}
  escalation: {afterSeconds: 1, level: 4}
"#;

const DUE: [(&str, ApprovalStatus, &str, &str); 2] = [
    ("brief", ApprovalStatus::Expired, "ir.approval_expired", "worker:expiry"),
    ("hasty", ApprovalStatus::Escalated, "ir.approval_escalated", "worker:escalation"),
];

/// Rounds, each begun when the one before has happened: a worker that looks once at its start would do nothing of them.
const ROUNDS: usize = 3;

async fn what_falls_due_at_a_running_server_happens_by_itself_again_and_again(backend: Backend) {
    let mut lictor = backend.prepare();
    lictor.write_policies(&format!("{DOCUMENTS}{HASTY}"));
    lictor.run();
    let mut client = client(&lictor).await;
    for round in 1..=ROUNDS {
        for (tenant, status, event, worker) in DUE {
            // One that somebody watches, and one that nobody asks for before it is on record.
            let ids =
                [made(&mut client, tenant, round, "watched").await, made(&mut client, tenant, round, "left").await];
            let seen = watched_until(&mut client, tenant, &ids[0], status).await;
            assert_eq!(seen, status, "{event} in round {round}");
            wait_for(event, || lictor.records(event).len() == 2 * round);
            let records = lictor.records(event);
            for id in &ids {
                let of_it: Vec<_> =
                    records.iter().filter(|record| record["payload"]["approval_id"] == id.as_str()).collect();
                assert!(matches!(of_it.as_slice(), [only] if only["meta"]["actor"] == worker), "{of_it:?}");
                assert_eq!(status_of(&mut client, tenant, id).await, status);
                let rows = history_of(&mut client, tenant, id).await;
                let steps: Vec<_> = rows.iter().map(|row| (row.to_status(), row.actor.as_str())).collect();
                assert_eq!(steps[1..], [(status, worker)], "once, and by the worker");
            }
        }
    }
}

async fn made(client: &mut Client, tenant: &str, round: usize, which: &str) -> String {
    let request = by("runtime", None, creation(tenant, &format!("{round}-{which}")));
    let made = client.create_approval(request).await.expect("creation").into_inner();
    let approval = approval_of(&made);
    assert_eq!(approval.status(), ApprovalStatus::Pending);
    approval.id.clone()
}

/// What a watch says last: when it has come to `status`, or has ended.
async fn watched_until(client: &mut Client, tenant: &str, id: &str, status: ApprovalStatus) -> ApprovalStatus {
    let watch = v1::WatchApprovalRequest { tenant_id: tenant.into(), approval_id: id.into() };
    let mut changes = client.watch_approval(by("runtime", None, watch)).await.expect("a watch").into_inner();
    let mut last = ApprovalStatus::Unspecified;
    while last != status {
        let next = tokio::time::timeout(PATIENCE, changes.message()).await.expect("a change soon");
        let Some(change) = next.expect("no error") else { break };
        last = change.approval.expect("an approval").status();
    }
    last
}
