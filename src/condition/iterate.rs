//! Macros under way.

use super::ast::{MacroKind, Part};
use super::error::{Budget, ConditionError, Overload};
use super::value::{Map, Val};

/// One macro under way.
pub(super) struct Iteration<'a> {
    kind: MacroKind,
    range: Val<'a>,
    next: usize,
    length: usize,
    /// Index of a list, or key of a map.
    index: Val<'a>,
    /// Element of a list, or value of a map.
    value: Val<'a>,
    error: Option<ConditionError>,
    /// Elements for which `exists_one` holds.
    count: usize,
    /// Whether a test has settled `all` or `exists`.
    settled: bool,
    items: Vec<Val<'a>>,
    entries: Vec<(Val<'a>, Val<'a>)>,
    stack_height: usize,
    pending_height: usize,
}

impl<'a> Iteration<'a> {
    /// Starts over `range`, with these heights of the stacks to return to after an error.
    pub(super) fn new(
        kind: MacroKind,
        range: Val<'a>,
        stack_height: usize,
        pending_height: usize,
    ) -> Result<Self, ConditionError> {
        let length = match &range {
            Val::List(list) => list.len(),
            Val::Map(map) => map.len(),
            Val::Open(map) => return Err(map.not_known()),
            other => return Err(Overload::unary("macro", other.type_name())),
        };
        Ok(Self {
            kind,
            range,
            next: 0,
            length,
            index: Val::Null,
            value: Val::Null,
            error: None,
            count: 0,
            settled: false,
            items: Vec::new(),
            entries: Vec::new(),
            stack_height,
            pending_height,
        })
    }

    pub(super) fn stack_height(&self) -> usize {
        self.stack_height
    }

    pub(super) fn pending_height(&self) -> usize {
        self.pending_height
    }

    /// Goes to the next element; false after the last.
    pub(super) fn advance(&mut self, budget: &mut Budget) -> Result<bool, ConditionError> {
        if self.next >= self.length {
            return Ok(false);
        }
        budget.charge(2)?;
        match &self.range {
            Val::List(list) => {
                self.index = Val::Int(self.next as i64);
                self.value = list.get(self.next).unwrap_or(Val::Null);
            }
            Val::Map(map) => (self.index, self.value) = map.entry(self.next).unwrap_or((Val::Null, Val::Null)),
            _ => {}
        }
        self.next += 1;
        Ok(true)
    }

    /// A variable's value for the current element.
    pub(super) fn variable(&self, part: Part) -> Val<'a> {
        match (part, &self.range) {
            (Part::Item, Val::Map(_)) | (Part::Index, _) => self.index.clone(),
            _ => self.value.clone(),
        }
    }

    /// Keeps the first error of `all` and `exists` until it is known whether a later element settles the value.
    pub(super) fn remember(&mut self, error: ConditionError) {
        self.error.get_or_insert(error);
    }

    /// Takes what the body made of the current element. True where the value is settled.
    pub(super) fn take(&mut self, result: Val<'a>, budget: &mut Budget) -> Result<bool, ConditionError> {
        match (self.kind, result) {
            (MacroKind::All, Val::Bool(holds)) => self.settled = !holds,
            (MacroKind::Exists, Val::Bool(holds)) => self.settled = holds,
            (MacroKind::ExistsOne, Val::Bool(holds)) => self.count += usize::from(holds),
            (MacroKind::Filter, Val::Bool(holds)) => {
                if holds {
                    budget.charge(1)?;
                    self.items.push(self.variable(Part::Item));
                }
            }
            (MacroKind::Map, result) => {
                budget.charge(1)?;
                self.items.push(result);
            }
            (MacroKind::TransformMap, result) => {
                budget.charge(1)?;
                self.entries.push((self.index.clone(), result));
            }
            (_, other) => {
                return Err(Overload::unary("macro condition", other.type_name()));
            }
        }
        Ok(self.settled)
    }

    /// The macro's value.
    pub(super) fn finish(self, budget: &mut Budget) -> Result<Val<'a>, ConditionError> {
        budget.charge(self.items.len() + self.entries.len())?;
        Ok(match self.kind {
            MacroKind::All | MacroKind::Exists => {
                let settling = self.kind == MacroKind::Exists;
                match (self.settled, self.error) {
                    (true, _) => Val::Bool(settling),
                    (false, Some(error)) => return Err(error),
                    (false, None) => Val::Bool(!settling),
                }
            }
            MacroKind::ExistsOne => Val::Bool(self.count == 1),
            MacroKind::Filter | MacroKind::Map => Val::list(self.items),
            MacroKind::TransformMap => Val::Map(Map::Computed(self.entries.into())),
        })
    }
}
