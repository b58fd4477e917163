//! Every verb in every state over the wire, what it leaves behind, and how refusals look from outside and on record.

use std::collections::{BTreeMap, BTreeSet};

use lictor::api::proto::v1::create_approval_request::Target;
use lictor::api::proto::v1::{self, ApprovalStatus};
use tonic::{Code, Status};

use crate::house::eventually;
use crate::served::{
    Backend, Client, approval_of, approving, by, client, consuming, created, creation, getting, history_of, plan,
    rejecting, served_by_both, status_of,
};
use crate::system::wait_for;
use ApprovalStatus::{Approved, AutoApproved, Cancelled, Consumed, Escalated, Expired, Pending, Rejected};

served_by_both!(
    every_verb_in_every_state,
    creations_are_bounded_and_repeatable,
    texts_hold_no_control_characters,
    ids_hold_nothing_that_shows_as_nothing,
);

async fn texts_hold_no_control_characters(backend: Backend) {
    let lictor = backend.server();
    let mut client = client(&lictor).await;
    let made = created(&mut client, "default", "k").await;
    let approval = approval_of(&made).clone();
    for bad in ["a\0b", "\u{1b}[2J", "\u{85}", "\u{7f}"] {
        let creation = creation("default", "other");
        let mut shown = plan("default", 12.0);
        shown.intent_summary = bad.into();
        let intent = v1::CreateApprovalRequest { target: Some(Target::Plan(shown)), ..creation.clone() };
        let creation = v1::CreateApprovalRequest { justification: bad.into(), ..creation };
        let approving = v1::ApproveRequest { notes: bad.into(), ..approving("default", &approval) };
        let rejecting = v1::RejectRequest { notes: bad.into(), ..rejecting("default", &approval) };
        let (tenant_id, approval_id) = ("default".to_owned(), approval.id.clone());
        let cancelling = v1::CancelRequest { tenant_id, approval_id, reason: bad.into() };
        let refusals = [
            (client.create_approval(by("runtime", None, creation)).await.map(drop), "justification"),
            (client.create_approval(by("runtime", None, intent)).await.map(drop), "plan.intent_summary"),
            (client.approve(by("ann", Some("4"), approving)).await.map(drop), "notes"),
            (client.reject(by("ann", Some("4"), rejecting)).await.map(drop), "notes"),
            (client.cancel(by("runtime", None, cancelling)).await.map(drop), "reason"),
        ];
        for (refused, field) in refusals {
            let refused = refused.expect_err(field);
            assert_eq!((refused.code(), refused.message().contains(field)), (Code::InvalidArgument, true), "{refused}");
        }
    }
    assert_eq!(status_of(&mut client, "default", &approval.id).await, Pending);
    let lines = v1::ApproveRequest { notes: "größe\r\n\ttwo".into(), ..approving("default", &approval) };
    client.approve(by("ann", Some("4"), lines)).await.unwrap();
}

