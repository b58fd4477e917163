//! The combining rules, held against a plain restatement of them over random policies.

mod index;

use std::fmt::Write as _;

use proptest::prelude::*;

use super::evaluate;
use crate::model::{
    Action, Attributes, Decision, Effect, Layer, Limits, Outcome, ReasonCode, Request, Resource, Subject, Timestamp,
    Value,
};
use crate::policy::{self, SourceText};
use crate::snapshot::Snapshot;

/// What a generated rule's condition does.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Condition {
    None,
    True,
    False,
    Fails,
}

#[derive(Debug, Clone)]
struct Rule {
    layer: Layer,
    effect: Effect,
    priority: i32,
    action: Option<&'static str>,
    role: Option<&'static str>,
    resource: Option<&'static str>,
    condition: Condition,
}

const ACTIONS: [&str; 4] = ["a.read", "a.write", "b.read", "b"];
const ROLES: [&str; 3] = ["dev", "ops", "team/red"];
const RESOURCES: [&str; 4] = ["eu/1", "eu/1/2", "us/1", ""];

fn pattern(of: &'static [&'static str]) -> impl Strategy<Value = Option<&'static str>> {
    prop_oneof![1 => Just(None), 3 => proptest::sample::select(of).prop_map(Some)]
}

fn rule() -> impl Strategy<Value = Rule> {
    (
        proptest::sample::select(&Layer::ALL[..]),
        proptest::sample::select(&Effect::ALL[..]),
        -1..2i32,
        pattern(&["a.read", "b", "a.*", "*.read", "**"]),
        pattern(&["dev", "team/*", "*"]),
        pattern(&["eu/1", "eu/*", "eu/**", "**1"]),
        prop_oneof![
            4 => Just(Condition::None),
            1 => Just(Condition::True),
            1 => Just(Condition::False),
            1 => Just(Condition::Fails)
        ],
    )
        .prop_map(|(layer, effect, priority, action, role, resource, condition)| Rule {
            layer,
            effect,
            priority,
            action,
            role,
            resource,
            condition,
        })
}

fn request() -> impl Strategy<Value = Request> {
    let roles = proptest::sample::subsequence(&ROLES[..], 0..=2);
    (proptest::sample::select(&ACTIONS[..]), roles, proptest::sample::select(&RESOURCES[..])).prop_map(
        |(action, roles, resource)| Request {
            subject: Subject {
                id: "s".into(),
                roles: roles.into_iter().map(Into::into).collect(),
                ..Subject::default()
            },
            action: Action { name: action.into(), ..Action::default() },
            resource: Resource { id: resource.into(), ..Resource::default() },
            context: Attributes::from_entries(vec![("yes".into(), Value::Bool(true))]).unwrap(),
            ..Request::default()
        },
    )
}

/// The documents of a layer; the rule with index `n` is `p-<layer>/r<n>`.
fn documents(rules: &[Rule], layer: Layer) -> Option<SourceText> {
    let of_layer = || rules.iter().enumerate().filter(|(_, rule)| rule.layer == layer);
    of_layer().next()?;
    let mut text =
        format!("apiVersion: lictor.dev/v1\nkind: Policy\nmetadata: {{name: p-{}}}\nspec:\n  rules:\n", layer.as_str());
    for (n, rule) in of_layer() {
        write!(text, "    - {{name: r{n:02}, effect: {}, priority: {}", rule.effect.as_str(), rule.priority).unwrap();
        let patterns = [
            ("actions: [", rule.action, "]"),
            ("subjects: {roles: [", rule.role, "]}"),
            ("resources: {ids: [", rule.resource, "]}"),
        ];
        for (before, pattern, after) in patterns {
            if let Some(pattern) = pattern {
                write!(text, ", {before}\"{pattern}\"{after}").unwrap();
            }
        }
        match rule.condition {
            Condition::None => {}
            Condition::True => text.push_str(", when: \"context.yes\""),
            Condition::False => text.push_str(", when: \"!context.yes\""),
            Condition::Fails => text.push_str(", when: \"context.missing == 1.0\""),
        }
        text.push_str("}\n");
    }
    Some(SourceText { name: layer.as_str().into(), layer, text: text.into() })
}

