use super::*;
use crate::model::{ApprovalStatus, HistoryRow, Progress, TargetKind, Timestamp};
use crate::store::change::NewApproval;

/// An approval of tenant `acme` with the token `token`, whose target has so many bytes.
fn approval(id: &str, token: u8, bytes: usize) -> Approval {
    let at = Timestamp::from_micros(1_000_000);
    Approval {
        id: id.into(),
        tenant_id: "acme".into(),
        version: 1,
        status: ApprovalStatus::Pending,
        target_kind: TargetKind::Plan,
        target_hash: "sha256:00".into(),
        target: vec![7; bytes],
        view: Vec::new(),
        tier: 2,
        required_level: 3,
        snapshot: "sha256:11".into(),
        policy: Text::default(),
        requested_by: Text::default(),
        on_behalf_of: Text::default(),
        created_by: "uid:1000".into(),
        justification: String::new(),
        cost_cents: None,
        correlation_id: "corr".into(),
        created_at: at,
        updated_at: at,
        escalates_at: None,
        expires_at: at,
        resolved_at: None,
        consumed_at: None,
        token_hash: [token; 32],
        key_hash: [0; 32],
        body_hash: [0; 32],
        epoch: 1,
        webhook_endpoints: Vec::new(),
        progress: Progress::default(),
    }
}

fn row(approval: &Approval) -> HistoryRow {
    HistoryRow {
        approval_id: approval.id.clone(),
        tenant_id: approval.tenant_id.clone(),
        version: approval.version,
        from_status: None,
        to_status: approval.status,
        actor: "ann".into(),
        reason: String::new(),
        at: approval.updated_at,
    }
}

fn create(approval: &Approval) -> Write {
    Write::Create(Box::new(NewApproval {
        approval: approval.clone(),
        max_open: 9,
        max_open_of_tenant: 9,
        history: row(approval),
        events: Vec::new(),
        deliveries: Vec::new(),
    }))
}

/// The change to `status`, with everything else that a change must not write set to nonsense.
fn enter(before: &Approval, status: ApprovalStatus) -> Write {
    let mut after = Approval { version: before.version + 1, status, ..before.clone() };
    let history = row(&after);
    after.target = b"nonsense".to_vec();
    after.justification = "nonsense".into();
    after.token_hash = [99; 32];
    change(after, Some(history))
}

/// The change that gives a new token.
fn reissue(before: &Approval, token: u8) -> Write {
    change(Approval { version: before.version + 1, token_hash: [token; 32], ..before.clone() }, None)
}

fn change(approval: Approval, history: Option<HistoryRow>) -> Write {
    Write::Change(Box::new(ApprovalChange {
        expected_version: approval.version - 1,
        only_while_live: true,
        only_after: None,
        approval,
        history,
        voter: None,
        events: Vec::new(),
        deliveries: Vec::new(),
    }))
}

const NEW: Written = Written::Created(Created::New);
const DONE: Written = Written::Changed(Changed::Done);

/// A group of writes, and what the file answered to each.
fn commit(recent: &Recent, group: Vec<(Write, Written)>) {
    let withdrawn = recent.withdraw(group.iter().map(|(write, _)| write));
    let (writes, written): (Vec<_>, Vec<_>) = group.into_iter().unzip();
    recent.committed(writes.into_iter().zip(&written), withdrawn);
}

fn holding(approvals: &[&Approval]) -> Recent {
    let recent = Recent::default();
    commit(&recent, approvals.iter().map(|approval| (create(approval), NEW)).collect());
    recent
}

#[test]
fn what_was_created_is_found_by_id_and_by_token_and_by_its_tenant_alone() {
    let one = approval("one", 1, 10);
    let recent = holding(&[&one]);
    assert_eq!(recent.by_id("acme", "one"), Some(one.clone()));
    assert_eq!(recent.by_token(&[1; 32]), Some(one));
    assert_eq!(recent.by_id("evil", "one"), None, "another tenant's");
    assert_eq!(recent.by_id("", "one"), None);
    assert_eq!(recent.by_id("acme", "two"), None);
    assert_eq!(recent.by_token(&[2; 32]), None);
}

#[test]
fn only_what_the_file_took_is_noted() {
    let (one, two) = (approval("one", 1, 10), approval("two", 2, 10));
    let recent = holding(&[&one]);
    let again = approval("again", 3, 10);
    commit(
        &recent,
        vec![
            (create(&again), Written::Created(Created::Existing(Box::new(one.clone())))),
            (create(&two), Written::Created(Created::OtherEpoch { epoch: 2 })),
            (enter(&one, ApprovalStatus::Rejected), Written::Changed(Changed::Conflict)),
        ],
    );
    for gone in ["again", "two"] {
        assert_eq!(recent.by_id("acme", gone), None);
    }
    assert_eq!(recent.by_token(&[3; 32]), None);
    assert_eq!(recent.by_id("acme", "one"), Some(one), "as it was");
}

