//! Every verb in every state, from a table; and what each verb looks at besides.

use super::*;
use crate::model::{
    Approval, Attributes, Escalation, Ordering, Plan, Progress, Redeemed, Redemption, RedemptionMode, Settled, Stage,
    Step, TargetKind,
};

const SECOND: i64 = 1_000_000;
const CREATED: Timestamp = Timestamp::from_micros(1_000 * SECOND);
const HASH: &str = "sha256:aa";
pub(in crate::approval) const EPOCH: u64 = 3;

pub(in crate::approval) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(CREATED.as_micros() + seconds * SECOND)
}

fn stage(level: u8, quorum: u32) -> Stage {
    Stage { level, quorum, approvals: Vec::new() }
}

pub(in crate::approval) fn approval(status: ApprovalStatus) -> Approval {
    Approval {
        id: "a1".into(),
        tenant_id: "acme".into(),
        version: 5,
        status,
        target_kind: TargetKind::Plan,
        target_hash: HASH.into(),
        target: Vec::new(),
        view: Vec::new(),
        tier: 2,
        required_level: 3,
        snapshot: "sha256:bb".into(),
        policy: Text::default(),
        requested_by: "cn:asker".into(),
        on_behalf_of: "cn:boss".into(),
        created_by: "cn:runtime".into(),
        justification: String::new(),
        cost_cents: None,
        correlation_id: "c".into(),
        created_at: CREATED,
        updated_at: CREATED,
        escalates_at: Some(at(300)),
        expires_at: at(3600),
        resolved_at: None,
        consumed_at: None,
        token_hash: [1; 32],
        key_hash: [2; 32],
        body_hash: [3; 32],
        epoch: EPOCH,
        webhook_endpoints: Vec::new(),
        progress: Progress {
            settled: Settled {
                subject_id: "agent-7".into(),
                steps: 3,
                escalation: Some(Escalation { after_seconds: 300, level: 4 }),
                ..Settled::default()
            },
            stages: vec![stage(3, 1)],
            ..Progress::default()
        },
    }
}

pub(in crate::approval) fn voter(principal: &str, level: u8) -> Voter {
    Voter { principal: principal.into(), level: Some(level), also: Vec::new() }
}

pub(in crate::approval) fn vote() -> Vote {
    Vote { target_hash: HASH.into(), ..Vote::default() }
}

fn ask<'a>(step: Option<StepCall<'a>>, key: &str) -> Ask<'a> {
    Ask { tenant: "acme", target_hash: HASH, step, key_hash: key.into(), principal: "cn:runtime".into() }
}

fn fits(_: &Step, _: &Attributes) -> Option<String> {
    None
}

fn redeemed_whole(approval: &Approval, now: Timestamp) -> Result<Redeeming, Refused> {
    redeem(approval, None, &ask(None, ""), &fits, now, EPOCH)
}

/// What a verb makes of a state, each tried when its time has come.
fn try_verb(verb: Verb, status: ApprovalStatus) -> Result<ApprovalStatus, Refused> {
    let approval = approval(status);
    let actor = Text::from("cn:someone");
    let transition = match verb {
        Verb::Approve => approve(&approval, &voter("cn:lead", 3), &vote(), at(10), EPOCH)?,
        Verb::Reject => reject(&approval, &voter("cn:lead", 3), &vote(), at(10), EPOCH)?,
        Verb::Cancel => cancel(&approval, &actor, "why", at(10), EPOCH)?,
        Verb::Consume => match redeemed_whole(&approval, at(10))? {
            Redeeming::New(transition) => *transition,
            Redeeming::Replayed(redeemed) => panic!("nothing was redeemed before: {redeemed:?}"),
        },
        Verb::Escalate => escalate(&approval, "worker:escalation", at(300), EPOCH)?,
        Verb::Expire => expire(&approval, "worker:expiry", at(3600), EPOCH)?,
        Verb::Reissue => reissue(&approval, [9; 32], at(10), EPOCH)?,
    };
    assert_eq!(transition.approval.version, approval.version + 1);
    assert_eq!(transition.history.is_none(), verb == Verb::Reissue, "one row of history a change");
    if let Some(row) = &transition.history {
        assert_eq!((row.from_status, row.to_status), (Some(status), transition.approval.status));
        assert_eq!((row.version, row.at), (6, transition.approval.updated_at));
        assert!(!row.actor.is_empty() && !row.reason.is_empty());
    }
    assert_eq!(transition.approval.expires_at, approval.expires_at, "expires_at never moves");
    assert_eq!((transition.verb, transition.only_while_live()), (verb, verb != Verb::Expire));
    Ok(transition.approval.status)
}

