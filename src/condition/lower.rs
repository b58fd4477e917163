//! From a checked tree to instructions. Constant parts are evaluated here, by the machine that will run the program.

use super::always_fails::{self, Failure};
use super::ast::{Ast, Kind, Macro, MacroKind, NodeId};
use super::builder::{Builder, number};
use super::checker::{Checked, NodeMeaning};
use super::error::{Budget, ConditionError};
use super::functions::Function;
use super::fuse;
use super::path::{AttributePath, Bindings, path_of};
use super::pattern;
use super::predicate::{Predicate, Test};
use super::program::{HandlerKind, Op};
use super::source::{Place, Problem};
use super::value::Const;
use super::vm::Vm;

/// Cost that evaluating the constant parts of a condition may have; what is beyond is left to each evaluation.
const FOLDING_BUDGET: u64 = 100_000;

/// Lowers the nodes of one tree into a builder.
pub(super) struct Lowering<'t> {
    pub(super) ast: &'t Ast,
    pub(super) checked: &'t Checked,
    /// The value of each node that is constant.
    folded: Vec<Option<Const>>,
    /// Whether each node is an error for every request.
    failing: Vec<bool>,
    /// The innermost of those nodes.
    failures: Vec<Failure>,
    folding: Budget,
    pub(super) problems: Vec<Problem>,
}

impl<'t> Lowering<'t> {
    /// Finds the constant nodes.
    pub(super) fn new(ast: &'t Ast, checked: &'t Checked) -> Self {
        let folding = Budget { remaining: FOLDING_BUDGET };
        let folded = Vec::with_capacity(ast.len());
        let failing = Vec::with_capacity(ast.len());
        let mut lowering = Self { ast, checked, folded, failing, failures: Vec::new(), folding, problems: Vec::new() };
        // For each node: the macro levels whose variables it reads; `OPEN` where it reads an attribute.
        let mut reads: Vec<u128> = Vec::with_capacity(ast.len());
        for (id, node) in ast.iter() {
            let mut needs = lowering.own_reads(id, &node.kind);
            Ast::operands(&node.kind, |operand| needs |= reads.get(operand.index()).copied().unwrap_or(OPEN));
            if let Kind::Macro(body) = &node.kind {
                needs &= !(1 << body.level.min(126));
            }
            reads.push(needs);
            let folded = lowering.fold(id, &node.kind, needs == 0);
            let failed = lowering.failures.last().is_some_and(|failure| failure.node == id);
            let fails = folded.is_none() && (failed || lowering.operands_fail(&node.kind));
            lowering.folded.push(folded);
            if !fails && let Some(error) = always_fails::unknown_zone(&lowering, checked, id) {
                lowering.failures.push(Failure { node: id, error });
                lowering.failing.push(true);
            } else {
                lowering.failing.push(fails);
            }
        }
        lowering
    }

    /// Whether the node is an error for every request.
    pub(super) fn always_fails(&self, id: NodeId) -> bool {
        self.failing.get(id.index()).is_some_and(|fails| *fails)
    }

    /// The innermost nodes that are an error for every request.
    pub(super) fn failures(&self) -> impl Iterator<Item = &Failure> {
        // A macro fails after what it runs.
        let mut before = None;
        self.failures.iter().filter(move |failure| {
            let range = self.ast.range(failure.node);
            let is_inner = before.is_none_or(|before| before < range.start);
            before = before.max(Some(range.start));
            is_inner
        })
    }

