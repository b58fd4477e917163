//! What both databases must do alike: what is due, the outbox, deliveries.

use std::collections::BTreeSet;

use lictor::model::{ApprovalStatus, Text};
use lictor::store::{AttemptOutcome, Changed, Created, DeliveryClaim, DeliveryQuery, DeliveryState, Due, NewDelivery};
use tokio::task::JoinSet;

use crate::harness::{Fixture, delivery, later, new, on_both, to};

on_both!(
    what_is_due_is_claimed_once,
    workers_share_what_is_due,
    events_are_claimed_in_order_and_once,
    claims_outlive_a_restart,
    deliveries_are_claimed_fairly,
    deliveries_about_one_approval_keep_their_order,
    deliveries_keep_the_order_of_changes_whatever_clocks_say,
    attempts_end_in_one_way,
    what_was_delivered_is_forgotten_in_time,
);

const MINUTE: i64 = 60_000_000;

async fn what_is_due_is_claimed_once(fixture: Fixture) {
    let store = &fixture.store;
    let now = store.now().await.unwrap();
    let second = fixture.created(|approval| approval.expires_at = later(now, -5)).await;
    let first = fixture.created(|approval| approval.expires_at = later(now, -9)).await;
    let approved = fixture.created(|approval| approval.expires_at = later(now, -1)).await;
    let mut change = to(&approved, ApprovalStatus::Approved, "x", now);
    change.only_while_live = false;
    assert_eq!(store.change_approval(change).await.unwrap(), Changed::Done);
    let rejected = fixture.created(|approval| approval.expires_at = later(now, -1)).await;
    let mut change = to(&rejected, ApprovalStatus::Rejected, "x", now);
    change.only_while_live = false;
    assert_eq!(store.change_approval(change).await.unwrap(), Changed::Done);
    let waiting = fixture.created(|approval| approval.escalates_at = Some(later(now, -1))).await;

    let ids = |approvals: Vec<lictor::model::Approval>| approvals.into_iter().map(|a| a.id).collect::<Vec<Text>>();
    let claimed = store.due_approvals(Due::Expiry, 1).await.unwrap();
    assert_eq!(claimed, std::slice::from_ref(&first), "the longest overdue");
    let rest: BTreeSet<Text> = ids(store.due_approvals(Due::Expiry, 10).await.unwrap()).into_iter().collect();
    assert_eq!(rest, BTreeSet::from([second.id.clone(), approved.id.clone()]), "neither claimed nor final");
    assert!(store.due_approvals(Due::Expiry, 10).await.unwrap().is_empty(), "all claimed");
    assert_eq!(ids(store.due_approvals(Due::Escalation, 10).await.unwrap()), std::slice::from_ref(&waiting.id));
    assert!(store.due_approvals(Due::Escalation, 10).await.unwrap().is_empty());
    assert_eq!(store.next_due().await.unwrap(), Some(first.expires_at));

    // A change ends the claim: what is due again is found again.
    let mut change = to(&waiting, ApprovalStatus::Pending, "ann", now);
    change.approval.escalates_at = Some(later(now, -1));
    assert_eq!(store.change_approval(change.clone()).await.unwrap(), Changed::Done);
    assert_eq!(ids(store.due_approvals(Due::Escalation, 10).await.unwrap()), std::slice::from_ref(&waiting.id));

    // It escalates once, however long ago the new approvers should have answered.
    let mut change = to(&change.approval, ApprovalStatus::Escalated, "system", now);
    change.approval.escalates_at = Some(later(now, -3_600));
    assert_eq!(store.change_approval(change.clone()).await.unwrap(), Changed::Done);
    assert!(store.due_approvals(Due::Escalation, 10).await.unwrap().is_empty());
    assert_eq!(store.next_due().await.unwrap(), Some(first.expires_at));
    let over = fixture
        .created(|approval| {
            approval.status = ApprovalStatus::Escalated;
            approval.escalates_at = Some(later(now, -3_600));
            approval.expires_at = later(now, -1);
        })
        .await;
    assert!(store.due_approvals(Due::Escalation, 10).await.unwrap().is_empty());
    assert_eq!(ids(store.due_approvals(Due::Expiry, 10).await.unwrap()), [over.id], "nothing delays its expiry");
}