#[test]
fn every_verb_in_every_state() {
    use ApprovalStatus::{Approved, AutoApproved, Cancelled, Consumed, Escalated, Expired, Pending, Rejected};
    let redeemable = [Approved, AutoApproved];
    for status in ApprovalStatus::ALL {
        for verb in Verb::ALL {
            let expected = match (status, verb) {
                (Pending | Escalated, Verb::Approve) => Some(Approved),
                (Pending | Escalated, Verb::Reject) => Some(Rejected),
                (Pending, Verb::Escalate) => Some(Escalated),
                (Pending | Escalated | Approved | AutoApproved, Verb::Cancel) => Some(Cancelled),
                (Pending | Escalated | Approved | AutoApproved, Verb::Expire) => Some(Expired),
                (Pending | Escalated | Approved | AutoApproved, Verb::Reissue) => Some(status),
                (of, Verb::Consume) if redeemable.contains(&of) => Some(Consumed),
                _ => None,
            };
            match (try_verb(verb, status), expected) {
                (Ok(found), Some(expected)) => assert_eq!(found, expected, "{status:?} {verb:?}"),
                (Err(refused), None) => {
                    let fits = match verb {
                        Verb::Consume if status == Consumed => refused == Refused::UsedUp,
                        Verb::Consume if status.is_open() => refused == Refused::NotApproved { status },
                        _ => refused == Refused::WrongState { status, verb },
                    };
                    assert!(fits, "{status:?} {verb:?}: {refused:?}");
                }
                (found, expected) => panic!("{status:?} {verb:?}: {found:?}, expected {expected:?}"),
            }
        }
    }
}

#[test]
fn nothing_but_expiry_happens_once_its_time_is_over() {
    for (now, epoch) in [(at(3600), EPOCH), (at(9999), EPOCH), (at(10), EPOCH + 1)] {
        for status in [ApprovalStatus::Pending, ApprovalStatus::Escalated, ApprovalStatus::Approved] {
            let approval = approval(status);
            let over = |verb| Err(Refused::Over { verb });
            if status.is_open() {
                assert_eq!(approve(&approval, &voter("l", 3), &vote(), now, epoch), over(Verb::Approve));
                assert_eq!(reject(&approval, &voter("l", 3), &vote(), now, epoch), over(Verb::Reject));
            }
            assert_eq!(cancel(&approval, &"x".into(), "", now, epoch), over(Verb::Cancel));
            assert_eq!(reissue(&approval, [9; 32], now, epoch), over(Verb::Reissue));
            let consumed = redeem(&approval, None, &ask(None, ""), &fits, now, epoch);
            assert_eq!(consumed, Err(Refused::Over { verb: Verb::Consume }));
            if status == ApprovalStatus::Pending {
                assert_eq!(escalate(&approval, "w", now.max(at(300)), epoch), over(Verb::Escalate));
            }
            assert_eq!(expire(&approval, "w", now, epoch).map(|t| t.approval.status), Ok(ApprovalStatus::Expired));
        }
    }
    let early = approval(ApprovalStatus::Pending);
    assert_eq!(expire(&early, "w", at(3599), EPOCH), Err(Refused::TooEarly { verb: Verb::Expire }));
    assert_eq!(escalate(&early, "w", at(299), EPOCH), Err(Refused::TooEarly { verb: Verb::Escalate }));
}

#[test]
fn an_approver_is_another_person_with_a_level() {
    let approval = approval(ApprovalStatus::Pending);
    let approve = |voter: &Voter, vote: &Vote| approve(&approval, voter, vote, at(1), EPOCH);
    for (principal, role) in
        [("cn:runtime", "creator"), ("cn:asker", "requested_by"), ("cn:boss", "on_behalf_of"), ("agent-7", "subject")]
    {
        assert_eq!(approve(&voter(principal, 5), &vote()), Err(Refused::OwnRequest { role }));
        let rejected = reject(&approval, &voter(principal, 5), &vote(), at(1), EPOCH);
        assert_eq!(rejected, Err(Refused::OwnRequest { role }));
    }
    for (name, role) in [("cn:asker", "requested_by"), ("agent-7", "subject")] {
        let alias = Voter { also: vec![name.into()], ..voter("alice", 5) };
        assert_eq!(approve(&alias, &vote()), Err(Refused::OwnRequest { role }));
    }
    let nobody = Voter { principal: "uid:0".into(), level: None, also: Vec::new() };
    assert_eq!(approve(&nobody, &vote()), Err(Refused::NoLevel));
    let high = Vote { level: Some(4), ..vote() };
    assert_eq!(approve(&voter("l", 3), &high), Err(Refused::LevelTooHigh { own: 3, asked: 4 }));
    let other = Vote { target_hash: "sha256:other".into(), ..vote() };
    assert_eq!(approve(&voter("l", 3), &other), Err(Refused::OtherTarget));
    let stale = Vote { version: Some(4), ..vote() };
    assert_eq!(approve(&voter("l", 3), &stale), Err(Refused::Changed));
    let low = reject(&approval, &voter("l", 2), &vote(), at(1), EPOCH);
    assert_eq!(low, Err(Refused::LevelTooLow { level: 2, needed: 3 }));
}