    /// Whether a node without a value fails because what it needs does.
    fn operands_fail(&self, kind: &Kind) -> bool {
        match kind {
            Kind::And(terms) | Kind::Or(terms) => {
                let other = Const::Bool(matches!(kind, Kind::And(_)));
                let fails = |term: &NodeId| self.always_fails(*term);
                terms.iter().any(fails) && terms.iter().all(|term| fails(term) || self.constant(*term) == Some(&other))
            }
            Kind::Ternary { condition, yes, no } => {
                self.always_fails(*condition)
                    || match self.constant(*condition) {
                        Some(Const::Bool(true)) => self.always_fails(*yes),
                        Some(Const::Bool(false)) => self.always_fails(*no),
                        _ => self.always_fails(*yes) && self.always_fails(*no),
                    }
            }
            // The body is not run where there is no element.
            Kind::Macro(body) => self.always_fails(body.range),
            _ => {
                let mut any = false;
                Ast::operands(kind, |operand| any |= self.always_fails(operand));
                any
            }
        }
    }

    fn own_reads(&self, id: NodeId, kind: &Kind) -> u128 {
        match (self.checked.meaning(id), kind) {
            (NodeMeaning::Slot(_), _) => OPEN,
            (_, Kind::Local(local)) => 1 << local.level.min(126),
            _ => 0,
        }
    }

    /// The value of a node, if it is constant and has one.
    pub(super) fn constant(&self, id: NodeId) -> Option<&Const> {
        match self.ast.kind(id) {
            Kind::Literal(value) => Some(value),
            _ => self.folded.get(id.index())?.as_ref(),
        }
    }

    fn fold(&mut self, id: NodeId, kind: &Kind, closed: bool) -> Option<Const> {
        if let NodeMeaning::Type(name) = self.checked.meaning(id) {
            return Some(Const::Type(name));
        }
        match kind {
            Kind::Literal(_) | Kind::Ident(_) | Kind::Local(_) => None,
            // One settling term is enough, whatever the others read.
            Kind::And(terms) | Kind::Or(terms) => {
                let settles = Const::Bool(matches!(kind, Kind::Or(_)));
                let is = |value: &Const| terms.iter().filter(|term| self.constant(**term) == Some(value)).count();
                let other = Const::Bool(matches!(kind, Kind::And(_)));
                if is(&settles) > 0 {
                    Some(settles)
                } else if is(&other) == terms.len() {
                    Some(other)
                } else {
                    None
                }
            }
            Kind::Ternary { condition, yes, no } => match self.constant(*condition)? {
                Const::Bool(true) => self.constant(*yes).cloned(),
                Const::Bool(false) => self.constant(*no).cloned(),
                _ => None,
            },
            _ if closed && self.checked.problems.is_empty() && self.operands_are_constant(kind) => {
                let value = match self.run_constant(id) {
                    Ok(value) => Some(value),
                    Err(error) => {
                        self.failures.extend(error.map(|error| Failure { node: id, error }));
                        None
                    }
                };
                if value.is_some() {
                    // What is folded into this node is not needed any more.
                    Ast::operands(kind, |operand| {
                        if let Some(folded) = self.folded.get_mut(operand.index()) {
                            *folded = None;
                        }
                    });
                }
                value
            }
            _ => None,
        }
    }

    /// Whether a closed node can be run: an operand without a value would only fail again. The body of a macro has a
    /// value only together with the macro.
    fn operands_are_constant(&self, kind: &Kind) -> bool {
        if let Kind::Macro(body) = kind {
            return self.constant(body.range).is_some();
        }
        let mut all = true;
        Ast::operands(kind, |operand| {
            all &= self.constant(operand).is_some() || self.checked.meaning(operand) == NodeMeaning::Prefix;
        });
        all
    }

    /// Runs a closed node by itself. Gives the error where it says something about every run.
    fn run_constant(&mut self, id: NodeId) -> Result<Const, Option<ConditionError>> {
        let mut builder = Builder::default();
        let problems = self.problems.len();
        self.lower_unfolded(&mut builder, id);
        // What is wrong is reported when the node is lowered for good.
        let is_whole = self.problems.len() == problems;
        self.problems.truncate(problems);
        let program = builder.finish(String::new());
        let request = crate::model::Request::default();
        let bindings = Bindings::of_request(&request, crate::model::Timestamp::default());
        let value = Vm::new(&program, bindings, &mut self.folding).run(0, program.code.len(), false);
        value
            .map(|value| value.to_const())
            .map_err(|error| Some(error).filter(|error| is_whole && *error != ConditionError::Limit))
    }

