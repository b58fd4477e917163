//! Whole files through [`load`]: good ones give the documents that they describe, bad ones the texts beside them.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::diag::{Findings, Severity, Sources, render_text};
use crate::model::{Effect, Layer, Outcome, Plan, Value};

use super::{Loaded, Question, SourceText, json_schema, load, read_plan};

fn cases(folder: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/policy").join(folder);
    let mut paths: Vec<_> = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    paths.sort();
    assert!(!paths.is_empty());
    paths
}

pub(super) fn load_text(name: &str, text: &str) -> Loaded {
    load(&[SourceText { name: name.into(), layer: Layer::Organisation, text: text.into() }])
}

pub(super) fn rendered(loaded: &Loaded) -> String {
    let mut text = String::new();
    for finding in &loaded.findings {
        writeln!(text, "{}\n", render_text(&loaded.sources, finding, false)).unwrap();
    }
    text
}

/// Compares what is found in each file of a folder with the `.txt` beside it. Run with `LICTOR_UPDATE_CASES=1` to write the
/// texts anew, and read the difference.
fn explained(folder: &str, find: fn(&str, &str) -> String) {
    let update = std::env::var_os("LICTOR_UPDATE_CASES").is_some();
    let mut different = Vec::new();
    for path in cases(folder) {
        let name = path.file_name().unwrap().to_str().unwrap();
        let found = find(name, &fs::read_to_string(&path).unwrap());
        assert!(!found.is_empty(), "{name} must be a mistake");
        let beside = path.with_extension("txt");
        if update {
            fs::write(&beside, &found).unwrap();
        } else if fs::read_to_string(&beside).unwrap_or_default() != found {
            different.push(format!("--- {name}\n{found}"));
        }
    }
    assert!(different.is_empty(), "other texts than expected:\n{}", different.join("\n"));
}

/// Each `mistakes/*.yaml` is an author's mistake; the `.txt` beside it is what Lictor says of it.
#[test]
fn mistakes_are_explained() {
    explained("mistakes", |name, text| rendered(&load_text(name, text)));
}

#[test]
fn mistakes_in_plans_are_explained() {
    explained("plan-mistakes", |name, text| {
        let (sources, _, findings) = plan_of(name, text);
        findings.iter().map(|finding| format!("{}\n\n", render_text(&sources, finding, false))).collect()
    });
}

fn plan_of(name: &str, text: &str) -> (Sources, Option<Plan>, Findings) {
    let (mut sources, mut findings) = (Sources::default(), Findings::default());
    let source = sources.add(name, text);
    let plan = read_plan(source, text, &mut findings);
    findings.sort();
    (sources, plan, findings)
}

#[test]
fn a_plan_is_read_by_the_names_of_the_file_format_and_of_the_wire() {
    let ours = r#"{"tenant": "t", "ordering": "DAG", "userMessages": ["pay Ann"], "subject": {"id": "a", "onBehalfOf": "b"},
        "steps": [{"stepId": "s", "action": "x", "idempotencyKey": "k", "budgetCents": 5, "dependsOn": ["r"],
            "params": {"step_id": 1}, "inputs": [
                {"path": "/a", "user": {"quote": "Ann"}}, {"path": "/b", "constant": {}},
                {"path": "/c", "step": {"stepId": "r", "outputPath": "/0"}}]}],
        "observations": [{"stepId": "r", "output": [1, null]}], "labels": {"team": "x"}}"#;
    let wire = [
        ("\"tenant\"", "\"tenant_id\""),
        ("userMessages", "user_messages"),
        ("stepId", "step_id"),
        ("idempotencyKey", "idempotency_key"),
        ("budgetCents", "budget_cents"),
        ("dependsOn", "depends_on"),
        ("outputPath", "output_path"),
        ("onBehalfOf", "on_behalf_of"),
    ];
    let wire = wire.iter().fold(ours.to_owned(), |text, (ours, wire)| text.replace(ours, wire));
    let (_, plan, findings) = plan_of("ours", ours);
    assert!(findings.is_empty(), "{findings:?}");
    let plan = plan.unwrap();
    assert_eq!(plan.steps[0].params.get("step_id"), Some(&Value::Number(1.0)));
    assert_eq!((plan.steps[0].inputs.len(), plan.steps[0].budget_cents), (3, Some(5)));
    assert_eq!(plan.observations[0].output, Value::List([Value::Number(1.0), Value::Null].into()));
    assert_eq!(Some(plan), plan_of("wire", &wire).1);
}

#[test]
fn good_documents_load_without_findings() {
    for path in cases("good") {
        let name = path.file_name().unwrap().to_str().unwrap();
        let loaded = load_text(name, &fs::read_to_string(&path).unwrap());
        assert_eq!(rendered(&loaded), "", "{name}");
    }
}