#[test]
fn stages_are_passed_in_order_by_distinct_people() {
    let mut approval = approval(ApprovalStatus::Pending);
    approval.progress.stages = vec![stage(2, 2), stage(4, 1)];
    let mut step = |principal: &str, level: u8| {
        let transition = approve(&approval, &voter(principal, level), &vote(), at(1), EPOCH)?;
        approval = transition.approval;
        Ok::<_, Refused>((transition.happening, approval.status))
    };
    let added = Ok((Some(Happening::Added), ApprovalStatus::Pending));
    assert_eq!(step("low", 1), added, "recorded, and does not count");
    assert_eq!(step("ann", 2), added);
    assert_eq!(step("ann", 2), Err(Refused::ApprovedAlready));
    assert_eq!(step("low", 2), added, "with a higher level the same person counts");
    assert_eq!(step("ann", 5), Err(Refused::ApprovedAlready), "one person, one approval, over all stages");
    assert_eq!(step("bob", 3), added, "the second stage needs level 4");
    assert_eq!(step("eve", 4), Ok((Some(Happening::Approved), ApprovalStatus::Approved)));
    let votes: Vec<usize> = approval.progress.stages.iter().map(|stage| stage.approvals.len()).collect();
    assert_eq!(votes, [2, 2]);
    assert_eq!((approval.progress.resolved_by.as_str(), approval.resolved_at), ("eve", Some(at(1))));
}

#[test]
fn escalating_raises_the_open_stages_and_renews_only_its_own_time() {
    let mut pending = approval(ApprovalStatus::Pending);
    pending.progress.stages = vec![stage(2, 1), stage(3, 1)];
    let pending = approve(&pending, &voter("ann", 3), &vote(), at(1), EPOCH).expect("approved").approval;
    let after = escalate(&pending, "worker:escalation", at(400), EPOCH).expect("escalated").approval;
    let levels: Vec<u8> = after.progress.stages.iter().map(|stage| stage.level).collect();
    assert_eq!(levels, [2, 4], "a stage that is complete stays so");
    assert_eq!((after.required_level, after.escalates_at, after.expires_at), (4, Some(at(700)), at(3600)));
    let low = approve(&after, &voter("bob", 3), &vote(), at(500), EPOCH).expect("added");
    assert_eq!(low.approval.status, ApprovalStatus::Escalated);
    let high = approve(&low.approval, &voter("eve", 4), &vote(), at(501), EPOCH).expect("approved");
    assert_eq!(high.approval.status, ApprovalStatus::Approved);

    let mut late = approval(ApprovalStatus::Pending);
    late.escalates_at = Some(at(3500));
    let after = escalate(&late, "w", at(3500), EPOCH).expect("escalated").approval;
    assert_eq!(after.escalates_at, Some(at(3600)), "not beyond the end");
}

fn plan(ordering: Ordering, steps: &[(&str, &[&str])]) -> Plan {
    let steps = steps.iter().map(|(id, depends_on)| Step {
        step_id: (*id).into(),
        depends_on: depends_on.iter().map(|id| Text::from(*id)).collect(),
        ..Step::default()
    });
    Plan { ordering, steps: steps.collect(), ..Plan::default() }
}

/// Redeems one step and gives the approval after it.
fn redeem_step(approval: &Approval, plan: &Plan, step_id: &str) -> Result<Approval, Refused> {
    let params = Attributes::default();
    let ask = ask(Some(StepCall { step_id, params: &params }), "");
    match redeem(approval, Some(plan), &ask, &fits, at(10), EPOCH)? {
        Redeeming::New(transition) => Ok(transition.approval),
        Redeeming::Replayed(redeemed) => panic!("nothing was redeemed before: {redeemed:?}"),
    }
}

