//! What both databases must do alike: one approval, created and changed.

use std::sync::Arc;

use lictor::model::{
    Approval, ApprovalQuery, ApprovalStatus, HistoryQuery, Redeemed, Redemption, RedemptionMode, Vote,
};
use lictor::store::{Changed, Created, StoreError};
use tokio::task::JoinSet;

use crate::harness::{Fixture, delivery, event, later, new, on_both, to};

on_both!(
    what_is_created_can_be_loaded,
    a_key_creates_once,
    a_key_creates_once_in_parallel,
    those_that_wait_are_limited,
    what_cannot_be_written_spoils_nothing_else,
    changes_follow_the_version,
    one_of_many_changes_wins,
    the_dead_do_not_change,
    a_change_is_whole_or_nothing,
    a_restore_ends_what_was_before,
    all_survives_closing,
);

async fn loaded(fixture: &Fixture, approval: &Approval) -> Approval {
    let found = fixture.store.approval(&approval.tenant_id, &approval.id).await.expect("load");
    found.expect("the approval")
}

async fn what_is_created_can_be_loaded(fixture: Fixture) {
    let store = &fixture.store;
    let full = fixture
        .created(|approval| {
            let at = approval.created_at;
            approval.progress.stages[0].approvals =
                vec![Vote { principal: "jwt:iss#ann".into(), level: 4, notes: "fine\0?".to_owned(), at }];
            let redeemed = Redeemed {
                step_id: "a".into(),
                key_hash: "00ff".into(),
                grant_id: "g".into(),
                step_hash: "sha256:1".into(),
                principal: "uid:1000".into(),
                at,
            };
            approval.progress.redemption =
                Some(Redemption { mode: RedemptionMode::Stepwise, redeemed: vec![redeemed] });
            approval.target = (0..=255).collect();
            approval.cost_cents = Some(i64::MAX);
        })
        .await;
    assert_eq!(loaded(&fixture, &full).await, full);
    let bare = fixture
        .created(|approval| {
            approval.cost_cents = None;
            approval.escalates_at = None;
            approval.on_behalf_of = "ann".into();
            approval.webhook_endpoints.clear();
            approval.progress = Default::default();
        })
        .await;
    assert_eq!(loaded(&fixture, &bare).await, bare);
    assert_eq!(store.approval_by_token(&bare.token_hash).await.unwrap(), Some(bare.clone()));
    assert_eq!(store.approval_by_token(&[9; 32]).await.unwrap(), None);
    assert_eq!(store.approval("other", &bare.id).await.unwrap(), None, "another tenant's");
    assert_eq!(store.approval("acme", "nothing").await.unwrap(), None);
}

async fn a_key_creates_once(fixture: Fixture) {
    let store = &fixture.store;
    let first = fixture.created(|_| {}).await;
    let mut again = fixture.approval().await;
    again.key_hash = first.key_hash;
    let created = store.create_approval(new(again.clone())).await.unwrap();
    assert_eq!(created, Created::Existing(Box::new(first.clone())));
    assert_eq!(store.approval("acme", &again.id).await.unwrap(), None);
    assert_eq!(store.figures().await.unwrap().outbox, 1, "no event of what was not created");
    for other in [|a: &mut Approval| a.tenant_id = "beta".into(), |a: &mut Approval| a.created_by = "uid:2".into()] {
        let mut approval = fixture.approval().await;
        approval.key_hash = first.key_hash;
        other(&mut approval);
        assert_eq!(store.create_approval(new(approval)).await.unwrap(), Created::New, "the key is somebody else's");
    }
}

async fn a_key_creates_once_in_parallel(fixture: Fixture) {
    let pattern = fixture.approval().await;
    let mut tasks = JoinSet::new();
    for _ in 0..16 {
        let (store, mut approval) = (fixture.store.clone(), fixture.approval().await);
        approval.key_hash = pattern.key_hash;
        tasks.spawn(async move { (approval.id.clone(), store.create_approval(new(approval)).await.unwrap()) });
    }
    let outcomes = tasks.join_all().await;
    let winners: Vec<_> = outcomes.iter().filter(|(_, created)| *created == Created::New).collect();
    let [(winner, _)] = winners.as_slice() else { panic!("{} winners", winners.len()) };
    for (_, created) in &outcomes {
        if let Created::Existing(existing) = created {
            assert_eq!(existing.id, *winner);
        }
    }
    assert_eq!(fixture.store.figures().await.unwrap().outbox, 1);
}

