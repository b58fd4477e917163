//! Any CEL expression to a value, for tests that compare with the specification or with another implementation. The
//! engine itself only evaluates conditions.

use std::fmt::{self, Write as _};

use super::builder::Builder;
use super::checker;
use super::convert;
use super::error::{Budget, ConditionError};
use super::lower::Lowering;
use super::parser;
use super::path::Bindings;
use super::scope;
use super::source::Problem;
use super::strings::quote;
use super::value::{Const, TypeName};
use super::vm::Vm;

/// A value of an expression. Displays as CEL would write it: `[1, 2u, 3.0, "four", b"\x05"]`.
#[derive(Debug, Clone, PartialEq)]
pub struct ExpressionValue(Const);

impl ExpressionValue {
    /// The name of its type.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        self.0.val().type_name().as_str()
    }
}

impl fmt::Display for ExpressionValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_const(f, &self.0)
    }
}

/// Why an expression has no value.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ExpressionError {
    /// It was refused before evaluation.
    #[error("refused: {}", .0.first().map_or("", |problem| problem.message.as_str()))]
    Refused(Vec<Problem>),
    /// It failed.
    #[error(transparent)]
    Failed(#[from] ConditionError),
}

/// The value of the CEL expression `text`, which may be of any type.
///
/// # Errors
/// Problems found before evaluation, or the error that evaluation ended with.
pub fn eval_expression(
    text: &str,
    bindings: &Bindings<'_>,
    budget: &mut Budget,
) -> Result<ExpressionValue, ExpressionError> {
    let refused = |problems: Vec<Problem>| ExpressionError::Refused(problems);
    let ast = parser::parse(text).map_err(|problem| refused(vec![*problem]))?;
    let mut checked = checker::check(&ast, &scope::DECISION);
    checker::check_is_value(&ast, &scope::DECISION, &mut checked);
    if !checked.problems.is_empty() {
        return Err(refused(checked.problems));
    }
    let mut builder = Builder::default();
    let mut lowering = Lowering::new(&ast, &checked);
    lowering.lower(&mut builder, ast.root());
    if !lowering.problems.is_empty() {
        return Err(refused(lowering.problems));
    }
    let program = builder.finish(text.to_owned());
    let value = Vm::new(&program, *bindings, budget).run(0, program.code.len(), false)?;
    Ok(ExpressionValue(value.to_const()))
}

fn write_const(f: &mut fmt::Formatter<'_>, value: &Const) -> fmt::Result {
    match value {
        Const::Null => f.write_str("null"),
        Const::Bool(value) => write!(f, "{value}"),
        Const::Int(value) => write!(f, "{value}"),
        Const::Uint(value) => write!(f, "{value}u"),
        Const::Double(value) => {
            let text = convert::double_text(*value);
            f.write_str(&text)?;
            if text.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit()) { f.write_str(".0") } else { Ok(()) }
        }
        Const::Str(text) => f.write_str(&quote(text)),
        Const::Bytes(bytes) => {
            f.write_str("b\"")?;
            for byte in bytes {
                match byte {
                    b'"' | b'\\' => write!(f, "\\{}", char::from(*byte))?,
                    0x20..=0x7e => f.write_char(char::from(*byte))?,
                    _ => write!(f, "\\x{byte:02x}")?,
                }
            }
            f.write_char('"')
        }
        Const::List(items) => {
            f.write_char('[')?;
            for (index, item) in items.iter().enumerate() {
                f.write_str(if index > 0 { ", " } else { "" })?;
                write_const(f, item)?;
            }
            f.write_char(']')
        }
        Const::Map(entries) => {
            f.write_char('{')?;
            for (index, (key, value)) in entries.iter().enumerate() {
                f.write_str(if index > 0 { ", " } else { "" })?;
                write_const(f, key)?;
                f.write_str(": ")?;
                write_const(f, value)?;
            }
            f.write_char('}')
        }
        Const::Timestamp(instant) => write!(f, "timestamp({})", quote(&instant.to_text())),
        Const::Duration(span) => write!(f, "duration({})", quote(&span.to_text())),
        Const::Type(name @ (TypeName::Timestamp | TypeName::Duration)) => f.write_str(name.as_str()),
        Const::Type(name) => f.write_str(name.as_str()),
    }
}
