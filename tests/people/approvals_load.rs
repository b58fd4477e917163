//! Many at once: of the lives that 10, 30 and 50 callers lead at the same time, all come to their end.

use std::collections::{BTreeMap, BTreeSet};

use lictor::api::proto::v1::{self, ApprovalStatus};
use tokio::task::JoinSet;

use crate::served::{
    Backend, Client, approval_of, approving, by, client, consuming, created, history_of, served_by_both,
};
use crate::system::wait_for;

served_by_both!(every_life_of_many_at_once_comes_to_its_end);

/// Lives that each caller leads, one after the other.
const LIVES: usize = 4;

async fn every_life_of_many_at_once_comes_to_its_end(backend: Backend) {
    let mut lictor = backend.server();
    let mut ids = BTreeSet::new();
    for callers in [10, 30, 50] {
        let mut tasks = JoinSet::new();
        for caller in 0..callers {
            // A connection each, as that many runtimes have.
            tasks.spawn(live(client(&lictor).await, format!("{callers}-{caller}")));
        }
        let before = ids.len();
        ids.extend(tasks.join_all().await.into_iter().flatten());
        assert_eq!(ids.len() - before, callers * LIVES, "each an approval of its own");
    }
    let mut client = client(&lictor).await;
    let way = [ApprovalStatus::Pending, ApprovalStatus::Approved, ApprovalStatus::Consumed];
    for id in &ids {
        let rows = history_of(&mut client, "", id).await;
        assert_eq!(rows.iter().map(v1::ApprovalHistoryEntry::to_status).collect::<Vec<_>>(), way, "{id}");
    }
    for kind in ["ir.approval_created", "ir.approval_approved", "ir.approval_consumed"] {
        wait_for(kind, || lictor.records(kind).len() >= ids.len());
        let mut told = BTreeMap::<String, usize>::new();
        for record in lictor.records(kind) {
            *told.entry(record["payload"]["approval_id"].as_str().expect("an approval").to_owned()).or_default() += 1;
        }
        assert_eq!(told, ids.iter().map(|id| (id.clone(), 1)).collect(), "{kind}");
    }
    lictor.signal("-TERM");
    assert!(lictor.wait().success(), "{}", lictor.log());
    let consumed = backend.count(&lictor, "SELECT COUNT(*) FROM approval WHERE status = 'CONSUMED'");
    assert_eq!(consumed, ids.len() as u64);
}

/// Creates, approves and redeems; every answer is the right one.
async fn live(mut client: Client, name: String) -> Vec<String> {
    let mut ids = Vec::new();
    for number in 0..LIVES {
        let made = created(&mut client, "", &format!("{name}-{number}")).await;
        let approval = approval_of(&made);
        assert_eq!(approval.status(), ApprovalStatus::Pending);
        let approved = client.approve(by("ann", Some("4"), approving("", approval))).await.expect("approved");
        assert_eq!(approved.into_inner().approval.expect("it").status(), ApprovalStatus::Approved);
        let consumed = client.consume(by("runtime", None, consuming("", &made))).await.expect("redeemed").into_inner();
        assert_eq!((consumed.replayed, consumed.grant.split('.').count()), (false, 3));
        ids.push(approval.id.clone());
    }
    ids
}
