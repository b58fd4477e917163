mod costly;
mod properties;

use super::*;
use crate::model::{Attributes, Input, Layer, Ordering, Origin, Step, Subject as Who, Value};
use crate::policy::{SourceText, load};

const GOVERNANCE: &str = include_str!("../../../../tests/cases/policy/good/governance.yaml");

fn snapshot(texts: &[(Layer, &str)]) -> Snapshot {
    let texts: Vec<SourceText> = texts
        .iter()
        .enumerate()
        .map(|(number, (layer, text))| SourceText {
            name: format!("{number}.yaml").into(),
            layer: *layer,
            text: (*text).into(),
        })
        .collect();
    let loaded = load(&texts);
    let errors: Vec<_> = loaded.findings.iter().map(|finding| &finding.message).collect();
    assert!(!loaded.findings.has_errors(), "{errors:?}");
    Snapshot::build(&loaded.documents, 1)
}

fn params(json: serde_json::Value) -> Attributes {
    Attributes::try_from(json.as_object().unwrap()).unwrap()
}

fn step(id: &str, action: &str, provider: &str, json: serde_json::Value) -> Step {
    Step {
        step_id: id.into(),
        action: action.into(),
        provider: provider.into(),
        params: params(json),
        idempotency_key: format!("key-{id}").into(),
        ..Step::default()
    }
}

fn search(id: &str) -> Step {
    step(id, "mail.search", "mail", serde_json::json!({"query": "invoice"}))
}

fn transfer(id: &str) -> Step {
    step(id, "bank.transfer", "bank", serde_json::json!({"recipient": "Ann", "amount": 5}))
}

fn plan(steps: Vec<Step>) -> Plan {
    Plan { subject: Who { id: "agent-1".into(), ..Who::default() }, steps, ..Plan::default() }
}

fn validated(plan: &Plan) -> Validation {
    let snapshot = snapshot(&[(Layer::Organisation, GOVERNANCE)]);
    validate(Some(&snapshot), plan, Timestamp::default(), &Limits::default())
}

fn codes(validation: &Validation) -> Vec<(ViolationCode, &str)> {
    validation.violations.iter().map(|violation| (violation.code, violation.path.as_str())).collect()
}

#[test]
fn a_harmless_plan_passes_and_a_risky_one_escalates() {
    let passed = validated(&plan(vec![search("a")]));
    assert_eq!((passed.status, passed.risk_tier, codes(&passed)), (ValidationStatus::Pass, 0, vec![]));
    assert!(passed.ir_hash.starts_with("sha256:") && passed.steps[0].step_hash.starts_with("sha256:"));
    let risky = validated(&plan(vec![search("a"), transfer("b")]));
    assert_eq!((risky.status, risky.risk_tier, risky.requires_approval), (ValidationStatus::Escalate, 2, true));
    assert_eq!(risky.steps[1].tier_reasons[0].document, "assistant");
    let nothing = validated(&plan(vec![]));
    assert_eq!((nothing.status, nothing.risk_tier), (ValidationStatus::Pass, 0));
}

#[test]
fn without_documents_no_action_is_known() {
    let answer = validate(None, &plan(vec![search("a")]), Timestamp::default(), &Limits::default());
    assert_eq!(answer.status, ValidationStatus::Reject);
    assert_eq!(
        codes(&answer),
        [(ViolationCode::UnknownAction, "steps[0].action"), (ViolationCode::UnknownProvider, "steps[0].provider")]
    );
    assert_eq!(answer.steps[0].tier, 3);
}

#[test]
fn everything_that_is_wrong_is_listed() {
    let mut bad = transfer("a");
    bad.provider = "mail".into();
    bad.idempotency_key = " ".into();
    bad.budget_cents = Some(-1);
    bad.params = params(serde_json::json!({"amount": 5, "note": "a\u{1}b"}));
    let mut other = step("a", "mail.serch", "mial", serde_json::json!({}));
    other.budget_cents = Some(1 << 53);
    other.resource = "x\u{202e}".into();
    let answer = validated(&plan(vec![bad, other]));
    use ViolationCode as C;
    assert_eq!(
        codes(&answer),
        [
            (C::MissingIdempotencyKey, "steps[0].idempotency_key"),
            (C::IncompatibleProvider, "steps[0].provider"),
            (C::InvalidParams, "steps[0].params/recipient"),
            (C::NegativeBudget, "steps[0].budget_cents"),
            (C::InvalidParams, "steps[0].params/note"),
            (C::DuplicateStepId, "steps[1].step_id"),
            (C::UnknownAction, "steps[1].action"),
            (C::UnknownProvider, "steps[1].provider"),
            (C::InvalidBudget, "steps[1].budget_cents"),
            (C::InvalidId, "steps[1].resource"),
            (C::BudgetExceeded, "steps"),
        ]
    );
    assert!(answer.violations.iter().any(|violation| violation.help == "did you mean `mail.search`?"));
    let budget = answer.violations.iter().find(|violation| violation.code == C::InvalidBudget).unwrap();
    assert!(budget.help.contains("at most 9007199254740991"), "{}", budget.help);
    assert_eq!(answer.ir_hash, "");
}

