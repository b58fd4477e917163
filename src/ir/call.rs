//! A call that is about to be made, against the step that plans it.

use super::dag::changed_params;
use super::hash::step_hash;
use super::refusal::Refusal;
use crate::model::{Attributes, Input, Origin, Step, Text, Value};
use crate::model::{BoundPaths, bound_paths};
use crate::policy::{MAX_CHECK_COST, ParamsSize, TooCostly};
use crate::snapshot::{Governance, GovernedAction};

/// Most paths that a message names.
const NAMED_PATHS: usize = 8;

/// Most that checking the arguments of one call may cost: it is done while others wait for their approvals.
const MAX_CALL_COST: u64 = MAX_CHECK_COST / 10;

/// What holding the arguments of a call against the schemas of its action comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParamsFit {
    /// They fit.
    Fits,
    /// There is no schema: no catalogue lists the action, or none says what its parameters are.
    NoSchema,
    /// What is wrong with them.
    Wrong(String),
}

/// Holds `params`, the arguments of `step`, against the schemas of its action. What checking costs is taken from `work`, at
/// most [`MAX_CHECK_COST`].
#[must_use]
pub fn params_fit(governance: &Governance, step: &Step, params: &Attributes, work: &mut u64) -> ParamsFit {
    let checks = governance.governed(&step.action).map_or(&[][..], GovernedAction::checks);
    if checks.is_empty() {
        return ParamsFit::NoSchema;
    }
    let size = ParamsSize::of(params);
    let Ok(params) = serde_json::to_value(params) else {
        return ParamsFit::Wrong("they have no canonical form".to_owned());
    };
    let wrong = checks.iter().find_map(|schema| match schema.check(&params, size, &|_, _| false, work) {
        Ok(bad) => bad.first().map(|bad| format!("`params{}`: {}", bad.pointer, bad.message)),
        Err(TooCostly { is_wrong: true }) => Some("they are too large for it to be said where".to_owned()),
        Err(TooCostly { is_wrong: false }) => Some("checking them costs more than it may".to_owned()),
    });
    wrong.map_or(ParamsFit::Fits, ParamsFit::Wrong)
}

/// The hash of the call of `step` with the resolved arguments `params`: the `step_hash` of the step with them in place of its
/// own, and without its inputs from steps, so that every argument counts.
///
/// # Errors
/// Everything in it that has no canonical form; paths say `steps[0]`.
pub fn call_hash(step: &Step, params: &Attributes) -> Result<Text, Vec<Refusal>> {
    let is_settled = |input: &&Input| !matches!(input.origin, Origin::Step { .. });
    let inputs = step.inputs.iter().filter(is_settled).cloned().collect();
    step_hash(&Step { params: params.clone(), inputs, ..step.clone() })
}

/// The first open path of `step` at which `params` hold nothing.
pub(super) fn unfilled(step: &Step, params: &Attributes) -> Option<String> {
    let bound = bound_paths(step);
    let mut place = String::new();
    (!bound.is_empty() && !bound.is_bound() && first_gap(&Value::Map(params.clone()), &bound, &mut place))
        .then_some(place)
}

/// Whether something bound below `value`, which stands at `place`, is not there; `place` is then where.
fn first_gap(value: &Value, bound: &BoundPaths<'_>, place: &mut String) -> bool {
    if bound.is_bound() {
        return false;
    }
    bound.heads().into_iter().any(|head| {
        let length = place.len();
        place.push('/');
        place.push_str(head);
        let key = head.replace("~1", "/").replace("~0", "~");
        let (inner, below) = match value {
            Value::Map(map) => (map.get(&key), bound.at_key(&key)),
            Value::List(items) => match head.parse::<usize>() {
                Ok(index) if index.to_string() == head => (items.get(index), bound.at_index(index)),
                _ => (None, bound.at_key(&key)),
            },
            _ => (None, bound.at_key(&key)),
        };
        let gap = inner.is_none_or(|inner| first_gap(inner, &below, place));
        if !gap {
            place.truncate(length);
        }
        gap
    })
}