async fn workers_share_what_is_due(fixture: Fixture) {
    let now = fixture.store.now().await.unwrap();
    for _ in 0..40 {
        fixture.created(|approval| approval.expires_at = later(now, -5)).await;
    }
    let mut workers = JoinSet::new();
    for _ in 0..4 {
        let store = fixture.store.clone();
        workers.spawn(async move {
            let mut mine = Vec::new();
            loop {
                let claimed = store.due_approvals(Due::Expiry, 3).await.unwrap();
                if claimed.is_empty() {
                    return mine;
                }
                for approval in claimed {
                    let at = store.now().await.unwrap();
                    let changed = store.change_approval(to(&approval, ApprovalStatus::Expired, "system", at)).await;
                    // On a machine that stands still for half a minute another may claim it.
                    if changed.unwrap() == Changed::Done {
                        mine.push(approval.id);
                    }
                }
            }
        });
    }
    let expired: Vec<Text> = workers.join_all().await.into_iter().flatten().collect();
    assert_eq!(expired.len(), 40);
    assert_eq!(expired.iter().collect::<BTreeSet<_>>().len(), 40);
}

async fn events_are_claimed_in_order_and_once(fixture: Fixture) {
    let store = &fixture.store;
    let mut expected = Vec::new();
    for _ in 0..3 {
        let approval = fixture.approval().await;
        let creation = new(approval.clone());
        expected.push(creation.events[0].clone());
        store.create_approval(creation).await.unwrap();
        let change = to(&approval, ApprovalStatus::Approved, "x", approval.created_at);
        expected.push(change.events[0].clone());
        store.change_approval(change).await.unwrap();
    }
    let figures = store.figures().await.unwrap();
    assert_eq!((figures.outbox, figures.open_approvals), (6, 0));
    assert_eq!(figures.oldest_event, expected.iter().map(|event| event.at).min());
    let one = store.claim_events("one", 17, 4).await.unwrap();
    assert_eq!(one.iter().map(|claimed| &claimed.event).collect::<Vec<_>>(), expected[..4].iter().collect::<Vec<_>>());
    assert!(one.iter().all(|claimed| claimed.after_sequence == 17));
    let two = store.claim_events("two", 0, 4).await.unwrap();
    assert_eq!(two.iter().map(|claimed| &claimed.event).collect::<Vec<_>>(), expected[4..].iter().collect::<Vec<_>>());
    assert!(store.claim_events("three", 0, 4).await.unwrap().is_empty());
    assert_eq!(store.hold_events("one").await.unwrap(), 4);
    let ids = |claimed: &[lictor::store::ClaimedEvent]| claimed.iter().map(|c| c.event.id).collect::<Vec<_>>();
    store.mark_events("one", ids(&one)[..3].to_vec()).await.unwrap();
    store.mark_events("one", ids(&two)).await.unwrap();
    assert_eq!(store.claimed_events("one", 10).await.unwrap(), one[3..]);
    assert_eq!(store.claimed_events("two", 10).await.unwrap(), two, "nobody marks what another has claimed");
    store.mark_events("two", ids(&two)).await.unwrap();
    assert_eq!(store.figures().await.unwrap().outbox, 1);
}

async fn claims_outlive_a_restart(mut fixture: Fixture) {
    fixture.created(|_| {}).await;
    let claimed = fixture.store.claim_events("one", 5, 10).await.unwrap();
    assert_eq!(claimed.len(), 1);
    fixture.reopen().await;
    assert_eq!(fixture.store.claimed_events("one", 10).await.unwrap(), claimed);
    assert!(fixture.store.claim_events("one", 9, 10).await.unwrap().is_empty(), "it is looked up, not claimed again");
}

fn claim(limit: u32, per_endpoint: u32, busy: &[&str]) -> DeliveryClaim {
    let busy = busy.iter().map(|name| Text::from(*name)).collect();
    DeliveryClaim { limit, per_endpoint, busy, lease_micros: MINUTE }
}