fn snapshot(rules: &[Rule]) -> Snapshot {
    let texts: Vec<SourceText> = Layer::ALL.into_iter().filter_map(|layer| documents(rules, layer)).collect();
    let loaded = policy::load(&texts);
    assert!(!loaded.findings.has_errors(), "{:?}", loaded.findings);
    Snapshot::build(&loaded.documents, 1)
}

/// A pattern as the page describes it, without any cleverness: a regular expression.
fn glob(pattern: &str, id: &str) -> bool {
    let separators: String = pattern.chars().filter(|c| "./:".contains(*c)).collect();
    let segment = if separators.is_empty() { ".".to_owned() } else { format!("[^{}]", regex::escape(&separators)) };
    let mut expression = "^(?s:".to_owned();
    let parts: Vec<&str> = pattern.split("**").collect();
    for (n, part) in parts.iter().enumerate() {
        if n > 0 {
            expression.push_str(".*");
        }
        let pieces: Vec<String> = part.split('*').map(regex::escape).collect();
        // No generated pattern has a `*` that is only part of a segment, so that it stands for at least one character.
        expression.push_str(&pieces.join(&format!("{segment}+")));
    }
    regex::Regex::new(&format!("{expression})$")).unwrap().is_match(id)
}

fn concerns(rule: &Rule, request: &Request) -> bool {
    rule.action.is_none_or(|pattern| glob(pattern, &request.action.name))
        && rule.role.is_none_or(|pattern| request.subject.roles.iter().any(|role| glob(pattern, role)))
        && rule.resource.is_none_or(|pattern| glob(pattern, &request.resource.id))
}

/// What the rules in `matched` add up to: outcome, effect and the rule that decides.
fn combine(rules: &[Rule], matched: &[usize]) -> (Outcome, Effect, Option<usize>) {
    let restriction = |effect: Effect| match effect {
        Effect::Deny => 2,
        Effect::RequireApproval => 1,
        _ => 0,
    };
    let precedence =
        |n: &usize| (std::cmp::Reverse(rules[*n].priority), std::cmp::Reverse(restriction(rules[*n].effect)), *n);
    let in_layer = |layer: Layer, wanted: &dyn Fn(Effect) -> bool| {
        matched.iter().copied().filter(|n| rules[*n].layer == layer && wanted(rules[*n].effect)).min_by_key(precedence)
    };
    let deciders = Layer::ALL.into_iter().filter_map(|layer| in_layer(layer, &|effect| effect.is_decider()));
    let by_restriction = |best: Option<usize>, n: usize| match best {
        Some(best) if restriction(rules[best].effect) >= restriction(rules[n].effect) => Some(best),
        _ => Some(n),
    };
    let observer =
        |wanted: Effect| Layer::ALL.into_iter().find_map(|layer| in_layer(layer, &|effect| effect == wanted));
    let decider =
        deciders.fold(None, by_restriction).or_else(|| observer(Effect::Audit)).or_else(|| observer(Effect::Warn));
    let effect = decider.map_or(Effect::Deny, |n| rules[n].effect);
    (effect.outcome(), effect, decider)
}

/// The answer by the words of the design: what matched decides, and a failed rule counts as if it had matched wherever
/// that makes the answer more restrictive.
fn restated(rules: &[Rule], request: &Request) -> (Outcome, Effect, ReasonCode) {
    let concerned: Vec<usize> = (0..rules.len()).filter(|n| concerns(&rules[*n], request)).collect();
    let holds = |n: &usize| matches!(rules[*n].condition, Condition::None | Condition::True);
    let matched: Vec<usize> = concerned.iter().copied().filter(holds).collect();
    let (outcome, effect, decider) = combine(rules, &matched);
    let failed = concerned.iter().copied().filter(|n| {
        rules[*n].condition == Condition::Fails && matches!(rules[*n].effect, Effect::Deny | Effect::RequireApproval)
    });
    let narrowed = failed
        .map(|n| combine(rules, &[&matched[..], &[n]].concat()))
        .filter(|(narrower, ..)| *narrower > outcome)
        .max_by_key(|(narrower, ..)| *narrower);
    match narrowed {
        Some((outcome, effect, _)) => (outcome, effect, ReasonCode::ConditionError),
        None if decider.is_some() => (outcome, effect, ReasonCode::Policy),
        None => (outcome, effect, ReasonCode::Default),
    }
}