#[test]
fn steps_are_redeemed_once_and_in_order() {
    let dag = plan(Ordering::Dag, &[("a", &[]), ("b", &[]), ("c", &["a", "b"])]);
    let fresh = approval(ApprovalStatus::Approved);
    let out_of_order = |step: &str, first: &str| Refused::OutOfOrder { step_id: step.into(), first: first.into() };
    assert_eq!(redeem_step(&fresh, &dag, "c").err(), Some(out_of_order("c", "a")));
    assert_eq!(redeem_step(&fresh, &dag, "d").err(), Some(Refused::UnknownStep { step_id: "d".into() }));
    let b = redeem_step(&fresh, &dag, "b").expect("b");
    assert_eq!(redeem_step(&b, &dag, "b").err(), Some(Refused::StepUsedUp { step_id: "b".into() }));
    assert_eq!(redeem_step(&b, &dag, "c").err(), Some(out_of_order("c", "a")));
    let other = Refused::OtherMode { begun: "step by step", asked: "as a whole" };
    assert_eq!(redeemed_whole(&b, at(10)).err(), Some(other));
    let a = redeem_step(&b, &dag, "a").expect("a");
    assert_eq!((a.status, a.consumed_at), (ApprovalStatus::Approved, None));
    let c = redeem_step(&a, &dag, "c").expect("c");
    assert_eq!((c.status, c.consumed_at), (ApprovalStatus::Consumed, Some(at(10))));
    assert_eq!(redeem_step(&c, &dag, "a").err(), Some(Refused::UsedUp));

    let list = plan(Ordering::Sequential, &[("", &[]), ("x", &[]), ("", &[])]);
    assert_eq!(redeem_step(&fresh, &list, "x").err(), Some(out_of_order("x", "0")));
    let one = redeem_step(&fresh, &list, "0").expect("0");
    let two = redeem_step(&one, &list, "x").expect("x");
    assert_eq!(redeem_step(&two, &list, "2").map(|after| after.status), Ok(ApprovalStatus::Consumed));
}

#[test]
fn arguments_must_be_those_that_were_approved() {
    let list = plan(Ordering::Sequential, &[("x", &[])]);
    let params = Attributes::default();
    let ask = ask(Some(StepCall { step_id: "x", params: &params }), "");
    let differs = |_: &Step, _: &Attributes| Some("`params/a` differs".to_owned());
    let refused = redeem(&approval(ApprovalStatus::Approved), Some(&list), &ask, &differs, at(10), EPOCH);
    assert!(matches!(refused, Err(Refused::OtherArguments { .. })), "{refused:?}");
    let mut action = approval(ApprovalStatus::Approved);
    action.target_kind = TargetKind::Action;
    assert_eq!(redeem(&action, None, &ask, &fits, at(10), EPOCH).err(), Some(Refused::NoSteps));
}

#[test]
fn the_same_key_gives_the_same_answer_until_the_end() {
    let approved = approval(ApprovalStatus::Approved);
    let keyed = ask(None, "k1");
    let Ok(Redeeming::New(first)) = redeem(&approved, None, &keyed, &fits, at(10), EPOCH) else { panic!("redeemed") };
    let consumed = first.approval;
    let again = redeem(&consumed, None, &keyed, &fits, at(20), EPOCH);
    let entry = consumed.progress.redemption.as_ref().and_then(|all| all.redeemed.last()).cloned();
    assert_eq!(again, Ok(Redeeming::Replayed(entry.expect("an entry"))));
    assert_eq!(redeem(&consumed, None, &ask(None, "k2"), &fits, at(20), EPOCH), Err(Refused::UsedUp));
    assert_eq!(redeem(&consumed, None, &ask(None, ""), &fits, at(20), EPOCH), Err(Refused::UsedUp));
    assert_eq!(redeem(&consumed, None, &keyed, &fits, at(3600), EPOCH), Err(Refused::UsedUp), "still consumed");

    let list = plan(Ordering::Sequential, &[("x", &[]), ("y", &[])]);
    let params = Attributes::default();
    let mut begun = approval(ApprovalStatus::Approved);
    begun.progress.redemption = Some(Redemption {
        mode: RedemptionMode::Stepwise,
        redeemed: vec![Redeemed {
            step_id: "x".into(),
            key_hash: "k1".into(),
            grant_id: "a1/x".into(),
            step_hash: crate::ir::call_hash(&list.steps[0], &params).expect("a hash"),
            principal: "cn:runtime".into(),
            at: at(5),
        }],
    });
    let of_step = |step_id| ask(Some(StepCall { step_id, params: &params }), "k1");
    let again = redeem(&begun, Some(&list), &of_step("x"), &fits, at(10), EPOCH);
    assert!(matches!(again, Ok(Redeeming::Replayed(_))), "{again:?}");
    assert_eq!(redeem(&begun, Some(&list), &of_step("y"), &fits, at(10), EPOCH), Err(Refused::KeyUsed));
    let other = Attributes::from_entries(vec![("to".into(), crate::model::Value::String("mallory".into()))])
        .expect("attributes");
    let with_others = ask(Some(StepCall { step_id: "x", params: &other }), "k1");
    assert_eq!(redeem(&begun, Some(&list), &with_others, &fits, at(10), EPOCH), Err(Refused::KeyUsed));
    let whole = ask(None, "k1");
    assert_eq!(redeem(&begun, Some(&list), &whole, &fits, at(10), EPOCH), Err(Refused::KeyUsed));
    // What nothing is known of is not the same.
    begun.progress.redemption.as_mut().expect("begun").redeemed[0].step_hash = Text::default();
    assert_eq!(redeem(&begun, Some(&list), &of_step("x"), &fits, at(10), EPOCH), Err(Refused::KeyUsed));
}