async fn ids_hold_nothing_that_shows_as_nothing(backend: Backend) {
    let lictor = backend.server();
    let mut client = client(&lictor).await;
    for hidden in ["\u{2800}", "\u{3164}", "\u{ffa0}", "\u{34f}", "\u{200d}", "\u{fe0f}", "\u{e0041}"] {
        let id = format!("alice{hidden}");
        let with = |change: &dyn Fn(&mut v1::CreateApprovalRequest, &mut v1::ValidateIrRequest)| {
            let (mut creation, mut shown) = (creation("default", "k"), plan("default", 12.0));
            change(&mut creation, &mut shown);
            v1::CreateApprovalRequest { target: Some(Target::Plan(shown)), ..creation }
        };
        for (creation, field, code) in [
            (with(&|creation, _| creation.idempotency_key = id.clone()), "idempotency_key", Code::InvalidArgument),
            (with(&|creation, _| creation.requested_by = id.clone()), "requested_by", Code::InvalidArgument),
            (with(&|creation, _| creation.correlation_id = id.clone()), "correlation_id", Code::InvalidArgument),
            (with(&|_, plan| plan.subject.as_mut().unwrap().id = id.clone()), "subject.id", Code::InvalidArgument),
            (with(&|_, plan| plan.steps[0].step_id = id.clone()), "an id may not hold", Code::FailedPrecondition),
        ] {
            let refused = client.create_approval(by("runtime", None, creation)).await.expect_err(field);
            let shown = format!("U+{:04X}", u32::from(hidden.chars().next().unwrap()));
            let says = refused.message().contains(field) && refused.message().contains(&shown);
            assert_eq!((refused.code(), says), (code, true), "{refused}");
        }
    }
    // Texts for people are theirs.
    let justification = "🏳\u{fe0f}\u{200d}🌈 ❤\u{fe0f} \u{2800}";
    let free = v1::CreateApprovalRequest { justification: justification.into(), ..creation("default", "k") };
    let made = client.create_approval(by("runtime", None, free)).await.unwrap().into_inner();
    let address = lictor.tcp.to_string();
    let show =
        ["approvals", "show", &approval_of(&made).id, "--server", &address, "--dev-as", "ann", "--dev-level", "4"];
    let (code, printed) = lictor.command(&show);
    assert!(code == 0 && printed.contains(justification), "{printed}");
}

const STATES: [ApprovalStatus; 8] =
    [Pending, Approved, Rejected, Escalated, Expired, Cancelled, AutoApproved, Consumed];

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verb {
    Approve,
    Reject,
    Cancel,
    Consume,
}

const VERBS: [Verb; 4] = [Verb::Approve, Verb::Reject, Verb::Cancel, Verb::Consume];

/// What a verb makes of a state, or why not.
fn expected(state: ApprovalStatus, verb: Verb) -> Result<ApprovalStatus, Code> {
    match (state, verb) {
        (Pending | Escalated, Verb::Approve) => Ok(Approved),
        (Pending | Escalated, Verb::Reject) => Ok(Rejected),
        (Pending | Escalated | Approved | AutoApproved, Verb::Cancel) => Ok(Cancelled),
        (Approved | AutoApproved, Verb::Consume) => Ok(Consumed),
        (Rejected | Expired | Cancelled | Consumed, Verb::Consume) => Err(Code::NotFound),
        _ => Err(Code::FailedPrecondition),
    }
}

/// The reason on record why something in this state is not redeemed.
fn reason(state: ApprovalStatus) -> Option<&'static str> {
    match state {
        Pending | Escalated => Some("not_approved"),
        Rejected => Some("rejected"),
        Expired => Some("expired"),
        Cancelled => Some("cancelled"),
        Consumed => Some("already_consumed"),
        _ => None,
    }
}

type Made = v1::CreateApprovalResponse;

async fn act(client: &mut Client, verb: Verb, made: &Made) -> Result<(), Status> {
    let approval = approval_of(made);
    match verb {
        Verb::Approve => client.approve(by("ann", Some("5"), approving("", approval))).await.map(drop),
        Verb::Reject => client.reject(by("ann", Some("5"), rejecting("", approval))).await.map(drop),
        Verb::Cancel => {
            let request = v1::CancelRequest { approval_id: approval.id.clone(), ..v1::CancelRequest::default() };
            client.cancel(by("runtime", None, request)).await.map(drop)
        }
        Verb::Consume => client.consume(by("runtime", None, consuming("", made))).await.map(drop),
    }
}

