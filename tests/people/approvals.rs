//! The service of approvals over both databases.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering::Relaxed;

use lictor::approval::{
    Actor, ApprovalError, Consumed, Creation, Decided, NotApprovable, Redemption, Refused, Target, Vote,
};
use lictor::model::{Action, ApprovalStatus, Attributes, Plan, RedemptionMode, Request, Subject, Text, Value};
use lictor::store::{Place, Store};

use crate::harness::{Fixture, PATIENCE, on_both};
use crate::house::{
    DOCUMENTS, House, creation, eventually, lead, of_plan, params, plan, publish, runtime, step, vote, whole,
};

/// What takes transfers away again.
const STRICTER: &str = r#"
---
apiVersion: lictor.dev/v1
kind: Policy
metadata: {name: stop}
spec: {rules: [{name: stop, effect: deny, actions: [bank.transfer], priority: 99}]}
"#;

on_both!(
    an_approval_lives_from_creation_to_redemption,
    the_same_key_gives_the_same_approval_and_a_new_token,
    of_many_that_redeem_one_token_one_succeeds,
    what_is_over_expires_by_itself_and_once,
    what_nobody_decides_escalates_once,
    steps_are_redeemed_with_the_arguments_that_were_approved,
    open_arguments_keep_to_the_rules_of_the_approval_and_of_now,
    nothing_of_another_tenant_is_told,
    what_is_denied_meanwhile_is_not_redeemed,
    targets_are_judged_by_the_server,
    watching_tells_of_every_change_by_whomever,
    tokens_are_nowhere,
);

fn not_redeemable(result: Result<Consumed, ApprovalError>) {
    assert!(matches!(result, Err(ApprovalError::NotRedeemable)), "{result:?}");
}

async fn an_approval_lives_from_creation_to_redemption(fixture: Fixture) {
    let house = House::over(&fixture.store);
    let newly = house.create(of_plan("k")).await.unwrap();
    let approval = &newly.approval;
    assert_eq!((approval.status, approval.tier, approval.required_level), (ApprovalStatus::Pending, 2, 3));
    assert_eq!(approval.expires_at.as_micros() - approval.created_at.as_micros(), 600_000_000);
    assert_eq!((approval.created_by.as_str(), approval.policy.as_str()), ("cn:runtime", "quick"));
    assert_eq!(approval.target_hash, lictor::ir::plan_hash(&plan()).unwrap());
    let early = house.consume(&whole(&newly, "")).await;
    assert!(matches!(early, Err(ApprovalError::Refused(Refused::NotApproved { .. }))), "{early:?}");
    let creator = Actor { level: Some(5), ..runtime() };
    let own = house.approvals.decide(&creator, "acme", &approval.id, Decided::Approve(vote(&newly))).await;
    assert!(matches!(own, Err(ApprovalError::Refused(Refused::OwnRequest { role: "creator" }))), "{own:?}");
    assert_eq!(house.approve(&newly).await, ApprovalStatus::Approved);
    let consumed = house.consume(&whole(&newly, "once")).await.unwrap();
    assert_eq!((consumed.mode, consumed.replayed), (RedemptionMode::Whole, false));
    assert_eq!(consumed.grant.split('.').count(), 3);
    let again = house.consume(&whole(&newly, "once")).await.unwrap();
    assert_eq!((again.replayed, &again.grant), (true, &consumed.grant));
    not_redeemable(house.consume(&whole(&newly, "")).await);
    not_redeemable(house.consume(&whole(&newly, "other")).await);
    let rows = house.history(&newly).await;
    let steps: Vec<_> = rows.iter().map(|row| (row.from_status, row.to_status, row.actor.as_str())).collect();
    use ApprovalStatus::{Approved, Consumed, Pending};
    assert_eq!(
        steps,
        [(None, Pending, "cn:runtime"), (Some(Pending), Approved, "cn:lead"), (Some(Approved), Consumed, "cn:runtime")]
    );
    let after = house.approvals.decide(&lead(), "acme", &approval.id, Decided::Reject(vote(&newly))).await;
    assert!(matches!(after, Err(ApprovalError::Refused(Refused::WrongState { .. }))), "{after:?}");
}