    /// The terms of the outermost `&&`, left to right.
    pub(super) fn conjuncts(&self) -> Vec<NodeId> {
        match self.ast.kind(self.ast.root()) {
            Kind::And(terms) => terms.clone(),
            _ => vec![self.ast.root()],
        }
    }

    /// Adds a term of the outermost `&&`, or the whole condition.
    pub(super) fn add_term(&mut self, builder: &mut Builder, id: NodeId, alone: bool) {
        let clause = self.ast.range(id);
        if let Some(predicate) = self.predicate(id) {
            builder.add_predicate_term(predicate, alone, clause);
            return;
        }
        let start = builder.at();
        self.lower(builder, id);
        builder.add_term(start, clause);
        if !alone {
            builder.handle(start, builder.at() + 1, HandlerKind::Terms(0));
            builder.emit(Op::Term { settles: false, end: 0 });
        }
    }

    /// The attribute that a term compares with constants by `==` or `in`, so that the term cannot hold without it.
    pub(super) fn required_attribute(&mut self, id: NodeId) -> Option<AttributePath> {
        let predicate = self.predicate(id)?;
        let equality = matches!(predicate.test, Test::Equals(_) | Test::OneOf(_)) && !predicate.negated;
        equality.then_some(predicate.path)
    }

    fn predicate(&mut self, id: NodeId) -> Option<Predicate> {
        if self.constant(id).is_some() { None } else { fuse::predicate(self, id) }
    }

    /// Lowers a node that leaves one value.
    pub(super) fn lower(&mut self, builder: &mut Builder, id: NodeId) {
        match self.constant(id).cloned() {
            Some(value) => {
                let constant = builder.constant(value);
                builder.emit(Op::Const(constant));
            }
            None => self.lower_unfolded(builder, id),
        }
    }

    /// Walks down the first operands, then up again, so that long chains do not recurse.
    fn lower_unfolded(&mut self, builder: &mut Builder, id: NodeId) {
        let mut chain = Vec::new();
        let mut at = id;
        loop {
            if at != id && self.constant(at).is_some() {
                self.lower(builder, at);
                break;
            }
            if self.lower_whole(builder, at) {
                break;
            }
            let Some(first) = first_operand(self.ast.kind(at)) else { break };
            chain.push(at);
            at = first;
        }
        for id in chain.into_iter().rev() {
            self.lower_rest(builder, id);
        }
    }

    /// Lowers nodes whose first operand is not simply a value before the rest. False for all others.
    fn lower_whole(&mut self, builder: &mut Builder, id: NodeId) -> bool {
        let ast = self.ast;
        if matches!(self.checked.meaning(id), NodeMeaning::Slot(_) | NodeMeaning::Path(_))
            && !matches!(ast.kind(id), Kind::Select { test: true, .. })
            && let Some(path) = path_of(ast, self.checked, id)
        {
            builder.emit_read(path);
            return true;
        }
        match ast.kind(id) {
            Kind::Literal(value) => {
                let constant = builder.constant(value.clone());
                builder.emit(Op::Const(constant));
            }
            Kind::Local(local) => {
                builder.emit(Op::Local { level: local.level, part: local.part });
            }
            Kind::And(terms) => self.lower_terms(builder, terms, false),
            Kind::Or(terms) => self.lower_terms(builder, terms, true),
            Kind::Ternary { condition, yes, no } => self.lower_ternary(builder, *condition, *yes, *no),
            Kind::List(items) => {
                items.iter().for_each(|item| self.lower(builder, *item));
                builder.emit(Op::List(number(items.len())));
            }
            Kind::Map(entries) => {
                for (key, value) in entries {
                    self.lower(builder, *key);
                    self.lower(builder, *value);
                }
                builder.emit(Op::Map(number(entries.len())));
            }
            Kind::Ident(_) => {
                let constant = builder.constant(Const::Null);
                builder.emit(Op::Const(constant));
            }
            Kind::Call { receiver, arguments, .. } if self.is_namespace(*receiver) || receiver.is_none() => {
                if let (NodeMeaning::Call(Function::Matches), [text, pattern]) =
                    (self.checked.meaning(id), arguments.as_slice())
                {
                    self.lower(builder, *text);
                    self.emit_match(builder, Some(*pattern));
                    return true;
                }
                arguments.iter().for_each(|argument| self.lower(builder, *argument));
                self.emit_call(builder, id, arguments.len());
            }
            _ => match self.predicate_without_truth(id) {
                Some(predicate) => {
                    let predicate = builder.predicate(predicate);
                    builder.emit(Op::Test(predicate));
                }
                None => return false,
            },
        }
        true
    }