async fn deliveries_are_claimed_fairly(fixture: Fixture) {
    let store = &fixture.store;
    let now = store.now().await.unwrap();
    let mut messages = Vec::new();
    for number in 0..5 {
        let about = fixture.created(|_| {}).await;
        messages.push(delivery(&about, "slow", later(now, -20 + number)));
    }
    let mut creation = new(fixture.approval().await);
    creation.deliveries.push(delivery(&creation.approval, "quick", later(now, -1)));
    creation.deliveries.push(delivery(&creation.approval, "late", later(now, 900)));
    messages.extend(creation.deliveries.clone());
    store.create_approval(creation).await.unwrap();
    store.add_deliveries(messages[..5].to_vec()).await.unwrap();
    assert_eq!(store.next_delivery().await.unwrap(), Some(messages[0].not_before));
    let first = store.claim_deliveries(claim(10, 2, &[])).await.unwrap();
    let sent: Vec<_> = first.iter().map(|delivery| delivery.message.clone()).collect();
    assert_eq!(sent, [messages[0].clone(), messages[1].clone(), messages[5].clone()]);
    assert!(first.iter().all(|delivery| delivery.attempts == 0 && delivery.state == DeliveryState::Pending));
    assert!(store.claim_deliveries(claim(10, 2, &["slow", "it's"])).await.unwrap().is_empty(), "all others are busy");
    let next = store.claim_deliveries(claim(1, 9, &[])).await.unwrap();
    assert_eq!(next[0].message, messages[2]);
    assert_eq!(store.claim_deliveries(claim(10, 9, &[])).await.unwrap().len(), 2);
    assert!(store.claim_deliveries(claim(10, 9, &[])).await.unwrap().is_empty(), "claimed, or not yet due");
    assert_eq!(store.release_deliveries(vec![messages[3].id.clone(), "gone".into()]).await.unwrap(), 1);
    let again = store.claim_deliveries(claim(10, 9, &[])).await.unwrap();
    let again: Vec<_> = again.iter().map(|delivery| (&delivery.message.id, delivery.attempts)).collect();
    assert_eq!(again, [(&messages[3].id, 0)]);
}

async fn deliveries_about_one_approval_keep_their_order(fixture: Fixture) {
    let store = &fixture.store;
    let now = store.now().await.unwrap();
    let approval = fixture.created(|_| {}).await;
    let first = delivery(&approval, "ops", later(now, -1));
    let second = delivery(&approval, "ops", later(now, -9));
    let elsewhere = delivery(&approval, "audit", later(now, -5));
    store.add_deliveries(vec![second.clone(), first.clone(), elsewhere.clone()]).await.unwrap();
    let ids = |claimed: Vec<lictor::store::Delivery>| claimed.into_iter().map(|d| d.message.id).collect::<Vec<_>>();
    let claimed = ids(store.claim_deliveries(claim(9, 9, &[])).await.unwrap());
    assert_eq!(claimed, [elsewhere.id, first.id.clone()], "the second waits for the first");
    let retry = AttemptOutcome::Retry { at: later(now, 900), status: None, error: "refused".to_owned() };
    assert!(store.finish_delivery(&first.id, 0, retry).await.unwrap());
    assert!(store.claim_deliveries(claim(9, 9, &[])).await.unwrap().is_empty(), "also while the first is tried again");
    let dead = AttemptOutcome::Dead { status: Some(410), error: "gone".to_owned() };
    assert!(store.finish_delivery(&first.id, 1, dead).await.unwrap());
    assert_eq!(ids(store.claim_deliveries(claim(9, 9, &[])).await.unwrap()), [second.id]);
}

/// Ids are made by the clocks of replicas, which differ; the order is that of the approval's versions.
async fn deliveries_keep_the_order_of_changes_whatever_clocks_say(fixture: Fixture) {
    let store = &fixture.store;
    let now = store.now().await.unwrap();
    let mut creation = new(fixture.approval().await);
    let created = NewDelivery {
        id: "ffffffff-ffff-7fff-bfff-ffffffffffff".into(),
        ..delivery(&creation.approval, "ops", later(now, -1))
    };
    creation.deliveries = vec![created.clone()];
    let approval = creation.approval.clone();
    assert_eq!(store.create_approval(creation).await.unwrap(), Created::New);
    let mut change = to(&approval, ApprovalStatus::Approved, "ann", now);
    let approved = NewDelivery {
        id: "00000000-0000-7000-8000-000000000000".into(),
        ..delivery(&change.approval, "ops", later(now, -9))
    };
    change.deliveries = vec![approved.clone()];
    assert_eq!(store.change_approval(change).await.unwrap(), Changed::Done);
    for next in [created, approved] {
        let claimed = store.claim_deliveries(claim(9, 9, &[])).await.unwrap();
        let told: Vec<_> =
            claimed.iter().map(|claimed| (&claimed.message.id, claimed.message.approval_version)).collect();
        assert_eq!(told, [(&next.id, next.approval_version)]);
        assert!(store.finish_delivery(&next.id, 0, AttemptOutcome::Delivered { status: 200 }).await.unwrap());
    }
}

