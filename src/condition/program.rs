//! The flat program that a condition becomes, and how it is run.

use std::ops::Range;

use super::ast::{BinaryOp, MacroKind, Part};
use super::error::{Budget, ConditionError};
use super::functions::Function;
use super::path::{AttributePath, Bindings};
use super::pattern::Pattern;
use super::predicate::Predicate;
use super::value::{Const, Val};
use super::vm::Vm;

/// One instruction. Numbers point into the tables of the program; jumps are absolute.
#[derive(Debug, Clone, Copy)]
pub(super) enum Op {
    /// Pushes a constant.
    Const(u32),
    /// Pushes the attribute at a path.
    Read(u32),
    /// Pushes the outcome of a predicate.
    Test(u32),
    /// Pushes a variable of the macro that is `level` deep.
    Local {
        level: u8,
        part: Part,
    },
    /// Pops a map, pushes the value at a constant key.
    Select(u32),
    /// Pops a map, pushes whether it has a constant key.
    Has(u32),
    /// Pops an index and a list or map, pushes the element.
    Index,
    Not,
    Negate,
    Binary(BinaryOp),
    /// Pops the arguments, the receiver of a method being the first.
    Call {
        function: Function,
        arguments: u8,
    },
    /// Pops a string, pushes whether a pattern matches it.
    Match(u32),
    /// Pops this many elements, pushes a list.
    List(u32),
    /// Pops this many keys and values, pushes a map.
    Map(u32),
    /// Pops a bool; jumps if it is false.
    Branch(u32),
    Jump(u32),
    /// Starts the terms of an `&&` or `||`.
    Terms,
    /// A predicate as a term of `&&`: if false, the value is false, and jumps.
    TestAnd {
        predicate: u32,
        end: u32,
    },
    /// A predicate as a term of `||`: if true, the value is true, and jumps.
    TestOr {
        predicate: u32,
        end: u32,
    },
    /// Pops a term of `&&` or `||`; if it settles the value, jumps.
    Term {
        settles: bool,
        end: u32,
    },
    /// After the last term: the value is the first error, else what no term has settled.
    EndTerms {
        settles: bool,
    },
    /// Pops a list or map and starts a macro over it.
    Loop {
        kind: MacroKind,
    },
    /// Takes the next element, or jumps.
    Next {
        end: u32,
    },
    /// Pops the condition of a `map` with three arguments; if false, jumps.
    Guard {
        next: u32,
    },
    /// Pops what the body made of the element; jumps to the next one, or out where the value is settled.
    Step {
        next: u32,
        end: u32,
    },
    /// Ends a macro and pushes its value.
    EndLoop,
}

/// Where a failing instruction goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Handler {
    pub(super) resume: u32,
    pub(super) kind: HandlerKind,
    /// The instructions that it guards.
    pub(super) start: u32,
    pub(super) end: u32,
}

/// Who remembers the error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HandlerKind {
    /// The `&&` or `||` that is this many deep.
    Terms(u16),
    /// The macro that is this many deep.
    Loop(u16),
}

/// No handler.
pub(super) const UNHANDLED: u16 = u16::MAX;

/// A term of the outermost `&&`.
#[derive(Debug, Clone)]
pub(super) struct Term {
    /// Its instructions.
    pub(super) code: Range<u32>,
    /// Its text within [`Program::source`].
    pub(super) clause: Range<u32>,
}

/// A compiled condition.
#[derive(Debug, Clone, Default)]
pub(super) struct Program {
    pub(super) code: Box<[Op]>,
    /// For each instruction, the number of its handler.
    pub(super) handler_of: Box<[u16]>,
    pub(super) handlers: Box<[Handler]>,
    pub(super) constants: Box<[Const]>,
    pub(super) paths: Box<[AttributePath]>,
    pub(super) predicates: Box<[Predicate]>,
    pub(super) patterns: Box<[Pattern]>,
    pub(super) terms: Box<[Term]>,
    /// The author's text: `when`, then the list's entries.
    pub(super) source: Box<str>,
    /// Whether all terms are predicates, number by number.
    pub(super) is_conjunction: bool,
}

impl Program {
    /// The condition's value.
    #[inline]
    pub(super) fn evaluate(&self, bindings: &Bindings<'_>, budget: &mut Budget) -> Result<bool, ConditionError> {
        if self.is_conjunction {
            return self.evaluate_conjunction(bindings, budget);
        }
        match Vm::new(self, *bindings, budget).run(0, self.code.len(), false)? {
            Val::Bool(value) => Ok(value),
            other => Err(ConditionError::NotBool(other.type_name())),
        }
    }

    /// A false term makes the whole false whatever else fails; else the first error is the value.
    #[inline]
    fn evaluate_conjunction(&self, bindings: &Bindings<'_>, budget: &mut Budget) -> Result<bool, ConditionError> {
        let mut pending = None;
        for predicate in &self.predicates {
            match predicate.holds(bindings, budget) {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                Err(ConditionError::Limit) => return Err(ConditionError::Limit),
                Err(error) => pending = pending.or(Some(error)),
            }
        }
        pending.map_or(Ok(true), Err)
    }

    /// The value of one term by itself.
    pub(super) fn evaluate_term(
        &self,
        term: &Term,
        bindings: &Bindings<'_>,
        budget: &mut Budget,
    ) -> Result<bool, ConditionError> {
        let (start, end) = (term.code.start as usize, term.code.end as usize);
        if let (Some(Op::TestAnd { predicate, .. }), 1) = (self.code.get(start), end - start)
            && let Some(predicate) = self.predicates.get(*predicate as usize)
        {
            return predicate.holds(bindings, budget);
        }
        let inside = self.terms.len() > 1;
        match Vm::new(self, *bindings, budget).run(start, end, inside)? {
            Val::Bool(value) => Ok(value),
            other => Err(ConditionError::NotBool(other.type_name())),
        }
    }

    /// The attributes that a range of instructions reads, each once, in order of the text.
    pub(super) fn paths_in(&self, code: Range<u32>) -> Vec<&AttributePath> {
        let mut paths: Vec<&AttributePath> = Vec::new();
        let ops = self.code.get(code.start as usize..code.end as usize).unwrap_or(&[]);
        for op in ops {
            let path = match op {
                Op::Read(path) => self.paths.get(*path as usize),
                Op::Test(predicate) | Op::TestAnd { predicate, .. } | Op::TestOr { predicate, .. } => {
                    self.predicates.get(*predicate as usize).map(|predicate| &predicate.path)
                }
                _ => None,
            };
            if let Some(path) = path.filter(|path| !paths.contains(path)) {
                paths.push(path);
            }
        }
        paths
    }

    /// The text of a term.
    pub(super) fn clause(&self, term: &Term) -> &str {
        self.source.get(term.clause.start as usize..term.clause.end as usize).unwrap_or("")
    }

    /// The predicate that a term is, if it is one.
    pub(super) fn term_predicate(&self, term: &Term) -> Option<&Predicate> {
        match self.code.get(term.code.start as usize..term.code.end as usize)? {
            [Op::Test(predicate) | Op::TestAnd { predicate, .. }] => self.predicates.get(*predicate as usize),
            _ => None,
        }
    }
}
