//! Runs a program: a stack of values, the pending `&&`/`||`, and the macros under way. An error jumps to the innermost
//! of the latter two, which remembers it, or ends the run.

use smallvec::SmallVec;

use super::arithmetic;
use super::ast::BinaryOp;
use super::compare;
use super::error::{BadArgument, Budget, ConditionError, FIELD_OF, MissingKey, Overload};
use super::functions::{self, Function};
use super::iterate::Iteration;
use super::path::Bindings;
use super::predicate::{Predicate, Relation};
use super::program::{HandlerKind, Op, Program, UNHANDLED};
use super::value::{Map, Val};

/// What making an error costs, where evaluation goes on behind it.
const ERROR: usize = 4;

/// One run of a program.
pub(super) struct Vm<'a, 'b> {
    program: &'a Program,
    bindings: Bindings<'a>,
    budget: &'b mut Budget,
    stack: SmallVec<[Val<'a>; 8]>,
    pending: SmallVec<[Pending; 4]>,
    loops: Vec<Iteration<'a>>,
}

/// An `&&` or `||` whose value is not settled.
struct Pending {
    error: Option<ConditionError>,
    /// Heights of the other stacks when it began.
    stack: usize,
    loops: usize,
}

type Done = Result<(), ConditionError>;

impl<'a, 'b> Vm<'a, 'b> {
    #[inline]
    pub(super) fn new(program: &'a Program, bindings: Bindings<'a>, budget: &'b mut Budget) -> Self {
        Self { program, bindings, budget, stack: SmallVec::new(), pending: SmallVec::new(), loops: Vec::new() }
    }

    /// Runs the instructions `start..end` and gives the value that they leave. `inside` says that they are a term of
    /// the outermost `&&`.
    pub(super) fn run(mut self, start: usize, end: usize, inside: bool) -> Result<Val<'a>, ConditionError> {
        if inside {
            self.begin_terms();
        }
        let mut at = start;
        while at < end {
            let Some(op) = self.program.code.get(at) else { break };
            let mut next = at + 1;
            if let Err(error) = self.step(*op, &mut next) {
                next = self.recover(at, start..end, error)?;
            }
            at = next;
        }
        self.pop()
    }

    #[inline]
    fn step(&mut self, op: Op, next: &mut usize) -> Done {
        self.budget.charge(1)?;
        match op {
            Op::Const(number) => {
                let value = self.program.constants.get(number as usize).ok_or(BROKEN)?;
                self.stack.push(value.val());
            }
            Op::Read(number) => {
                let path = self.program.paths.get(number as usize).ok_or(BROKEN)?;
                let value = path.require(&self.bindings, self.budget)?.to_val();
                self.stack.push(value);
            }
            Op::Test(number) => {
                let value = self.predicate(number)?.holds(&self.bindings, self.budget)?;
                self.stack.push(Val::Bool(value));
            }
            Op::Local { level, part } => {
                let value = self.loops.get(usize::from(level)).ok_or(BROKEN)?.variable(part);
                self.stack.push(value);
            }
            Op::Select(key) => self.select(key)?,
            Op::Has(key) => self.has(key)?,
            Op::Index => self.index()?,
            Op::Not => match self.pop()? {
                Val::Bool(value) => self.stack.push(Val::Bool(!value)),
                other => return Err(unary("!", &other)),
            },
            Op::Negate => {
                let value = arithmetic::negate(&self.pop()?)?;
                self.stack.push(value);
            }
            Op::Binary(operator) => {
                let (right, left) = (self.pop()?, self.pop()?);
                let value = binary(operator, &left, &right, self.budget)?;
                self.stack.push(value);
            }
            Op::Call { function, arguments } => self.call(function, usize::from(arguments))?,
            Op::Match(number) => {
                let value = self.pop()?;
                let pattern = self.program.patterns.get(number as usize).ok_or(BROKEN)?;
                let text = value.as_str().ok_or_else(|| unary("matches", &value))?;
                self.budget.charge(pattern.cost(text))?;
                let found = pattern.is_match(text);
                self.stack.push(Val::Bool(found));
            }
            Op::List(count) => {
                let first = self.first_of(count as usize)?;
                self.budget.charge(2 + count as usize)?;
                let items = self.stack.drain(first..).collect();
                self.stack.push(Val::list(items));
            }
            Op::Map(count) => self.map(count as usize)?,
            Op::Branch(target) => match self.pop()? {
                Val::Bool(true) => {}
                Val::Bool(false) => *next = target as usize,
                other => return Err(unary("? :", &other)),
            },
            Op::Jump(target) => *next = target as usize,
            Op::Terms => self.begin_terms(),
            Op::TestAnd { predicate, end } => self.test_term(predicate, false, end, next)?,
            Op::TestOr { predicate, end } => self.test_term(predicate, true, end, next)?,
            Op::Term { settles, end } => {
                let value = self.pop()?;
                match value {
                    Val::Bool(value) if value == settles => self.settle(settles, end, next),
                    Val::Bool(_) => {}
                    other => self.remember(unary(if settles { "||" } else { "&&" }, &other)),
                }
            }
            Op::EndTerms { settles } => match self.pending.pop().and_then(|pending| pending.error) {
                Some(error) => return Err(error),
                None => self.stack.push(Val::Bool(!settles)),
            },
            Op::Loop { kind } => {
                let range = self.pop()?;
                let iteration = Iteration::new(kind, range, self.stack.len(), self.pending.len())?;
                self.loops.push(iteration);
            }
            Op::Next { end } => {
                if !self.loops.last_mut().ok_or(BROKEN)?.advance(self.budget)? {
                    *next = end as usize;
                }
            }
            Op::Guard { next: skip } => match self.pop()? {
                Val::Bool(true) => {}
                Val::Bool(false) => *next = skip as usize,
                other => return Err(unary("map", &other)),
            },
            Op::Step { next: back, end } => {
                let value = self.pop()?;
                let settled = self.loops.last_mut().ok_or(BROKEN)?.take(value, self.budget)?;
                *next = if settled { end as usize } else { back as usize };
            }
            Op::EndLoop => {
                let value = self.loops.pop().ok_or(BROKEN)?.finish(self.budget)?;
                self.stack.push(value);
            }
        }
        Ok(())
    }

