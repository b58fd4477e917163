use std::fmt::Write as _;

use proptest::prelude::*;

use crate::model::{Layer, Request};
use crate::policy::tests::load_text;
use crate::policy::{Policy, Rule, SourceText, load};

/// `code: excerpt` of every finding for a policy with `rules`.
fn lints(rules: &str) -> Vec<String> {
    let text = format!("apiVersion: lictor.dev/v1\nkind: Policy\nmetadata: {{name: p}}\nspec:\n  rules:\n{rules}");
    let loaded = load_text("p.yaml", &text);
    let excerpt = |span| loaded.sources.excerpt(span).unwrap_or("NO PLACE");
    loaded.findings.iter().map(|finding| format!("{}: {}", finding.code, finding.span.map_or("", excerpt))).collect()
}

/// What `untyped-action` says of the rule `effect` `rule` and a catalogue of the same layer with `actions`.
fn untyped(effect: &str, rule: &str, actions: &str) -> Vec<String> {
    let text = format!(
        "apiVersion: lictor.dev/v1\nkind: Policy\nmetadata: {{name: p}}\nspec:\n  rules:\n    - {{name: r, effect: {effect}, \
         {rule}}}\n---\napiVersion: lictor.dev/v1\nkind: ActionCatalog\nmetadata: {{name: c}}\nspec: {{actions: \
         [{actions}]}}\n"
    );
    let loaded = load_text("p.yaml", &text);
    let found = loaded.findings.iter().map(|finding| {
        assert_eq!(finding.code, "untyped-action", "{rule} {actions}: {}", finding.message);
        finding.message.clone()
    });
    found.collect()
}

#[test]
fn rules_by_type_alone_for_actions_without_one_are_found() {
    let (untyped_a, secret_b) = ("{name: a, tier: 0}", "{name: a, tier: 0}, {name: b, tier: 0, resourceType: secret}");
    for (rule, actions, is_found) in [
        ("resources: {types: [secret]}", untyped_a, true),
        ("resources: {types: [\"*\"]}", untyped_a, true),
        ("resources: {types: [secret]}", "{name: a, tier: 0, resourceType: file}", false),
        // One typed action does not speak for the others.
        ("resources: {types: [secret]}", secret_b, true),
        ("resources: {types: [secret]}, actions: [a, b]", secret_b, true),
        ("resources: {types: [secret]}, actions: [b]", secret_b, false),
        ("resources: {types: [secret]}, actions: [b]", untyped_a, false),
        ("resources: {types: [secret], ids: [\"x/**\"]}", untyped_a, false),
        ("resources: {types: [secret], ids: [\"**\"]}", untyped_a, true),
        // It matches the empty type too.
        ("resources: {types: [\"**\"]}", untyped_a, false),
    ] {
        for (effect, restricts) in [("deny", true), ("require_approval", true), ("audit", true), ("allow", false)] {
            let found = untyped(effect, rule, actions);
            assert_eq!(found.len(), usize::from(is_found && restricts), "{effect} {rule} {actions}: {found:?}");
        }
    }
    let many = ["a", "b", "c", "d", "e"].map(|name| format!("{{name: {name}, tier: 0}}")).join(", ");
    let found = untyped("deny", "resources: {types: [secret]}", &many);
    assert!(found[0].contains("`p/r`") && found[0].contains("`a`, `b`, `c` and 2 more are"), "{found:?}");
}

