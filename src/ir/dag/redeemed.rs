//! What was made of an approved plan, against what was redeemed of its approval.

use super::Binding;
use crate::ir::call::call_hash;
use crate::ir::hash::canonical_params;
use crate::model::{Attributes, DeviationKind, Redeemed, RedemptionMode, Step};
use crate::model::{BoundPaths, bound_paths};

/// How much of the plan redeeming lets run.
#[derive(Debug, Clone, Copy)]
pub(super) enum Authority<'a> {
    /// The plan is not bound by an approval; nothing needs redeeming.
    NoApproval,
    /// Nothing was redeemed.
    Nothing,
    /// All was redeemed at once.
    Whole,
    /// These steps were, each with its arguments.
    Steps(&'a [Redeemed]),
}

impl<'a> Authority<'a> {
    pub(super) fn of(binding: Binding<'a>) -> Self {
        let Binding::Approval { redemption, .. } = binding else { return Self::NoApproval };
        match redemption {
            None => Self::Nothing,
            Some(redemption) if redemption.mode == RedemptionMode::Whole => Self::Whole,
            Some(redemption) => Self::Steps(&redemption.redeemed),
        }
    }

    fn entry(self, id: &str) -> Option<&'a Redeemed> {
        let Self::Steps(redeemed) = self else { return None };
        redeemed.iter().find(|entry| entry.step_id == id)
    }

    /// Why the call of `step`, which goes by `id`, with the arguments `params` is not what was redeemed.
    pub(super) fn objection_to_call(
        self,
        id: &str,
        step: &Step,
        params: &Attributes,
    ) -> Option<(DeviationKind, String)> {
        let not_authorised = |what: &str| {
            let message =
                format!("{:?} was called, and {what} was not redeemed: only `Consume` lets it run", step.action);
            Some((DeviationKind::NotAuthorised, message))
        };
        match (self, self.entry(id)) {
            (Self::NoApproval | Self::Whole, _) => None,
            (Self::Nothing, _) => not_authorised("the approval"),
            (Self::Steps(_), None) => not_authorised("the step"),
            (Self::Steps(_), Some(entry)) => {
                let same = call_hash(step, params).is_ok_and(|hash| hash == entry.step_hash);
                (!same).then(|| (DeviationKind::ChangedParams, OTHER_ARGUMENTS.to_owned()))
            }
        }
    }

    /// Why the content of a node for `step` is not what was redeemed. What it leaves open, or shows as the plan does, was
    /// compiled before and says nothing.
    pub(super) fn objection_to_node(self, id: &str, step: &Step, content: &Step) -> Option<String> {
        let entry = self.entry(id)?;
        let bound = bound_paths(step);
        let whole = |params| canonical_params(params, &BoundPaths::default());
        let is_as_planned = whole(&content.params) == canonical_params(&content.params, &bound)
            || whole(&content.params) == whole(&step.params);
        let same = || call_hash(step, &content.params).is_ok_and(|hash| hash == entry.step_hash);
        (!is_as_planned && !same()).then(|| OTHER_ARGUMENTS.to_owned())
    }
}

const OTHER_ARGUMENTS: &str = "its open arguments are others than the step was redeemed with";
