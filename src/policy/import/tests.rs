use proptest::prelude::*;
use serde_json::{Value, json};

use crate::decide;
use crate::diag::Severity;
use crate::model::{self, Attributes, Limits, Outcome, Request, Timestamp};
use crate::policy::DocumentSet;
use crate::policy::tests::{load_text, rendered};
use crate::snapshot::Snapshot;

use super::{Imported, import};

/// The documents of an import; they must pass the check.
fn documents(imported: &Imported) -> DocumentSet {
    let loaded = load_text("imported.yaml", &imported.yaml);
    let errors = loaded.findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    assert_eq!(errors, 0, "{}\n{}", imported.yaml, rendered(&loaded));
    loaded.documents
}

fn messages(imported: &Imported) -> Vec<&str> {
    imported.findings.iter().map(|finding| finding.message.as_str()).collect()
}

/// One rule with one condition.
fn rule(effect: &str, field: &str, operator: &str, value: Value) -> Value {
    json!([{"rule_id": "r", "name": "", "effect": effect, "conditions": [{"field": field, "operator": operator, "value": value}]}])
}

#[test]
fn the_built_in_policies_are_imported() {
    let builtin = json!([
        {
            "policy_id": "admin_full_access", "name": "admin_full_access", "version": "1.0.0", "default_effect": "deny",
            "rules": [{"rule_id": "admin_allow_all", "name": "Admin Full Access", "effect": "allow", "priority": 1000,
                "conditions": [{"field": "agent_role", "operator": "==", "value": "admin"}]}],
        },
        {
            "policy_id": "guest_read_only", "name": "guest_read_only", "default_effect": "deny",
            "rules": [
                {"rule_id": "guest_write_deny", "name": "Guest Write Deny", "effect": "deny", "priority": 100, "conditions": [
                    {"field": "agent_role", "operator": "==", "value": "guest"},
                    {"field": "action", "operator": "in", "value": ["write", "delete", "update", "create"]}]},
                {"rule_id": "guest_read_allow", "name": "Guest Read", "effect": "allow", "priority": 50, "conditions": [
                    {"field": "agent_role", "operator": "==", "value": "guest"},
                    {"field": "action", "operator": "contains", "value": "read"}]},
            ],
        },
    ]);
    let imported = import(&builtin.to_string());
    assert_eq!(
        messages(&imported),
        [
            "the rule `guest_read_only/guest_read_allow`: `action` may contain `read` anywhere, for example `xready`; a pattern would say what is meant"
        ]
    );
    let set = documents(&imported);
    assert_eq!(set.policies.len(), 2);
    let deny = &set.policies[1].rules[0];
    assert_eq!((deny.priority, deny.condition.is_none()), (100, true), "roles and actions became patterns");
    assert!(deny.target.actions.as_ref().unwrap()[1].matches("delete"));
}

#[test]
fn conditions_say_what_they_said() {
    let set = |effect: &str, field: &str, operator: &str, value: Value| {
        let imported = import(&rule(effect, field, operator, value).to_string());
        documents(&imported);
        let spec = serde_yaml::from_str::<Value>(&imported.yaml).unwrap();
        let rule = spec["spec"]["rules"][0].as_object().unwrap().clone();
        rule.into_iter().filter(|(key, _)| !["name", "effect", "priority"].contains(&&**key)).collect::<Value>()
    };
    let entry = |field: &str, operator: &str, value: Value| json!({"conditions": [{"field": field, "operator": operator, "value": value}]});
    for (effect, field, operator, value, expected) in [
        ("allow", "agent_role", "==", json!("dev"), json!({"subjects": {"roles": ["dev"]}})),
        ("deny", "agent.id", "in", json!(["a", "b"]), json!({"subjects": {"ids": ["a", "b"]}})),
        ("deny", "resource", "==", json!("a*"), entry("resource", "==", json!("a*"))),
        ("deny", "agent_role", "!=", json!("dev"), entry("agent_role", "!=", json!("dev"))),
        ("allow", "params.x", "!=", json!(1), entry("params.x", "!=", json!(1))),
        (
            "deny",
            "params.x",
            "!=",
            json!("y"),
            json!({"when": "!has(context.params) || !has(context.params.x) || context.params.x != \"y\""}),
        ),
        (
            "deny",
            "params.x-y",
            ">",
            json!(5),
            json!({"when": "!has(context.params) || !(\"x-y\" in context.params) || context.params[\"x-y\"] > 5.0"}),
        ),
        ("allow", "environment.t", "<", json!(5), entry("environment.t", "<", json!(5))),
        (
            "allow",
            "params.x",
            "==",
            Value::Null,
            json!({"when": "!has(context.params) || !has(context.params.x) || context.params.x == null"}),
        ),
        ("deny", "params.x", "!=", Value::Null, json!({"conditions": [{"field": "params.x", "operator": "exists"}]})),
        ("allow", "action", "matches", json!("read_[a-z]+$"), entry("action", "matches", json!("^read_[a-z]+$"))),
        ("allow", "action", "matches", json!("a|b$"), entry("action", "matches", json!("^(?:a|b$)"))),
        (
            "allow",
            "agent_role",
            "contains",
            json!("read"),
            json!({"when": "subject.roles.exists(role, role.contains(\"read\"))"}),
        ),
        (
            "deny",
            "params.x",
            "contains",
            json!("p"),
            json!({"when": "has(context.params) && has(context.params.x) && string(context.params.x).contains(\"p\")"}),
        ),
    ] {
        assert_eq!(set(effect, field, operator, value), expected, "{effect} {field} {operator}");
    }
}