async fn those_that_wait_are_limited(fixture: Fixture) {
    let store = &fixture.store;
    let mut tasks = JoinSet::new();
    for _ in 0..12 {
        let (store, approval) = (store.clone(), fixture.approval().await);
        tasks.spawn(async move {
            let mut new = new(approval);
            new.max_open = 5;
            store.create_approval(new).await.unwrap()
        });
    }
    let outcomes = tasks.join_all().await;
    assert_eq!(outcomes.iter().filter(|created| **created == Created::New).count(), 5, "{outcomes:?}");
    assert_eq!(
        outcomes.iter().filter(|created| **created == Created::TooManyOpen { open: 5, of_tenant: false }).count(),
        7
    );
    let mut granted = new(fixture.approval().await);
    granted.approval.status = ApprovalStatus::AutoApproved;
    granted.max_open = 5;
    assert_eq!(store.create_approval(granted).await.unwrap(), Created::New, "it does not wait");
    let mut other = new(fixture.approval().await);
    other.approval.created_by = "uid:2".into();
    other.max_open = 5;
    assert_eq!(store.create_approval(other).await.unwrap(), Created::New, "of another creator");
    let mut of_tenant = new(fixture.approval().await);
    of_tenant.approval.created_by = "uid:3".into();
    of_tenant.max_open_of_tenant = 6;
    let refused = Created::TooManyOpen { open: 6, of_tenant: true };
    assert_eq!(store.create_approval(of_tenant.clone()).await.unwrap(), refused);
    of_tenant.approval.tenant_id = "beta".into();
    assert_eq!(store.create_approval(of_tenant).await.unwrap(), Created::New, "of another tenant");

    // Asking again for what is there is no further one; and what no longer waits makes room.
    let query =
        ApprovalQuery { tenant_id: "acme".into(), created_by: "uid:1000".into(), limit: 9, ..Default::default() };
    let waiting = store.list_approvals(&query).await.unwrap().items;
    let first = waiting.iter().find(|approval| approval.status.is_open()).expect("one that waits");
    let mut again = new(fixture.approval().await);
    (again.approval.key_hash, again.max_open) = (first.key_hash, 5);
    assert!(matches!(store.create_approval(again).await.unwrap(), Created::Existing(found) if found.id == first.id));
    let now = store.now().await.unwrap();
    let change = to(first, ApprovalStatus::Rejected, "x", now);
    assert_eq!(store.change_approval(change).await.unwrap(), Changed::Done);
    for expected in [Created::New, Created::TooManyOpen { open: 5, of_tenant: false }] {
        let mut next = new(fixture.approval().await);
        next.max_open = 5;
        assert_eq!(store.create_approval(next).await.unwrap(), expected);
    }
}

async fn what_cannot_be_written_spoils_nothing_else(fixture: Fixture) {
    let (store, mut tasks) = (&fixture.store, JoinSet::new());
    let taken = fixture.created(|_| {}).await;
    for number in 0..24 {
        let (store, mut approval) = (store.clone(), fixture.approval().await);
        let is_sound = number % 4 > 0;
        if !is_sound {
            // Another approval has the id.
            approval.id = taken.id.clone();
        }
        tasks.spawn(async move { (is_sound, approval.clone(), store.create_approval(new(approval)).await) });
    }
    let mut sound = 0;
    for (is_sound, approval, outcome) in tasks.join_all().await {
        if is_sound {
            assert_eq!(outcome.unwrap(), Created::New);
            assert_eq!(loaded(&fixture, &approval).await, approval);
            sound += 1;
        } else {
            assert!(matches!(outcome, Err(StoreError::Invalid { .. })), "{outcome:?}");
        }
    }
    let figures = store.figures().await.unwrap();
    assert_eq!((sound, figures.open_approvals, figures.outbox), (18, 19, 19));
}

async fn changes_follow_the_version(fixture: Fixture) {
    let store = &fixture.store;
    let first = fixture.created(|_| {}).await;
    let now = store.now().await.unwrap();
    let approve = to(&first, ApprovalStatus::Approved, "jwt:iss#ann", now);
    assert_eq!(store.change_approval(approve.clone()).await.unwrap(), Changed::Done);
    let after = loaded(&fixture, &first).await;
    assert_eq!(after, approve.approval);
    assert_eq!(store.change_approval(approve.clone()).await.unwrap(), Changed::Conflict);
    let mut foreign = to(&after, ApprovalStatus::Cancelled, "x", now);
    foreign.approval.tenant_id = "beta".into();
    assert_eq!(store.change_approval(foreign).await.unwrap(), Changed::Missing);
    let mut skipping = to(&after, ApprovalStatus::Cancelled, "x", now);
    skipping.approval.version += 1;
    assert!(matches!(store.change_approval(skipping).await, Err(StoreError::Invalid { .. })));
    let history = store.list_history(&history_of(&first)).await.unwrap();
    let steps: Vec<_> = history.items.iter().map(|row| (row.version, row.from_status, row.to_status)).collect();
    let expected = [(2, Some(ApprovalStatus::Pending), ApprovalStatus::Approved), (1, None, ApprovalStatus::Pending)];
    assert_eq!(steps, expected);
    assert_eq!(store.versions(&[first.id.clone(), "gone".into()]).await.unwrap(), [(first.id.clone(), 2)]);
    // A new token voids the old one.
    let mut retoken = to(&after, ApprovalStatus::Approved, "uid:1000", now);
    retoken.approval.token_hash = [7; 32];
    retoken.history = None;
    assert_eq!(store.change_approval(retoken).await.unwrap(), Changed::Done);
    assert_eq!(store.approval_by_token(&first.token_hash).await.unwrap(), None);
    assert_eq!(store.approval_by_token(&[7; 32]).await.unwrap().expect("by the new token").id, first.id);
}

