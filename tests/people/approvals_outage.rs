//! What callers are told while the store is away or full: the code and the reason, decisions go on, and afterwards nothing
//! has happened twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use lictor::api::proto::v1::{self, ApprovalStatus};
use tokio::task::JoinSet;
use tonic::{Code, Status};

use crate::house::eventually;
use crate::postgres::Cluster;
use crate::served::{
    Backend, Client, DOCUMENTS, approval_of, approving, by, client, consuming, created, creation, getting, history_of,
    reason_of, status_of,
};
use crate::system::{Lictor, question};

/// Callers that create, approve and redeem.
const CALLERS: usize = 6;

/// What a caller knows of one approval: what it was told, and how often its token was taken.
struct Told {
    made: v1::CreateApprovalResponse,
    redeemed: usize,
    /// A redemption may have happened without an answer.
    unsure: bool,
}

fn is_told_of_the_store(refused: &Status) {
    let expected = match reason_of(refused).as_str() {
        "STORE_UNAVAILABLE" | "STORE_UNCERTAIN" => Code::Unavailable,
        "STORE_BUSY" => Code::ResourceExhausted,
        other => panic!("{other}: {refused}"),
    };
    assert_eq!(refused.code(), expected, "{refused}");
}

/// One approval after the other until told to stop, whatever the store answers.
async fn go_on(mut client: Client, name: String, enough: Arc<AtomicBool>) -> Vec<Told> {
    let mut all = Vec::new();
    for number in 0.. {
        if enough.load(Relaxed) {
            break;
        }
        let key = format!("{name}-{number}");
        let made = match client.create_approval(by("runtime", None, creation("", &key))).await {
            Ok(made) => made.into_inner(),
            Err(refused) => {
                is_told_of_the_store(&refused);
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
        };
        let mut told = Told { made, redeemed: 0, unsure: false };
        match client.approve(by("ann", Some("4"), approving("", approval_of(&told.made)))).await {
            // Twice with one token: one answer at most is yes.
            Ok(_) => {
                for _ in 0..2 {
                    match client.consume(by("runtime", None, consuming("", &told.made))).await {
                        Ok(_) => told.redeemed += 1,
                        Err(refused) if refused.code() == Code::NotFound => {}
                        Err(refused) => {
                            is_told_of_the_store(&refused);
                            told.unsure |= reason_of(&refused) == "STORE_UNCERTAIN";
                        }
                    }
                }
            }
            Err(refused) => is_told_of_the_store(&refused),
        }
        all.push(told);
    }
    all
}

/// Decisions go on.
async fn decides(lictor: &Lictor) {
    let answer = lictor.client().await.evaluate(question("bank.look")).await.expect("an answer").into_inner();
    assert!(answer.allowed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_stops_and_starts_under_load() {
    let mut cluster = tokio::task::spawn_blocking(Cluster::own).await.unwrap();
    let mut lictor = Lictor::prepare(DOCUMENTS);
    lictor.arguments = vec!["--dev"];
    lictor.config = format!("store: {{url: '{}', timeoutMillis: 2000}}\n", cluster.database());
    lictor.run();
    let mut client = client(&lictor).await;
    let waiting = created(&mut client, "", "waiting").await;
    let approved = created(&mut client, "", "approved").await;
    client.approve(by("ann", Some("4"), approving("", approval_of(&approved)))).await.unwrap();
    let enough = Arc::<AtomicBool>::default();
    let mut callers = JoinSet::new();
    for number in 0..CALLERS {
        callers.spawn(go_on(client.clone(), format!("c{number}"), enough.clone()));
    }
    let mut consumed = 0;
    for round in 0..2 {
        let kind = "ir.approval_consumed";
        eventually("redemptions", async || lictor.records(kind).len() >= consumed + 10).await;
        consumed = lictor.records(kind).len();
        cluster.stop();
        let id = approval_of(&waiting).id.clone();
        let reader = client.clone();
        eventually("a refusal", async || reader.clone().get_approval(by("ann", None, getting("", &id))).await.is_err())
            .await;
        let watch = v1::WatchApprovalRequest { tenant_id: String::new(), approval_id: id.clone() };
        let list = v1::ListApprovalsRequest::default();
        let refusals = [
            ("create", client.create_approval(by("runtime", None, creation("", &format!("n{round}")))).await.map(drop)),
            ("get", client.get_approval(by("ann", None, getting("", &id))).await.map(drop)),
            ("list", client.list_approvals(by("ann", None, list)).await.map(drop)),
            ("approve", client.approve(by("ann", Some("4"), approving("", approval_of(&waiting)))).await.map(drop)),
            ("consume", client.consume(by("runtime", None, consuming("", &approved))).await.map(drop)),
            ("watch", client.watch_approval(by("runtime", None, watch)).await.map(drop)),
        ];
        for (verb, refused) in refusals {
            let refused = refused.expect_err(verb);
            let found = (refused.code(), reason_of(&refused));
            assert_eq!(found, (Code::Unavailable, "STORE_UNAVAILABLE".to_owned()), "{verb}: {refused}");
            assert!(refused.message().contains("nothing has changed"), "{verb}: {refused}");
        }
        decides(&lictor).await;
        cluster = tokio::task::spawn_blocking(move || {
            cluster.run();
            cluster
        })
        .await
        .unwrap();
        let reader = client.clone();
        eventually("an answer", async || reader.clone().get_approval(by("ann", None, getting("", &id))).await.is_ok())
            .await;
    }
    enough.store(true, Relaxed);
    let told: Vec<Told> = callers.join_all().await.into_iter().flatten().collect();
    // What was refused has not happened, and happens now.
    client.consume(by("runtime", None, consuming("", &approved))).await.expect("redeemed");
    assert_eq!(status_of(&mut client, "", &approval_of(&waiting).id).await, ApprovalStatus::Pending);
    for told in &told {
        let id = &approval_of(&told.made).id;
        let rows = history_of(&mut client, "", id).await;
        let times = rows.iter().filter(|row| row.to_status() == ApprovalStatus::Consumed).count();
        assert!(told.redeemed <= 1, "{id} was redeemed {} times", told.redeemed);
        assert!(times == told.redeemed || (told.unsure && times == 1), "{id}: told {}, {rows:?}", told.redeemed);
    }
    assert!(told.iter().filter(|told| told.redeemed == 1).count() >= 20);
    drop(cluster);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_store_is_told_while_decisions_go_on() {
    let mut lictor = Backend::Sqlite.prepare();
    lictor.config = "store: {maxBytes: 1MiB}\n".into();
    lictor.write_policies(
        &DOCUMENTS.replace("escalation: {afterSeconds: 300, level: 4}", "pending: {perCreator: 100000}"),
    );
    lictor.run();
    let mut client = client(&lictor).await;
    let mut kept = Vec::new();
    let refused = loop {
        let mut creation = creation("", &format!("k{}", kept.len()));
        creation.justification = "x".repeat(4_000);
        match client.create_approval(by("runtime", None, creation)).await {
            Ok(made) => kept.push(made.into_inner()),
            Err(refused) => break refused,
        }
        assert!(kept.len() < 10_000, "it never gets full");
    };
    assert_eq!((refused.code(), reason_of(&refused).as_str()), (Code::Unavailable, "STORE_FULL"), "{refused}");
    for what in ["the store is full", "nothing has changed", "`store.maxBytes`"] {
        assert!(refused.message().contains(what), "{refused}");
    }
    decides(&lictor).await;
    // Reading goes on, and what was refused is not there.
    for made in [kept.first(), kept.last()] {
        let id = &approval_of(made.expect("some fit")).id;
        assert_eq!(status_of(&mut client, "", id).await, ApprovalStatus::Pending);
    }
    lictor.signal("-TERM");
    assert!(lictor.wait().success(), "{}", lictor.log());
    lictor.config = "store: {maxBytes: 64MiB}\n".into();
    lictor.run();
    let mut client = crate::served::client(&lictor).await;
    let again = created(&mut client, "", "afterwards").await;
    client.approve(by("ann", Some("4"), approving("", approval_of(&again)))).await.expect("with room again");
    client.consume(by("runtime", None, consuming("", &again))).await.expect("redeemed");
}