#[test]
fn a_type_that_only_a_lower_layer_gives_is_none_for_the_rules_above() {
    let rule = "apiVersion: lictor.dev/v1\nkind: Policy\nmetadata: {name: p}\nspec: {rules: [{name: r, effect: deny, \
                resources: {types: [secret]}}]}\n";
    for (kind, layer, is_found) in [
        ("file", Layer::Tenant, true),
        ("secret", Layer::Tenant, false),
        ("file", Layer::Organisation, false),
        ("file", Layer::System, false),
    ] {
        let catalog = format!(
            "apiVersion: lictor.dev/v1\nkind: ActionCatalog\nmetadata: {{name: c}}\nspec: {{actions: [{{name: a, tier: 0, \
             resourceType: {kind}}}]}}\n"
        );
        let source = |name: &str, text: &str, layer| SourceText { name: name.into(), text: text.into(), layer };
        let loaded = load(&[source("p.yaml", rule, Layer::Organisation), source("c.yaml", &catalog, layer)]);
        let codes: Vec<_> = loaded.findings.iter().map(|finding| finding.code).collect();
        assert_eq!(codes, if is_found { vec!["untyped-action"] } else { vec![] }, "{kind} {layer:?}");
    }
}

#[test]
fn shadowed_rules_are_found() {
    for (rules, expected) in [
        // The wider one goes first.
        (
            "    - {name: a, effect: deny, actions: [\"mail.**\"], priority: 5}\n    - {name: b, effect: allow, actions: [mail.send, \"mail.read*\"]}\n",
            &["shadowed-rule: b"][..],
        ),
        // At equal priority deny goes first.
        ("    - {name: b, effect: allow}\n    - {name: a, effect: deny}\n", &["shadowed-rule: b"]),
        // The same twice; the first by name stays.
        ("    - {name: b, effect: allow}\n    - {name: a, effect: allow}\n", &["shadowed-rule: b"]),
        // Higher priority is reached.
        ("    - {name: a, effect: deny}\n    - {name: b, effect: allow, priority: 1, actions: [x]}\n", &[]),
        // A condition may be false.
        (
            "    - {name: a, effect: deny, conditions: [{field: params.x, operator: exists}]}\n    - {name: b, effect: allow}\n",
            &[],
        ),
        // Disabled rules and observers shadow nothing and are not shadowed.
        (
            "    - {name: a, effect: deny, enabled: false, priority: 9}\n    - {name: b, effect: warn, priority: 9}\n    - {name: c, effect: allow}\n    - {name: d, effect: audit, priority: -1}\n",
            &[],
        ),
        // Every field counts.
        (
            "    - {name: a, effect: deny, subjects: {roles: [x]}, actions: [\"**\"]}\n    - {name: b, effect: allow, actions: [y]}\n",
            &[],
        ),
        ("    - {name: a, effect: deny, subjects: {roles: [\"**\"]}}\n    - {name: b, effect: allow}\n", &[]),
        ("    - {name: a, effect: deny, actions: [\"*\"]}\n    - {name: b, effect: allow}\n", &["shadowed-rule: b"]),
        ("    - {name: a, effect: deny, resources: {ids: [\"*\"]}}\n    - {name: b, effect: allow}\n", &[]),
        (
            "    - {name: a, effect: deny, subjects: {types: [agent, human]}, resources: {ids: [\"eu/**\"]}}\n    - {name: b, effect: allow, subjects: {types: [human]}, resources: {ids: [eu/1, \"eu/2/*\"], types: [order]}}\n",
            &["shadowed-rule: b"],
        ),
    ] {
        assert_eq!(lints(rules), expected, "{rules}");
    }
}

#[test]
fn layers_and_tenants_do_not_shadow_each_other() {
    let text = |name: &str, tenants: &str, effect: &str| {
        format!(
            "apiVersion: lictor.dev/v1\nkind: Policy\nmetadata: {{name: {name}}}\nspec: {{{tenants}rules: [{{name: r, effect: {effect}}}]}}\n"
        )
    };
    let count =
        |first: (&str, Layer), second: (&str, Layer)| {
            let texts = [("a", "deny", first), ("b", "allow", second)].map(|(name, effect, (tenants, layer))| {
                SourceText { name: name.into(), layer, text: text(name, tenants, effect).into() }
            });
            load(&texts).findings.iter().count()
        };
    assert_eq!(count(("", Layer::System), ("", Layer::Tenant)), 0);
    assert_eq!(count(("", Layer::Tenant), ("", Layer::Tenant)), 1);
    assert_eq!(count(("tenants: [a], ", Layer::Tenant), ("", Layer::Tenant)), 0);
    assert_eq!(count(("tenants: [\"a-*\"], ", Layer::Tenant), ("tenants: [a-1], ", Layer::Tenant)), 1);
}