fn decide(snapshot: &Snapshot, request: &Request) -> Decision {
    evaluate(Some(snapshot), request, Timestamp::default(), &Limits::default())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn answers_as_the_rules_of_combining_say(
        rules in proptest::collection::vec(rule(), 1..12),
        requests in proptest::collection::vec(request(), 4),
    ) {
        let snapshot = snapshot(&rules);
        for request in &requests {
            let decision = decide(&snapshot, request);
            let answer = (decision.outcome, decision.effect, decision.reason_code);
            prop_assert_eq!(answer, restated(&rules, request), "{:?}", request);
            let failing = |n: usize, effect| rules[n].condition == Condition::Fails && rules[n].effect == effect;
            let observing = |effect| {
                (0..rules.len())
                    .filter(|n| concerns(&rules[*n], request))
                    .filter(|n| rules[*n].effect == effect && rules[*n].condition != Condition::False || failing(*n, effect))
                    .count()
            };
            prop_assert_eq!(decision.warned.len(), observing(Effect::Warn));
            prop_assert_eq!(decision.audited.len(), observing(Effect::Audit));
        }
    }

    #[test]
    fn the_order_of_rules_does_not_matter(
        rules in proptest::collection::vec(rule(), 1..10),
        request in request(),
    ) {
        let text = |reversed: bool| -> Vec<SourceText> {
            let mut texts: Vec<SourceText> = Layer::ALL.into_iter().filter_map(|layer| documents(&rules, layer)).collect();
            if reversed {
                texts.reverse();
                for text in &mut texts {
                    let (head, tail) = text.text.split_once("rules:\n").unwrap();
                    let mut lines: Vec<&str> = tail.lines().collect();
                    lines.reverse();
                    text.text = format!("{head}rules:\n{}\n", lines.join("\n")).into();
                }
            }
            texts
        };
        let decided = |reversed| {
            let snapshot = Snapshot::build(&policy::load(&text(reversed)).documents, 1);
            let decision = decide(&snapshot, &request);
            (decision.outcome, decision.effect, decision.matched_rule().map(|rule| rule.rule.clone()))
        };
        prop_assert_eq!(decided(false), decided(true));
    }

    #[test]
    fn explaining_changes_no_answer(rules in proptest::collection::vec(rule(), 1..10), request in request()) {
        let snapshot = snapshot(&rules);
        let plain = decide(&snapshot, &request);
        let explained = decide(&snapshot, &Request { explain: true, ..request });
        prop_assert_eq!((plain.outcome, plain.matched), (explained.outcome, explained.matched));
        let entries = explained.explanation.expect("an explanation").rules.len();
        prop_assert_eq!(entries, rules.len());
    }
}

/// Patterns are paid from the budget of the request, like conditions.
#[test]
fn matching_patterns_is_bounded() {
    let mut text = "apiVersion: lictor.dev/v1\nkind: Policy\nmetadata: {name: p}\nspec:\n  rules:\n".to_owned();
    for n in 0..100 {
        writeln!(text, "    - {{name: r{n}, effect: deny, resources: {{ids: [\"**x{n}y**\"]}}}}").unwrap();
    }
    let loaded = policy::load(&[SourceText { name: "p.yaml".into(), layer: Layer::Organisation, text: text.into() }]);
    assert!(!loaded.findings.has_errors(), "{:?}", loaded.findings);
    let snapshot = Snapshot::build(&loaded.documents, 1);
    let id = "x".repeat(1_000);
    let request =
        Request { resource: Resource { id: id.as_str().into(), ..Resource::default() }, ..Request::default() };
    for (evaluation_cost, reason) in [(10_000, ReasonCode::EvaluationLimit), (100_000, ReasonCode::Default)] {
        let limits = Limits { evaluation_cost, ..Limits::default() };
        assert_eq!(evaluate(Some(&snapshot), &request, Timestamp::default(), &limits).reason_code, reason);
    }
}