#[test]
fn the_example_means_what_it_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/policy/good/example.yaml");
    let set = load_text("example.yaml", &fs::read_to_string(path).unwrap()).documents;
    let policy_set = set.policy_set.unwrap();
    assert_eq!((&*policy_set.name, &*policy_set.version), ("acme", "v1.4.0"));
    assert_eq!(policy_set.default_effect, Effect::Deny);

    let [policy] = &*set.policies else { panic!("one policy") };
    assert_eq!((&*policy.name, policy.enabled, policy.layer), ("payments", true, Layer::Organisation));
    assert!(policy.tenants.as_ref().unwrap().iter().any(|pattern| pattern.matches("acme-eu")));
    let [small, big] = &*policy.rules else { panic!("two rules") };
    assert_eq!((&*small.name, small.effect, small.priority), ("small-refunds", Effect::Allow, 100));
    assert!(small.condition.is_some() && small.target.resource_ids.as_ref().unwrap()[0].matches("eu/4711/x"));
    assert_eq!((big.priority, big.required_level, &*big.obligations[0].id), (110, Some(3), "notify"));
    assert_eq!(big.obligations[0].properties.get("channel"), Some(&Value::String("finance".into())));

    let [tests] = &*set.tests else { panic!("one document of tests") };
    let [first, second] = &*tests.cases else { panic!("two cases") };
    let Question::Request(request, expect) = &first.question else { panic!("a request") };
    assert_eq!((&*request.subject.id, request.tenant()), ("support-7", "acme"));
    assert_eq!(request.context.get("amount"), Some(&Value::Number(20.0)));
    assert_eq!(expect.rule.as_deref(), Some("payments/small-refunds"));
    let Question::Request(_, expect) = &second.question else { panic!("a request") };
    assert_eq!(expect.decision, Some(Outcome::RequireApproval));
}

