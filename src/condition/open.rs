//! Params of a step of which some are bound to another step's output. What will be there is not known before that step has
//! run, so that reading it is an error; all else is read as usual.

use std::borrow::Cow;
use std::fmt;

use crate::model::{Attributes, Origin, Step, Text, Value, bound_paths};

use super::error::ConditionError;

/// The params of a step that has some bound. Nothing stands at the bound paths: previews were taken out.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenParams<'a> {
    step: &'a Step,
    /// JSON Pointers, in the order of [`bound_paths`]. Never empty.
    bound: Box<[&'a str]>,
}

impl<'a> OpenParams<'a> {
    /// The params of `step`; `None` where all are known.
    #[must_use]
    pub fn of(step: &'a Step) -> Option<Self> {
        let bound = bound_paths(step);
        (!bound.is_empty()).then(|| Self { step, bound: bound.iter().collect() })
    }

    /// The params as a map.
    pub(super) fn map(&'a self) -> OpenMap<'a> {
        OpenMap { step: self.step, map: &self.step.params, bound: &self.bound, above: 0 }
    }
}

/// A map of which some members, or parts of them, are not known.
#[derive(Debug, Clone, Copy)]
pub(super) struct OpenMap<'a> {
    step: &'a Step,
    map: &'a Attributes,
    /// What is bound at the map or below it. Never empty.
    bound: &'a [&'a str],
    /// How many bytes of each of these pointers lead to the map.
    above: usize,
}

/// A member of such a map.
pub(super) enum Member<'a> {
    /// It is known as a whole.
    Known(&'a Value),
    /// It is itself such a map.
    Open(OpenMap<'a>),
}

impl<'a> OpenMap<'a> {
    /// The member at `key`, if there is one.
    ///
    /// # Errors
    /// It is bound; or it is no map and something below it is bound, or nothing else of it is known.
    pub(super) fn member(&self, key: &str) -> Result<Option<Member<'a>>, ConditionError> {
        if self.is_bound() {
            return Err(self.not_known());
        }
        let token: Cow<'_, str> =
            if key.contains(['~', '/']) { key.replace('~', "~0").replace('/', "~1").into() } else { key.into() };
        let first = |pointer: &&'a str| pointer.get(self.above..).and_then(|rest| rest.split('/').nth(1));
        let start = self.bound.partition_point(|pointer| first(pointer) < Some(&token));
        let end = self.bound.partition_point(|pointer| first(pointer) <= Some(&token));
        let bound = self.bound.get(start..end).unwrap_or_default();
        if bound.is_empty() {
            return Ok(self.map.get(key).map(Member::Known));
        }
        let below = |map| Self { map, bound, above: self.above + 1 + token.len(), ..*self };
        match self.map.get(key) {
            Some(Value::Map(map)) if !below(map).is_bound() => Ok(Some(Member::Open(below(map)))),
            _ => Err(below(self.map).not_known()),
        }
    }

    /// Whether there is a member at `key`.
    ///
    /// # Errors
    /// It, or something below it, is bound.
    pub(super) fn has(&self, key: &str) -> Result<bool, ConditionError> {
        match self.member(key)? {
            None => Ok(false),
            Some(Member::Known(_)) => Ok(true),
            Some(Member::Open(map)) => Err(map.not_known()),
        }
    }

    /// Whether the map itself is bound.
    fn is_bound(&self) -> bool {
        self.bound.first().is_some_and(|pointer| pointer.len() == self.above)
    }

    /// The error of reading the map as a whole.
    #[cold]
    pub(super) fn not_known(&self) -> ConditionError {
        let pointer = self.bound.first().copied().unwrap_or_default();
        let from = self.step.inputs.iter().find_map(|input| match &input.origin {
            Origin::Step { step_id, .. } if input.path == pointer => Some(step_id.clone()),
            _ => None,
        });
        let reader = self.step.step_id.clone();
        ConditionError::NotKnown(Box::new(NotKnown { pointer: pointer.into(), reader, from: from.unwrap_or_default() }))
    }
}

/// An argument that is not known before the plan runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotKnown {
    /// JSON Pointer into the params.
    pointer: Text,
    /// The step whose argument it is; empty where that has no id.
    reader: Text,
    /// The step whose output it will be.
    from: Text,
}

impl fmt::Display for NotKnown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Ids of a plan that is refused for them may hold anything, of any length.
        let shown = |text: &Text| text.chars().take(MAX_SHOWN).flat_map(char::escape_debug).collect::<String>();
        match self.pointer.as_str() {
            "" => f.write_str("reads all params")?,
            _ => write!(f, "reads `{}`", shown(&self.pointer))?,
        }
        if !self.reader.is_empty() {
            write!(f, " of step `{}`", shown(&self.reader))?;
        }
        write!(f, ", which is bound to the output of step `{}` and not known before that has run", shown(&self.from))
    }
}

/// Most characters of an id or path in a message.
const MAX_SHOWN: usize = 80;