async fn attempts_end_in_one_way(fixture: Fixture) {
    let store = &fixture.store;
    let now = store.now().await.unwrap();
    let approval = fixture.created(|_| {}).await;
    let message = delivery(&approval, "ops", later(now, -1));
    store.add_deliveries(vec![message.clone()]).await.unwrap();
    let again = later(now, -1);
    let retry = AttemptOutcome::Retry { at: again, status: Some(500), error: "no".to_owned() };
    for attempts in 0..2 {
        let claimed = store.claim_deliveries(claim(1, 1, &[])).await.unwrap();
        assert_eq!(claimed[0].attempts, attempts);
        assert!(store.finish_delivery(&message.id, attempts, retry.clone()).await.unwrap());
        assert!(!store.finish_delivery(&message.id, attempts, retry.clone()).await.unwrap(), "noted twice");
    }
    let claimed = store.claim_deliveries(claim(1, 1, &[])).await.unwrap().remove(0);
    assert_eq!((claimed.attempts, claimed.last_status, claimed.last_error.as_str()), (2, Some(500), "no"));
    let dead = AttemptOutcome::Dead { status: None, error: "timeout".to_owned() };
    assert!(store.finish_delivery(&message.id, 2, dead).await.unwrap());
    assert!(store.claim_deliveries(claim(1, 1, &[])).await.unwrap().is_empty());
    let letters = DeliveryQuery { state: Some(DeliveryState::Dead), limit: 9, ..DeliveryQuery::default() };
    let page = store.list_deliveries(&letters).await.unwrap();
    assert_eq!(page.items.len(), 1);
    assert_eq!((page.items[0].attempts, page.items[0].last_status), (3, None));
    assert_eq!(store.figures().await.unwrap().dead_deliveries, 1);
    assert_eq!(store.redeliver("beta", &message.id).await.unwrap(), None, "another tenant's");
    let revived = store.redeliver("acme", &message.id).await.unwrap().expect("sent again");
    assert_eq!((revived.attempts, revived.state), (0, DeliveryState::Pending));
    assert_eq!(store.redeliver("acme", &message.id).await.unwrap(), None, "it waits already");
    let claimed = store.claim_deliveries(claim(1, 1, &[])).await.unwrap();
    assert_eq!(claimed[0].message.id, message.id);
    assert!(store.finish_delivery(&message.id, 0, AttemptOutcome::Delivered { status: 204 }).await.unwrap());
    let delivered = store.delivery("acme", &message.id).await.unwrap().expect("the delivery");
    assert_eq!((delivered.state, delivered.last_status), (DeliveryState::Delivered, Some(204)));
    assert_eq!(store.delivery("beta", &message.id).await.unwrap(), None);
    assert_eq!(store.next_delivery().await.unwrap(), None);
}

async fn what_was_delivered_is_forgotten_in_time(fixture: Fixture) {
    let store = &fixture.store;
    let now = store.now().await.unwrap();
    let approval = fixture.created(|_| {}).await;
    let messages: Vec<_> = ["a", "b", "c", "d"].map(|endpoint| delivery(&approval, endpoint, later(now, -1))).into();
    store.add_deliveries(messages.clone()).await.unwrap();
    assert_eq!(store.claim_deliveries(claim(9, 9, &[])).await.unwrap().len(), 4);
    for message in &messages[..2] {
        assert!(store.finish_delivery(&message.id, 0, AttemptOutcome::Delivered { status: 200 }).await.unwrap());
    }
    let dead = AttemptOutcome::Dead { status: None, error: "no".to_owned() };
    assert!(store.finish_delivery(&messages[2].id, 0, dead).await.unwrap());
    assert_eq!(store.prune_deliveries(later(now, -60), 9).await.unwrap(), 0);
    assert_eq!(store.prune_deliveries(later(now, 3_600), 9).await.unwrap(), 2);
    let left = |items: Vec<lictor::store::Delivery>| items.into_iter().map(|d| d.message.id).collect::<Vec<_>>();
    let query = DeliveryQuery { approval_id: approval.id.clone(), limit: 9, ..DeliveryQuery::default() };
    let page = store.list_deliveries(&query).await.unwrap();
    assert_eq!(left(page.items), [messages[3].id.clone(), messages[2].id.clone()]);
    assert_eq!(store.prune_dead_deliveries(later(now, 3_600), 9).await.unwrap(), 1);
    assert_eq!(
        left(store.list_deliveries(&query).await.unwrap().items),
        std::slice::from_ref(&messages[3].id),
        "it waits"
    );
}