#[test]
fn scope_words_are_whole_segments() {
    for (resource, environment, tier) in [
        ("site:production", None, 2),
        ("db/PROD/users", None, 2),
        ("prod-eu", None, 2),
        ("delivery", None, 0),
        ("product/alive", None, 0),
        ("reproduce", None, 0),
        ("x", Some(Value::String("Live".into())), 2),
        ("x", Some(Value::String("liveness".into())), 0),
        ("x", Some(Value::Map(params(serde_json::json!({"name": "prod"})))), 2),
        ("x", Some(Value::Map(params(serde_json::json!({"name": "test", "note": "prod"})))), 0),
        ("x", Some(Value::Null), 0),
        // Of another shape it may be any.
        ("x", Some(Value::Number(3.0)), 2),
        ("x", Some(Value::Map(params(serde_json::json!({"tier": "test"})))), 2),
        ("x", Some(Value::List([Value::Bool(false)].into())), 2),
        ("x", Some(Value::List([Value::Null, Value::String("test".into())].into())), 0),
        ("x", Some(Value::List([Value::Null, Value::String("prod".into())].into())), 2),
    ] {
        let mut one = search("a");
        one.resource = resource.into();
        if let Some(environment) = environment {
            one.constraints = Attributes::from_entries(vec![("environment".into(), environment)]).unwrap();
        }
        let answer = validated(&plan(vec![one]));
        assert_eq!(answer.steps[0].scope_tier, tier, "{resource}");
    }
}

#[test]
fn bulk_is_counted_and_conditions_give_tiers() {
    let batch = |count: usize| {
        let mut one = transfer("a");
        let list = serde_json::json!({"recipient": "Ann", "amount": 5, "batch": vec![0; count], "bulk": true});
        one.params = params(list);
        validated(&plan(vec![one])).steps[0].impact_tier
    };
    assert_eq!((batch(100), batch(101)), (0, 3));
    let with_model = |model: serde_json::Value| {
        let mut one = search("a");
        one.params = params(serde_json::json!({ "model": model }));
        validated(&plan(vec![one])).steps[0].impact_tier
    };
    assert_eq!(with_model(serde_json::json!("account.move")), 3);
    assert_eq!(with_model(serde_json::json!("res.partner")), 0);
    // A model that another step will choose may be any.
    let mut bound = search("b");
    let origin = Origin::Step { step_id: "a".into(), output_path: "".into() };
    bound.params = params(serde_json::json!({"model": "res.partner"}));
    bound.inputs = vec![Input { path: "/model".into(), origin }];
    assert_eq!(validated(&plan(vec![search("a"), bound])).steps[1].impact_tier, 3);
}

#[test]
fn what_another_step_will_fill_in_satisfies_the_schema() {
    let mut one = transfer("b");
    one.params = params(serde_json::json!({"amount": 5}));
    let origin = Origin::Step { step_id: "a".into(), output_path: "/0/id".into() };
    one.inputs = vec![Input { path: "/recipient".into(), origin }];
    let answer = validated(&plan(vec![search("a"), one]));
    assert!(!codes(&answer).iter().any(|(code, _)| *code == ViolationCode::InvalidParams), "{:?}", codes(&answer));
}

#[test]
fn plan_rules_see_all_steps() {
    let answer = validated(&plan(vec![transfer("a"), transfer("b")]));
    assert_eq!((answer.status, answer.required_level), (ValidationStatus::Escalate, Some(4)));
    assert_eq!(codes(&answer), [(ViolationCode::PlanRule, "")]);
    assert!(answer.violations[0].message.contains("several transfers in one plan"));
}

