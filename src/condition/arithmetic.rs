//! The arithmetic operators.

use super::ast::BinaryOp;
use super::error::{Budget, ConditionError, Overload};
use super::strings::reserve;
use super::value::{List, Val};

/// What allocating a computed text costs.
const TEXT: usize = 4;

/// Most elements of a computed list.
const MAX_ITEMS: usize = 100_000;

/// `left operator right` for `+ - * / %`.
pub(super) fn apply<'a>(
    operator: BinaryOp,
    left: &Val<'a>,
    right: &Val<'a>,
    budget: &mut Budget,
) -> Result<Val<'a>, ConditionError> {
    match (left, right) {
        (Val::Int(a), Val::Int(b)) => integers(operator, *a, *b).map(Val::Int),
        (Val::Uint(a), Val::Uint(b)) => unsigned(operator, *a, *b).map(Val::Uint),
        (Val::Double(a), Val::Double(b)) => match operator {
            BinaryOp::Add => Ok(Val::Double(a + b)),
            BinaryOp::Subtract => Ok(Val::Double(a - b)),
            BinaryOp::Multiply => Ok(Val::Double(a * b)),
            BinaryOp::Divide => Ok(Val::Double(a / b)),
            _ => Err(no_overload(operator, left, right)),
        },
        _ => match operator {
            BinaryOp::Add => add(left, right, budget),
            BinaryOp::Subtract => match (left, right) {
                (Val::Timestamp(a), Val::Timestamp(b)) => a.since(*b).map(Val::Duration),
                (Val::Timestamp(a), Val::Duration(b)) => a.minus(*b).map(Val::Timestamp),
                (Val::Duration(a), Val::Duration(b)) => a.minus(*b).map(Val::Duration),
                _ => Err(no_overload(operator, left, right)),
            },
            _ => Err(no_overload(operator, left, right)),
        },
    }
}

fn no_overload(operator: BinaryOp, left: &Val<'_>, right: &Val<'_>) -> ConditionError {
    Overload::binary(operator.as_str(), left.type_name(), right.type_name())
}

fn integers(operator: BinaryOp, a: i64, b: i64) -> Result<i64, ConditionError> {
    match operator {
        BinaryOp::Divide if b == 0 => return Err(ConditionError::DivisionByZero),
        BinaryOp::Modulo if b == 0 => return Err(ConditionError::ModulusByZero),
        BinaryOp::Add => a.checked_add(b),
        BinaryOp::Subtract => a.checked_sub(b),
        BinaryOp::Multiply => a.checked_mul(b),
        BinaryOp::Divide => a.checked_div(b),
        _ => a.checked_rem(b),
    }
    .ok_or(ConditionError::Overflow)
}

fn unsigned(operator: BinaryOp, a: u64, b: u64) -> Result<u64, ConditionError> {
    match operator {
        BinaryOp::Divide if b == 0 => return Err(ConditionError::DivisionByZero),
        BinaryOp::Modulo if b == 0 => return Err(ConditionError::ModulusByZero),
        BinaryOp::Add => a.checked_add(b),
        BinaryOp::Subtract => a.checked_sub(b),
        BinaryOp::Multiply => a.checked_mul(b),
        BinaryOp::Divide => a.checked_div(b),
        _ => a.checked_rem(b),
    }
    .ok_or(ConditionError::Overflow)
}

fn add<'a>(left: &Val<'a>, right: &Val<'a>, budget: &mut Budget) -> Result<Val<'a>, ConditionError> {
    match (left, right) {
        (Val::Timestamp(a), Val::Duration(b)) | (Val::Duration(b), Val::Timestamp(a)) => {
            return a.plus(*b).map(Val::Timestamp);
        }
        (Val::Duration(a), Val::Duration(b)) => return a.plus(*b).map(Val::Duration),
        (Val::List(a), Val::List(b)) => return concatenate(a, b, budget),
        _ => {}
    }
    if let (Some(a), Some(b)) = (left.as_str(), right.as_str()) {
        budget.charge(TEXT)?;
        reserve(a.len() + b.len(), budget)?;
        return Ok(Val::text([a, b].concat()));
    }
    if let (Some(a), Some(b)) = (left.as_bytes(), right.as_bytes()) {
        budget.charge(TEXT)?;
        reserve(a.len() + b.len(), budget)?;
        return Ok(Val::Buffer([a, b].concat().into()));
    }
    Err(no_overload(BinaryOp::Add, left, right))
}

fn concatenate<'a>(a: &List<'a>, b: &List<'a>, budget: &mut Budget) -> Result<Val<'a>, ConditionError> {
    let length = a.len() + b.len();
    if length > MAX_ITEMS {
        budget.remaining = 0;
        return Err(ConditionError::Limit);
    }
    budget.charge(2 * length)?;
    Ok(Val::list(a.iter().chain(b.iter()).collect()))
}

/// `-value`.
pub(super) fn negate<'a>(value: &Val<'a>) -> Result<Val<'a>, ConditionError> {
    match value {
        Val::Int(number) => number.checked_neg().map(Val::Int).ok_or(ConditionError::Overflow),
        Val::Double(number) => Ok(Val::Double(-number)),
        Val::Duration(span) => span.negated().map(Val::Duration),
        other => Err(Overload::unary("-", other.type_name())),
    }
}
