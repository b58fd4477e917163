//! Tokens into a tree. Operators of one precedence are parsed in a loop, so only nesting recurses, and that is limited.

use super::ast::{Ast, BinaryOp, Kind, NodeId};
use super::lexer::{Tok, Token, syntax, tokenize};
use super::macros::Variable;
use super::source::{MAX_TEXT_BYTES, Place, Problem};
use super::value::Const;

/// Deepest nesting of brackets, calls, branches and macros.
pub(super) const MAX_DEPTH: usize = 64;

/// Parses a whole text.
pub(super) fn parse(text: &str) -> Result<Ast, Box<Problem>> {
    if text.len() > MAX_TEXT_BYTES {
        let message = format!("the condition is {} bytes long; at most {MAX_TEXT_BYTES} are allowed", text.len());
        let problem = Problem::error("cel-too-long", Place::When(0..text.len()), message);
        return Err(Box::new(problem.help("split it into several rules, or compare with `in [ … ]`")));
    }
    let tokens = tokenize(text)?;
    let mut parser = Parser { tokens, at: 0, ast: Ast::new(), depth: 0, variables: Vec::new() };
    if parser.peek() == &Tok::End {
        return Err(syntax(0..text.len(), "the condition is empty"));
    }
    let root = parser.expression()?;
    if parser.peek() != &Tok::End {
        return Err(parser.unexpected("the end of the condition"));
    }
    parser.ast.set_root(root);
    Ok(parser.ast)
}

pub(super) struct Parser<'t> {
    pub(super) tokens: Vec<Token<'t>>,
    pub(super) at: usize,
    pub(super) ast: Ast,
    depth: usize,
    /// The variables of the macros around the current place, outermost first.
    pub(super) variables: Vec<Variable<'t>>,
}

type Parsed = Result<NodeId, Box<Problem>>;

