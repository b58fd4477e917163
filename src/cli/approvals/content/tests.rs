use std::collections::BTreeMap;

use prost_types::{Struct, value::Kind};

use super::super::render;
use super::*;
use crate::api::proto::v1::approval_view::What;

fn structure(members: &[(&str, Kind)]) -> Option<Struct> {
    let fields: BTreeMap<_, _> = members
        .iter()
        .map(|(name, kind)| ((*name).to_owned(), prost_types::Value { kind: Some(kind.clone()) }))
        .collect();
    Some(Struct { fields })
}

fn text(text: &str) -> Kind {
    Kind::StringValue(text.into())
}

fn subject() -> Option<v1::Subject> {
    Some(v1::Subject {
        r#type: "agent".into(),
        id: "agent-7".into(),
        roles: vec!["clerk".into(), "reader of\nmail".into()],
        properties: structure(&[("team", text("accounts")), ("trusted", Kind::BoolValue(false))]),
        on_behalf_of: "ann".into(),
    })
}

fn input(path: &str, origin: Origin) -> v1::StepInput {
    v1::StepInput { path: path.into(), origin: Some(origin) }
}

fn plan(ordering: v1::Ordering) -> What {
    let user = |quote: &str| Origin::User(v1::UserOrigin { quote: quote.into() });
    let from = v1::StepOrigin { step_id: "find".into(), output_path: "/0/iban".into() };
    let pay = v1::Step {
        step_id: "pay".into(),
        action: "bank.transfer".into(),
        provider: "bank".into(),
        resource: "account:1".into(),
        params: structure(&[("amount", Kind::NumberValue(12.0)), ("text", text("rent"))]),
        constraints: structure(&[("environment", text("live"))]),
        idempotency_key: "key-pay".into(),
        budget_cents: Some(1_200),
        depends_on: vec!["find".into()],
        inputs: vec![
            input("/amount", user("twelve \"euros\"\nnow")),
            input("/text", user("rent")),
            input("/note", user("")),
            input("/currency", Origin::Constant(v1::ConstantOrigin {})),
            input("/to", Origin::Step(from.clone())),
        ],
        description: "pays the rent".into(),
    };
    let find = v1::Step { step_id: "find".into(), action: "mail.search".into(), ..v1::Step::default() };
    let open = v1::OpenPath { path: "/to".into(), step_id: from.step_id, output_path: from.output_path };
    let tier = |tier| Some(v1::StepValidation { tier, ..v1::StepValidation::default() });
    What::Plan(v1::PlanView {
        subject: subject(),
        ordering: ordering.into(),
        steps: vec![
            v1::ApprovalStep { step: Some(find), validation: tier(0), open_paths: Vec::new() },
            v1::ApprovalStep { step: Some(pay), validation: tier(2), open_paths: vec![open] },
        ],
        violations: Vec::new(),
        total_budget_cents: 1_200,
    })
}

fn action() -> What {
    What::Action(v1::ActionView {
        subject: subject(),
        action: Some(v1::Action {
            name: "payment.refund".into(),
            properties: structure(&[("fast", Kind::BoolValue(true))]),
        }),
        resource: Some(v1::Resource {
            r#type: "order".into(),
            id: "4711".into(),
            properties: structure(&[("country", text("DE"))]),
        }),
        context: structure(&[("cost_cents", Kind::NumberValue(300.0))]),
        decision: Some(v1::EvaluateResponse {
            reason: "a human looks at refunds".into(),
            ..v1::EvaluateResponse::default()
        }),
    })
}

fn shown(what: What) -> String {
    let approval = v1::Approval {
        id: "0190".into(),
        status: v1::ApprovalStatus::Pending.into(),
        target_hash: "sha256:00".into(),
        tier: 2,
        subject_id: "agent-7".into(),
        on_behalf_of: "ann".into(),
        view: Some(v1::ApprovalView { what: Some(what), unverified: None }),
        ..v1::Approval::default()
    };
    anstream::adapter::strip_str(&render::approval(&approval, &[], Length::Short)).to_string()
}

#[test]
fn a_plan_is_shown_with_all_that_is_approved() {
    insta::assert_snapshot!(shown(plan(v1::Ordering::Dag)));
    let sequential = shown(plan(v1::Ordering::Sequential));
    assert!(sequential.contains("order one step after the other, as listed\n"), "{sequential}");
}

#[test]
fn an_action_is_shown_with_all_that_is_approved() {
    insta::assert_snapshot!(shown(action()));
}