    /// A predicate for a node that need not be a bool itself, such as an operand of `==`.
    fn predicate_without_truth(&mut self, id: NodeId) -> Option<Predicate> {
        let is_value = matches!(self.checked.meaning(id), NodeMeaning::Slot(_) | NodeMeaning::Path(_))
            && !matches!(self.ast.kind(id), Kind::Select { test: true, .. });
        if is_value { None } else { fuse::predicate(self, id) }
    }

    fn is_namespace(&self, receiver: Option<NodeId>) -> bool {
        receiver.is_some_and(|id| self.checked.meaning(id) == NodeMeaning::Prefix)
    }

    /// Lowers what follows the first operand of a node.
    fn lower_rest(&mut self, builder: &mut Builder, id: NodeId) {
        let ast = self.ast;
        match ast.kind(id) {
            Kind::Select { field, test, .. } => {
                let key = builder.constant(Const::Str(field.as_str().into()));
                builder.emit(if *test { Op::Has(key) } else { Op::Select(key) });
            }
            Kind::Index { index, .. } => {
                self.lower(builder, *index);
                builder.emit(Op::Index);
            }
            Kind::Not(_) => {
                builder.emit(Op::Not);
            }
            Kind::Negate(_) => {
                builder.emit(Op::Negate);
            }
            Kind::Binary { operator, right, .. } => {
                self.lower(builder, *right);
                builder.emit(Op::Binary(*operator));
            }
            Kind::Call { receiver, arguments, .. } => {
                if self.checked.meaning(id) == NodeMeaning::Call(Function::Matches) {
                    self.emit_match(builder, arguments.first().copied());
                    return;
                }
                arguments.iter().for_each(|argument| self.lower(builder, *argument));
                self.emit_call(builder, id, arguments.len() + usize::from(receiver.is_some()));
            }
            Kind::Macro(body) => self.lower_macro(builder, body),
            _ => {}
        }
    }

    fn emit_call(&mut self, builder: &mut Builder, id: NodeId, arguments: usize) {
        if let NodeMeaning::Call(function) = self.checked.meaning(id) {
            builder.emit(Op::Call { function, arguments: u8::try_from(arguments).unwrap_or(u8::MAX) });
        }
    }

    fn emit_match(&mut self, builder: &mut Builder, pattern: Option<NodeId>) {
        if let Some(regex) = pattern.and_then(|pattern| self.pattern(pattern)) {
            builder.patterns.push(regex);
        }
        builder.emit(Op::Match(number(builder.patterns.len().saturating_sub(1))));
    }

