//! Reading params of a step of which some are not known before the plan runs.

use super::{AttributePath, AttributeRef, Bindings, Key, follow};
use crate::condition::error::{Budget, ConditionError, MissingKey};
use crate::condition::open::{Member, OpenMap};
use crate::condition::scope::Slot;
use crate::condition::step_context::StepContext;
use crate::model::Value;

/// What keys lead to in params of which some are not known.
enum Walked<'a> {
    /// It is known.
    Known(AttributeRef<'a>),
    /// A map of which a part is not.
    Open(OpenMap<'a>),
}

impl AttributePath {
    /// The same, where a list tests it.
    ///
    /// # Errors
    /// [`ConditionError::NotKnown`] alone.
    #[inline]
    pub(in crate::condition) fn find_known<'a>(
        &self,
        bindings: &Bindings<'a>,
    ) -> Result<Option<AttributeRef<'a>>, ConditionError> {
        match self.find(bindings) {
            Some(AttributeRef::Open(open)) => Err(open.map().not_known()),
            Some(found) => Ok(Some(found)),
            None => self.check_known(bindings).map(|()| None),
        }
    }

    /// Whether what it reads, or what leads to it, is bound to another step's output, so that it may be anything.
    #[must_use]
    pub fn is_not_known(&self, bindings: &Bindings<'_>) -> bool {
        self.check_known(bindings).is_err()
    }

    #[inline]
    fn check_known(&self, bindings: &Bindings<'_>) -> Result<(), ConditionError> {
        if bindings.is_request() {
            return Ok(());
        }
        match self.walk_open(&self.keys, bindings) {
            Some(Err(error @ ConditionError::NotKnown(_))) => Err(error),
            Some(Ok(Walked::Open(map))) => Err(map.not_known()),
            _ => Ok(()),
        }
    }

    /// The attribute, where it is not to be had simply by following the keys.
    #[cold]
    pub(super) fn require_open<'a>(&self, bindings: &Bindings<'a>) -> Result<AttributeRef<'a>, ConditionError> {
        match self.walk_open(&self.keys, bindings) {
            None => Err(self.missing(&self.keys, bindings)),
            Some(walked) => match walked? {
                Walked::Known(found) => Ok(found),
                // All params: whoever looks into them sees what is bound.
                Walked::Open(map) => match (self.keys.len(), bindings.context.and_then(StepContext::open)) {
                    (1, Some(open)) => Ok(AttributeRef::Open(open)),
                    _ => Err(map.not_known()),
                },
            },
        }
    }

    /// Whether the attribute is there, where that is not to be had simply by following the keys.
    #[cold]
    pub(super) fn is_present_open(
        &self,
        last: &Key,
        before: &[Key],
        bindings: &Bindings<'_>,
    ) -> Result<bool, ConditionError> {
        match self.walk_open(before, bindings) {
            None => Err(self.missing(before, bindings)),
            Some(walked) => match walked? {
                Walked::Open(map) => map.has(&last.name),
                Walked::Known(AttributeRef::Value(Value::Map(map))) => Ok(map.get(&last.name).is_some()),
                Walked::Known(other) => Err(self.no_field(before.len(), other)),
            },
        }
    }

    /// What the first `keys` of the path lead to among params of which some are not known; `None` where it is about none.
    fn walk_open<'a>(&self, keys: &[Key], bindings: &Bindings<'a>) -> Option<Result<Walked<'a>, ConditionError>> {
        let (open, below) = match self.slot {
            Slot::StepParams => (bindings.plan.and_then(|(plan, index)| plan.open_params(index))?, keys),
            Slot::Context => match (bindings.context.and_then(StepContext::open)?, keys) {
                (open, []) => (open, keys),
                (open, [first, below @ ..]) if first.name == "params" => (open, below),
                _ => return None,
            },
            _ => return None,
        };
        Some(self.walk_below(open.map(), keys.len() - below.len(), below))
    }

    /// What `keys`, which stand behind the first `above` ones, lead to in `map`.
    fn walk_below<'a>(&self, mut map: OpenMap<'a>, above: usize, keys: &[Key]) -> Result<Walked<'a>, ConditionError> {
        for (count, key) in keys.iter().enumerate() {
            match map.member(&key.name)? {
                None => return Err(ConditionError::NoSuchKey(MissingKey::at(&key.path))),
                Some(Member::Open(below)) => map = below,
                Some(Member::Known(value)) => {
                    let (value, done) = (AttributeRef::Value(value), above + count + 1);
                    let rest = keys.get(count + 1..).unwrap_or_default();
                    let found = follow(value, rest, &mut Budget { remaining: u64::MAX });
                    return found.map(Walked::Known).ok_or_else(|| self.missing_below(value, done, rest));
                }
            }
        }
        Ok(Walked::Open(map))
    }
}
