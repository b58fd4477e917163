//! Random lives of approvals, with jumps of the clock, two services at once, and stores that crash or are opened anew, against
//! a small reference machine.

use std::collections::BTreeMap;

use lictor::approval::{Actor, ApprovalError, Creation, Decided, Redemption, Refused, Target, Vote};
use lictor::model::{Approval, ApprovalStatus, HistoryQuery, HistoryRow, Text};
use lictor::store::{Place, Store};
use proptest::prelude::*;

use crate::harness::Fixture;
use crate::house::{House, creation, params, plan, runtime};
use ApprovalStatus::{Approved, AutoApproved, Cancelled, Consumed, Escalated, Expired, Pending, Rejected};

/// The agents whose plans a life is about; each has its approvers. One is of level 3, two of level 2 and then one of
/// level 4, nobody.
const AGENTS: [&str; 3] = ["agent-7", "careful", "thrifty"];
/// Seconds of a jump. No time to live and no escalation is near a sum of jumps, so that the time that a test takes does not
/// matter.
const JUMP: i64 = 700;
const ESCALATES_AFTER: i64 = 3_000;
const TTL: [i64; 2] = [1_700, 5_900];

const DOCUMENTS: &str = r#"
apiVersion: lictor.dev/v1
kind: ActionCatalog
metadata: {name: assistant}
spec:
  providers: [mail, bank]
  actions:
    - {name: mail.search, tier: 0, providers: [mail]}
    - {name: bank.transfer, tier: 2, providers: [bank]}
---
apiVersion: lictor.dev/v1
kind: Policy
metadata: {name: all}
spec: {rules: [{name: all, effect: allow}]}
---
apiVersion: lictor.dev/v1
kind: ApprovalPolicy
metadata: {name: one}
spec:
  scope: {tenants: [acme]}
  escalation: {afterSeconds: 3000, level: 4}
---
apiVersion: lictor.dev/v1
kind: ApprovalPolicy
metadata: {name: three}
spec:
  scope: {tenants: [acme], agents: [careful]}
  stages: [{level: 2, quorum: 2}, {level: 4}]
  escalation: {afterSeconds: 3000, level: 3}
---
apiVersion: lictor.dev/v1
kind: ApprovalPolicy
metadata: {name: none}
spec:
  scope: {tenants: [acme], agents: [thrifty]}
  autoApprove: {maxCents: 50}
"#;

/// Least level after the escalation, by agent.
const ESCALATED_TO: [u8; 3] = [4, 3, 0];

/// What is redeemed: all, or one of the two steps.
type Part = Option<usize>;

#[derive(Debug, Clone)]
enum What {
    Create { long: bool },
    Approve { level: u8, person: u8 },
    Reject { level: u8 },
    Cancel,
    Consume { part: Part, old_token: bool, redemption_key: u8 },
}

#[derive(Debug, Clone)]
enum Operation {
    /// Something about one approval, by one of the two services.
    Call(usize, usize, What),
    Jump,
    Work(usize),
    Reopen,
    Crash,
}

fn operation() -> impl Strategy<Value = Operation> {
    let part = prop_oneof![Just(None), Just(Some(0)), Just(Some(1))];
    let what = prop_oneof![
        5 => any::<bool>().prop_map(|long| What::Create { long }),
        6 => (2_u8..=5, 0_u8..2).prop_map(|(level, person)| What::Approve { level, person }),
        1 => (2_u8..=5).prop_map(|level| What::Reject { level }),
        1 => Just(What::Cancel),
        6 => (part, prop::bool::weighted(0.2), 0_u8..3).prop_map(|(part, old_token, redemption_key)| {
            What::Consume { part, old_token, redemption_key }
        }),
    ];
    prop_oneof![
        19 => (0..2_usize, 0..AGENTS.len(), what).prop_map(|(house, key, what)| Operation::Call(house, key, what)),
        2 => Just(Operation::Jump),
        2 => (0..2_usize).prop_map(Operation::Work),
        1 => Just(Operation::Reopen),
        1 => Just(Operation::Crash),
    ]
}

