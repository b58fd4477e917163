//! What both databases must do alike: lists, history, the archive.

use lictor::model::{ApprovalCursor, ApprovalQuery, ApprovalStatus, HistoryCursor, HistoryQuery, Text};
use lictor::store::{Changed, Created, NewApproval};

use crate::harness::{Fixture, later, new, on_both, to};

on_both!(
    approvals_are_listed_page_by_page,
    filters_narrow,
    history_is_listed,
    the_old_leave_and_stay_readable,
    a_key_stays_used_when_its_approval_was_archived,
    an_archive_and_a_repeated_creation_at_once_make_no_second_approval,
);

fn query(limit: u32) -> ApprovalQuery {
    ApprovalQuery { tenant_id: "acme".into(), limit, ..ApprovalQuery::default() }
}

/// Ids of all pages.
async fn all(fixture: &Fixture, query: &ApprovalQuery) -> Vec<Text> {
    let (mut query, mut ids) = (query.clone(), Vec::new());
    loop {
        let page = fixture.store.list_approvals(&query).await.unwrap();
        assert!(page.items.len() <= query.limit as usize);
        ids.extend(page.items.iter().map(|approval| approval.id.clone()));
        if !page.more {
            return ids;
        }
        query.after = page.items.last().map(ApprovalCursor::behind);
    }
}

async fn approvals_are_listed_page_by_page(fixture: Fixture) {
    let mut created = Vec::new();
    let now = fixture.store.now().await.unwrap();
    for number in 0..7 {
        // Several of one time.
        let approval = fixture.created(|approval| approval.created_at = later(now, number / 3)).await;
        created.push((approval.created_at, approval.id));
    }
    fixture.created(|approval| approval.tenant_id = "beta".into()).await;
    created.sort();
    let newest: Vec<Text> = created.into_iter().rev().map(|(_, id)| id).collect();
    for limit in [1, 2, 3, 7, 100] {
        assert_eq!(all(&fixture, &query(limit)).await, newest, "pages of {limit}");
    }
    let slim = fixture.store.list_approvals(&query(1)).await.unwrap();
    assert!(slim.items[0].target.is_empty() && slim.items[0].view.is_empty() && slim.more);
    let full = fixture.store.list_approvals(&ApprovalQuery { with_target: true, ..query(1) }).await.unwrap();
    assert_eq!(full.items[0], fixture.store.approval("acme", &newest[0]).await.unwrap().unwrap());
}

async fn filters_narrow(fixture: Fixture) {
    let store = &fixture.store;
    let now = store.now().await.unwrap();
    let one = fixture.created(|approval| approval.created_at = later(now, -20)).await;
    let two = fixture.created(|approval| approval.created_by = "uid:2".into()).await;
    let approve = to(&one, ApprovalStatus::Approved, "jwt:iss#ann", now);
    assert_eq!(store.change_approval(approve).await.unwrap(), Changed::Done);
    let reject = to(&two, ApprovalStatus::Rejected, "jwt:iss#bob", now);
    assert_eq!(store.change_approval(reject).await.unwrap(), Changed::Done);
    let three = fixture.created(|_| {}).await;
    let wanted: [(&str, ApprovalQuery, Vec<&Text>); 8] = [
        ("all", query(9), vec![&three.id, &two.id, &one.id]),
        ("pending", ApprovalQuery { statuses: vec![ApprovalStatus::Pending], ..query(9) }, vec![&three.id]),
        (
            "approved or rejected",
            ApprovalQuery { statuses: vec![ApprovalStatus::Approved, ApprovalStatus::Rejected], ..query(9) },
            vec![&two.id, &one.id],
        ),
        ("by creator", ApprovalQuery { created_by: "uid:2".into(), ..query(9) }, vec![&two.id]),
        ("by approver", ApprovalQuery { approver: "jwt:iss#ann".into(), ..query(9) }, vec![&one.id]),
        ("by rejecter", ApprovalQuery { approver: "jwt:iss#bob".into(), ..query(9) }, vec![&two.id]),
        ("from", ApprovalQuery { from: Some(two.created_at), ..query(9) }, vec![&three.id, &two.id]),
        ("to", ApprovalQuery { to: Some(two.created_at), ..query(9) }, vec![&one.id]),
    ];
    for (what, query, expected) in wanted {
        assert_eq!(all(&fixture, &query).await.iter().collect::<Vec<_>>(), expected, "{what}");
    }
}

async fn history_is_listed(fixture: Fixture) {
    let store = &fixture.store;
    let one = fixture.created(|_| {}).await;
    let two = fixture.created(|_| {}).await;
    let later = later(one.created_at, 5);
    for (approval, actor) in [(&one, "jwt:iss#ann"), (&two, "jwt:iss#bob")] {
        let change = to(approval, ApprovalStatus::Approved, actor, later);
        assert_eq!(store.change_approval(change).await.unwrap(), Changed::Done);
    }
    let query = |limit| HistoryQuery { tenant_id: "acme".into(), limit, ..HistoryQuery::default() };
    let mut pages = query(1);
    let mut rows = Vec::new();
    loop {
        let page = store.list_history(&pages).await.unwrap();
        rows.extend(page.items);
        if !page.more {
            break;
        }
        pages.after = rows.last().map(HistoryCursor::behind);
    }
    assert_eq!(rows.len(), 4);
    assert_eq!(rows, store.list_history(&query(9)).await.unwrap().items, "as on one page");
    assert!(rows.is_sorted_by(|one, other| one.at >= other.at));
    let by_ann = HistoryQuery { actor: "jwt:iss#ann".into(), ..query(9) };
    let by_ann = store.list_history(&by_ann).await.unwrap().items;
    assert_eq!(by_ann.iter().map(|row| (&row.approval_id, row.version)).collect::<Vec<_>>(), [(&one.id, 2)]);
    assert_eq!(by_ann[0].reason, "to APPROVED");
    let since = HistoryQuery { from: Some(later), ..query(9) };
    assert_eq!(store.list_history(&since).await.unwrap().items.len(), 2);
    let before = HistoryQuery { to: Some(later), ..query(9) };
    assert_eq!(store.list_history(&before).await.unwrap().items.len(), 2);
    let foreign = HistoryQuery { tenant_id: "beta".into(), ..query(9) };
    assert!(store.list_history(&foreign).await.unwrap().items.is_empty());
}

