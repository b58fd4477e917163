//! The macros: calls that bind a variable, and `has`. They are recognised while parsing, so that a variable is known
//! before the expressions that use it.

use std::ops::Range;

use super::ast::{Kind, Local, Macro, MacroKind, NodeId, Part};
use super::lexer::{Tok, syntax};
use super::parser::Parser;
use super::source::Problem;

/// A variable of a macro around the current place.
pub(super) struct Variable<'t> {
    name: &'t str,
    local: Local,
}

/// Shape of a macro by name.
struct Shape {
    kind: MacroKind,
    /// Whether a second variable may be given.
    pairs: bool,
    /// Whether a second variable must be given.
    only_pairs: bool,
    example: &'static str,
}

fn shape(name: &str) -> Option<Shape> {
    let test = |kind, example| Some(Shape { kind, pairs: true, only_pairs: false, example });
    match name {
        "all" => test(MacroKind::All, "list.all(x, x > 0)"),
        "exists" => test(MacroKind::Exists, "list.exists(x, x > 0)"),
        "exists_one" | "existsOne" => test(MacroKind::ExistsOne, "list.exists_one(x, x > 0)"),
        "filter" => {
            Some(Shape { kind: MacroKind::Filter, pairs: false, only_pairs: false, example: "list.filter(x, x > 0)" })
        }
        "map" => Some(Shape { kind: MacroKind::Map, pairs: false, only_pairs: false, example: "list.map(x, x + 1)" }),
        "transformList" => Some(Shape {
            kind: MacroKind::Map,
            pairs: true,
            only_pairs: true,
            example: "list.transformList(index, x, x + 1)",
        }),
        "transformMap" => Some(Shape {
            kind: MacroKind::TransformMap,
            pairs: true,
            only_pairs: true,
            example: "map.transformMap(key, value, value + 1)",
        }),
        _ => None,
    }
}

impl<'t> Parser<'t> {
    /// The macro call `range.name(`, whose bracket has been consumed; `None` if `name` is no macro.
    pub(super) fn macro_call(
        &mut self,
        range: NodeId,
        name: &str,
        name_at: Range<usize>,
    ) -> Result<Option<NodeId>, Box<Problem>> {
        let Some(shape) = shape(name) else { return Ok(None) };
        let misuse = || {
            let problem = syntax(name_at.clone(), format!("`{name}` takes a variable name and an expression"));
            Box::new(problem.help(format!("for example `{}`", shape.example)))
        };
        let Some(first) = self.variable_name() else { return Err(misuse()) };
        let second = if shape.pairs { self.variable_name() } else { None };
        if shape.only_pairs && second.is_none() {
            return Err(misuse());
        }
        let depth = self.variables.len();
        let level = u8::try_from(self.macro_level()).unwrap_or(u8::MAX);
        let mut bind = |name, part| self.variables.push(Variable { name, local: Local { range, level, part } });
        match second {
            None => bind(first, Part::Item),
            Some(second) => {
                bind(first, Part::Index);
                bind(second, Part::Value);
            }
        }
        let (mut arguments, end) = self.arguments()?;
        self.variables.truncate(depth);

        let transforms = matches!(shape.kind, MacroKind::Map | MacroKind::TransformMap);
        let transform = if transforms { arguments.pop() } else { None };
        let condition = arguments.pop();
        if !arguments.is_empty() || (transforms && transform.is_none()) || (!transforms && condition.is_none()) {
            return Err(misuse());
        }
        let start = self.ast.range(range).start;
        let body = Macro { kind: shape.kind, range, level, condition, transform };
        Ok(Some(self.ast.push(Kind::Macro(Box::new(body)), start, end)))
    }

    /// Consumes `name ,`.
    fn variable_name(&mut self) -> Option<&'t str> {
        match (self.peek(), self.peek_at(1)) {
            (Tok::Ident(name), Tok::Symbol(",")) => {
                let name = *name;
                self.advance();
                self.advance();
                Some(name)
            }
            _ => None,
        }
    }

    fn macro_level(&self) -> usize {
        self.variables.last().map_or(0, |variable| usize::from(variable.local.level) + 1)
    }

    /// The innermost macro variable of this name.
    pub(super) fn variable(&self, name: &str) -> Option<Local> {
        self.variables.iter().rev().find(|variable| variable.name == name).map(|variable| variable.local)
    }

    /// `has(` has been consumed.
    pub(super) fn has(&mut self, start: usize) -> Result<NodeId, Box<Problem>> {
        let (arguments, end) = self.arguments()?;
        if let [argument] = *arguments {
            let argument_range = self.ast.range(argument);
            if let Some(Kind::Select { test: test @ false, .. }) = self.ast.kind_mut(argument) {
                *test = true;
                self.ast.set_range(argument, start, end);
                return Ok(argument);
            }
            let problem = syntax(argument_range, "`has` takes a field selection");
            return Err(Box::new(
                problem.help("for example `has(context.amount)`; for a key in a variable write `key in context`"),
            ));
        }
        Err(Box::new(syntax(start..end, "`has` takes one argument").help("for example `has(context.amount)`")))
    }
}
