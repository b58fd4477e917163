//! Whether catalogues list the actions and providers of a plan, and which serves which.

use crate::diag::did_you_mean;
use crate::model::{Step, ViolationCode, has_forbidden_character, same_text};

use super::Subject;
use super::ids::{is_trimmed, shown};
use super::report::Report;

/// Most unknown names of a plan for which the name that was meant is looked for: each is compared with all.
const MAX_SUGGESTIONS: usize = 8;

/// Most providers that a message names.
const MAX_NAMED: usize = 8;

pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    let mut suggestions = MAX_SUGGESTIONS;
    for (index, step) in subject.plan.steps.iter().enumerate() {
        let action = subject.actions.get(index).copied().flatten();
        if action.is_none() && is_name(&step.action) {
            unknown_action(subject, index, step, &mut suggestions, report);
        }
        let serving = action.and_then(|action| action.entry().providers.as_deref());
        provider(subject, index, step, serving, &mut suggestions, report);
    }
}

/// Whether the text could be a name at all; if not, that is reported already.
fn is_name(text: &str) -> bool {
    !text.is_empty() && is_trimmed(text) && !has_forbidden_character(text)
}

fn unknown_action(subject: &Subject<'_>, index: usize, step: &Step, suggestions: &mut usize, report: &mut Report) {
    let names = || subject.governance.action_names();
    let near = take(suggestions).then(|| did_you_mean(&step.action, names())).flatten();
    let help = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None if names().next().is_none() => "no ActionCatalog is loaded; load one that lists the action".to_owned(),
        None => "add it to an ActionCatalog, or write the name of an action that one lists".to_owned(),
    };
    let message = format!("no catalogue lists the action `{}`", shown(&step.action));
    report.step(ViolationCode::UnknownAction, subject.plan, index, "action", message, help);
}

fn provider(
    subject: &Subject<'_>,
    index: usize,
    step: &Step,
    serving: Option<&[crate::model::Text]>,
    suggestions: &mut usize,
    report: &mut Report,
) {
    let list = |names: &[crate::model::Text]| {
        let shown: Vec<String> = names.iter().take(MAX_NAMED).map(|name| format!("`{name}`")).collect();
        let more = if names.len() > MAX_NAMED { ", …" } else { "" };
        format!("{}{more}", shown.join(", "))
    };
    if step.provider.is_empty() {
        if let Some(serving) = serving {
            let message = format!("the step names no provider, and `{}` needs one", shown(&step.action));
            let help = match serving {
                [] => "no provider serves it by all catalogues that list it".to_owned(),
                serving => format!("write one that serves it: {}", list(serving)),
            };
            report.step(ViolationCode::InvalidProvider, subject.plan, index, "provider", message, help);
        }
        return;
    }
    // Whoever serves an action is a provider of its catalogue.
    let serves = |names: &[crate::model::Text]| names.iter().any(|name| same_text(name, &step.provider));
    if serving.is_some_and(serves) || !is_name(&step.provider) {
        return;
    }
    if !subject.governance.knows_provider(&step.provider) {
        let providers = subject.governance.providers();
        let near = take(suggestions).then(|| did_you_mean(&step.provider, providers)).flatten();
        let help = match (near, serving) {
            (Some(near), _) => format!("did you mean `{near}`?"),
            (None, Some(serving)) if !serving.is_empty() => {
                format!("write one that serves the action: {}", list(serving))
            }
            _ => "add it to the `providers` of an ActionCatalog, or leave it out".to_owned(),
        };
        let message = format!("no catalogue lists the provider `{}`", shown(&step.provider));
        report.step(ViolationCode::UnknownProvider, subject.plan, index, "provider", message, help);
        return;
    }
    if let Some(serving) = serving {
        let message = format!("the provider `{}` does not serve `{}`", shown(&step.provider), shown(&step.action));
        let help = match serving {
            [] => "no provider serves it by all catalogues that list it".to_owned(),
            serving => format!("it is served by {}", list(serving)),
        };
        report.step(ViolationCode::IncompatibleProvider, subject.plan, index, "provider", message, help);
    }
}

fn take(left: &mut usize) -> bool {
    let some = *left > 0;
    *left = left.saturating_sub(1);
    some
}