/// What the reference machine knows of a stage.
#[derive(Debug, Clone)]
struct Stage {
    level: u8,
    quorum: usize,
    votes: BTreeMap<String, u8>,
}

impl Stage {
    fn is_complete(&self) -> bool {
        self.votes.values().filter(|level| **level >= self.level).count() >= self.quorum
    }
}

/// What the reference machine knows of an approval.
#[derive(Debug, Clone)]
struct Expected {
    status: ApprovalStatus,
    long: bool,
    expires: i64,
    escalates: i64,
    stages: Vec<Stage>,
    /// What was redeemed with which key.
    redeemed: Vec<(u8, Part)>,
    /// Rows of history.
    rows: usize,
}

impl Expected {
    fn new(key: usize, long: bool, now: i64) -> Self {
        let stage = |level, quorum| Stage { level, quorum, votes: BTreeMap::new() };
        let stages = match key {
            0 => vec![stage(3, 1)],
            1 => vec![stage(2, 2), stage(4, 1)],
            _ => Vec::new(),
        };
        let ttl = TTL[usize::from(long)];
        Self {
            status: if stages.is_empty() { AutoApproved } else { Pending },
            long,
            expires: now + ttl,
            escalates: now + ESCALATES_AFTER.min(ttl),
            stages,
            redeemed: Vec::new(),
            rows: 1,
        }
    }

