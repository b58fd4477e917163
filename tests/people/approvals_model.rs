//! Random lives of approvals, with jumps of the clock and a store that is opened anew, against a small reference machine.

use std::sync::atomic::Ordering::Relaxed;

use lictor::approval::{Actor, ApprovalError, Creation, Decided, Redemption, Refused, Vote};
use lictor::model::{ApprovalStatus, HistoryQuery, Text};
use proptest::prelude::*;

use crate::approvals::{House, of_plan, runtime};
use crate::harness::Fixture;

/// Approvals that a life is about.
const KEYS: usize = 3;
/// Seconds of a jump. No time to live and no escalation is near a sum of jumps, so that the time that a test takes does not
/// matter.
const JUMP: i64 = 70;
const ESCALATES_AFTER: i64 = 300;

#[derive(Debug, Clone)]
enum Operation {
    Create { key: usize, long: bool },
    Approve { key: usize, level: u8 },
    Reject { key: usize, level: u8 },
    Cancel { key: usize },
    Consume { key: usize, old_token: bool, redemption_key: u8 },
    Jump,
    Work,
    Reopen,
}

fn operation() -> impl Strategy<Value = Operation> {
    let key = 0..KEYS;
    prop_oneof![
        5 => (key.clone(), any::<bool>()).prop_map(|(key, long)| Operation::Create { key, long }),
        4 => (key.clone(), 2_u8..=5).prop_map(|(key, level)| Operation::Approve { key, level }),
        1 => (key.clone(), 2_u8..=5).prop_map(|(key, level)| Operation::Reject { key, level }),
        1 => key.clone().prop_map(|key| Operation::Cancel { key }),
        4 => (key, any::<bool>(), 0_u8..3).prop_map(|(key, old_token, redemption_key)| Operation::Consume {
            key,
            old_token,
            redemption_key
        }),
        2 => Just(Operation::Jump),
        2 => Just(Operation::Work),
        1 => Just(Operation::Reopen),
    ]
}

/// What the reference machine knows of an approval.
#[derive(Debug, Clone)]
struct Expected {
    status: ApprovalStatus,
    long: bool,
    expires: i64,
    escalates: i64,
    level: u8,
    redeemed_with: Option<u8>,
    /// Rows of history.
    rows: usize,
}

impl Expected {
    fn enter(&mut self, status: ApprovalStatus) {
        self.status = status;
        self.rows += 1;
    }
}

/// An approval of the service, with all its tokens.
struct Known {
    id: Text,
    hash: Text,
    tokens: Vec<String>,
}

fn outcome<T>(result: Result<T, ApprovalError>) -> &'static str {
    match result {
        Ok(_) => "done",
        Err(ApprovalError::NotRedeemable) => "not redeemable",
        Err(ApprovalError::Refused(Refused::NotApproved { .. })) => "not approved",
        Err(ApprovalError::Refused(Refused::LevelTooLow { .. })) => "level",
        Err(ApprovalError::Refused(Refused::ApprovedAlready)) => "again",
        Err(ApprovalError::Refused(_)) => "refused",
        Err(ApprovalError::KeyReused) => "other body",
        Err(ApprovalError::KeyUsedUp) => "used up",
        Err(other) => panic!("{other:?}"),
    }
}