#[test]
fn dependencies_are_followed() {
    let dag = |edges: &[(&str, &[&str])]| {
        let steps = edges
            .iter()
            .map(|(id, depends_on)| Step {
                depends_on: depends_on.iter().map(|id| (*id).into()).collect(),
                ..search(id)
            })
            .collect();
        validated(&Plan { ordering: Ordering::Dag, ..plan(steps) })
    };
    assert_eq!(codes(&dag(&[("a", &["b"]), ("b", &[])])), []);
    let unknown = dag(&[("alpha", &["alhpa"])]);
    assert_eq!(codes(&unknown), [(ViolationCode::UnknownDependency, "steps[0].depends_on[0]")]);
    assert_eq!(unknown.violations[0].help, "did you mean `alpha`?");
    let cycle = dag(&[("d", &["a"]), ("a", &["b"]), ("b", &["c"]), ("c", &["a"]), ("e", &["e"])]);
    let messages: Vec<_> = cycle.violations.iter().map(|violation| violation.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "steps wait for each other: `a` waits for `b`, which waits for `c`, which waits for `a`",
            "`e` waits for itself"
        ]
    );
    let sequential = plan(vec![Step { depends_on: vec!["b".into()], ..search("a") }, search("b")]);
    assert_eq!(codes(&validated(&sequential)), [(ViolationCode::UnknownDependency, "steps[0].depends_on")]);
}

#[test]
fn policies_decide_each_step() {
    let policy = "apiVersion: lictor.dev/v1\nkind: Policy\nmetadata: {name: p}\nspec:\n  rules:\n    \
        - {name: no-bob, effect: deny, actions: [bank.transfer], when: context.params.recipient == \"Bob\"}\n    \
        - {name: ask, effect: require_approval, requiredLevel: 3, actions: [mail.search], resources: {ids: [secret]}}\n";
    let snapshot = snapshot(&[(Layer::Organisation, GOVERNANCE), (Layer::Organisation, policy)]);
    let answer = |plan: &Plan| validate(Some(&snapshot), plan, Timestamp::default(), &Limits::default());
    let mut bob = transfer("a");
    bob.params = params(serde_json::json!({"recipient": "Bob", "amount": 5}));
    let denied = answer(&plan(vec![bob]));
    assert_eq!(codes(&denied), [(ViolationCode::PolicyDenied, "steps[0].action")]);
    assert_eq!(denied.matched_rule(&denied.steps[0]).unwrap().rule, "no-bob");
    let asked = answer(&plan(vec![Step { resource: "secret".into(), ..search("a") }]));
    assert_eq!((asked.status, asked.required_level), (ValidationStatus::Escalate, Some(3)));
    assert_eq!(answer(&plan(vec![search("a")])).status, ValidationStatus::Pass, "the default never counts");
}

#[test]
fn too_many_steps_are_refused_before_anything_else() {
    let many = plan((0..1_001).map(|number| search(&number.to_string())).collect());
    let answer = validated(&many);
    assert_eq!(codes(&answer), [(ViolationCode::TooManySteps, "steps")]);
    assert!(answer.steps.is_empty() && answer.ir_hash.is_empty());
    assert_eq!(answer.risk_tier, 3, "of what was not looked at");
    assert!(answer.violations[0].message.contains("has 1001 steps, and this server allows 1000"), "{answer:?}");
    // Of far too many only the first are kept, and their number is not known.
    let limits = Limits { plan_steps: 2, ..Limits::default() };
    let most = plan((0..32).map(|number| search(&number.to_string())).collect());
    let answer = validate(None, &most, Timestamp::default(), &limits);
    assert!(answer.violations[0].message.contains("has 32 or more steps, and this server allows 2"), "{answer:?}");
    let more_than_policy = plan((0..201).map(|number| search(&number.to_string())).collect());
    let answer = validated(&more_than_policy);
    assert_eq!(codes(&answer), [(ViolationCode::TooManySteps, "steps")]);
    assert_eq!(answer.steps.len(), 201);
    assert!(answer.violations[0].message.contains("has 201 steps, and the risk policy `"), "{answer:?}");
}