impl<'t> Parser<'t> {
    /// `condition ? yes : no`, or what binds tighter.
    pub(super) fn expression(&mut self) -> Parsed {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let at = self.token_range();
            let message = format!("the condition is nested more than {MAX_DEPTH} levels deep");
            return Err(Box::new(Problem::error("cel-too-deep", Place::When(at), message)));
        }
        let condition = self.binary(Precedence::Or)?;
        let question = self.at;
        let node = if self.eat("?") {
            let yes = self.binary(Precedence::Or)?;
            self.expect(":", "after the first branch of `?`")
                .map_err(|problem| self.safe_navigation(question).unwrap_or(problem))?;
            let no = self.expression()?;
            self.join(Kind::Ternary { condition, yes, no }, condition, no)
        } else {
            condition
        };
        self.depth -= 1;
        Ok(node)
    }

    /// Operators of at least `lowest` precedence.
    fn binary(&mut self, lowest: Precedence) -> Parsed {
        let mut left = self.unary()?;
        while let Some((operator, precedence)) = self.operator().filter(|(_, precedence)| *precedence >= lowest) {
            match operator {
                Operator::And | Operator::Or => left = self.terms(operator, precedence, left)?,
                Operator::Binary(operator) => {
                    self.advance();
                    let right = self.binary(precedence.tighter())?;
                    left = self.join(Kind::Binary { operator, left, right }, left, right);
                }
            }
        }
        Ok(left)
    }

    /// `first && … && …` as one node.
    fn terms(&mut self, operator: Operator, precedence: Precedence, first: NodeId) -> Parsed {
        let mut terms = Vec::new();
        self.add_terms(operator, &mut terms, first);
        let mut last = first;
        while self.operator().is_some_and(|(next, _)| next == operator) {
            self.advance();
            last = self.binary(precedence.tighter())?;
            self.add_terms(operator, &mut terms, last);
        }
        let kind = if operator == Operator::And { Kind::And(terms) } else { Kind::Or(terms) };
        Ok(self.join(kind, first, last))
    }

    /// A term that is itself such a node gives its terms.
    fn add_terms(&self, operator: Operator, terms: &mut Vec<NodeId>, term: NodeId) {
        match (operator, self.ast.kind(term)) {
            (Operator::And, Kind::And(inner)) | (Operator::Or, Kind::Or(inner)) => terms.extend_from_slice(inner),
            _ => terms.push(term),
        }
    }

    fn operator(&self) -> Option<(Operator, Precedence)> {
        use BinaryOp::*;
        let relation = |operator| (Operator::Binary(operator), Precedence::Relation);
        Some(match self.peek() {
            Tok::In => relation(In),
            Tok::Symbol(symbol) => match *symbol {
                "||" => (Operator::Or, Precedence::Or),
                "&&" => (Operator::And, Precedence::And),
                "==" => relation(Equal),
                "!=" => relation(NotEqual),
                "<" => relation(Less),
                "<=" => relation(LessEqual),
                ">" => relation(Greater),
                ">=" => relation(GreaterEqual),
                "+" => (Operator::Binary(Add), Precedence::Sum),
                "-" => (Operator::Binary(Subtract), Precedence::Sum),
                "*" => (Operator::Binary(Multiply), Precedence::Product),
                "/" => (Operator::Binary(Divide), Precedence::Product),
                "%" => (Operator::Binary(Modulo), Precedence::Product),
                _ => return None,
            },
            _ => return None,
        })
    }

    fn unary(&mut self) -> Parsed {
        let start = self.token_start();
        for symbol in ["!", "-"] {
            let mut count = 0;
            while self.peek() == &Tok::Symbol(symbol) {
                if symbol == "-" && matches!(self.peek_at(1), Tok::Int(_) | Tok::Double(_)) {
                    break;
                }
                self.advance();
                count += 1;
            }
            if count > 0 {
                let mut node = self.member()?;
                // A pair cancels out, but the operand must still have the right type.
                for _ in 0..if count % 2 == 0 { 2 } else { 1 } {
                    let kind = if symbol == "!" { Kind::Not(node) } else { Kind::Negate(node) };
                    let end = self.ast.range(node).end;
                    node = self.ast.push(kind, start, end);
                }
                return Ok(node);
            }
        }
        self.member()
    }

    /// A primary with its selections, indices and method calls.
    fn member(&mut self) -> Parsed {
        let mut node = self.primary()?;
        loop {
            if self.eat(".") {
                node = self.selection(node)?;
            } else if self.peek() == &Tok::Symbol("[") {
                self.advance();
                if self.peek() == &Tok::Symbol("?") {
                    return Err(self.no_optionals(self.previous_start(), "[?"));
                }
                let index = self.expression()?;
                let end = self.expect("]", "after the index")?;
                let start = self.ast.range(node).start;
                node = self.ast.push(Kind::Index { operand: node, index }, start, end);
            } else if let Some(problem) = self.message(node) {
                return Err(problem);
            } else {
                return Ok(node);
            }
        }
    }

    fn selection(&mut self, operand: NodeId) -> Parsed {
        let start = self.ast.range(operand).start;
        let (field, name_at) = match self.peek().clone() {
            Tok::Ident(name) | Tok::Quoted(name) | Tok::Reserved(name) => (name, self.token_range()),
            Tok::Symbol("?") => return Err(self.no_optionals(self.previous_start(), ".?")),
            Tok::In | Tok::True | Tok::False | Tok::Null => {
                let problem = self.unexpected("a field name");
                return Err(Box::new(problem.help("use an index for this key: `context[\"in\"]`")));
            }
            _ => return Err(self.unexpected("a field name after `.`")),
        };
        if self.peek_at(1) == &Tok::Symbol("(") {
            self.refuse_extension(operand, field)?;
        }
        self.advance();
        if self.peek() != &Tok::Symbol("(") {
            let kind = Kind::Select { operand, field: field.into(), test: false };
            return Ok(self.ast.push(kind, start, name_at.end));
        }
        self.advance();
        if let Some(node) = self.macro_call(operand, field, name_at.clone())? {
            return Ok(node);
        }
        let (arguments, end) = self.arguments()?;
        Ok(self.ast.push(call(field, Some(operand), arguments, &name_at), start, end))
    }

    fn primary(&mut self) -> Parsed {
        let range = self.token_range();
        let literal = |parser: &mut Self, value: Const| {
            parser.advance();
            Ok(parser.ast.push(Kind::Literal(value), range.start, range.end))
        };
        match self.peek().clone() {
            Tok::True => literal(self, Const::Bool(true)),
            Tok::False => literal(self, Const::Bool(false)),
            Tok::Null => literal(self, Const::Null),
            Tok::Uint(value) => literal(self, Const::Uint(value)),
            Tok::Double(value) => literal(self, Const::Double(value)),
            Tok::Str(text) => literal(self, Const::Str(text.into())),
            Tok::Bytes(bytes) => literal(self, Const::Bytes(bytes.into())),
            Tok::Int(magnitude) => match i64::try_from(magnitude) {
                Ok(value) => literal(self, Const::Int(value)),
                Err(_) => Err(syntax(range, "the integer does not fit 64 bits")),
            },
            Tok::Symbol("-") => self.negative_literal(),
            Tok::Symbol("(") => {
                self.advance();
                let inner = self.expression()?;
                let end = self.expect(")", "to close the bracket")?;
                self.ast.set_range(inner, range.start, end);
                Ok(inner)
            }
            Tok::Symbol("[") => self.list(),
            Tok::Symbol("{") => self.map(),
            Tok::Symbol(".") => {
                self.advance();
                match self.peek().clone() {
                    Tok::Ident(name) => self.name(name, true),
                    _ => Err(self.unexpected("a name after `.`")),
                }
            }
            Tok::Ident(name) => self.name(name, false),
            Tok::Reserved(name) => {
                let problem = syntax(range, format!("`{name}` is a reserved word"));
                Err(Box::new(problem.help("CEL keeps it; as a key write it after a dot: `context.for`")))
            }
            _ => Err(self.unexpected("a value")),
        }
    }

    /// `-` directly before a number is part of the literal, so that the smallest integer can be written.
    fn negative_literal(&mut self) -> Parsed {
        let start = self.token_start();
        self.advance();
        let range = start..self.token_range().end;
        let value = match *self.peek() {
            Tok::Int(magnitude) if magnitude <= 1 << 63 => Const::Int((magnitude as i64).wrapping_neg()),
            Tok::Int(_) => return Err(syntax(range, "the integer does not fit 64 bits")),
            Tok::Double(value) => Const::Double(-value),
            _ => return Err(self.unexpected("a value")),
        };
        self.advance();
        Ok(self.ast.push(Kind::Literal(value), range.start, range.end))
    }

    /// A variable, a type or a call of a global function.
    fn name(&mut self, name: &'t str, rooted: bool) -> Parsed {
        let name_at = self.token_range();
        self.advance();
        if self.peek() == &Tok::Symbol("(") {
            self.advance();
            if name == "has" && !rooted {
                return self.has(name_at.start);
            }
            let (arguments, end) = self.arguments()?;
            return Ok(self.ast.push(call(name, None, arguments, &name_at), name_at.start, end));
        }
        let kind = match self.variable(name).filter(|_| !rooted) {
            Some(local) => Kind::Local(local),
            None => Kind::Ident(name.into()),
        };
        Ok(self.ast.push(kind, name_at.start, name_at.end))
    }

    /// Expressions up to `)`, whose end is given as well.
    pub(super) fn arguments(&mut self) -> Result<(Vec<NodeId>, usize), Box<Problem>> {
        let mut arguments = Vec::new();
        if self.peek() != &Tok::Symbol(")") {
            loop {
                arguments.push(self.expression()?);
                if !self.eat(",") {
                    break;
                }
            }
        }
        let end = self.expect(")", "to close the call")?;
        Ok((arguments, end))
    }

    fn list(&mut self) -> Parsed {
        let start = self.token_start();
        self.advance();
        let mut items = Vec::new();
        while self.peek() != &Tok::Symbol("]") {
            if self.peek() == &Tok::Symbol("?") {
                return Err(self.no_optionals(self.previous_start(), "[?"));
            }
            items.push(self.expression()?);
            if !self.eat(",") {
                break;
            }
        }
        let end = self.expect("]", "to close the list")?;
        Ok(self.ast.push(Kind::List(items), start, end))
    }

    fn map(&mut self) -> Parsed {
        let start = self.token_start();
        self.advance();
        let mut entries = Vec::new();
        while self.peek() != &Tok::Symbol("}") {
            if self.peek() == &Tok::Symbol("?") {
                return Err(self.no_optionals(self.previous_start(), "{?"));
            }
            let key = self.expression()?;
            self.expect(":", "between key and value")?;
            entries.push((key, self.expression()?));
            if !self.eat(",") {
                break;
            }
        }
        let end = self.expect("}", "to close the map")?;
        Ok(self.ast.push(Kind::Map(entries), start, end))
    }

    /// A node from the start of `first` to the end of `last`.
    fn join(&mut self, kind: Kind, first: NodeId, last: NodeId) -> NodeId {
        let (start, end) = (self.ast.range(first).start, self.ast.range(last).end);
        self.ast.push(kind, start, end)
    }

    // === tokens

    pub(super) fn peek(&self) -> &Tok<'t> {
        self.peek_at(0)
    }

    pub(super) fn peek_at(&self, ahead: usize) -> &Tok<'t> {
        self.tokens.get(self.at + ahead).map_or(&Tok::End, |token| &token.kind)
    }

    pub(super) fn advance(&mut self) {
        if self.at + 1 < self.tokens.len() {
            self.at += 1;
        }
    }

    pub(super) fn eat(&mut self, symbol: &'static str) -> bool {
        let found = self.peek() == &Tok::Symbol(symbol);
        if found {
            self.advance();
        }
        found
    }

    /// Consumes `symbol` and gives the byte after it.
    pub(super) fn expect(&mut self, symbol: &'static str, why: &str) -> Result<usize, Box<Problem>> {
        let end = self.token_range().end;
        if self.eat(symbol) { Ok(end) } else { Err(self.unexpected(&format!("`{symbol}` {why}"))) }
    }

    pub(super) fn token_range(&self) -> std::ops::Range<usize> {
        self.tokens.get(self.at).map_or(0..0, |token| token.start..token.end)
    }

    fn token_start(&self) -> usize {
        self.token_range().start
    }

    pub(super) fn unexpected(&self, expected: &str) -> Box<Problem> {
        let found = match self.peek() {
            Tok::End => "the end of the condition".to_owned(),
            Tok::Symbol(symbol) => format!("`{symbol}`"),
            Tok::Ident(word) | Tok::Reserved(word) => format!("`{word}`"),
            Tok::Quoted(word) => format!("`` `{word}` ``"),
            Tok::Str(_) | Tok::Bytes(_) => "a string".to_owned(),
            Tok::Int(_) | Tok::Uint(_) | Tok::Double(_) => "a number".to_owned(),
            Tok::True => "`true`".to_owned(),
            Tok::False => "`false`".to_owned(),
            Tok::Null => "`null`".to_owned(),
            Tok::In => "`in`".to_owned(),
        };
        let problem = syntax(self.token_range(), format!("expected {expected}, found {found}"));
        Box::new(match self.hint() {
            Some(help) => problem.help(help),
            None => *problem,
        })
    }

    /// What people who know another language probably meant.
    fn hint(&self) -> Option<&'static str> {
        let previous = self.at.checked_sub(1).and_then(|before| self.tokens.get(before)).map(|token| &token.kind);
        if previous == Some(&Tok::Ident("not")) {
            return Some("write `!(…)` for a negation; `x not in y` is `!(x in y)`");
        }
        match self.peek() {
            Tok::Ident(word) => match word.to_ascii_lowercase().as_str() {
                "and" => Some("write `&&` for a logical and"),
                "or" => Some("write `||` for a logical or"),
                "not" => Some("write `!(x in y)` for `x not in y`"),
                "is" | "eq" | "equals" => Some("write `==` to compare"),
                "ne" | "neq" => Some("write `!=` to compare"),
                "contains" | "matches" | "startswith" | "endswith" | "starts_with" | "ends_with" => Some(
                    "write it as a call: `text.contains(\"part\")`, `text.startsWith(\"…\")`, `text.matches(\"…\")`",
                ),
                "exists" => Some("write `has(context.x)` to test that an attribute is there"),
                _ => None,
            },
            Tok::In => Some("write the value on the left: `x in [ … ]`; its negation is `!(x in [ … ])`"),
            Tok::Symbol(">") if previous == Some(&Tok::Symbol("<")) => Some("write `!=` for not equal"),
            Tok::Symbol(":") => Some("the shape of a branch is `condition ? yes : no`"),
            Tok::Reserved("if" | "else") => Some("the shape of a branch is `condition ? yes : no`"),
            _ => None,
        }
    }
}

fn call(name: &str, receiver: Option<NodeId>, arguments: Vec<NodeId>, name_at: &std::ops::Range<usize>) -> Kind {
    let clamp = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
    Kind::Call { name: name.into(), receiver, arguments, name_at: (clamp(name_at.start), clamp(name_at.end)) }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    And,
    Or,
    Binary(BinaryOp),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Precedence {
    Or,
    And,
    Relation,
    Sum,
    Product,
    Unary,
}

impl Precedence {
    fn tighter(self) -> Self {
        match self {
            Self::Or => Self::And,
            Self::And => Self::Relation,
            Self::Relation => Self::Sum,
            Self::Sum => Self::Product,
            Self::Product | Self::Unary => Self::Unary,
        }
    }
}