#[test]
fn patterns_that_match_nothing_are_found() {
    let long = "x".repeat(129);
    let rules = format!("    - {{name: a, effect: deny, subjects: {{roles: [{long}, \" admin\"]}}}}\n");
    assert_eq!(lints(&rules), [format!("never-matches: {long}"), "never-matches: \" admin\"".to_owned()]);
}

#[test]
fn cases_that_expect_unknown_rules_are_found() {
    let text = "apiVersion: lictor.dev/v1\nkind: Policy\nmetadata: {name: p}\nspec: {rules: [{name: reads, effect: deny}]}\n---\n\
        apiVersion: lictor.dev/v1\nkind: Tests\nmetadata: {name: t}\nspec:\n  cases:\n    - {name: one, \
        request: {subject: {id: a}, action: x}, expect: {rule: p/read, warnings: [/, p/reads]}}\n";
    let loaded = load_text("p.yaml", text);
    let [finding] = loaded.findings.iter().collect::<Vec<_>>()[..] else { panic!("one finding") };
    assert_eq!((finding.code, finding.help.as_deref()), ("unknown-rule", Some("did you mean `p/reads`?")));
}

#[test]
fn many_rules_that_differ_in_one_field_are_cheap() {
    // The bucket of the action that all share is never walked: the rules are filed by role.
    let mut rules = String::new();
    for number in 0..3_000 {
        writeln!(
            rules,
            "    - {{name: r{number}, effect: deny, actions: [x.y], subjects: {{roles: [role-{number}]}}}}"
        )
        .unwrap();
    }
    writeln!(rules, "    - {{name: last, effect: allow, actions: [x.y], subjects: {{roles: [role-7]}}}}").unwrap();
    assert_eq!(lints(&rules), ["shadowed-rule: last"]);
}

/// Whether a rule's patterns match, word for word.
fn matches(policy: &Policy, rule: &Rule, request: &Request) -> bool {
    let any = |patterns: &Option<Box<[super::super::Pattern]>>, id: &str| {
        patterns.as_ref().is_none_or(|patterns| patterns.iter().any(|pattern| pattern.matches(id)))
    };
    let roles = rule.target.roles.as_ref().is_none_or(|patterns| {
        request.subject.roles.iter().any(|role| patterns.iter().any(|pattern| pattern.matches(role)))
    });
    any(&policy.tenants, request.tenant())
        && any(&rule.target.actions, &request.action.name)
        && any(&rule.target.subject_ids, &request.subject.id)
        && any(&rule.target.resource_ids, &request.resource.id)
        && roles
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// A rule that is reported never decides any request.
    #[test]
    fn reported_rules_never_decide(
        rules in prop::collection::vec(("(|a|a\\.b|a\\.\\*|\\*\\*|\\*)", "(|r|r\\*)", "(|i|i/\\*\\*)", 0..3_i32, 0..3_usize), 2..7),
        requests in prop::collection::vec(("a(\\.b)?(\\.c)?", "(|r|rx|s)", "(|i|i/x)"), 12),
    ) {
        let mut text = String::new();
        for (number, (action, role, resource, priority, effect)) in rules.iter().enumerate() {
            let effect = ["allow", "deny", "require_approval"][*effect];
            write!(text, "    - {{name: r{number}, effect: {effect}, priority: {priority}").unwrap();
            for (open, value, close) in [(", actions: [\"", action, "\"]"), (", subjects: {roles: [\"", role, "\"]}"), (", resources: {ids: [\"", resource, "\"]}")] {
                if !value.is_empty() {
                    write!(text, "{open}{value}{close}").unwrap();
                }
            }
            text.push_str("}\n");
        }
        let text = format!("apiVersion: lictor.dev/v1\nkind: Policy\nmetadata: {{name: p}}\nspec:\n  rules:\n{text}");
        let loaded = load_text("p.yaml", &text);
        let shadowed: Vec<&str> =
            loaded.findings.iter().map(|finding| loaded.sources.excerpt(finding.span.unwrap()).unwrap()).collect();
        let policy = &loaded.documents.policies[0];
        for (action, role, resource) in &requests {
            let mut request = Request::default();
            request.subject.id = "s".into();
            request.subject.roles = if role.is_empty() { Vec::new() } else { vec![role.as_str().into()] };
            request.action.name = action.as_str().into();
            request.resource.id = resource.as_str().into();
            let rank = |rule: &Rule| ["deny", "require_approval", "allow"].iter().position(|name| *name == rule.effect.as_str());
            let first = policy
                .rules
                .iter()
                .filter(|rule| matches(policy, rule, &request))
                .min_by_key(|rule| (std::cmp::Reverse(rule.priority), rank(rule), rule.name.clone()));
            if let Some(first) = first {
                prop_assert!(!shadowed.contains(&first.name.as_str()), "{} decides {:?}\n{}", first.name, request, text);
            }
        }
    }
}