async fn the_same_key_gives_the_same_approval_and_a_new_token(fixture: Fixture) {
    let house = House::over(&fixture.store);
    let first = house.create(of_plan("k")).await.unwrap();
    let second = house.create(of_plan("k")).await.unwrap();
    assert_eq!(first.approval.id, second.approval.id);
    assert_ne!(first.token.reveal(), second.token.reveal());
    let mut other = of_plan("k");
    other.justification = "another reason".into();
    assert!(matches!(house.create(other).await, Err(ApprovalError::KeyReused)));
    // Nothing that approvers were shown may be another, whether the plan's hash covers it or not.
    let roles = Subject { roles: vec!["admin".into()], ..plan().subject };
    let other = creation("k", Target::Plan(Box::new(Plan { subject: roles, ..plan() })));
    assert!(matches!(house.create(other).await, Err(ApprovalError::KeyReused)));
    house.approve(&second).await;
    not_redeemable(house.consume(&whole(&first, "")).await);
    house.consume(&whole(&second, "")).await.unwrap();
    assert!(matches!(house.create(of_plan("k")).await, Err(ApprovalError::KeyUsedUp)));
    assert_eq!(house.history(&second).await.len(), 3, "a new token is no change of its own");
    // Many at once with one key: one approval, and one token that is good.
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let approvals = house.approvals.clone();
        tasks.spawn(async move { approvals.create(&runtime(), of_plan("many")).await.unwrap() });
    }
    let made = tasks.join_all().await;
    let ids: BTreeSet<_> = made.iter().map(|newly| newly.approval.id.clone()).collect();
    assert_eq!(ids.len(), 1);
    house.approve(&made[0]).await;
    let mut good = 0;
    for newly in &made {
        good += u32::from(house.consume(&whole(newly, "")).await.is_ok());
    }
    assert_eq!(good, 1);
}

async fn of_many_that_redeem_one_token_one_succeeds(fixture: Fixture) {
    let houses = [House::over(&fixture.store), House::over(&fixture.store)];
    let newly = houses[0].create(of_plan("k")).await.unwrap();
    houses[1].approve(&newly).await;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..64 {
        let approvals = houses[number % 2].approvals.clone();
        let redemption = whole(&newly, "");
        tasks.spawn(async move { approvals.consume(&runtime(), &redemption).await });
    }
    let outcomes = tasks.join_all().await;
    let (good, bad): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
    assert_eq!((good.len(), bad.len()), (1, 63));
    bad.into_iter().for_each(not_redeemable);
    let rows = houses[0].history(&newly).await;
    assert_eq!(rows.iter().filter(|row| row.to_status == ApprovalStatus::Consumed).count(), 1);
}

async fn what_is_over_expires_by_itself_and_once(fixture: Fixture) {
    let houses = [House::over(&fixture.store), House::over(&fixture.store)];
    let short = |key: &str| Creation { ttl_seconds: Some(1), ..of_plan(key) };
    for ttl in [0, -1, i64::MAX, 86_401] {
        let refused = houses[0].create(Creation { ttl_seconds: Some(ttl), ..of_plan("bad") }).await;
        assert!(matches!(refused, Err(ApprovalError::Ttl { min: 1, max: 86_400, .. })), "{refused:?}");
    }
    let mut made = Vec::new();
    for number in 0..10 {
        made.push(houses[0].create(short(&format!("k{number}"))).await.unwrap());
    }
    for newly in &made[5..] {
        // They may be late already, on a busy machine.
        let decided = Decided::Approve(vote(newly));
        let _ = houses[0].approvals.decide(&lead(), "acme", &newly.approval.id, decided).await;
    }
    fixture.skew.store(5_000_000, Relaxed);
    let mut expired = 0;
    eventually("expiry", async || {
        let (a, b) = tokio::join!(houses[0].approvals.work_once(), houses[1].approvals.work_once());
        expired += a.unwrap().expired + b.unwrap().expired;
        expired >= 10
    })
    .await;
    assert_eq!(expired, 10);
    for newly in &made {
        assert_eq!(houses[1].status(newly).await, ApprovalStatus::Expired);
        let rows = houses[1].history(newly).await;
        assert_eq!(rows.iter().filter(|row| row.to_status == ApprovalStatus::Expired).count(), 1);
        not_redeemable(houses[0].consume(&whole(newly, "")).await);
        let late = houses[0].approvals.decide(&lead(), "acme", &newly.approval.id, Decided::Approve(vote(newly))).await;
        assert!(matches!(late, Err(ApprovalError::Refused(Refused::WrongState { .. }))), "{late:?}");
    }
}