#[test]
fn what_cannot_be_said_is_an_error() {
    for (effect, field, operator, value, why) in [
        ("allow", "action", "matches", json!("("), "the rule `imported/r` is left out: "),
        ("allow", "action", "matches", json!("(?=a)"), "the rule `imported/r` is left out: "),
        ("allow", "action", "matches", json!("*"), "begins with a repetition of nothing"),
        ("allow", "action", "matches", json!("^*"), "begins with a repetition of nothing"),
        ("allow", "action", "matches", json!("+.txt"), "begins with a repetition of nothing"),
        ("allow", "action", "matches", json!("a)|(b"), "the rule `imported/r` is left out: "),
        ("deny", "nothing", "==", json!(1), "the field `nothing` names nothing"),
        ("deny", "agent.mood", "!=", json!(1), "the field `agent.mood` names nothing"),
        ("deny", "params.x", "like", json!(1), "the operator `like` is not known"),
        ("deny", "params.x", "in", json!("abc"), "`in` has no list"),
        ("deny", "params.x", ">", json!(true), "neither a number nor a string"),
        ("deny", "params.x", "==", json!(9_007_199_254_740_993_u64), "2^53"),
        ("maybe", "action", "==", json!("x"), "`maybe` is not an effect"),
    ] {
        let imported = import(&rule(effect, field, operator, value).to_string());
        let errors: Vec<_> = imported.findings.iter().filter(|finding| finding.severity == Severity::Error).collect();
        assert!(errors.len() == 1 && errors[0].message.contains(why), "{field} {operator}: {:?}", messages(&imported));
    }
    for text in
        ["", "{", "3", "[3]", "{\"rules\": 3}", "[{\"rule_id\": \"r\", \"effect\": \"deny\", \"conditions\": [{}]}]"]
    {
        assert!(import(text).findings.has_errors(), "{text}");
    }
}

#[test]
fn a_key_that_is_not_known_leaves_the_rule_out() {
    let condition = json!({"field": "action", "operator": "==", "value": "a"});
    let negated = json!({"field": "action", "operator": "==", "value": "a", "negate": true});
    for (rule, message, help) in [
        (json!({"condition": [condition]}), "`condition` of the rule `r`", "did you mean `conditions`?"),
        (json!({"Conditions": [condition]}), "`Conditions` of the rule `r`", "did you mean `conditions`?"),
        (json!({"actions": ["a"]}), "`actions` of the rule `r`", "the keys are rule_id, "),
        (json!({"conditions": [negated]}), "`negate` of a condition of the rule `r`", "the keys are field, "),
    ] {
        let mut bad = rule.as_object().unwrap().clone();
        bad.extend([("rule_id".to_owned(), json!("r")), ("effect".to_owned(), json!("allow"))]);
        let imported = import(&json!([bad, {"rule_id": "good", "effect": "deny"}]).to_string());
        let finding = imported.findings.iter().find(|finding| finding.code == "import-unknown-key").unwrap();
        assert_eq!(finding.severity, Severity::Error);
        assert!(finding.message.contains(message), "{}", finding.message);
        assert!(finding.help.as_ref().unwrap().starts_with(help), "{:?}", finding.help);
        assert_eq!(imported.left_out, 1);
        let set = documents(&imported);
        assert_eq!(set.policies[0].rules.iter().map(|rule| rule.name.as_str()).collect::<Vec<_>>(), ["good"]);
    }
    let rules = json!([{"rule_id": "r", "effect": "allow"}]);
    let imported =
        import(&json!({"name": "p", "Enabled_": false, "default_effect": "allow", "rules": rules}).to_string());
    assert_eq!((imported.yaml.as_str(), imported.left_out), ("", 1), "a policy that may have been off stays off");
}