#[test]
fn budgets_that_add_up_beyond_what_is_exact_are_refused() {
    const MOST: i64 = (1 << 53) - 1;
    let snapshot = snapshot(&[(
        Layer::Organisation,
        "apiVersion: lictor.dev/v1\nkind: ActionCatalog\nmetadata: {name: c}\n\
        spec: {actions: [{name: mail.search, tier: 0}]}\n",
    )]);
    let answer = |budgets: &[i64]| {
        let step = |(number, cents): (usize, &i64)| Step {
            budget_cents: Some(*cents),
            provider: "".into(),
            ..search(&number.to_string())
        };
        validate(
            Some(&snapshot),
            &plan(budgets.iter().enumerate().map(step).collect()),
            Timestamp::default(),
            &Limits::default(),
        )
    };
    assert_eq!(codes(&answer(&[MOST - 1, 1])), []);
    for (budgets, sum) in [(&[MOST, 1][..], MOST + 1), (&[MOST, MOST], 2 * MOST)] {
        let refused = answer(budgets);
        assert_eq!(codes(&refused), [(ViolationCode::BudgetExceeded, "steps")]);
        assert_eq!((refused.status, refused.total_budget_cents), (ValidationStatus::Reject, sum));
        assert!(refused.violations[0].message.contains(&sum.to_string()), "{refused:?}");
    }
    // What is wrong with one budget is said of it alone.
    assert_eq!(codes(&answer(&[MOST + 1, 1])), [(ViolationCode::InvalidBudget, "steps[0].budget_cents")]);
}

#[test]
fn the_help_of_a_denial_says_what_would_help() {
    let policy = "apiVersion: lictor.dev/v1\nkind: Policy\nmetadata: {name: p}\nspec:\n  rules:\n    - {name: no-bob, \
        effect: deny, actions: [bank.transfer], when: 'context.params.recipient == \"Bob\"'}\n";
    let snapshot = snapshot(&[(Layer::Organisation, GOVERNANCE), (Layer::Organisation, policy)]);
    let help = |to: serde_json::Value, is_open: bool| {
        let mut pay = transfer("p");
        pay.params = params(to);
        if is_open {
            let origin = Origin::Step { step_id: "s".into(), output_path: "".into() };
            pay.inputs = vec![Input { path: "/recipient".into(), origin }];
        }
        let answer = validate(Some(&snapshot), &plan(vec![search("s"), pay]), Timestamp::default(), &Limits::default());
        let denied = answer.violations.iter().find(|found| found.code == ViolationCode::PolicyDenied);
        denied.expect("denied").help.clone()
    };
    assert!(help(serde_json::json!({"recipient": "Bob", "amount": 5}), false).starts_with("leave the step out"));
    assert!(help(serde_json::json!({"amount": 5}), true).starts_with("write the argument itself"));
    assert!(help(serde_json::json!({"amount": 5}), false).starts_with("give what the condition reads"));
}

#[test]
fn conditions_that_cost_too_much_reject() {
    let limits = Limits { evaluation_cost: 300, ..Limits::default() };
    let snapshot = snapshot(&[(Layer::Organisation, GOVERNANCE)]);
    let many = plan((0..100).map(|number| transfer(&number.to_string())).collect());
    let answer = validate(Some(&snapshot), &many, Timestamp::default(), &limits);
    assert_eq!(answer.status, ValidationStatus::Reject);
    assert!(codes(&answer).contains(&(ViolationCode::PlanRule, "")), "{:?}", codes(&answer));
}

#[test]
fn what_takes_long_is_given_up_where_others_wait() {
    const PAIRS: &str = r#"
apiVersion: lictor.dev/v1
kind: RiskPolicy
metadata: {name: pairs}
spec:
  plan:
    - {name: alike, effect: escalate, when: 'ir.steps.all(a, ir.steps.all(b, a.action == b.action))'}
"#;
    let snapshot = snapshot(&[(Layer::Organisation, GOVERNANCE), (Layer::Tenant, PAIRS)]);
    let plan_of = |count: u32| plan((0..count).map(|number| search(&number.to_string())).collect());
    let limits = Limits::default();
    let briefly = |count, limits| validate_briefly(Some(&snapshot), &plan_of(count), Timestamp::default(), limits);
    let (few, many) = (validate(Some(&snapshot), &plan_of(3), Timestamp::default(), &limits), plan_of(150));
    assert_eq!(briefly(3, &limits).map(|answer| answer.status), Some(few.status));
    assert!(briefly(150, &limits).is_none());
    let answer = validate(Some(&snapshot), &many, Timestamp::default(), &limits);
    assert_eq!(answer.status, ValidationStatus::Escalate, "{:?}", codes(&answer));
    // A plan that may not cost as much anyway is not given up but refused.
    let little = Limits { evaluation_cost: 1_000, ..Limits::default() };
    assert_eq!(briefly(150, &little).map(|answer| answer.status), Some(ValidationStatus::Reject));
}