/// An approval that is in `state`, or will be once two hours have passed.
async fn made(client: &mut Client, state: ApprovalStatus, of: Verb) -> Made {
    let ttl = if matches!(state, Expired | Consumed) { 3_600 } else { 86_400 };
    let key = format!("{}-{of:?}", state.as_str_name());
    let mut request = v1::CreateApprovalRequest { ttl_seconds: Some(ttl), ..creation("", &key) };
    if state == AutoApproved {
        let mut harmless = plan("", 12.0);
        harmless.steps[0].action = "bank.look".into();
        request.target = Some(Target::Plan(harmless));
    }
    let made = client.create_approval(by("runtime", None, request)).await.unwrap().into_inner();
    let verbs: &[Verb] = match state {
        Approved => &[Verb::Approve],
        Rejected => &[Verb::Reject],
        Cancelled => &[Verb::Cancel],
        Consumed => &[Verb::Approve, Verb::Consume],
        _ => &[],
    };
    for verb in verbs {
        act(client, *verb, &made).await.unwrap();
    }
    made
}

async fn every_verb_in_every_state(backend: Backend) {
    let mut lictor = backend.server();
    let mut all = BTreeMap::new();
    let mut before = client(&lictor).await;
    for state in [Escalated, Expired, Consumed] {
        for verb in VERBS {
            all.insert((state as i32, verb), made(&mut before, state, verb).await);
        }
    }
    lictor.signal("-TERM");
    assert!(lictor.wait().success());
    backend.hours_pass(&lictor, 2);
    lictor.run();
    let mut client = client(&lictor).await;
    for state in STATES.into_iter().filter(|state| ![Escalated, Expired, Consumed].contains(state)) {
        for verb in VERBS {
            all.insert((state as i32, verb), made(&mut client, state, verb).await);
        }
    }
    let ids = |state: ApprovalStatus| VERBS.map(|verb| approval_of(&all[&(state as i32, verb)]).id.clone());
    for state in STATES {
        for id in ids(state) {
            let reader = client.clone();
            let is_there = async || status_of(&mut reader.clone(), "", &id).await == state;
            eventually(state.as_str_name(), is_there).await;
        }
    }
    let reader = client.clone();
    let look = async |id: &str| {
        let got = reader.clone().get_approval(by("ann", None, getting("", id))).await.unwrap().into_inner();
        got.approval.unwrap()
    };
    let consumed = look(&ids(Consumed)[3]).await;

    let mut not_found = BTreeSet::new();
    for state in STATES {
        for verb in VERBS {
            let made = &all[&(state as i32, verb)];
            let id = &approval_of(made).id;
            let rows = history_of(&mut client, "", id).await.len();
            let outcome = act(&mut client, verb, made).await;
            let after = history_of(&mut client, "", id).await;
            let now = status_of(&mut client, "", id).await;
            match (expected(state, verb), outcome) {
                (Ok(expected), Ok(())) => {
                    assert_eq!((now, after.len()), (expected, rows + 1), "{state:?} {verb:?}");
                    let last = after.last().unwrap();
                    assert_eq!((last.from_status(), last.to_status()), (state, expected), "{state:?} {verb:?}");
                    assert!(!last.actor.is_empty() && !last.reason.is_empty() && last.at.is_some(), "{last:?}");
                }
                (Err(expected), Err(refusal)) => {
                    assert_eq!((refusal.code(), now, after.len()), (expected, state, rows), "{state:?} {verb:?}");
                    if refusal.code() == Code::NotFound {
                        not_found.insert(format!("{} {:?}", refusal.message(), refusal.details()));
                    }
                }
                (expected, outcome) => panic!("{state:?} {verb:?}: {outcome:?}, expected {expected:?}"),
            }
        }
    }
    assert_eq!(
        look(&consumed.id).await,
        consumed,
        "redeeming again, long after its end, changes nothing of the record"
    );

    // Another tenant, another hash and an unknown token look like what is over.
    let good = created(&mut client, "", "good").await;
    act(&mut client, Verb::Approve, &good).await.unwrap();
    let more = v1::ConsumeRequest { ..consuming("", &good) };
    for request in [
        v1::ConsumeRequest { tenant_id: "four-eyes".into(), ..more.clone() },
        v1::ConsumeRequest { target_hash: "sha256:00".into(), ..more.clone() },
        v1::ConsumeRequest { token: "A".repeat(43), ..more.clone() },
    ] {
        let refusal = client.consume(by("runtime", None, request)).await.unwrap_err();
        assert_eq!(refusal.code(), Code::NotFound);
        not_found.insert(format!("{} {:?}", refusal.message(), refusal.details()));
    }
    assert_eq!(not_found.len(), 1, "one answer for all: {not_found:?}");

    // The true reasons are on record.
    let mut reasons: Vec<&str> = STATES.into_iter().filter_map(reason).collect();
    reasons.extend(["tenant_mismatch", "ir_hash_mismatch", "token_not_found"]);
    reasons.sort_unstable();
    wait_for("refusals", || lictor.records("ir.approval_invalid").len() >= reasons.len());
    let records = lictor.records("ir.approval_invalid");
    let mut found: Vec<_> = records.iter().map(|event| event["payload"]["reason"].as_str().unwrap()).collect();
    found.sort_unstable();
    assert_eq!(found, reasons);
}