#[test]
fn the_first_reason_counts() {
    let mut consumed = approval(ApprovalStatus::Consumed);
    consumed.progress.redemption = Some(Redemption { mode: RedemptionMode::Whole, redeemed: Vec::new() });
    let other_tenant = Ask { tenant: "evil", target_hash: "sha256:zz", ..ask(None, "") };
    assert_eq!(redeem(&consumed, None, &other_tenant, &fits, at(9999), EPOCH), Err(Refused::OtherTenant));
    let other_hash = Ask { target_hash: "sha256:zz", ..ask(None, "") };
    assert_eq!(redeem(&consumed, None, &other_hash, &fits, at(9999), EPOCH), Err(Refused::OtherTarget));
    assert_eq!(redeem(&consumed, None, &ask(None, ""), &fits, at(9999), EPOCH), Err(Refused::UsedUp));
}

/// The members that the predecessor's events had, and that readers rely on.
#[test]
fn payloads_hold_what_readers_expect() {
    use crate::approval::payload::{invalid, payload};
    use crate::event::EventType;
    let members = |payload: serde_json::Value, names: &[&str]| {
        for name in names {
            assert!(payload.get(name).is_some(), "{name}: {payload}");
        }
        payload
    };
    let created = approval(ApprovalStatus::Pending);
    let row = first_row(&created, "created".to_owned());
    let told = members(
        payload(EventType::IrApprovalCreated, &created, &row),
        &["approval_id", "tenant_id", "ir_hash", "ttl_seconds", "expires_at", "created_by", "created_at"],
    );
    assert_eq!((&told["ttl_seconds"], &told["created_by"]), (&3600.into(), &"cn:runtime".into()));

    let Ok(Redeeming::New(done)) = redeemed_whole(&approval(ApprovalStatus::Approved), at(90)) else {
        panic!("redeemed")
    };
    let row = done.history.expect("a row");
    let told = members(
        payload(EventType::IrApprovalConsumed, &done.approval, &row),
        &["approval_id", "tenant_id", "ir_hash", "consumed_by", "consumed_at"],
    );
    assert_eq!((&told["time_to_consume_seconds"], &told["was_expired"]), (&90.into(), &false.into()));

    let over = expire(&approval(ApprovalStatus::Pending), "worker:expiry", at(4000), EPOCH).expect("expired");
    let row = over.history.expect("a row");
    let told = members(
        payload(EventType::IrApprovalExpired, &over.approval, &row),
        &["approval_id", "tenant_id", "ir_hash", "expired_at", "created_at", "ttl_seconds"],
    );
    assert_eq!(told["was_consumed"], false);

    let actor = Text::from("cn:evil");
    let told = members(
        invalid("evil", HASH, "tenant_mismatch", "", &actor, at(1), Some(&created)),
        &["tenant_id", "ir_hash", "reason", "attempted_by", "attempted_at", "approval_id"],
    );
    assert_eq!(told["approval_id"], serde_json::Value::Null, "another tenant's approval is not told");
    let told = invalid("acme", HASH, "already_consumed", "", &actor, at(1), Some(&created));
    assert_eq!(told["approval_id"], "a1");
}