#[test]
fn no_rules_are_an_error() {
    for text in ["[]", "{\"policies\": []}", "{\"rules\": []}", "[{\"name\": \"p\", \"rules\": []}]"] {
        let imported = import(text);
        assert!(messages(&imported).contains(&"no rules found"), "{text} {:?}", messages(&imported));
        assert_eq!(imported.yaml, "");
    }
}

#[test]
fn the_default_is_that_of_the_first_policy_also_where_it_says_none() {
    let rules = json!([{"rule_id": "r", "effect": "deny"}]);
    let imported = import(&json!([{"rules": rules}, {"rules": rules, "default_effect": "allow"}]).to_string());
    assert_eq!(documents(&imported).policy_set.unwrap().default_effect, model::Effect::Deny);
}

#[test]
fn what_means_something_else_is_noted() {
    let policies = json!({"policies": [
        {"name": "Erste Regeln!", "default_effect": "warn", "created_by": "x", "metadata": {"a": 1}, "rules": [
            {"rule_id": "watch", "effect": "warn", "priority": 9, "conditions": []},
            {"rule_id": "open", "effect": "allow", "priority": 5, "conditions": [{"field": "action", "operator": "==", "value": "a"}]},
            {"rule_id": "shut", "effect": "deny", "priority": 5, "conditions": [{"field": "params.a.b", "operator": "not in", "value": [1]}]},
            {"rule_id": "shut", "effect": "deny", "priority": 4, "enabled": false, "conditions": [{"field": "action", "operator": "==", "value": "c"}]},
        ]},
        {"name": "Erste Regeln?", "default_effect": "allow", "rules": [{"rule_id": "x", "effect": "allow"}]},
        {"name": "empty", "rules": []},
    ]});
    let imported = import(&policies.to_string());
    let all = messages(&imported).join("\n");
    for note in [
        "a default of `warn` denied in the predecessor",
        "the default `allow` of `Erste Regeln?` is left out",
        "the policy `Erste Regeln!` is called `Erste-Regeln` here",
        "the policy `Erste Regeln?` is called `Erste-Regeln-2` here",
        "the rule `shut` is called `shut-2` here",
        "`not in` was not an operator of the predecessor",
        "`params.a.b` was always nothing in the predecessor",
        "the rule `watch` of `Erste Regeln!`: `warn` kept lower rules from denying",
        "`open` went before `shut` because it was written first",
        "the policy `empty` has no rule and is left out",
    ] {
        assert!(all.contains(note), "{note}\n{all}");
    }
    let set = documents(&imported);
    assert_eq!(set.policy_set.unwrap().default_effect, model::Effect::Deny);
    assert!(!set.policies[0].rules[3].enabled);
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&set.canonical[1].text).unwrap()["metadata"],
        json!({"name": "Erste-Regeln"}),
        "annotations are not in the digest"
    );
}