fn history_of(approval: &Approval) -> HistoryQuery {
    HistoryQuery {
        tenant_id: approval.tenant_id.clone(),
        approval_id: approval.id.clone(),
        limit: 100,
        ..HistoryQuery::default()
    }
}

async fn one_of_many_changes_wins(fixture: Fixture) {
    let first = fixture.created(|_| {}).await;
    let now = fixture.store.now().await.unwrap();
    let first = Arc::new(first);
    let mut tasks = JoinSet::new();
    for caller in 0..64 {
        let (store, first) = (fixture.store.clone(), first.clone());
        tasks.spawn(async move {
            store.change_approval(to(&first, ApprovalStatus::Approved, &format!("c{caller}"), now)).await.unwrap()
        });
    }
    let outcomes = tasks.join_all().await;
    assert_eq!(outcomes.iter().filter(|changed| **changed == Changed::Done).count(), 1);
    assert_eq!(outcomes.iter().filter(|changed| **changed == Changed::Conflict).count(), 63);
    let history = fixture.store.list_history(&history_of(&first)).await.unwrap();
    assert_eq!(history.items.len(), 2);
    assert_eq!(fixture.store.figures().await.unwrap().outbox, 2);
}

async fn the_dead_do_not_change(fixture: Fixture) {
    let store = &fixture.store;
    let now = store.now().await.unwrap();
    let dead = fixture.created(|approval| approval.expires_at = later(now, -1)).await;
    let approve = to(&dead, ApprovalStatus::Approved, "jwt:iss#ann", now);
    assert_eq!(store.change_approval(approve).await.unwrap(), Changed::Expired);
    assert_eq!(loaded(&fixture, &dead).await, dead);
    let mut early = to(&dead, ApprovalStatus::Expired, "system", now);
    early.only_after = Some(later(now, 3_600));
    assert_eq!(store.change_approval(early).await.unwrap(), Changed::TooEarly);
    let mut expire = to(&dead, ApprovalStatus::Expired, "system", now);
    expire.only_after = Some(dead.expires_at);
    assert_eq!(store.change_approval(expire).await.unwrap(), Changed::Done);
}

async fn a_change_is_whole_or_nothing(fixture: Fixture) {
    let store = &fixture.store;
    let first = fixture.created(|_| {}).await;
    let now = store.now().await.unwrap();
    let mut change = to(&first, ApprovalStatus::Approved, "jwt:iss#ann", now);
    let message = delivery(&first, "ops", now);
    change.deliveries = vec![message.clone(), message];
    let refused = store.change_approval(change).await;
    assert!(matches!(refused, Err(StoreError::Invalid { .. })), "the same delivery twice: {refused:?}");
    let mut creation = new(fixture.approval().await);
    creation.events.push(event(&creation.approval, "again"));
    creation.events[1].id = creation.events[0].id;
    let id = creation.approval.id.clone();
    assert!(matches!(store.create_approval(creation).await, Err(StoreError::Invalid { .. })));
    assert_eq!(store.approval("acme", &id).await.unwrap(), None);
    assert_eq!(loaded(&fixture, &first).await, first);
    let figures = store.figures().await.unwrap();
    assert_eq!((figures.outbox, figures.pending_deliveries), (1, 0));
    assert_eq!(store.list_history(&history_of(&first)).await.unwrap().items.len(), 1);
}

