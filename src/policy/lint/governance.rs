//! What only shows between catalogues and risk policies.

use std::collections::{BTreeSet, HashMap};

use crate::diag::{Finding, Findings, Span, did_you_mean};
use crate::model::{Effect, Layer, Text};
use crate::policy::{DocumentSet, Pattern};

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

/// Reports rules that restrict by the type of a resource alone, where no catalogue gives an action of theirs such a type, and
/// some action has none: they never apply to its steps.
pub(super) fn untyped_actions(set: &DocumentSet, out: &mut Findings) {
    let actions: Vec<_> = set.catalogs.iter().flat_map(|catalog| &catalog.actions).collect();
    if actions.is_empty() {
        return;
    }
    for rule in set.policies.iter().filter(|policy| policy.enabled).flat_map(|policy| &policy.rules) {
        let target = &rule.target;
        let all = |pattern: &Pattern| matches!(pattern.as_str(), "*" | "**");
        let names_ids = target.resource_ids.as_ref().is_some_and(|ids| !ids.iter().any(all));
        let Some(types) = &target.resource_types else { continue };
        if !rule.enabled || matches!(rule.effect, Effect::Allow) || names_ids {
            continue;
        }
        let concerned = |name: &str| target.actions.as_ref().is_none_or(|list| list.iter().any(|p| p.matches(name)));
        let typed = |kind: &str| types.iter().any(|pattern| pattern.matches(kind));
        let meant = || actions.iter().filter(|action| concerned(&action.name));
        let is_typed = meant().any(|action| action.resource_type.as_deref().is_some_and(typed));
        let Some(untyped) = meant().find(|action| action.resource_type.is_none()).filter(|_| !is_typed) else {
            continue;
        };
        let message = format!(
            "the rule `{}` names resources by their type alone, and no catalogue says of what type those of `{}` are: it \
             applies to no step with such an action",
            rule.name, untyped.name
        );
        let finding = Finding::warning("untyped-action", message).at(rule.span);
        out.push(finding.help("write the `resourceType` of the action into the ActionCatalog"));
    }
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