async fn live(operations: &[Operation]) {
    let mut fixture = Fixture::sqlite().await;
    let mut house = House::over(&fixture.store);
    let mut model: Vec<Option<Expected>> = vec![None; KEYS];
    let mut known: Vec<Option<Known>> = (0..KEYS).map(|_| None).collect();
    let mut now = 0_i64;
    for operation in operations {
        use ApprovalStatus::{Approved, Cancelled, Consumed, Escalated, Expired, Pending, Rejected};
        match operation.clone() {
            Operation::Create { key, long } => {
                let ttl = if long { 590 } else { 170 };
                let creation = Creation { ttl_seconds: Some(ttl), ..of_plan(&format!("k{key}")) };
                let made = house.create(creation).await;
                let expected = match &model[key] {
                    None => "done",
                    Some(it) if it.long != long => "other body",
                    Some(it) if it.status.is_final() || now >= it.expires => "used up",
                    Some(_) => "done",
                };
                if let Ok(made) = &made {
                    let known = known[key].get_or_insert(Known {
                        id: made.approval.id.clone(),
                        hash: made.approval.target_hash.clone(),
                        tokens: Vec::new(),
                    });
                    assert_eq!(known.id, made.approval.id);
                    known.tokens.push(made.token.reveal().to_owned());
                    model[key].get_or_insert(Expected {
                        status: Pending,
                        long,
                        expires: now + ttl,
                        escalates: now + ESCALATES_AFTER.min(ttl),
                        level: 3,
                        redeemed_with: None,
                        rows: 1,
                    });
                }
                assert_eq!(outcome(made), expected, "{operation:?}");
            }
            Operation::Approve { key, level } | Operation::Reject { key, level } => {
                let (Some(it), Some(of)) = (&mut model[key], &known[key]) else { continue };
                let rejects = matches!(operation, Operation::Reject { .. });
                let vote = Vote { target_hash: of.hash.clone(), ..Vote::default() };
                let decided = if rejects { Decided::Reject(vote) } else { Decided::Approve(vote) };
                // Whoever has a lower level is another person.
                let actor = Actor { principal: format!("cn:level-{level}").into(), level: Some(level) };
                let found = outcome(house.approvals.decide(&actor, "acme", &of.id, decided).await);
                let expected = if !it.status.is_open() || now >= it.expires {
                    "refused"
                } else if level >= it.level {
                    it.enter(if rejects { Rejected } else { Approved });
                    "done"
                } else if rejects {
                    "level"
                } else {
                    it.rows += 1;
                    "done"
                };
                assert_eq!(found, expected, "{operation:?}");
            }
            Operation::Cancel { key } => {
                let (Some(it), Some(of)) = (&mut model[key], &known[key]) else { continue };
                let decided = Decided::Cancel { reason: String::new(), of_others: false };
                let found = outcome(house.approvals.decide(&runtime(), "acme", &of.id, decided).await);
                let expected = if it.status.is_final() || now >= it.expires {
                    "refused"
                } else {
                    it.enter(Cancelled);
                    "done"
                };
                assert_eq!(found, expected, "{operation:?}");
            }
            Operation::Consume { key, old_token, redemption_key } => {
                let (Some(it), Some(of)) = (&mut model[key], &known[key]) else { continue };
                let token = if old_token { of.tokens.first() } else { of.tokens.last() };
                let is_current = token == of.tokens.last();
                let redemption = Redemption {
                    tenant: "acme".into(),
                    token: token.cloned().unwrap_or_default(),
                    target_hash: of.hash.clone(),
                    step: None,
                    redemption_key: format!("r{redemption_key}").into(),
                };
                let found = outcome(house.consume(&redemption).await);
                let over = now >= it.expires;
                let expected = if !is_current {
                    "not redeemable"
                } else if it.redeemed_with == Some(redemption_key) && !over {
                    "done"
                } else if it.status.is_final() || over {
                    "not redeemable"
                } else if it.status.is_open() {
                    "not approved"
                } else {
                    it.redeemed_with = Some(redemption_key);
                    it.enter(Consumed);
                    "done"
                };
                assert_eq!(found, expected, "{operation:?}");
            }
            Operation::Jump => {
                now += JUMP;
                fixture.skew.fetch_add(JUMP * 1_000_000, Relaxed);
            }
            Operation::Work => {
                house.approvals.work_once().await.expect("the workers work");
                for it in model.iter_mut().flatten() {
                    if !it.status.is_final() && now >= it.expires {
                        it.enter(Expired);
                    } else if it.status == Pending && now >= it.escalates {
                        it.level = it.level.max(4);
                        it.enter(Escalated);
                    }
                }
            }
            Operation::Reopen => {
                fixture.reopen().await;
                house = House::over(&fixture.store);
            }
        }
        for (it, of) in model.iter().zip(&known).filter_map(|(it, of)| it.as_ref().zip(of.as_ref())) {
            let kept = house.approvals.get("acme", &of.id).await.expect("an approval");
            assert_eq!(kept.status, it.status, "after {operation:?}");
        }
    }
    for (it, of) in model.iter().zip(&known).filter_map(|(it, of)| it.as_ref().zip(of.as_ref())) {
        let query = HistoryQuery {
            tenant_id: "acme".into(),
            approval_id: of.id.clone(),
            limit: 500,
            ..HistoryQuery::default()
        };
        let rows = house.approvals.history(&query).await.expect("history").items;
        assert_eq!(rows.len(), it.rows, "{rows:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn lives_are_those_of_the_reference_machine(operations in prop::collection::vec(operation(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(live(&operations));
    }
}
