//! Servers that are killed at random moments of a load of creations, approvals and redemptions: nothing that was answered is
//! lost, nothing happens twice, nothing comes from nowhere.
//!
//! `LICTOR_KILL_ROUNDS` says how often each of the two cases kills; 50 if it is not set.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};

use lictor::api::proto::v1::{self, ApprovalStatus};
use tokio::task::JoinSet;
use tonic::Code;

use crate::harness::moment;
use crate::house::eventually;
use crate::served::{Backend, Client, approval_of, approving, by, client, consuming, creation};
use crate::system::{Lictor, wait_for};

/// Callers of each server.
const CALLERS: usize = 3;
/// The states that a life goes through, and the events that tell of them.
const WAY: [(ApprovalStatus, &str); 3] = [
    (ApprovalStatus::Pending, "ir.approval_created"),
    (ApprovalStatus::Approved, "ir.approval_approved"),
    (ApprovalStatus::Consumed, "ir.approval_consumed"),
];

/// What is known of an approval from outside: how far on its way it was asked for, and how far that was answered.
#[derive(Debug, Default)]
struct Life {
    asked: usize,
    answered: usize,
    made: Option<v1::CreateApprovalResponse>,
}

/// Lives by idempotency key, which is the correlation id too.
#[derive(Debug, Clone, Default)]
struct Lives(Arc<Mutex<BTreeMap<String, Life>>>);

impl Lives {
    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Life>> {
        self.0.lock().expect("no panic")
    }

    fn ask(&self, key: &str) {
        self.all().entry(key.to_owned()).or_default().asked += 1;
    }

    fn answer(&self, key: &str) {
        self.all().entry(key.to_owned()).or_default().answered += 1;
    }

    fn answered(&self) -> usize {
        self.all().values().map(|life| life.answered).sum()
    }

    /// One approval after the other, until the server is gone or enough is done.
    async fn go_on(self, mut client: Client, name: String, enough: Arc<AtomicBool>) {
        for number in 0.. {
            let key = format!("{name}-{number}");
            if enough.load(Relaxed) {
                return;
            }
            self.ask(&key);
            let Ok(made) = client.create_approval(by("runtime", None, creation("", &key))).await else { return };
            let made = made.into_inner();
            self.all().entry(key.clone()).or_default().made = Some(made.clone());
            self.answer(&key);
            self.ask(&key);
            if client.approve(by("ann", Some("4"), approving("", approval_of(&made)))).await.is_err() {
                return;
            }
            self.answer(&key);
            self.ask(&key);
            if client.consume(by("runtime", None, redemption(&made, &key))).await.is_err() {
                return;
            }
            self.answer(&key);
        }
    }
}

fn redemption(made: &v1::CreateApprovalResponse, key: &str) -> v1::ConsumeRequest {
    v1::ConsumeRequest { redemption_key: key.into(), ..consuming("", made) }
}

