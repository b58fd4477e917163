//! Conversions between types.

use super::error::{BadArgument, Budget, ConditionError};
use super::functions::Function;
use super::time::{Instant, Span};
use super::value::{TypeName, Val};

/// 2^63 as a double.
const TWO_POW_63: f64 = 9_223_372_036_854_775_808.0;

/// `value` converted; `None` where the conversion does not exist for its type.
pub(super) fn convert<'a>(
    to: Function,
    value: &Val<'a>,
    budget: &mut Budget,
) -> Result<Option<Val<'a>>, ConditionError> {
    if let Some(text) = value.as_str() {
        budget.charge_bytes(text.len())?;
        return from_text(to, value, text).map(Some);
    }
    Ok(Some(match (to, value) {
        (Function::ToBool, Val::Bool(_))
        | (Function::ToBytes, Val::Bytes(_) | Val::Buffer(_))
        | (Function::ToDouble, Val::Double(_))
        | (Function::ToDuration, Val::Duration(_))
        | (Function::ToInt, Val::Int(_))
        | (Function::ToTimestamp, Val::Timestamp(_))
        | (Function::ToUint, Val::Uint(_)) => value.clone(),
        (Function::ToDouble, Val::Int(number)) => Val::Double(*number as f64),
        (Function::ToDouble, Val::Uint(number)) => Val::Double(*number as f64),
        (Function::ToInt, Val::Uint(number)) => {
            Val::Int(i64::try_from(*number).map_err(|_| out_of_range(TypeName::Int))?)
        }
        (Function::ToInt, Val::Double(number)) => {
            if *number <= -TWO_POW_63 || *number >= TWO_POW_63 || number.is_nan() {
                return Err(out_of_range(TypeName::Int));
            }
            Val::Int(*number as i64)
        }
        (Function::ToInt, Val::Timestamp(instant)) => Val::Int(instant.seconds()),
        (Function::ToUint, Val::Int(number)) => {
            Val::Uint(u64::try_from(*number).map_err(|_| out_of_range(TypeName::Uint))?)
        }
        (Function::ToUint, Val::Double(number)) => {
            if *number < 0.0 || *number >= TWO_POW_63 * 2.0 || number.is_nan() {
                return Err(out_of_range(TypeName::Uint));
            }
            Val::Uint(*number as u64)
        }
        (Function::ToTimestamp, Val::Int(seconds)) => Val::Timestamp(Instant::from_seconds(*seconds)?),
        (Function::ToString, _) => return to_text(value, budget),
        _ => return Ok(None),
    }))
}

fn out_of_range(to: TypeName) -> ConditionError {
    ConditionError::OutOfRange(to)
}

fn from_text<'a>(to: Function, value: &Val<'a>, text: &str) -> Result<Val<'a>, ConditionError> {
    let bad = ConditionError::BadConversion;
    Ok(match to {
        Function::ToString => value.clone(),
        Function::ToBool => Val::Bool(match text {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => true,
            "0" | "f" | "F" | "false" | "FALSE" | "False" => false,
            _ => return Err(bad(TypeName::Bool)),
        }),
        Function::ToBytes => match value {
            Val::Str(text) => Val::Bytes(text.as_bytes()),
            _ => Val::Buffer(text.as_bytes().into()),
        },
        Function::ToDouble => Val::Double(text.parse().map_err(|_| bad(TypeName::Double))?),
        Function::ToInt => Val::Int(text.parse().map_err(|_| bad(TypeName::Int))?),
        Function::ToUint => Val::Uint(text.parse().map_err(|_| bad(TypeName::Uint))?),
        Function::ToTimestamp => Val::Timestamp(Instant::parse(text)?),
        Function::ToDuration => Val::Duration(Span::parse(text)?),
        _ => return Err(bad(TypeName::Null)),
    })
}

fn to_text<'a>(value: &Val<'a>, budget: &mut Budget) -> Result<Option<Val<'a>>, ConditionError> {
    Ok(Some(match value {
        Val::Bytes(bytes) => {
            budget.charge_bytes(bytes.len())?;
            Val::Str(std::str::from_utf8(bytes).map_err(|_| not_utf8())?)
        }
        Val::Buffer(bytes) => {
            budget.charge_bytes(bytes.len())?;
            Val::text(std::str::from_utf8(bytes).map_err(|_| not_utf8())?)
        }
        _ => match scalar_text(value) {
            Some(text) => Val::text(text),
            None => return Ok(None),
        },
    }))
}

fn not_utf8() -> ConditionError {
    ConditionError::InvalidArgument(BadArgument::NotUtf8)
}

/// The text of a number, bool, timestamp or duration.
pub(super) fn scalar_text(value: &Val<'_>) -> Option<String> {
    Some(match value {
        Val::Bool(value) => value.to_string(),
        Val::Int(value) => value.to_string(),
        Val::Uint(value) => value.to_string(),
        Val::Double(value) => double_text(*value),
        Val::Timestamp(instant) => instant.to_text(),
        Val::Duration(span) => span.to_text(),
        _ => return None,
    })
}

/// The shortest text that reads back as `value`, with an exponent only where it is very large or very small.
pub(super) fn double_text(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity".to_owned() } else { "-Infinity".to_owned() };
    }
    let magnitude = value.abs();
    if magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude) {
        return format!("{value:e}").replacen('e', if magnitude >= 1.0 { "e+" } else { "e" }, 1);
    }
    value.to_string()
}