/// The store knows what the server has not read yet: that another one restored it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_over_by_the_stores_word_says_what_cannot_be_done() {
    let fixture = Fixture::postgres().await;
    let other = Store::open(fixture.options.clone()).await.unwrap();
    for (decide, participle) in [
        (Decided::Approve as fn(Vote) -> Decided, "approved"),
        (Decided::Reject, "rejected"),
        (|_| Decided::Cancel { reason: String::new(), of_others: true }, "cancelled"),
    ] {
        // What was read of the mark when it was opened is what a server believes until it looks again.
        let store = Store::open(fixture.options.clone()).await.unwrap();
        let house = House::over(&store);
        let newly = house.create(of_plan(participle)).await.unwrap();
        other.raise_epoch(0, "another server").await.unwrap();
        let decided = house.approvals.decide(&lead(), "acme", &newly.approval.id, decide(vote(&newly))).await;
        let refusal = decided.unwrap_err().to_string();
        assert_eq!(refusal, format!("the approval has expired and cannot be {participle}"));
        store.close().await;
    }
    other.close().await;
}

async fn what_nobody_decides_escalates_once(fixture: Fixture) {
    let houses = [House::over(&fixture.store), House::over(&fixture.store)];
    let documents = DOCUMENTS.replace("afterSeconds: 300", "afterSeconds: 1");
    publish(&houses[0].holder, &documents, 2);
    let newly = houses[0].create(of_plan("k")).await.unwrap();
    fixture.skew.store(2_000_000, Relaxed);
    let mut escalated = 0;
    eventually("escalation", async || {
        let (a, b) = tokio::join!(houses[0].approvals.work_once(), houses[1].approvals.work_once());
        escalated += a.unwrap().escalated + b.unwrap().escalated;
        escalated > 0
    })
    .await;
    assert_eq!(escalated, 1);
    let after = houses[1].approvals.get("acme", &newly.approval.id).await.unwrap();
    assert_eq!((after.status, after.required_level), (ApprovalStatus::Escalated, 4));
    assert_eq!(after.expires_at, newly.approval.expires_at);
    assert!(after.escalates_at > newly.approval.escalates_at);
    let low = Actor { principal: "cn:low".into(), level: Some(3) };
    let added = houses[0].approvals.decide(&low, "acme", &after.id, Decided::Approve(vote(&newly))).await.unwrap();
    assert_eq!(added.status, ApprovalStatus::Escalated);
    assert_eq!(houses[0].approve(&newly).await, ApprovalStatus::Approved);
}