#[test]
fn a_change_is_noted_as_the_file_has_it() {
    let one = approval("one", 1, 10);
    let recent = holding(&[&one]);
    commit(&recent, vec![(enter(&one, ApprovalStatus::Approved), DONE)]);
    let expected = Approval { version: 2, status: ApprovalStatus::Approved, ..one };
    assert_eq!(recent.by_id("acme", "one"), Some(expected.clone()));
    assert_eq!(recent.by_token(&[1; 32]), Some(expected));
    assert_eq!(recent.by_token(&[99; 32]), None, "a change with history writes no token");
}

#[test]
fn several_changes_of_one_group_follow_one_another() {
    let one = approval("one", 1, 10);
    let recent = holding(&[&one]);
    let reissued = Approval { version: 2, token_hash: [5; 32], ..one.clone() };
    commit(
        &recent,
        vec![
            (reissue(&one, 5), DONE),
            (reissue(&one, 6), Written::Changed(Changed::Conflict)),
            (enter(&reissued, ApprovalStatus::Cancelled), DONE),
        ],
    );
    let expected = Approval { version: 3, status: ApprovalStatus::Cancelled, ..reissued };
    assert_eq!(recent.by_id("acme", "one"), Some(expected.clone()));
    assert_eq!(recent.by_token(&[5; 32]), Some(expected));

    let two = approval("two", 2, 10);
    commit(&recent, vec![(create(&two), NEW), (enter(&two, ApprovalStatus::Approved), DONE)]);
    let status = recent.by_id("acme", "two").map(|two| (two.version, two.status));
    assert_eq!(status, Some((2, ApprovalStatus::Approved)), "created and changed in one group");
}

#[test]
fn a_token_that_was_replaced_finds_nothing() {
    let one = approval("one", 1, 10);
    let recent = holding(&[&one]);
    commit(&recent, vec![(reissue(&one, 2), DONE)]);
    assert_eq!(recent.by_token(&[1; 32]), None);
    assert_eq!(recent.by_token(&[2; 32]).map(|one| one.version), Some(2));
    // Also where the approval had grown old meanwhile.
    let fillers: Vec<_> = (0..3).map(|n| approval(&format!("f{n}"), 100 + n, MOST_BYTES)).collect();
    commit(&recent, vec![(create(&fillers[0]), NEW)]);
    commit(&recent, vec![(create(&fillers[1]), NEW)]);
    let reissued = recent.by_id("acme", "one").expect("in the older generation");
    commit(&recent, vec![(reissue(&reissued, 3), DONE)]);
    assert_eq!(recent.by_token(&[2; 32]), None);
    assert_eq!(recent.by_token(&[3; 32]).map(|one| one.version), Some(3));
    commit(&recent, vec![(create(&fillers[2]), NEW)]);
    assert_eq!(recent.by_id("acme", "one").map(|one| one.version), Some(3), "it is young again");
}

#[test]
fn while_it_is_committed_and_where_that_failed_it_is_not_answered() {
    let (one, two) = (approval("one", 1, 10), approval("two", 2, 10));
    let recent = holding(&[&one, &two]);
    let write = enter(&one, ApprovalStatus::Approved);
    let withdrawn = recent.withdraw([&write].into_iter());
    assert_eq!((recent.by_id("acme", "one"), recent.by_token(&[1; 32])), (None, None), "the file may have either");
    assert_eq!(recent.by_id("acme", "two"), Some(two));
    drop(withdrawn);
    assert_eq!(recent.by_id("acme", "one"), None, "nobody knows what the file holds");
}

#[test]
fn the_older_generation_is_forgotten_when_the_younger_is_full() {
    let small = approval("small", 0, 10);
    let recent = holding(&[&small]);
    let large: Vec<_> = (1..=4).map(|n| approval(&format!("l{n}"), n, MOST_BYTES)).collect();
    let there = |recent: &Recent| {
        let held = |approval: &&Approval| {
            let by_id = recent.by_id("acme", &approval.id).is_some();
            assert_eq!(by_id, recent.by_token(&approval.token_hash).is_some(), "{}", approval.id);
            by_id
        };
        std::iter::once(&small).chain(&large).filter(held).map(|approval| approval.id.to_string()).collect::<Vec<_>>()
    };
    for (next, expected) in
        large.iter().zip([&["small", "l1"][..], &["small", "l1", "l2"], &["l2", "l3"], &["l3", "l4"]])
    {
        commit(&recent, vec![(create(next), NEW)]);
        assert_eq!(there(&recent), expected);
    }
    let bytes = |generation: &Generation| generation.approvals.values().map(|held| size(held)).sum::<usize>();
    let generations = recent.generations();
    for generation in [&generations.young, &generations.old] {
        assert_eq!(generation.bytes, bytes(generation), "what is counted is what is held");
    }
}