    // === errors

    /// Where to go on after `error` at instruction `at`; gives the error back if nothing in `running` handles it.
    #[cold]
    fn recover(
        &mut self,
        at: usize,
        running: std::ops::Range<usize>,
        error: ConditionError,
    ) -> Result<usize, ConditionError> {
        // A used-up budget is final: no `&&` may hide it.
        if error == ConditionError::Limit {
            return Err(error);
        }
        self.budget.spend(ERROR);
        let number = self.program.handler_of.get(at).copied().unwrap_or(UNHANDLED);
        let Some(handler) = self.program.handlers.get(usize::from(number)) else { return Err(error) };
        let resume = handler.resume as usize;
        if !(running.start..=running.end).contains(&resume) {
            return Err(error);
        }
        match handler.kind {
            HandlerKind::Terms(depth) => {
                self.pending.truncate(usize::from(depth) + 1);
                let Some(pending) = self.pending.last_mut() else { return Err(error) };
                pending.error.get_or_insert(error);
                self.stack.truncate(pending.stack);
                self.loops.truncate(pending.loops);
            }
            HandlerKind::Loop(depth) => {
                self.loops.truncate(usize::from(depth) + 1);
                let Some(iteration) = self.loops.last_mut() else { return Err(error) };
                iteration.remember(error);
                self.stack.truncate(iteration.stack_height());
                self.pending.truncate(iteration.pending_height());
            }
        }
        Ok(resume)
    }

    // === && and ||

    #[inline]
    fn begin_terms(&mut self) {
        self.pending.push(Pending { error: None, stack: self.stack.len(), loops: self.loops.len() });
    }

    #[inline]
    fn test_term(&mut self, predicate: u32, settles: bool, end: u32, next: &mut usize) -> Done {
        match self.predicate(predicate)?.holds(&self.bindings, self.budget) {
            Ok(value) if value == settles => self.settle(settles, end, next),
            Ok(_) => {}
            Err(ConditionError::Limit) => return Err(ConditionError::Limit),
            Err(error) => {
                self.budget.spend(ERROR);
                self.remember(error);
            }
        }
        Ok(())
    }

    #[inline]
    fn settle(&mut self, value: bool, end: u32, next: &mut usize) {
        self.pending.pop();
        self.stack.push(Val::Bool(value));
        *next = end as usize;
    }

    fn remember(&mut self, error: ConditionError) {
        if let Some(pending) = self.pending.last_mut() {
            pending.error.get_or_insert(error);
        }
    }

    // === values