fn rounds() -> usize {
    std::env::var("LICTOR_KILL_ROUNDS").map_or(50, |text| text.parse().expect("LICTOR_KILL_ROUNDS is a number"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_on_sqlite() {
    killed(vec![Backend::Sqlite.server()]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_two_servers_on_postgres() {
    let backend = Backend::postgres().await;
    killed(vec![backend.server(), backend.server()]).await;
}

async fn killed(mut servers: Vec<Lictor>) {
    let lives = Lives::default();
    for round in 0..rounds() {
        let enough = Arc::<AtomicBool>::default();
        let mut callers = JoinSet::new();
        for (number, server) in servers.iter().enumerate() {
            for caller in 0..CALLERS {
                let name = format!("r{round}-s{number}-c{caller}");
                callers.spawn(lives.clone().go_on(client(server).await, name, enough.clone()));
            }
        }
        let before = lives.answered();
        let some = eventually("answers", async || lives.answered() >= before + 12);
        some.await;
        tokio::time::sleep(moment(80)).await;
        let victim = round % servers.len();
        let victim = &mut servers[victim];
        victim.signal("-KILL");
        victim.wait();
        enough.store(true, Relaxed);
        callers.join_all().await;
        victim.run();
    }
    let lives = std::mem::take(&mut *lives.all());
    let mut client = client(&servers[0]).await;
    let mut ranks = kept(&mut client, &lives).await;
    try_again(&mut client, &lives, &mut ranks).await;
    history_is_whole(&mut client, &ranks).await;
    journals_are_whole(&servers, &ranks);
    for server in &mut servers {
        server.signal("-TERM");
        assert!(server.wait().success(), "{}", server.log());
    }
    println!("{} approvals, {} redeemed", ranks.len(), ranks.values().filter(|rank| **rank == WAY.len()).count());
}

/// How far each approval is on its way, by id: as far as was answered, and no farther than was asked.
async fn kept(client: &mut Client, lives: &BTreeMap<String, Life>) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    let mut page_token = String::new();
    loop {
        let request =
            v1::ListApprovalsRequest { page_size: Some(500), page_token, ..v1::ListApprovalsRequest::default() };
        let page = client.list_approvals(by("ann", None, request)).await.expect("a list").into_inner();
        for approval in page.approvals {
            let rank = 1 + WAY.iter().position(|(status, _)| *status == approval.status()).expect("a state of the way");
            let life = lives.get(&approval.correlation_id).unwrap_or_else(|| panic!("{} is from nowhere", approval.id));
            assert!((life.answered..=life.asked).contains(&rank), "{approval:?}: {life:?}");
            let twin = found.insert(approval.correlation_id.clone(), (approval.id.clone(), rank));
            assert!(twin.is_none(), "{} was created twice", approval.correlation_id);
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    for (key, life) in lives.iter().filter(|(_, life)| life.answered > 0) {
        let id = life.made.as_ref().map(|made| approval_of(made).id.as_str());
        assert_eq!(found.get(key).map(|(id, _)| id.as_str()), id, "{key} is lost");
    }
    found.into_values().collect()
}

/// Redemptions whose answers were lost are asked for again with their keys: each gets its answer, and still happens once.
async fn try_again(client: &mut Client, lives: &BTreeMap<String, Life>, ranks: &mut BTreeMap<String, usize>) {
    for (key, life) in lives.iter().filter(|(_, life)| life.asked == WAY.len()) {
        let made = life.made.as_ref().expect("an approval");
        let rank = ranks.get_mut(&approval_of(made).id).expect("its state");
        if life.answered < life.asked {
            let again =
                client.consume(by("runtime", None, redemption(made, key))).await.expect("redeemed").into_inner();
            assert_eq!(again.replayed, *rank == WAY.len(), "{key}");
            *rank = WAY.len();
        }
        let other = client.consume(by("runtime", None, redemption(made, "another"))).await;
        assert_eq!(other.expect_err("redeemed twice").code(), Code::NotFound);
    }
}

/// Each state that was reached has its row, once and in order.
async fn history_is_whole(client: &mut Client, ranks: &BTreeMap<String, usize>) {
    let mut rows = BTreeMap::<String, Vec<ApprovalStatus>>::new();
    let mut page_token = String::new();
    loop {
        let request = v1::ListApprovalHistoryRequest {
            page_size: Some(500),
            page_token,
            ..v1::ListApprovalHistoryRequest::default()
        };
        let page = client.list_approval_history(by("ann", None, request)).await.expect("history").into_inner();
        for row in page.entries {
            // The newest come first.
            rows.entry(row.approval_id.clone()).or_default().insert(0, row.to_status());
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    let expected =
        ranks.iter().map(|(id, rank)| (id.clone(), WAY[..*rank].iter().map(|(status, _)| *status).collect()));
    assert_eq!(rows, expected.collect());
}

/// Each change has its event, once, in one of the journals.
fn journals_are_whole(servers: &[Lictor], ranks: &BTreeMap<String, usize>) {
    wait_for("records", || servers.iter().all(|server| server.metric("lictor_store_outbox_events") == 0));
    let recorded = || -> usize {
        let of_kind = |kind: &str| servers.iter().map(|server| server.records(kind).len()).sum::<usize>();
        WAY.iter().map(|(_, kind)| of_kind(kind)).sum()
    };
    let all = ranks.values().sum();
    wait_for("all records", || recorded() >= all);
    let mut ids = BTreeSet::new();
    let mut told = BTreeMap::<String, BTreeSet<String>>::new();
    for (_, kind) in WAY {
        for event in servers.iter().flat_map(|server| server.records(kind)) {
            assert!(ids.insert(event["id"].to_string()), "twice: {event}");
            let id = event["payload"]["approval_id"].as_str().expect("an approval").to_owned();
            assert!(told.entry(id).or_default().insert(kind.to_owned()), "a second {event}");
        }
    }
    let expected =
        ranks.iter().map(|(id, rank)| (id.clone(), WAY[..*rank].iter().map(|(_, kind)| (*kind).to_owned()).collect()));
    assert_eq!(told, expected.collect());
}
