//! Puts a program together, instruction by instruction.

use super::path::AttributePath;
use super::predicate::Predicate;
use super::program::{Handler, HandlerKind, Op, Program, Term, UNHANDLED};
use super::value::Const;

/// Makes a program, piece by piece.
#[derive(Default)]
pub(super) struct Builder {
    pub(super) code: Vec<Op>,
    pub(super) handlers: Vec<Handler>,
    pub(super) constants: Vec<Const>,
    pub(super) paths: Vec<AttributePath>,
    pub(super) predicates: Vec<Predicate>,
    pub(super) patterns: Vec<super::pattern::Pattern>,
    pub(super) terms: Vec<Term>,
    /// How many `&&` and `||`, and how many macros, are around the current instruction.
    pub(super) term_depth: u16,
    pub(super) loop_depth: u16,
}

impl Builder {
    pub(super) fn at(&self) -> u32 {
        number(self.code.len())
    }

    pub(super) fn emit(&mut self, op: Op) -> usize {
        self.code.push(op);
        self.code.len() - 1
    }

    pub(super) fn constant(&mut self, value: Const) -> u32 {
        // Positions of floating-point zero and NaN differ, so only strings are shared.
        let known = matches!(value, Const::Str(_)).then(|| self.constants.iter().position(|known| *known == value));
        number(known.flatten().unwrap_or_else(|| {
            self.constants.push(value);
            self.constants.len() - 1
        }))
    }

    pub(super) fn predicate(&mut self, predicate: Predicate) -> u32 {
        self.predicates.push(predicate);
        number(self.predicates.len() - 1)
    }

    /// Makes every jump of `ops` go to the current instruction.
    pub(super) fn land(&mut self, ops: &[usize]) {
        let target = self.at();
        for op in ops {
            if let Some(
                Op::Branch(end)
                | Op::Jump(end)
                | Op::TestAnd { end, .. }
                | Op::TestOr { end, .. }
                | Op::Term { end, .. }
                | Op::Next { end }
                | Op::Step { end, .. },
            ) = self.code.get_mut(*op)
            {
                *end = target
            }
        }
    }

    pub(super) fn handle(&mut self, start: u32, resume: u32, kind: HandlerKind) {
        self.handlers.push(Handler { start, end: self.at(), resume, kind });
    }

    /// What has been emitted from `start` on is a term of the outermost `&&`, or the whole condition.
    pub(super) fn add_term(&mut self, start: u32, clause: std::ops::Range<usize>) {
        self.terms.push(Term { code: start..self.at(), clause: number(clause.start)..number(clause.end) });
    }

    /// Adds a read of an attribute.
    pub(super) fn emit_read(&mut self, path: AttributePath) {
        self.paths.push(path);
        self.emit(Op::Read(number(self.paths.len() - 1)));
    }

    /// Starts the outermost `&&` of several terms.
    pub(super) fn begin_conjunction(&mut self) {
        self.emit(Op::Terms);
        self.term_depth += 1;
    }

    /// Adds a predicate as a term of the outermost `&&`, or as the whole condition.
    pub(super) fn add_predicate_term(&mut self, predicate: Predicate, alone: bool, clause: std::ops::Range<usize>) {
        let start = self.at();
        let predicate = self.predicate(predicate);
        self.emit(if alone { Op::Test(predicate) } else { Op::TestAnd { predicate, end: 0 } });
        self.add_term(start, clause);
    }

    /// Adds a term that is always `value`, as the whole condition.
    pub(super) fn add_constant_term(&mut self, value: bool, clause: std::ops::Range<usize>) {
        let start = self.at();
        let constant = self.constant(Const::Bool(value));
        self.emit(Op::Const(constant));
        self.add_term(start, clause);
    }

    /// Ends what [`begin_conjunction`](Self::begin_conjunction) began.
    pub(super) fn end_conjunction(&mut self) {
        self.term_depth = self.term_depth.saturating_sub(1);
        self.emit(Op::EndTerms { settles: false });
        let jumps: Vec<usize> = self
            .code
            .iter()
            .enumerate()
            .filter(|(_, op)| matches!(op, Op::TestAnd { end: 0, .. } | Op::Term { end: 0, .. }))
            .map(|(at, _)| at)
            .collect();
        self.land(&jumps);
    }

    /// The program, with the author's text.
    pub(super) fn finish(self, source: String) -> Program {
        let mut handler_of = vec![UNHANDLED; self.code.len()];
        // Inner handlers were added before outer ones and are painted over them.
        for (number, handler) in self.handlers.iter().enumerate().rev() {
            let number = u16::try_from(number).unwrap_or(UNHANDLED);
            if let Some(guarded) = handler_of.get_mut(handler.start as usize..handler.end as usize) {
                guarded.fill(number);
            }
        }
        let is_conjunction = !self.terms.is_empty()
            && self.terms.len() == self.predicates.len()
            && self
                .code
                .iter()
                .all(|op| matches!(op, Op::Terms | Op::EndTerms { .. } | Op::TestAnd { .. } | Op::Test(_)));
        Program {
            code: self.code.into(),
            handler_of: handler_of.into(),
            handlers: self.handlers.into(),
            constants: self.constants.into(),
            paths: self.paths.into(),
            predicates: self.predicates.into(),
            patterns: self.patterns.into(),
            terms: self.terms.into(),
            source: source.into(),
            is_conjunction,
        }
    }
}

/// Table positions; texts are too short for more.
pub(super) fn number(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}