    fn predicate(&self, number: u32) -> Result<&'a Predicate, ConditionError> {
        self.program.predicates.get(number as usize).ok_or(BROKEN)
    }

    fn pop(&mut self) -> Result<Val<'a>, ConditionError> {
        self.stack.pop().ok_or(BROKEN)
    }

    /// The place of the first of the topmost `count` values.
    fn first_of(&self, count: usize) -> Result<usize, ConditionError> {
        self.stack.len().checked_sub(count).ok_or(BROKEN)
    }

    fn key(&self, number: u32) -> Result<&'a str, ConditionError> {
        match self.program.constants.get(number as usize).map(|key| key.val()) {
            Some(Val::Str(key)) => Ok(key),
            _ => Err(BROKEN),
        }
    }

    fn select(&mut self, key: u32) -> Done {
        let key = self.key(key)?;
        match self.pop()? {
            Val::Map(map) => {
                self.budget.charge(1 + map.len() / 8)?;
                let value = map.get_str(key).ok_or_else(|| ConditionError::NoSuchKey(MissingKey::named(key)))?;
                self.stack.push(value);
                Ok(())
            }
            Val::Open(map) => {
                let value = map.member(key)?.ok_or_else(|| ConditionError::NoSuchKey(MissingKey::named(key)))?;
                self.stack.push(Val::of_member(value));
                Ok(())
            }
            other => Err(unary(FIELD_OF, &other)),
        }
    }

    fn has(&mut self, key: u32) -> Done {
        let key = self.key(key)?;
        match self.pop()? {
            Val::Map(map) => {
                self.budget.charge(1 + map.len() / 8)?;
                self.stack.push(Val::Bool(map.has_str(key)));
                Ok(())
            }
            Val::Open(map) => {
                self.stack.push(Val::Bool(map.has(key)?));
                Ok(())
            }
            other => Err(unary("has", &other)),
        }
    }

    fn index(&mut self) -> Done {
        let (index, container) = (self.pop()?, self.pop()?);
        let value = match &container {
            Val::Map(map) => find_key(map, &index, self.budget)?,
            Val::Open(map) => {
                let key = index.as_str().ok_or(ConditionError::UnsupportedKey(index.type_name()))?;
                let value = map.member(key)?.ok_or_else(|| ConditionError::NoSuchKey(MissingKey::named(key)))?;
                Val::of_member(value)
            }
            Val::List(list) => {
                let number = match index {
                    Val::Int(number) => number,
                    Val::Uint(number) => i64::try_from(number).map_err(|_| ConditionError::OutOfBounds(i64::MAX))?,
                    Val::Double(number) if number.fract() == 0.0 && number.abs() < 9e15 => number as i64,
                    Val::Double(_) => return Err(ConditionError::InvalidArgument(BadArgument::ListIndex)),
                    other => return Err(index_overload(&container, &other)),
                };
                let found = usize::try_from(number).ok().and_then(|index| list.get(index));
                found.ok_or(ConditionError::OutOfBounds(number))?
            }
            _ => return Err(index_overload(&container, &index)),
        };
        self.stack.push(value);
        Ok(())
    }

    fn call(&mut self, function: Function, count: usize) -> Done {
        let first = self.first_of(count)?;
        let arguments = self.stack.get(first..).unwrap_or(&[]);
        let value = functions::call(function, arguments, self.budget)?;
        self.stack.truncate(first);
        self.stack.push(value);
        Ok(())
    }

    fn map(&mut self, count: usize) -> Done {
        let first = self.first_of(count.saturating_mul(2))?;
        self.budget.charge(4 + count)?;
        let mut entries: Vec<(Val<'a>, Val<'a>)> = Vec::with_capacity(count);
        let mut values = self.stack.drain(first..);
        while let (Some(key), Some(value)) = (values.next(), values.next()) {
            if !matches!(key, Val::Int(_) | Val::Uint(_) | Val::Bool(_)) && key.as_str().is_none() {
                return Err(ConditionError::UnsupportedKey(key.type_name()));
            }
            self.budget.charge(1 + entries.len() / 8)?;
            for (known, _) in &entries {
                if compare::equal(known, &key, self.budget)? {
                    return Err(ConditionError::DuplicateKey);
                }
            }
            entries.push((key, value));
        }
        drop(values);
        self.stack.push(Val::Map(Map::Computed(entries.into())));
        Ok(())
    }
}

/// A program that does not fit its own tables. The compiler makes none; ending in an error keeps the engine safe if it
/// ever did.
const BROKEN: ConditionError = ConditionError::InvalidArgument(BadArgument::Program);

fn unary(operation: &'static str, value: &Val<'_>) -> ConditionError {
    Overload::unary(operation, value.type_name())
}

fn index_overload(container: &Val<'_>, index: &Val<'_>) -> ConditionError {
    Overload::binary("[ ]", container.type_name(), index.type_name())
}

fn find_key<'a>(map: &Map<'a>, key: &Val<'_>, budget: &mut Budget) -> Result<Val<'a>, ConditionError> {
    if let Some(found) = compare::find(map, key, budget)? {
        return Ok(found);
    }
    Err(match (key.as_str(), super::convert::scalar_text(key)) {
        (Some(text), _) => ConditionError::NoSuchKey(MissingKey::named(text)),
        (None, Some(text)) => ConditionError::NoSuchKey(MissingKey::named(&text)),
        (None, None) => ConditionError::UnsupportedKey(key.type_name()),
    })
}

fn binary<'a>(
    operator: BinaryOp,
    left: &Val<'a>,
    right: &Val<'a>,
    budget: &mut Budget,
) -> Result<Val<'a>, ConditionError> {
    match operator {
        BinaryOp::Equal => compare::equal(left, right, budget).map(Val::Bool),
        BinaryOp::NotEqual => compare::equal(left, right, budget).map(|equal| Val::Bool(!equal)),
        BinaryOp::In => compare::contains(left, right, budget).map(Val::Bool),
        _ => match Relation::of(operator) {
            Some(relation) => {
                let order = compare::order(operator.as_str(), left, right, budget)?;
                Ok(Val::Bool(relation.holds(order)))
            }
            None => arithmetic::apply(operator, left, right, budget),
        },
    }
}
