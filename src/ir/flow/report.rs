//! What a flow violation says to people.

use crate::model::{
    FlowHop, Plan, Text, ValidationStatus, Violation, ViolationCode, ViolationSeverity, sanitise_reason,
};
use crate::policy::{CatalogAction, FlowRule};

use super::order::Order;
use super::origin::{Doubt, Leaf, Origins};
use super::spread::{Cause, Spread};

/// Longest part of a foreign text in a message, in characters.
const MAX_SHOWN: usize = 60;
/// Most stations of a way; what is between is left out.
const MAX_HOPS: usize = 64;

/// A label that reaches a sink where it must not.
pub(super) struct Offence<'a> {
    /// The rule that it is against.
    pub(super) rule: &'a FlowRule,
    /// Number of the label among those that are followed.
    pub(super) bit: u32,
    /// Rank of the step.
    pub(super) rank: usize,
    /// The argument.
    pub(super) leaf: &'a Leaf<'a>,
    /// How many more arguments below the same sink are reached.
    pub(super) more: usize,
}

/// The plan and what is known of it.
pub(super) struct Reporter<'a> {
    pub(super) plan: &'a Plan,
    pub(super) order: &'a Order<'a>,
    /// By position.
    pub(super) actions: &'a [Option<&'a CatalogAction>],
    /// By rank.
    pub(super) origins: &'a [Origins<'a>],
    pub(super) spread: &'a Spread<'a>,
}

impl<'a> Reporter<'a> {
    /// The violation; `None` for a label whose way is not known, which does not happen.
    pub(super) fn violation(&self, offence: &Offence<'a>) -> Option<Violation> {
        let Offence { rule, bit, rank, leaf, .. } = *offence;
        let origins = &self.origins[rank];
        let (cause, is_known) = self.spread.cause_of(rank, origins, leaf, bit)?;
        let position = self.order.position(rank);
        let step_id = self.plan.steps[position].step_id.clone();
        let mut flow = self.way(&cause, rule, bit);
        flow.push(FlowHop { step_id: step_id.clone(), path: leaf.path.as_str().into(), label: rule.to.clone() });
        Some(Violation {
            code: ViolationCode::FlowViolation,
            severity: match rule.effect {
                ValidationStatus::Reject => ViolationSeverity::Error,
                ValidationStatus::Pass | ValidationStatus::Escalate => ViolationSeverity::Warning,
            },
            step_index: u32::try_from(position).ok(),
            step_id,
            path: format!("steps[{position}].params{}", leaf.path).into(),
            message: self.message(offence, &cause, is_known),
            help: self.help(offence, &cause, is_known),
            rule: format!("{}/{}", rule.document, rule.name).into(),
            flow,
        })
    }

    /// The stations from the source to the last one before the sink.
    fn way(&self, cause: &Cause<'a>, rule: &FlowRule, bit: u32) -> Vec<FlowHop> {
        let mut way = Vec::new();
        let mut at = cause.clone();
        while way.len() < MAX_HOPS {
            let position = self.order.position(at.from);
            let mut path: Text = at.output_path.into();
            if at.is_source && path.is_empty() {
                path = self.labelled_field(position, &rule.from);
            }
            way.push(FlowHop { step_id: self.plan.steps[position].step_id.clone(), path, label: rule.from.clone() });
            if at.is_source {
                break;
            }
            match self.spread.cause_in(at.from, bit) {
                Some(before) => at = before.clone(),
                None => break,
            }
        }
        way.reverse();
        way
    }

    /// The declared field that carries the label, where the action as a whole does not.
    fn labelled_field(&self, position: usize, label: &Text) -> Text {
        match self.actions[position] {
            Some(action) if !action.labels.contains(label) => {
                let field = action.outputs.iter().find(|output| output.labels.contains(label));
                field.map(|output| output.path.text.clone()).unwrap_or_default()
            }
            _ => Text::default(),
        }
    }