async fn the_old_leave_and_stay_readable(fixture: Fixture) {
    let store = &fixture.store;
    let now = store.now().await.unwrap();
    let waiting = fixture.created(|approval| approval.updated_at = later(now, -100)).await;
    let mut old = Vec::new();
    for _ in 0..3 {
        let approval = fixture.created(|_| {}).await;
        let change = to(&approval, ApprovalStatus::Rejected, "jwt:iss#ann", later(now, -50));
        assert_eq!(store.change_approval(change).await.unwrap(), Changed::Done);
        old.push(approval.id);
    }
    assert_eq!(store.archive_resolved(later(now, -60), 10).await.unwrap(), 0, "not old enough");
    assert_eq!(store.archive_resolved(now, 2).await.unwrap(), 2);
    assert_eq!(store.archive_resolved(now, 10).await.unwrap(), 1);
    assert_eq!(store.archive_resolved(now, 10).await.unwrap(), 0);
    assert_eq!(all(&fixture, &query(9)).await, std::slice::from_ref(&waiting.id), "the hot list");
    let everything = ApprovalQuery { include_archived: true, ..query(2) };
    let mut listed = all(&fixture, &everything).await;
    assert_eq!(listed.len(), 4);
    listed.retain(|id| old.contains(id));
    assert_eq!(listed.len(), 3);
    let by_ann = ApprovalQuery { approver: "jwt:iss#ann".into(), ..everything };
    assert_eq!(all(&fixture, &by_ann).await.len(), 3);
    let archived = store.approval("acme", &old[0]).await.unwrap().expect("readable by id");
    assert_eq!(archived.status, ApprovalStatus::Rejected);
    assert!(!archived.target.is_empty());
    assert_eq!(store.approval_by_token(&archived.token_hash).await.unwrap(), Some(archived.clone()));
    let change = to(&archived, ApprovalStatus::Approved, "x", now);
    assert_eq!(store.change_approval(change).await.unwrap(), Changed::Missing, "frozen");
}

async fn a_key_stays_used_when_its_approval_was_archived(fixture: Fixture) {
    let store = &fixture.store;
    let now = store.now().await.unwrap();
    let old = fixture.created(|_| {}).await;
    store.change_approval(to(&old, ApprovalStatus::Rejected, "ann", later(now, -100))).await.unwrap();
    assert_eq!(store.archive_resolved(now, 10).await.unwrap(), 1);
    let archived = store.approval("acme", &old.id).await.unwrap().expect("readable by id");
    let again = async |change: &dyn Fn(&mut NewApproval)| {
        let mut creation = new(fixture.approval().await);
        creation.approval.key_hash = old.key_hash;
        change(&mut creation);
        let id = creation.approval.id.clone();
        (store.create_approval(creation).await.unwrap(), store.approval("acme", &id).await.unwrap())
    };
    let existing = Created::Existing(Box::new(archived));
    assert_eq!(again(&|_| {}).await, (existing.clone(), None), "and nothing of the other is kept");
    let full = again(&|creation| creation.max_open = 0).await;
    assert_eq!(full, (existing.clone(), None), "asking again is not asking for more");
    assert_eq!(again(&|creation| creation.approval.status = ApprovalStatus::AutoApproved).await.0, existing);
    for (what, change) in [
        ("tenant", (|creation| creation.approval.tenant_id = "beta".into()) as fn(&mut NewApproval)),
        ("creator", |creation| creation.approval.created_by = "uid:7".into()),
    ] {
        let (created, kept) = again(&change).await;
        assert_eq!(created, Created::New, "another {what}'s key is another");
        assert_eq!(kept.is_some(), what == "creator", "{what}");
    }
    assert_eq!(store.figures().await.unwrap().outbox, 4, "an event for each of three creations and a change");
}

async fn an_archive_and_a_repeated_creation_at_once_make_no_second_approval(fixture: Fixture) {
    let now = fixture.store.now().await.unwrap();
    let mut keys = Vec::new();
    for _ in 0..40 {
        let old = fixture.created(|_| {}).await;
        fixture.store.change_approval(to(&old, ApprovalStatus::Rejected, "ann", later(now, -100))).await.unwrap();
        keys.push((old.id, old.key_hash));
    }
    let store = fixture.store.clone();
    let archive = tokio::spawn(async move {
        let mut moved = 0;
        while moved < 40 {
            moved += store.archive_resolved(now, 1).await.unwrap();
        }
    });
    for (id, key_hash) in keys {
        let mut creation = new(fixture.approval().await);
        creation.approval.key_hash = key_hash;
        match fixture.store.create_approval(creation).await.unwrap() {
            Created::Existing(existing) => assert_eq!(existing.id, id),
            other => panic!("{other:?}"),
        }
    }
    archive.await.unwrap();
}