async fn creations_are_bounded_and_repeatable(backend: Backend) {
    let lictor = backend.server();
    let mut client = client(&lictor).await;
    let lasting = |ttl: Option<i64>, key: &str| v1::CreateApprovalRequest { ttl_seconds: ttl, ..creation("", key) };
    for ttl in [0, -1, 59, 86_401, i64::MAX, i64::MIN] {
        let refusal = client.create_approval(by("runtime", None, lasting(Some(ttl), "k"))).await.unwrap_err();
        assert!(refusal.code() == Code::InvalidArgument && refusal.message().contains("ttl_seconds"), "{refusal:?}");
    }
    for (asked, given) in [(None, 3_600), (Some(60), 60), (Some(86_400), 86_400)] {
        let request = lasting(asked, &format!("{asked:?}"));
        let made = client.create_approval(by("runtime", None, request)).await.unwrap().into_inner();
        let approval = approval_of(&made);
        let (created, expires) = (approval.created_at.unwrap(), approval.expires_at.unwrap());
        assert_eq!((expires.seconds - created.seconds, expires.nanos), (given, created.nanos));
    }
    let first = client.create_approval(by("runtime", None, creation("", "k"))).await.unwrap().into_inner();
    let again = client.create_approval(by("runtime", None, creation("", "k"))).await.unwrap().into_inner();
    assert_eq!(approval_of(&first).id, approval_of(&again).id);
    assert_ne!(first.token, again.token);
    let other = v1::CreateApprovalRequest { justification: "another".into(), ..creation("", "k") };
    let refusal = client.create_approval(by("runtime", None, other)).await.unwrap_err();
    assert_eq!(refusal.code(), Code::AlreadyExists);
    let of_other = client.create_approval(by("another-runtime", None, creation("", "k"))).await.unwrap().into_inner();
    assert_ne!(approval_of(&of_other).id, approval_of(&first).id, "a key is its creator's");

    // History by actor and time.
    client.reject(by("eve", Some("4"), rejecting("", approval_of(&again)))).await.unwrap();
    let mut rows = async |actor: &str, from: Option<prost_types::Timestamp>, to: Option<prost_types::Timestamp>| {
        let request = v1::ListApprovalHistoryRequest { actor: actor.into(), from, to, ..Default::default() };
        client.list_approval_history(by("ann", None, request)).await.unwrap().into_inner().entries
    };
    let by_eve = rows("dev:eve", None, None).await;
    let [row] = by_eve.as_slice() else { panic!("one row: {by_eve:?}") };
    assert_eq!((row.to_status(), &row.approval_id), (Rejected, &approval_of(&again).id));
    let later = prost_types::Timestamp { seconds: row.at.unwrap().seconds + 1, nanos: 0 };
    assert_eq!(rows("dev:eve", row.at, Some(later)).await.len(), 1);
    assert!(rows("dev:eve", Some(later), None).await.is_empty());
    assert!(rows("dev:eve", None, row.at).await.is_empty(), "`to` is not included");
    assert_eq!(rows("dev:runtime", None, None).await.len(), 4);
}