    /// The compiled pattern of a `matches`; reports one that is not constant or does not compile.
    pub(super) fn pattern(&mut self, id: NodeId) -> Option<pattern::Pattern> {
        let place = Place::When(self.ast.range(id));
        let problem = match self.constant(id) {
            Some(Const::Str(text)) => match pattern::compile(text) {
                Ok(regex) => return Some(regex),
                Err(message) => Problem::error("bad-regex", place, message).help(
                    "patterns follow RE2: no look-around, no back-references; raw strings spare backslashes: r'\\d+'",
                ),
            },
            _ => Problem::error("bad-regex", place, "the pattern of `matches` is not a constant")
                .help("patterns are compiled when the policy is loaded; write the pattern as a string"),
        };
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
        None
    }

    fn lower_terms(&mut self, builder: &mut Builder, terms: &[NodeId], settles: bool) {
        builder.emit(Op::Terms);
        let depth = builder.term_depth;
        builder.term_depth += 1;
        let mut jumps = Vec::with_capacity(terms.len());
        for term in terms {
            if let Some(predicate) = self.predicate(*term) {
                let predicate = builder.predicate(predicate);
                let op = if settles {
                    Op::TestOr { predicate, end: u32::MAX }
                } else {
                    Op::TestAnd { predicate, end: u32::MAX }
                };
                jumps.push(builder.emit(op));
            } else {
                let start = builder.at();
                self.lower(builder, *term);
                builder.handle(start, builder.at() + 1, HandlerKind::Terms(depth));
                jumps.push(builder.emit(Op::Term { settles, end: u32::MAX }));
            }
        }
        builder.term_depth = depth;
        builder.emit(Op::EndTerms { settles });
        builder.land(&jumps);
    }

    fn lower_ternary(&mut self, builder: &mut Builder, condition: NodeId, yes: NodeId, no: NodeId) {
        match self.constant(condition) {
            Some(Const::Bool(true)) => return self.lower(builder, yes),
            Some(Const::Bool(false)) => return self.lower(builder, no),
            _ => {}
        }
        match self.predicate(condition) {
            Some(predicate) => {
                let predicate = builder.predicate(predicate);
                builder.emit(Op::Test(predicate));
            }
            None => self.lower(builder, condition),
        }
        let branch = builder.emit(Op::Branch(u32::MAX));
        self.lower(builder, yes);
        let jump = builder.emit(Op::Jump(u32::MAX));
        builder.land(&[branch]);
        self.lower(builder, no);
        builder.land(&[jump]);
    }

    /// The range is on the stack.
    fn lower_macro(&mut self, builder: &mut Builder, body: &Macro) {
        builder.emit(Op::Loop { kind: body.kind });
        let depth = builder.loop_depth;
        builder.loop_depth += 1;
        let next = builder.at();
        let mut jumps = vec![builder.emit(Op::Next { end: u32::MAX })];
        let start = builder.at();
        match (body.condition, body.transform) {
            (Some(condition), Some(transform)) => {
                self.lower(builder, condition);
                builder.emit(Op::Guard { next });
                self.lower(builder, transform);
            }
            (Some(only), None) | (None, Some(only)) => self.lower(builder, only),
            (None, None) => {}
        }
        jumps.push(builder.emit(Op::Step { next, end: u32::MAX }));
        if matches!(body.kind, MacroKind::All | MacroKind::Exists) {
            builder.handle(start, next, HandlerKind::Loop(depth));
        }
        builder.loop_depth = depth;
        builder.land(&jumps);
        builder.emit(Op::EndLoop);
    }
}

/// Marks a node that reads an attribute or the time.
const OPEN: u128 = 1 << 127;

/// The operand that is evaluated first and left on the stack for the rest.
fn first_operand(kind: &Kind) -> Option<NodeId> {
    match kind {
        Kind::Select { operand, .. } | Kind::Index { operand, .. } | Kind::Not(operand) | Kind::Negate(operand) => {
            Some(*operand)
        }
        Kind::Binary { left, .. } => Some(*left),
        Kind::Call { receiver, .. } => *receiver,
        Kind::Macro(body) => Some(body.range),
        _ => None,
    }
}