/// How a call with the resolved arguments `params` is not the one that `step` plans: what the step fixes must be the same, and
/// what it leaves open must be given (`null` counts). `None` if it is.
#[must_use]
pub fn differing_call(step: &Step, params: &Attributes) -> Option<String> {
    let changed = changed_params(step, params);
    if !changed.is_empty() {
        let named: Vec<_> = changed.iter().take(NAMED_PATHS).map(|path| format!("`params{path}`")).collect();
        let more = match changed.len() - named.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        return Some(format!("{}{more} differ from the plan", named.join(", ")));
    }
    unfilled(step, params).map(|path| format!("`params{path}` is filled from another step's output, and is not given"))
}

/// What is wrong with the arguments that `step` leaves open, which `params` fill, by the schemas of its action; `None` if nothing
/// is. What the plan says literally was validated with it.
#[must_use]
pub fn wrong_open_params(governance: &Governance, step: &Step, params: &Attributes) -> Option<String> {
    if bound_paths(step).is_empty() {
        return None;
    }
    match params_fit(governance, step, params, &mut { MAX_CALL_COST }) {
        ParamsFit::Wrong(what) => Some(what),
        ParamsFit::Fits | ParamsFit::NoSchema => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attributes(json: &str) -> Attributes {
        Attributes::try_from(&serde_json::from_str(json).expect("JSON")).expect("attributes")
    }

    fn step(params: &str, open: &[&str]) -> Step {
        let input = |path: &&str| Input {
            path: (*path).into(),
            origin: Origin::Step { step_id: "a".into(), output_path: "".into() },
        };
        Step {
            step_id: "b".into(),
            params: attributes(params),
            inputs: open.iter().map(input).collect(),
            ..Step::default()
        }
    }

    #[test]
    fn what_is_open_must_be_given() {
        for (open, given, gap) in [
            (&["/to"][..], r#"{"to": "ann"}"#, None),
            (&["/to"], r#"{"to": null}"#, None),
            (&["/to"], "{}", Some("/to")),
            (&["/to", "/cc"], r#"{"to": "ann"}"#, Some("/cc")),
            (&[""], "{}", None),
            (&["/to", "/to/name"], r#"{"to": "ann"}"#, None),
            (&["/to/name"], r#"{"to": "ann"}"#, Some("/to/name")),
            (&["/to/0/name"], r#"{"to": [{"name": "ann"}]}"#, None),
            (&["/to/0/name", "/to/1/name"], r#"{"to": [{"name": "ann"}]}"#, Some("/to/1")),
            (&["/to/00"], r#"{"to": ["ann"]}"#, Some("/to/00")),
            (&["/a~1b/c~0d"], r#"{"a/b": {"c~d": 1}}"#, None),
            (&["/a~1b/c~0d"], r#"{"a/b": {"c": 1}}"#, Some("/a~1b/c~0d")),
        ] {
            assert_eq!(unfilled(&step("{}", open), &attributes(given)).as_deref(), gap, "{open:?} {given}");
        }
    }

    #[test]
    fn every_argument_counts_in_the_hash_of_a_call() {
        let step = step(r#"{"amount": 5}"#, &["/to"]);
        let hash = |params: &str| call_hash(&step, &attributes(params)).expect("a hash");
        let bob = hash(r#"{"amount": 5, "to": "bob"}"#);
        assert_eq!(bob, hash(r#"{"to": "bob", "amount": 5}"#));
        for other in [r#"{"amount": 5, "to": "mallory"}"#, r#"{"amount": 5}"#, r#"{"amount": 5, "to": null}"#] {
            assert_ne!(bob, hash(other), "{other}");
        }
        // What anybody else computes of it, as a step of literal arguments.
        let literal = self::step(r#"{"amount": 5, "to": "bob"}"#, &[]);
        assert_eq!(Ok(bob), step_hash(&literal));
        assert!(call_hash(&step, &attributes(r#"{"to": "\u0000"}"#)).is_err());
    }
}