    fn message(&self, offence: &Offence<'_>, cause: &Cause<'_>, is_known: bool) -> String {
        let Offence { rule, rank, leaf, more, .. } = *offence;
        let sink = format!("`{}` of {}", shown(&leaf.path), self.step(rank));
        let source = self.step(cause.from);
        let returns = if cause.is_source { "returns" } else { "passes on" };
        let origin = match (is_known, leaf.doubt(&self.origins[rank])) {
            (false, Some(doubt)) => {
                let why = why(doubt);
                format!(
                    "{sink} {why}, so it may come from any step before it, {source} among them, which {returns} `{}`",
                    rule.from
                )
            }
            _ => {
                let part = match cause.output_path {
                    "" => "what is made of the output".to_owned(),
                    path => format!("`{}`", shown(path)),
                };
                format!("{sink} comes from {part} of {source}, which {returns} `{}`", rule.from)
            }
        };
        let more = match more {
            0 => String::new(),
            1 => "; so does 1 more value there".to_owned(),
            more => format!("; so do {more} more values there"),
        };
        let reason =
            if rule.reason.is_empty() { String::new() } else { format!(": {}", sanitise_reason(&rule.reason)) };
        let verdict = match rule.effect {
            ValidationStatus::Reject => "must not reach",
            ValidationStatus::Pass | ValidationStatus::Escalate => "needs approval to reach",
        };
        format!(
            "{origin}{more}; `{}` {verdict} `{}` (flow `{}/{}`{reason})",
            rule.from, rule.to, rule.document, rule.name
        )
    }

    fn help(&self, offence: &Offence<'_>, cause: &Cause<'_>, is_known: bool) -> String {
        let path = shown(&offence.leaf.path);
        let doubt = offence.leaf.doubt(&self.origins[offence.rank]);
        match (is_known, doubt) {
            (false, Some(Doubt::Nothing)) => format!(
                "say in `inputs` where it comes from: {{path: {path}, user: {{quote: …}}}} if the user wrote it (and send the \
                 message in `user_messages`), or {{path: {path}, step: {{step_id: …, output_path: …}}}} if a field was copied"
            ),
            (false, Some(Doubt::NotSaid(_) | Doubt::ValueNotSaid)) => {
                "quote the user word for word and send every message of theirs in `user_messages`; what they did not write \
                 is not theirs"
                    .to_owned()
            }
            (false, Some(Doubt::NotInValue(_))) => "quote the part of the message that the value repeats".to_owned(),
            (false, Some(Doubt::LeftOver)) => {
                "name the origin of the rest too, as another entry of `inputs` for the same path".to_owned()
            }
            (false, Some(Doubt::Constant)) => {
                "after something untrusted was read, only what the user wrote and fields copied whole are free of it".to_owned()
            }
            (false, Some(Doubt::NoSuchStep(_))) => {
                "name a step that runs before this one; in a sequence it must stand above it".to_owned()
            }
            (false, Some(Doubt::NotCopied(_))) => "name the field that was copied, and copy it whole".to_owned(),
            _ => self.help_for_taken(cause),
        }
    }

    fn help_for_taken(&self, cause: &Cause<'_>) -> String {
        let action = self.actions[self.order.position(cause.from)];
        let clean: Vec<&str> = action
            .into_iter()
            .flat_map(|action| &action.outputs)
            .filter(|output| output.labels.is_empty())
            .map(|output| output.path.text.as_str())
            .take(4)
            .collect();
        if clean.is_empty() {
            return "let a human approve the plan, or take the value from the user".to_owned();
        }
        let fields = clean.join("`, `");
        format!(
            "copy a field whole that carries no label (`{fields}`), take the value from the user, or let a human approve"
        )
    }

    /// The step, as a person finds it.
    fn step(&self, rank: usize) -> String {
        let position = self.order.position(rank);
        let step = &self.plan.steps[position];
        let action = shown(&step.action);
        if step.step_id.is_empty() {
            format!("steps[{position}] ({action})")
        } else {
            format!("step `{}` ({action})", shown(&step.step_id))
        }
    }
}

fn why(doubt: &Doubt<'_>) -> String {
    match doubt {
        Doubt::Nothing => "has no known origin".to_owned(),
        Doubt::NotSaid(input) => {
            format!("is said to be the user's, but the quote of `inputs[{input}]` stands in no user message")
        }
        Doubt::ValueNotSaid => "is said to be the user's, but stands in no user message".to_owned(),
        Doubt::NotInValue(input) => {
            format!("is said to be the user's, but does not hold the quote of `inputs[{input}]`")
        }
        Doubt::LeftOver => {
            "is the user's only in part: an address, link or number in it stands in no user message".to_owned()
        }
        Doubt::Constant => {
            "is said to be a constant, but was chosen after something untrusted may have been read".to_owned()
        }
        Doubt::NoSuchStep(id) => {
            format!("is said to come from step `{}`, which does not run before it", shown(id))
        }
        Doubt::NotCopied(path) => {
            format!("is said to be a copy of `{}`, but what was observed there is something else", shown(path))
        }
    }
}

/// Foreign text, fit to be shown.
fn shown(text: &str) -> String {
    let mut chars = text.chars();
    let start: String = chars.by_ref().take(MAX_SHOWN).collect();
    let more = if chars.next().is_some() { "…" } else { "" };
    format!("{}{more}", sanitise_reason(&start))
}