async fn steps_are_redeemed_with_the_arguments_that_were_approved(fixture: Fixture) {
    let house = House::over(&fixture.store);
    let newly = house.create(of_plan("k")).await.unwrap();
    house.approve(&newly).await;
    let step =
        |id: &str, arguments: &str| Redemption { step: Some((id.into(), params(arguments))), ..whole(&newly, id) };
    let pay = r#"{"amount": 12, "to": "DE1"}"#;
    let early = house.consume(&step("pay", pay)).await;
    assert!(matches!(early, Err(ApprovalError::Refused(Refused::OutOfOrder { .. }))), "{early:?}");
    let other = house.consume(&step("find", r#"{"q": "passwords"}"#)).await;
    assert!(matches!(other, Err(ApprovalError::Refused(Refused::OtherArguments { .. }))), "{other:?}");
    house.consume(&step("find", r#"{"q": "invoice"}"#)).await.unwrap();
    for wrong in [r#"{"amount": 13, "to": "DE1"}"#, r#"{"amount": 12, "to": 7}"#, r#"{"amount": 12}"#] {
        let refused = house.consume(&step("pay", wrong)).await;
        assert!(matches!(refused, Err(ApprovalError::Refused(Refused::OtherArguments { .. }))), "{wrong}: {refused:?}");
    }
    let paid = house.consume(&step("pay", pay)).await.unwrap();
    assert_eq!((paid.approval.status, paid.mode), (ApprovalStatus::Consumed, RedemptionMode::Stepwise));
    let again = house.consume(&step("pay", pay)).await.unwrap();
    assert_eq!((again.replayed, again.grant), (true, paid.grant));
    assert_eq!(again.redeemed.step_hash, paid.redeemed.step_hash);
    // The plan takes `to` from another step: whoever was paid once cannot become another.
    for other in [r#"{"amount": 12, "to": "DE2"}"#, r#"{"amount": 12}"#] {
        let refused = house.consume(&step("pay", other)).await;
        assert!(matches!(refused, Err(ApprovalError::Refused(Refused::KeyUsed))), "{other}: {refused:?}");
    }
    let keyless = Redemption { redemption_key: Text::default(), ..step("pay", pay) };
    not_redeemable(house.consume(&keyless).await);
}

async fn open_arguments_keep_to_the_rules_of_the_approval_and_of_now(fixture: Fixture) {
    let house = House::over(&fixture.store);
    let digest = |house: &House| house.holder.load().live().expect("documents").digest().to_owned();
    let newly = house.create(of_plan("k")).await.unwrap();
    house.approve(&newly).await;
    let before = digest(&house);
    let pay = |to: &str| Redemption {
        step: Some(("pay".into(), params(&format!(r#"{{"amount": 12, "to": {to}}}"#)))),
        ..whole(&newly, "pay")
    };
    let find = Redemption { step: Some(("find".into(), params(r#"{"q": "invoice"}"#))), ..whole(&newly, "find") };
    house.consume(&find).await.unwrap();
    let with = |to: &str| DOCUMENTS.replace("to: {type: string}", &format!("to: {to}"));
    // Live is stricter, live is looser, and no value fits both.
    for (revision, schema, to, names_first) in [
        (2, r#"{type: string, maxLength: 3}"#, r#""DE12""#, "the live snapshot"),
        (3, r#"{}"#, "7", "the snapshot that validated the plan"),
        (4, r#"{type: number}"#, "7", "the snapshot that validated the plan"),
        (5, r#"{type: number}"#, r#""DE1""#, "the live snapshot"),
    ] {
        publish(&house.holder, &with(schema), revision);
        let live = digest(&house);
        match house.consume(&pay(to)).await {
            Err(ApprovalError::Refused(Refused::OtherArguments { what, .. })) => {
                for part in ["`params/to`", before.as_str(), live.as_str(), "validated and approved again"] {
                    assert!(what.contains(part), "{schema} {to}: {part} is not in {what}");
                }
                assert!(what.contains(&format!("so says {names_first}")), "{schema} {to}: {what}");
            }
            other => panic!("{schema} {to}: {other:?}"),
        }
    }
    publish(&house.holder, &with(r#"{type: string, maxLength: 3}"#), 6);
    let paid = house.consume(&pay(r#""DE1""#)).await.unwrap();
    assert_eq!(paid.approval.status, ApprovalStatus::Consumed);
}

async fn nothing_of_another_tenant_is_told(fixture: Fixture) {
    let house = House::over(&fixture.store);
    let newly = house.create(of_plan("k")).await.unwrap();
    house.approve(&newly).await;
    let id = newly.approval.id.as_str();
    assert!(matches!(house.approvals.get("evil", id).await, Err(ApprovalError::NotFound)));
    for decided in [
        Decided::Approve(vote(&newly)),
        Decided::Reject(vote(&newly)),
        Decided::Cancel { reason: String::new(), of_others: true },
    ] {
        let refused = house.approvals.decide(&lead(), "evil", id, decided).await;
        assert!(matches!(refused, Err(ApprovalError::NotFound)), "{refused:?}");
    }
    assert!(matches!(house.approvals.watch("evil", id).next().await, Err(ApprovalError::NotFound)));
    not_redeemable(house.consume(&Redemption { tenant: "evil".into(), ..whole(&newly, "") }).await);
    not_redeemable(house.consume(&Redemption { target_hash: "sha256:0".into(), ..whole(&newly, "") }).await);
    not_redeemable(house.consume(&Redemption { token: "A".repeat(43), ..whole(&newly, "") }).await);
    house.consume(&whole(&newly, "")).await.expect("still good");
}

async fn what_is_denied_meanwhile_is_not_redeemed(fixture: Fixture) {
    let house = House::over(&fixture.store);
    let newly = house.create(of_plan("k")).await.unwrap();
    house.approve(&newly).await;
    publish(&house.holder, &format!("{DOCUMENTS}{STRICTER}"), 2);
    let refused = house.consume(&whole(&newly, "")).await;
    assert!(matches!(refused, Err(ApprovalError::NotApprovable(NotApprovable::Rejected(_)))), "{refused:?}");
    publish(&house.holder, DOCUMENTS, 3);
    house.consume(&whole(&newly, "")).await.expect("allowed again");
}

async fn targets_are_judged_by_the_server(fixture: Fixture) {
    let house = House::over(&fixture.store);
    let mut rejected = plan();
    rejected.steps[0].action = "unknown.action".into();
    let refused = house.create(creation("r", Target::Plan(Box::new(rejected)))).await;
    assert!(matches!(refused, Err(ApprovalError::NotApprovable(NotApprovable::Rejected(_)))), "{refused:?}");

    let mut passing = plan();
    passing.steps.truncate(1);
    let passed = house.create(creation("p", Target::Plan(Box::new(passing)))).await.unwrap();
    assert_eq!((passed.approval.status, passed.approval.required_level), (ApprovalStatus::AutoApproved, 0));
    house.consume(&whole(&passed, "")).await.unwrap();

    let mut critical = plan();
    critical.steps[1] = step("close", "bank.close", "bank", "{}");
    let critical = house.create(creation("c", Target::Plan(Box::new(critical)))).await.unwrap();
    assert_eq!((critical.approval.tier, critical.approval.required_level), (3, 4));

    for (cents, status) in
        [(Some(50), ApprovalStatus::AutoApproved), (Some(51), ApprovalStatus::Pending), (None, ApprovalStatus::Pending)]
    {
        let mut thrifty = plan();
        thrifty.subject.id = "thrifty".into();
        thrifty.steps[0].budget_cents = Some(0);
        thrifty.steps[1].budget_cents = cents;
        let newly = house.create(creation(&format!("t{cents:?}"), Target::Plan(Box::new(thrifty)))).await.unwrap();
        assert_eq!(newly.approval.status, status, "{cents:?}");
    }

    let action = |name: &str| {
        let request = Request {
            tenant_id: "acme".into(),
            subject: Subject { id: "agent-7".into(), ..Subject::default() },
            action: Action { name: name.into(), ..Action::default() },
            context: Attributes::from_entries(vec![("amount".into(), Value::Number(7.0))]).unwrap(),
            ..Request::default()
        };
        Target::Action(Box::new(request))
    };
    let asked = house.create(creation("a", action("payment.refund"))).await.unwrap();
    assert_eq!((asked.approval.status, asked.approval.required_level), (ApprovalStatus::Pending, 4));
    house.approve(&asked).await;
    let stepwise = Redemption { step: Some(("0".into(), Attributes::default())), ..whole(&asked, "") };
    let refused = house.consume(&stepwise).await;
    assert!(matches!(refused, Err(ApprovalError::Refused(Refused::NoSteps))), "{refused:?}");
    house.consume(&whole(&asked, "")).await.unwrap();
    let allowed = house.create(creation("b", action("mail.read"))).await;
    assert!(matches!(allowed, Err(ApprovalError::NotApprovable(NotApprovable::NotNeeded))), "{allowed:?}");
    let denied = house.create(creation("d", action("payment.steal"))).await;
    assert!(matches!(denied, Err(ApprovalError::NotApprovable(NotApprovable::Denied(_)))), "{denied:?}");
}

async fn watching_tells_of_every_change_by_whomever(fixture: Fixture) {
    let (here, there) = (House::over(&fixture.store), House::over(&fixture.store));
    tokio::spawn(here.approvals.clone().look_up_watched());
    let newly = here.create(of_plan("k")).await.unwrap();
    let mut watching = here.approvals.watch("acme", &newly.approval.id);
    let next = async |watching: &mut lictor::approval::Watching| {
        tokio::time::timeout(PATIENCE, watching.next())
            .await
            .expect("a change")
            .unwrap()
            .map(|approval| approval.status)
    };
    assert_eq!(next(&mut watching).await, Some(ApprovalStatus::Pending));
    there.approve(&newly).await;
    assert_eq!(next(&mut watching).await, Some(ApprovalStatus::Approved), "by another server");
    here.consume(&whole(&newly, "")).await.unwrap();
    assert_eq!(next(&mut watching).await, Some(ApprovalStatus::Consumed));
    assert_eq!(next(&mut watching).await, None, "nothing follows a final state");
}

async fn tokens_are_nowhere(fixture: Fixture) {
    let house = House::over(&fixture.store);
    let newly = house.create(of_plan("k")).await.unwrap();
    let second = house.create(of_plan("k")).await.unwrap();
    house.approve(&second).await;
    house.consume(&whole(&second, "key")).await.unwrap();
    let tokens = [newly.token.reveal().to_owned(), second.token.reveal().to_owned()];
    let mut kept = format!("{:?} {:?}", newly, house.history(&second).await).into_bytes();
    if let Place::Sqlite(_) = &fixture.options.place {
        fixture.store.close().await;
        for entry in std::fs::read_dir(fixture.folder.path()).unwrap() {
            kept.extend(std::fs::read(entry.unwrap().path()).unwrap());
        }
        assert!(contains(&kept, second.approval.id.as_bytes()), "what is kept was looked at");
    }
    for token in tokens {
        assert!(!contains(&kept, token.as_bytes()));
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}
