//! What only shows between catalogues and risk policies.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::diag::{Finding, Findings, Span, did_you_mean};
use crate::model::{Effect, Layer, Text};
use crate::policy::{DocumentSet, Pattern, Policy, Rule, Target};

/// Reports actions that are listed twice in a layer.
pub(super) fn duplicate_actions(set: &DocumentSet, out: &mut Findings) {
    let mut known: HashMap<(Layer, &Text), Span> = HashMap::new();
    for catalog in &set.catalogs {
        for action in &catalog.actions {
            match known.get(&(catalog.layer, &action.name)) {
                Some(first) => out.push(
                    Finding::error("duplicate-action", format!("the action `{}` is listed twice", action.name))
                        .at(action.span)
                        .label("again here")
                        .related(*first, "first here")
                        .help("list an action once in a layer; a catalogue of another layer may narrow it"),
                ),
                None => {
                    known.insert((catalog.layer, &action.name), action.span);
                }
            }
        }
    }
}

/// Reports flows between labels that no catalogue gives, and tier rules for actions that none lists.
pub(super) fn unknown_names(set: &DocumentSet, out: &mut Findings) {
    if set.catalogs.is_empty() {
        return;
    }
    let actions = || set.catalogs.iter().flat_map(|catalog| &catalog.actions);
    let sources: BTreeSet<&str> = actions()
        .flat_map(|action| action.labels.iter().chain(action.outputs.iter().flat_map(|path| &path.labels)))
        .map(Text::as_str)
        .collect();
    let sinks: BTreeSet<&str> =
        actions().flat_map(|action| action.parameters.iter().flat_map(|path| &path.labels)).map(Text::as_str).collect();
    for flow in set.risk_policies.iter().flat_map(|policy| &policy.flows) {
        unknown_label(&flow.name, flow.span, "from", &flow.from, &sources, "an action or output", out);
        unknown_label(&flow.name, flow.span, "to", &flow.to, &sinks, "a parameter", out);
    }
    for rule in set.risk_policies.iter().flat_map(|policy| &policy.tiers) {
        let matches = |pattern: &Pattern| actions().any(|action| pattern.matches(&action.name));
        for pattern in rule.actions.iter().flatten().filter(|pattern| !matches(pattern)) {
            let message =
                format!("the tier rule `{}` is about `{pattern}`, and no catalogue lists such an action", rule.name);
            let finding = Finding::warning("unknown-action", message).at(rule.span);
            out.push(match did_you_mean(pattern.as_str(), actions().map(|action| action.name.as_str())) {
                Some(near) => finding.help(format!("did you mean `{near}`?")),
                None => finding,
            });
        }
    }
}

/// Reports rules that restrict by the type of a resource alone and concern actions of which no catalogue of the rule's layer or
/// a higher one says of what type their resources are: they never apply to such a step.
pub(super) fn untyped_actions(set: &DocumentSet, out: &mut Findings) {
    let mut actions: BTreeMap<&Text, Vec<(Layer, &Text)>> = BTreeMap::new();
    for catalog in &set.catalogs {
        for action in &catalog.actions {
            let types = actions.entry(&action.name).or_default();
            types.extend(action.resource_type.iter().map(|kind| (catalog.layer, kind)));
        }
    }
    for policy in set.policies.iter().filter(|policy| policy.enabled) {
        for rule in policy.rules.iter().filter(|rule| rule.enabled && rule.effect != Effect::Allow) {
            let Target { actions: named, resource_types: Some(types), resource_ids, .. } = &rule.target else {
                continue;
            };
            let all = |pattern: &Pattern| matches!(pattern.as_str(), "*" | "**");
            if resource_ids.as_ref().is_some_and(|ids| !ids.iter().any(all)) {
                continue;
            }
            let concerned = |name: &Text| named.as_ref().is_none_or(|list| list.iter().any(|p| p.matches(name)));
            // Of an action without a type the type is empty, which `**` matches.
            let applies = |kind: &str| types.iter().any(|pattern| pattern.matches(kind));
            let is_missed = |given: &[(Layer, &Text)]| {
                !applies("") && given.iter().all(|(layer, kind)| *layer > policy.layer && !applies(kind))
            };
            let missed = actions.iter().filter(|(name, given)| is_missed(given) && concerned(name));
            let missed: Vec<&str> = missed.map(|(name, _)| name.as_str()).collect();
            if !missed.is_empty() {
                out.push(untyped(policy, rule, &missed));
            }
        }
    }
}

/// Most actions that a finding names.
const NAMED_ACTIONS: usize = 3;

fn untyped(policy: &Policy, rule: &Rule, actions: &[&str]) -> Finding {
    let mut names = actions.iter().take(NAMED_ACTIONS).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if let Some(more @ 1..) = actions.len().checked_sub(NAMED_ACTIONS) {
        names.push_str(&format!(" and {more} more"));
    }
    let message = format!(
        "the rule `{}/{}` names resources by their type alone, and no catalogue of its layer or a higher one says of what type \
         those of {names} are: it applies to no step of a plan with such an action",
        policy.name, rule.name
    );
    Finding::warning("untyped-action", message).at(rule.span).help(
        "write the `resourceType` of these actions into the ActionCatalog, or name in `actions` those that the rule is about",
    )
}

fn unknown_label(
    flow: &str,
    at: Span,
    field: &str,
    label: &str,
    known: &BTreeSet<&str>,
    bearer: &str,
    out: &mut Findings,
) {
    if known.contains(label) {
        return;
    }
    let message =
        format!("the flow `{flow}` never applies: no catalogue gives {bearer} the label `{label}` of `{field}`");
    let finding = Finding::warning("unknown-label", message).at(at);
    out.push(match did_you_mean(label, known.iter().copied()) {
        Some(near) => finding.help(format!("did you mean `{near}`?")),
        None => finding.help("give it in an ActionCatalog, or remove the flow"),
    });
}