    fn enter(&mut self, status: ApprovalStatus) -> &'static str {
        self.status = status;
        self.rows += 1;
        "done"
    }

    fn open_stage(&mut self) -> Option<&mut Stage> {
        self.stages.iter_mut().find(|stage| !stage.is_complete())
    }

    fn approve(&mut self, who: &str, level: u8, now: i64) -> &'static str {
        if !self.status.is_open() || now >= self.expires {
            return "refused";
        }
        if self.stages.iter().any(|stage| stage.votes.get(who).is_some_and(|level| *level >= stage.level)) {
            return "again";
        }
        let stage = self.open_stage().expect("an open stage");
        stage.votes.insert(who.to_owned(), level);
        let status = if self.open_stage().is_none() { Approved } else { self.status };
        self.enter(status)
    }

    fn reject(&mut self, level: u8, now: i64) -> &'static str {
        if !self.status.is_open() || now >= self.expires {
            return "refused";
        }
        if self.open_stage().is_some_and(|stage| level < stage.level) {
            return "level";
        }
        self.enter(Rejected)
    }

    fn cancel(&mut self, now: i64) -> &'static str {
        if self.status.is_final() || now >= self.expires { "refused" } else { self.enter(Cancelled) }
    }

    fn consume(&mut self, key: u8, part: Part, now: i64) -> &'static str {
        let over = now >= self.expires;
        let allows = matches!(self.status, Approved | AutoApproved | Consumed);
        if let Some((_, before)) = self.redeemed.iter().find(|(earlier, _)| *earlier == key && !over) {
            return match allows {
                false => "not redeemable",
                true if *before == part => "done",
                true => "refused",
            };
        }
        if self.status.is_final() || over {
            return "not redeemable";
        }
        if self.status.is_open() {
            return "not approved";
        }
        let done = |part: Part| self.redeemed.iter().any(|(_, before)| *before == part);
        let other_mode = self.redeemed.iter().any(|(_, before)| before.is_some() != part.is_some());
        if other_mode || done(part) || (part == Some(1) && !done(Some(0))) {
            return "refused";
        }
        self.redeemed.push((key, part));
        let status = if part.is_none() || self.redeemed.len() == 2 { Consumed } else { self.status };
        self.enter(status)
    }

    fn work(&mut self, key: usize, now: i64) {
        if !self.status.is_final() && now >= self.expires {
            self.enter(Expired);
        } else if self.status == Pending && now >= self.escalates {
            for stage in self.stages.iter_mut().filter(|stage| !stage.is_complete()) {
                stage.level = stage.level.max(ESCALATED_TO[key]);
            }
            self.enter(Escalated);
        }
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

/// A store, two services over it as of two servers, and what is known of the approvals.
struct World {
    fixture: Fixture,
    houses: [House; 2],
    model: [Option<Expected>; AGENTS.len()],
    known: [Option<Known>; AGENTS.len()],
    now: i64,
}

/// Two services; on PostgreSQL with a store each.
async fn houses(fixture: &Fixture) -> [House; 2] {
    let second = match fixture.options.place {
        Place::Sqlite(_) => fixture.store.clone(),
        Place::Postgres { .. } => Store::open(fixture.options.clone()).await.expect("another server's store"),
    };
    [House::with(&fixture.store, DOCUMENTS), House::with(&second, DOCUMENTS)]
}

impl World {
    async fn live(mut self, operations: &[Operation]) {
        for operation in operations {
            match operation.clone() {
                Operation::Call(house, key, what) => {
                    let (found, expected) = self.call(house, key, what).await;
                    assert_eq!(found, expected, "{operation:?}, {:?}", self.model[key]);
                }
                Operation::Jump => {
                    self.now += JUMP;
                    self.fixture.pass(JUMP);
                }
                Operation::Work(house) => {
                    self.houses[house].approvals.work_once().await.expect("the workers work");
                    let now = self.now;
                    for (key, it) in self.model.iter_mut().enumerate() {
                        it.iter_mut().for_each(|it| it.work(key, now));
                    }
                }
                Operation::Reopen => self.anew(false).await,
                Operation::Crash => self.anew(true).await,
            }
            self.is_as_expected(operation).await;
        }
        self.anew(true).await;
        self.anew(false).await;
    }

    /// What came of a call, and what should have.
    async fn call(&mut self, house: usize, key: usize, what: What) -> (&'static str, &'static str) {
        let house = &self.houses[house];
        let now = self.now;
        if let What::Create { long } = what {
            let made = house.create(creation_of(key, long)).await;
            let expected = match &self.model[key] {
                None => "done",
                Some(it) if it.long != long => "other body",
                Some(it) if it.status.is_final() || now >= it.expires || !it.redeemed.is_empty() => "used up",
                Some(_) => "done",
            };
            if let Ok(made) = &made {
                let known = self.known[key].get_or_insert(Known {
                    id: made.approval.id.clone(),
                    hash: made.approval.target_hash.clone(),
                    tokens: Vec::new(),
                });
                assert_eq!(known.id, made.approval.id);
                known.tokens.push(made.token.reveal().to_owned());
                self.model[key].get_or_insert_with(|| Expected::new(key, long, now));
            }
            return (outcome(made), expected);
        }
        let (Some(it), Some(of)) = (&mut self.model[key], &self.known[key]) else { return ("none", "none") };
        let decide = async |principal: &str, level: u8, decided: Decided| {
            let actor = Actor { principal: principal.into(), level: Some(level) };
            outcome(house.approvals.decide(&actor, "acme", &of.id, decided).await)
        };
        let vote = Vote { target_hash: of.hash.clone(), ..Vote::default() };
        match what {
            What::Create { .. } => unreachable!(),
            What::Approve { level, person } => {
                // Whoever has another level is another person.
                let who = format!("cn:{level}-{person}");
                (decide(&who, level, Decided::Approve(vote)).await, it.approve(&who, level, now))
            }
            What::Reject { level } => (decide("cn:no", level, Decided::Reject(vote)).await, it.reject(level, now)),
            What::Cancel => {
                let cancel = Decided::Cancel { reason: String::new(), of_others: false };
                let found = house.approvals.decide(&runtime(), "acme", &of.id, cancel).await;
                (outcome(found), it.cancel(now))
            }
            What::Consume { part, old_token, redemption_key } => {
                let token = if old_token { of.tokens.first() } else { of.tokens.last() };
                let step = part.map(|index| {
                    let (id, arguments) =
                        [("find", r#"{"q": "invoice"}"#), ("pay", r#"{"amount": 12, "to": "DE1"}"#)][index];
                    (id.into(), params(arguments))
                });
                let redemption = Redemption {
                    tenant: "acme".into(),
                    token: token.cloned().unwrap_or_default(),
                    target_hash: of.hash.clone(),
                    step,
                    redemption_key: format!("r{redemption_key}").into(),
                };
                let found = outcome(house.consume(&redemption).await);
                let is_current = token == of.tokens.last();
                (found, if is_current { it.consume(redemption_key, part, now) } else { "not redeemable" })
            }
        }
    }

    /// Opens the store anew, after a crash or in order: what was answered before is what is there.
    async fn anew(&mut self, crash: bool) {
        let before = self.kept().await;
        if crash {
            self.fixture.crash().await;
        } else {
            self.fixture.reopen().await;
        }
        self.houses = houses(&self.fixture).await;
        assert_eq!(self.kept().await, before, "what the store answered before it was opened anew");
    }

    /// Each approval by its id, and by the token that it has, with its history.
    async fn kept(&self) -> Vec<(Approval, Option<Approval>, Vec<HistoryRow>)> {
        let mut kept = Vec::new();
        for of in self.known.iter().flatten() {
            let approval = self.fixture.store.approval("acme", &of.id).await.expect("an answer").expect("an approval");
            let by_token = self.fixture.store.approval_by_token(&approval.token_hash).await.expect("an answer");
            let query = HistoryQuery {
                tenant_id: "acme".into(),
                approval_id: of.id.clone(),
                limit: 500,
                ..HistoryQuery::default()
            };
            let rows = self.houses[0].approvals.history(&query).await.expect("history").items;
            kept.push((approval, by_token, rows));
        }
        kept
    }

    async fn is_as_expected(&self, after: &Operation) {
        let kept = self.kept().await;
        let expected: Vec<_> = self.model.iter().flatten().collect();
        assert_eq!(kept.len(), expected.len());
        // Both are in the order of the keys.
        for ((approval, by_token, rows), it) in kept.iter().zip(expected) {
            assert_eq!(approval.status, it.status, "after {after:?}");
            assert_eq!(by_token.as_ref(), Some(approval), "after {after:?}");
            assert_eq!(rows.len(), it.rows, "after {after:?}: {rows:?}");
            let levels = approval.progress.stages.iter().map(|stage| stage.level).collect::<Vec<_>>();
            assert_eq!(levels, it.stages.iter().map(|stage| stage.level).collect::<Vec<_>>(), "after {after:?}");
            let redeemed = approval.progress.redemption.as_ref().map_or(0, |redemption| redemption.redeemed.len());
            assert_eq!(redeemed, it.redeemed.len(), "after {after:?}");
        }
        // What a second server answers is the same.
        for (of, (approval, ..)) in self.known.iter().flatten().zip(&kept) {
            let elsewhere = self.houses[1].approvals.get("acme", &of.id).await.expect("an approval");
            assert_eq!(&elsewhere, approval, "after {after:?}");
        }
    }
}

fn creation_of(key: usize, long: bool) -> Creation {
    let mut plan = plan();
    plan.subject.id = AGENTS[key].into();
    for step in &mut plan.steps {
        step.budget_cents = Some(20);
    }
    let creation = creation(&format!("k{key}"), Target::Plan(Box::new(plan)));
    Creation { ttl_seconds: Some(TTL[usize::from(long)]), ..creation }
}

fn run(operations: &[Operation], fixture: impl AsyncFnOnce() -> Fixture) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let fixture = fixture().await;
        let houses = houses(&fixture).await;
        let world = World { fixture, houses, model: Default::default(), known: Default::default(), now: 0 };
        world.live(operations).await;
    });
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, max_shrink_iters: 200, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(48))]

    #[test]
    fn lives_on_sqlite_are_those_of_the_reference_machine(operations in prop::collection::vec(operation(), 1..80)) {
        run(&operations, Fixture::sqlite);
    }
}

proptest! {
    #![proptest_config(config(16))]

    #[test]
    fn lives_on_postgres_are_those_of_the_reference_machine(operations in prop::collection::vec(operation(), 1..60)) {
        run(&operations, Fixture::postgres);
    }
}