/// The predecessor, as its sources say. `None` where it failed.
fn predecessor(rules: &[Value], default: &str, context: &Value) -> Option<bool> {
    let mut rules: Vec<&Value> = rules.iter().collect();
    rules.sort_by_key(|rule| std::cmp::Reverse(rule["priority"].as_i64()));
    for rule in rules {
        let mut all = true;
        for condition in rule["conditions"].as_array().unwrap() {
            let field: Vec<&str> = condition["field"].as_str().unwrap().split('.').collect();
            let found = match field.as_slice() {
                [one] => &context[*one],
                [map, key] => &context[*map][*key],
                _ => &Value::Null,
            };
            let value = &condition["value"];
            let text = match found {
                Value::Null => "None".to_owned(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            all &= match condition["operator"].as_str().unwrap() {
                "==" => found == value,
                "!=" => found != value,
                ">" => found.as_f64()? > value.as_f64()?,
                "<" => found.as_f64()? < value.as_f64()?,
                "contains" => text.contains(value.as_str().unwrap()),
                "matches" => text.starts_with(value.as_str().unwrap()),
                "in" => value.as_array().unwrap().contains(found),
                _ => unreachable!(),
            };
            if !all {
                break;
            }
        }
        if all {
            return Some(rule["effect"] != "deny");
        }
    }
    Some(default == "allow")
}

fn condition() -> impl Strategy<Value = Value> {
    let text = prop::sample::select(vec!["ab", "b", "c"]);
    let field =
        prop::sample::select(vec!["agent_role", "action", "resource", "params.x", "params.y-z", "environment.x"]);
    let any = prop_oneof![text.clone().prop_map(Value::from), (1..4).prop_map(Value::from), Just(Value::Null)];
    let number = prop::sample::select(vec!["params.x", "params.y-z", "environment.x"]);
    prop_oneof![
        (field.clone(), prop::sample::select(vec!["==", "!="]), any)
            .prop_filter("never null", |(field, _, value)| !(*field == "action" && value.is_null()))
            .prop_map(|(field, operator, value)| json!({"field": field, "operator": operator, "value": value})),
        (number, prop::sample::select(vec!["<", ">"]), 1..4)
            .prop_map(|(field, operator, value)| json!({"field": field, "operator": operator, "value": value})),
        (field.clone(), prop::sample::select(vec!["contains", "matches"]), text.clone())
            .prop_map(|(field, operator, value)| json!({"field": field, "operator": operator, "value": value})),
        (field, prop::collection::vec(text, 0..3))
            .prop_map(|(field, value)| json!({"field": field, "operator": "in", "value": value})),
    ]
}

fn attribute() -> impl Strategy<Value = Option<Value>> {
    prop::option::of(prop_oneof![
        prop::sample::select(vec!["ab", "b", "abc", "x"]).prop_map(Value::from),
        (0..5).prop_map(Value::from),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// What is allowed after the import was allowed before it, or the predecessor failed.
    #[test]
    fn an_import_never_allows_more(
        rules in prop::collection::vec(
            (prop::collection::vec(condition(), 0..3), prop::sample::select(vec!["allow", "deny", "warn", "audit"]), 0..4_i64),
            1..6,
        ),
        default in prop::sample::select(vec!["allow", "deny", "warn", "audit"]),
        (x, y, e) in (attribute(), attribute(), attribute()),
        (role, action, resource) in ("(|ab|b)", "(ab|b|cab)", "(|b|abc)"),
    ) {
        let rules: Vec<Value> = rules
            .into_iter()
            .enumerate()
            .map(|(number, (conditions, effect, priority))| {
                json!({"rule_id": format!("r{number}"), "effect": effect, "priority": priority, "conditions": conditions})
            })
            .collect();
        let policy = json!({"name": "p", "default_effect": default, "rules": rules});
        let mut params = serde_json::Map::new();
        params.extend(x.map(|value| ("x".to_owned(), value)));
        params.extend(y.map(|value| ("y-z".to_owned(), value)));
        let mut environment = serde_json::Map::new();
        environment.extend(e.map(|value| ("x".to_owned(), value)));
        let or_null = |text: &str| if text.is_empty() { Value::Null } else { Value::from(text) };
        let context = json!({
            "agent_role": or_null(&role), "action": action, "resource": or_null(&resource),
            "params": params, "environment": environment,
        });

        let imported = import(&policy.to_string());
        prop_assert!(!imported.findings.has_errors(), "{:?}", messages(&imported));
        let snapshot = Snapshot::build(&documents(&imported), 1);
        let mut request = Request::default();
        request.subject.id = "agent".into();
        request.subject.roles = if role.is_empty() { Vec::new() } else { vec![role.as_str().into()] };
        request.action.name = action.as_str().into();
        request.resource.id = resource.as_str().into();
        let given = json!({"params": params, "environment": environment});
        request.context = Attributes::try_from(given.as_object().unwrap()).unwrap();
        let decision = decide::evaluate(Some(&snapshot), &request, Timestamp::default(), &Limits::default());
        if decision.outcome == Outcome::Allow {
            prop_assert_ne!(predecessor(&rules, default, &context), Some(false), "{}\n{}", context, imported.yaml);
        }
    }
}
