//! Parts of CEL that conditions do not have: told by name, instead of as a row of unknown variables.

use std::ops::Range;

use super::ast::{Kind, NodeId};
use super::lexer::{Tok, syntax};
use super::parser::Parser;
use super::source::Problem;

fn optionals(range: Range<usize>, written: &str) -> Box<Problem> {
    let problem = syntax(range, format!("optional values (`{written}`) are not supported"));
    Box::new(problem.help("test with `has(…)` first"))
}

impl Parser<'_> {
    /// `written` begins at byte `start` and ends with the current token.
    pub(super) fn no_optionals(&self, start: usize, written: &str) -> Box<Problem> {
        optionals(start..self.token_range().end, written)
    }

    /// Where the token before the current one starts.
    pub(super) fn previous_start(&self) -> usize {
        self.at.checked_sub(1).and_then(|before| self.tokens.get(before)).map_or(0, |token| token.start)
    }

    /// Refuses calls of extensions that bring variables or values which do not exist here.
    pub(super) fn refuse_extension(&self, operand: NodeId, field: &str) -> Result<(), Box<Problem>> {
        let Kind::Ident(namespace) = self.ast.kind(operand) else { return Ok(()) };
        let start = self.ast.range(operand).start;
        match (namespace.as_str(), field) {
            ("cel", "bind") => {
                let problem = syntax(start..self.token_range().end, "`cel.bind` is not supported");
                Err(Box::new(problem.help("write the expression itself where its name would stand")))
            }
            ("optional", "of" | "ofNonZeroValue" | "none") => {
                Err(self.no_optionals(start, &format!("optional.{field}")))
            }
            _ => Ok(()),
        }
    }

    /// Why what follows `?` fails, if that token was written as in other languages, directly before a point.
    pub(super) fn safe_navigation(&self, question: usize) -> Option<Box<Problem>> {
        let (question, point) = (self.tokens.get(question)?, self.tokens.get(question + 1)?);
        if point.kind != Tok::Symbol(".") || point.start != question.end {
            return None;
        }
        Some(optionals(question.start..point.end, "?."))
    }

    /// Refuses `name{…}`, where the bracket is the current token.
    pub(super) fn message(&self, name: NodeId) -> Option<Box<Problem>> {
        if self.peek() != &Tok::Symbol("{") {
            return None;
        }
        let range = self.ast.range(name).start..self.token_range().end;
        let name = self.dotted_name(name)?;
        let problem = syntax(range, format!("messages (`{name}{{…}}`) are not supported"));
        Some(Box::new(problem.help("a map is written without a name before it: {\"key\": value}")))
    }

    /// The name that a message would have.
    fn dotted_name(&self, id: NodeId) -> Option<String> {
        let mut names = Vec::new();
        let mut at = id;
        loop {
            match self.ast.kind(at) {
                Kind::Ident(name) => {
                    names.push(name.as_str());
                    names.reverse();
                    return Some(names.join("."));
                }
                Kind::Select { operand, field, test: false } => {
                    names.push(field);
                    at = *operand;
                }
                _ => return None,
            }
        }
    }
}