#[test]
fn what_a_lower_layer_asks_for_in_vain_is_found() {
    let text = |name: &str, spec: &str| {
        format!("apiVersion: lictor.dev/v1\nkind: RiskPolicy\nmetadata: {{name: {name}}}\nspec: {{{spec}}}\n")
    };
    for (above, layer, spec, expected) in [
        ("", Layer::Tenant, "approvalTier: 3", &["approvalTier: 3"][..]),
        ("", Layer::Tenant, "approvalTier: 2", &[]),
        ("", Layer::Tenant, "approvalTier: 1", &[]),
        ("approvalTier: 3", Layer::Tenant, "approvalTier: 3", &[]),
        ("approvalTier: 1", Layer::Tenant, "approvalTier: 2", &["approvalTier: 2"]),
        // The organisation may replace a default.
        ("", Layer::Organisation, "approvalTier: 3, scopes: {prod: 0}, bulk: {above: 9000, tier: 0}", &[]),
        ("approvalTier: 2", Layer::Organisation, "approvalTier: 3", &["approvalTier: 3"]),
        ("", Layer::Tenant, "scopes: {PROD: 1, vault: 0, live: 3}", &["`PROD: 1`"]),
        ("scopes: {vault: 3}", Layer::Tenant, "scopes: {prod: 0, vault: 2}", &["`vault: 2`"]),
        ("", Layer::Tenant, "bulk: {above: 1000, tier: 3}", &["bulk: above 1000"]),
        ("", Layer::Tenant, "bulk: {above: 100, tier: 3}", &[]),
        ("", Layer::Tenant, "bulk: {above: 10, tier: 1}", &[]),
        ("bulk: {above: 5, tier: 2}", Layer::Tenant, "bulk: {above: 9, tier: 1}", &["bulk: above 9"]),
    ] {
        let source = |name: &str, spec: &str, layer| SourceText {
            name: format!("{name}.yaml").into(),
            text: text(name, spec).into(),
            layer,
        };
        let loaded = load(&[source("above", above, Layer::System), source("asked", spec, layer)]);
        let found: Vec<_> = loaded.findings.iter().map(|finding| (finding.code, finding.message.as_str())).collect();
        assert_eq!(found.len(), expected.len(), "{above} {spec}: {found:?}");
        for ((code, message), part) in found.iter().zip(expected) {
            assert!(*code == "looser-than-above" && message.contains(part), "{above} {spec}: {message}");
        }
    }
}