async fn a_restore_ends_what_was_before(fixture: Fixture) {
    let store = &fixture.store;
    let old = fixture.created(|_| {}).await;
    let stale = fixture.approval().await;
    let epoch = store.raise_epoch(0, "me").await.unwrap();
    assert_eq!((epoch, store.epoch(), store.read_mark().await.unwrap().epoch), (old.epoch + 1, Some(epoch), epoch));
    let now = store.now().await.unwrap();
    let approve = to(&old, ApprovalStatus::Approved, "jwt:iss#ann", now);
    assert_eq!(store.change_approval(approve).await.unwrap(), Changed::Expired);
    assert_eq!(store.create_approval(new(stale)).await.unwrap(), Created::OtherEpoch { epoch });
    let due = store.due_approvals(lictor::store::Due::Expiry, 10).await.unwrap();
    assert_eq!(due.iter().map(|approval| &approval.id).collect::<Vec<_>>(), [&old.id]);
    assert_eq!(store.raise_epoch(41, "me").await.unwrap(), 42);
    let fresh = fixture.created(|_| {}).await;
    assert_eq!(fresh.epoch, 42);
}

async fn all_survives_closing(mut fixture: Fixture) {
    let first = fixture.created(|_| {}).await;
    fixture.store.raise_epoch(0, "me").await.unwrap();
    fixture.reopen().await;
    assert_eq!(loaded(&fixture, &first).await, first);
    assert_eq!(fixture.store.epoch(), Some(2));
    let store = fixture.store.clone();
    store.close().await;
    let refused = store.create_approval(new(first.clone())).await;
    assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_set_back_does_not_stop_the_time() {
    use std::sync::atomic::Ordering::Relaxed;
    const HOUR: i64 = 3_600_000_000;
    let mut fixture = Fixture::sqlite().await;
    fixture.skew.store(HOUR, Relaxed);
    let created = fixture.created(|approval| approval.expires_at = later(approval.created_at, 60)).await;
    assert_eq!(fixture.store.clock_behind(), std::time::Duration::ZERO);
    fixture.skew.store(0, Relaxed);
    assert_eq!(fixture.store.now().await.unwrap(), created.created_at, "never below what is committed");
    assert!(fixture.store.clock_behind() > std::time::Duration::from_secs(3_000));
    for restarted in [false, true] {
        let before = fixture.store.now().await.unwrap();
        fixture.passed.fetch_add(20_000_000, Relaxed);
        assert_eq!(fixture.store.now().await.unwrap(), later(before, 20), "restarted: {restarted}");
        // What is committed meanwhile does not make it jump.
        fixture.created(|_| {}).await;
        assert_eq!(fixture.store.now().await.unwrap(), later(before, 20));
        assert_eq!(fixture.store.due_approvals(lictor::store::Due::Expiry, 9).await.unwrap(), []);
        if !restarted {
            fixture.reopen().await;
            assert_eq!(fixture.store.now().await.unwrap(), later(before, 20), "it goes on from what is committed");
        }
    }
    fixture.passed.fetch_add(21_000_000, Relaxed);
    let due = fixture.store.due_approvals(lictor::store::Due::Expiry, 9).await.unwrap();
    assert_eq!(due.iter().map(|approval| &approval.id).collect::<Vec<_>>(), [&created.id], "its minute is over");
    // The clock is right again, or so it seems.
    fixture.skew.store(2 * HOUR, Relaxed);
    assert!(fixture.store.now().await.unwrap() > later(created.created_at, 3_000));
    assert_eq!(fixture.store.clock_behind(), std::time::Duration::ZERO);
    // With an epoch the clock begins anew.
    fixture.created(|_| {}).await;
    fixture.skew.store(0, Relaxed);
    fixture.store.raise_epoch(0, "me").await.unwrap();
    fixture.reopen().await;
    assert_eq!(fixture.store.clock_behind(), std::time::Duration::ZERO);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_many_changes_wins_across_servers() {
    let fixture = Fixture::postgres().await;
    let other = lictor::store::Store::open(fixture.options.clone()).await.expect("a second server");
    let first = Arc::new(fixture.created(|_| {}).await);
    let now = fixture.store.now().await.unwrap();
    let mut tasks = JoinSet::new();
    for caller in 0..64 {
        let store = if caller % 2 == 0 { fixture.store.clone() } else { other.clone() };
        let first = first.clone();
        tasks.spawn(async move {
            store.change_approval(to(&first, ApprovalStatus::Approved, &format!("c{caller}"), now)).await.unwrap()
        });
    }
    let outcomes = tasks.join_all().await;
    assert_eq!(outcomes.iter().filter(|changed| **changed == Changed::Done).count(), 1);
    assert_eq!(outcomes.iter().filter(|changed| **changed == Changed::Conflict).count(), 63);
    assert_eq!(loaded(&fixture, &first).await.version, 2);
    assert_eq!(other.raise_epoch(0, "me").await.unwrap(), 2);
    let approve = to(&loaded(&fixture, &first).await, ApprovalStatus::Consumed, "x", now);
    assert_eq!(fixture.store.change_approval(approve).await.unwrap(), Changed::Expired, "the other has been restored");
}