#[test]
fn the_digest_sees_neither_tests_nor_annotations_nor_the_version() {
    let text = |notes: &str, version: &str| {
        format!(
            "apiVersion: lictor.dev/v1\nkind: PolicySet\nmetadata: {{name: a{notes}}}\nspec: {{{version}defaultEffect: deny}}\n"
        )
    };
    let canonical = |text: &str| load_text("a.yaml", text).documents.canonical;
    let plain = canonical(&text("", ""));
    assert_eq!(plain.len(), 1);
    assert_eq!(plain, canonical(&text(", annotations: {note: x}", "version: v1.0.0, ")));
    assert_ne!(plain, canonical(&text(", labels: {team: x}", "")));
    assert!(
        plain[0].text.ends_with(r#""spec":{"defaultEffect":"deny"}}"#),
        "defaults are not filled in: {}",
        plain[0].text
    );
}

#[test]
fn all_errors_of_all_files_come_at_once() {
    let texts = ["kind: Policy\n", "a: [\n", "apiVersion: v1\nkind: Nothing\nmetadata: {}\nspec: {}\n"];
    let texts: Vec<_> = texts
        .iter()
        .enumerate()
        .map(|(number, text)| SourceText {
            name: format!("{number}.yaml").into(),
            layer: Layer::Tenant,
            text: (*text).into(),
        })
        .collect();
    let loaded = load(&texts);
    let codes: Vec<_> = loaded.findings.iter().map(|finding| finding.code).collect();
    assert_eq!(
        codes,
        [
            "missing-field",
            "missing-field",
            "missing-field",
            "yaml-syntax",
            "unknown-api-version",
            "unknown-kind",
            "missing-field"
        ]
    );
    assert_eq!(loaded.findings.count(Severity::Error), 7);
}

/// Every field that a map may have is also read: each refuses `null`, so that one which nobody reads would show.
#[test]
fn every_allowed_field_is_read() {
    let policy = |rule: &str| format!("kind: Policy\nmetadata: {{name: p}}\nspec: {{rules: [{rule}]}}\n");
    let tests = |case: &str| format!("kind: Tests\nmetadata: {{name: p}}\nspec: {{cases: [{case}]}}\n");
    let schema = json_schema(None).unwrap();
    let fields = |definition: &str| -> Vec<String> {
        let properties = schema["$defs"][definition]["properties"].as_object();
        properties.unwrap_or_else(|| panic!("{definition}")).keys().cloned().collect()
    };
    let mut checked = 0;
    let action = |field: &str| {
        format!("kind: ActionCatalog\nmetadata: {{name: p}}\nspec: {{actions: [{{name: a, tier: 0, {field}}}]}}\n")
    };
    let risk = |field: &str| format!("kind: RiskPolicy\nmetadata: {{name: p}}\nspec: {{{field}}}\n");
    let approval = |field: &str| format!("kind: ApprovalPolicy\nmetadata: {{name: p}}\nspec: {{{field}}}\n");
    for (definition, template) in [
        ("ActionCatalogSpec", "kind: ActionCatalog\nmetadata: {name: p}\nspec: {FIELD}\n".to_owned()),
        ("CatalogActionSpec", "kind: ActionCatalog\nmetadata: {name: p}\nspec: {actions: [{FIELD}]}\n".to_owned()),
        ("LabelsSpec", action("outputs: {/a: {FIELD}}")),
        ("RiskPolicySpec", risk("FIELD")),
        ("BulkSpec", risk("bulk: {FIELD}")),
        ("ApprovalPolicySpec", approval("FIELD")),
        ("ScopeSpec", approval("scope: {FIELD}")),
        ("StageSpec", approval("stages: [{FIELD}]")),
        ("AutoApproveSpec", approval("autoApprove: {FIELD}")),
        ("TtlSpec", approval("ttl: {FIELD}")),
        ("EscalationSpec", approval("escalation: {FIELD}")),
        ("PendingSpec", approval("pending: {FIELD}")),
        ("TierRuleSpec", risk("tiers: [{FIELD}]")),
        ("PlanRuleSpec", risk("plan: [{FIELD}]")),
        ("FlowRuleSpec", risk("flows: [{FIELD}]")),
        ("WebhookEndpointSpec", "kind: WebhookEndpoint\nmetadata: {name: p}\nspec: {FIELD}\n".to_owned()),
        ("SecretSpec", "kind: WebhookEndpoint\nmetadata: {name: p}\nspec: {secrets: [{FIELD}]}\n".to_owned()),
        ("MetadataSpec", "kind: Policy\nmetadata: {FIELD}\nspec: {rules: [{name: r, effect: deny}]}\n".to_owned()),
        ("PolicySetSpec", "kind: PolicySet\nmetadata: {name: p}\nspec: {FIELD}\n".to_owned()),
        ("LimitsSpec", "kind: PolicySet\nmetadata: {name: p}\nspec: {limits: {FIELD}}\n".to_owned()),
        ("PolicySpec", "kind: Policy\nmetadata: {name: p}\nspec: {FIELD}\n".to_owned()),
        ("RuleSpec", policy("{FIELD}")),
        ("SubjectsSpec", policy("{name: r, effect: deny, subjects: {FIELD}}")),
        ("ResourcesSpec", policy("{name: r, effect: deny, resources: {FIELD}}")),
        ("ObligationSpec", policy("{name: r, effect: deny, obligations: [{FIELD}]}")),
        ("ClauseSpec", policy("{name: r, effect: deny, conditions: [{FIELD}]}")),
        ("TestsSpec", "kind: Tests\nmetadata: {name: p}\nspec: {FIELD}\n".to_owned()),
        ("CaseSpec", tests("{FIELD}")),
        ("RequestSpec", tests("{name: c, request: {FIELD}}")),
        ("SubjectSpec", tests("{name: c, request: {subject: {FIELD}}}")),
        ("PlanSpec", tests("{name: c, plan: {FIELD}}")),
        ("StepSpec", tests("{name: c, plan: {steps: [{FIELD}]}}")),
        ("InputSpec", tests("{name: c, plan: {steps: [{inputs: [{FIELD}]}]}}")),
        ("UserSpec", tests("{name: c, plan: {steps: [{inputs: [{path: /a, user: {FIELD}}]}]}}")),
        ("OriginStepSpec", tests("{name: c, plan: {steps: [{inputs: [{path: /a, step: {FIELD}}]}]}}")),
        ("ObservationSpec", tests("{name: c, plan: {observations: [{FIELD}]}}")),
        ("PlanExpectationSpec", tests("{name: c, plan: {steps: []}, expect: {FIELD}}")),
        ("ActionSpec", tests("{name: c, request: {action: {FIELD}}}")),
        ("ResourceSpec", tests("{name: c, request: {resource: {FIELD}}}")),
        ("ExpectationSpec", tests("{name: c, expect: {FIELD}}")),
    ] {
        checked += 1;
        for field in fields(definition) {
            // What may be null.
            if matches!((definition, field.as_str()), ("ClauseSpec", "value") | ("ObservationSpec", "output")) {
                continue;
            }
            let text = format!("apiVersion: lictor.dev/v1\n{}", template.replace("FIELD", &format!("{field}: null")));
            let loaded = load_text("a.yaml", &text);
            let start = text.find(&format!("{field}: null")).unwrap();
            let refused = loaded.findings.iter().any(|finding| {
                let span = finding.span.unwrap();
                finding.code != "unknown-field" && (start..start + field.len() + 6).contains(&(span.start as usize))
            });
            assert!(refused, "{definition}.{field}: {}", rendered(&loaded));
        }
    }
    let objects = schema["$defs"].as_object().unwrap().values().filter(|schema| schema.get("properties").is_some());
    assert_eq!(objects.count(), checked, "every definition with fields is checked above");
}

#[test]
fn the_schema_is_closed_and_takes_no_null() {
    fn walk(schema: &serde_json::Value) {
        if schema.get("type") == Some(&serde_json::json!("object")) && schema.get("properties").is_some() {
            assert_eq!(schema.get("additionalProperties"), Some(&serde_json::json!(false)), "{schema}");
        }
        assert!(schema.as_str() != Some("null"), "null in a schema");
        schema.as_object().into_iter().flat_map(|object| object.values()).for_each(walk);
        schema.as_array().into_iter().flatten().for_each(walk);
    }
    walk(&json_schema(None).unwrap());
    let policy = json_schema(Some("Policy")).unwrap();
    assert_eq!(policy["properties"]["kind"], serde_json::json!({"const": "Policy"}));
    assert!(policy["$defs"].get("TestsSpec").is_none());
    assert_eq!(json_schema(Some("Polcy")), None);
}
