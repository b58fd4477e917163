//! Functions on strings. Positions count code points.

use super::error::{BadArgument, Budget, ConditionError};
use super::functions::Function;
use super::value::{List, Val};

/// Longest computed string, in bytes.
pub(super) const MAX_TEXT: usize = 1 << 20;

/// Calls `function`; `None` where it does not exist for the types of `arguments`.
pub(super) fn call<'a>(
    function: Function,
    arguments: &[Val<'a>],
    budget: &mut Budget,
) -> Result<Option<Val<'a>>, ConditionError> {
    if let (Function::Size, [value]) = (function, arguments) {
        return size(value, budget);
    }
    if let (Function::Join, [Val::List(list), rest @ ..]) = (function, arguments) {
        return join(list, rest, budget);
    }
    let Some((receiver, rest)) = arguments.split_first() else { return Ok(None) };
    let Some(text) = receiver.as_str() else { return Ok(None) };
    budget.charge_text(text.len())?;
    let first = rest.first().and_then(Val::as_str);
    Ok(Some(match (function, rest, first) {
        (Function::Contains, [_], Some(part)) => Val::Bool(text.contains(part)),
        (Function::StartsWith, [_], Some(part)) => Val::Bool(text.starts_with(part)),
        (Function::EndsWith, [_], Some(part)) => Val::Bool(text.ends_with(part)),
        (Function::CharAt, [Val::Int(index)], _) => char_at(receiver, text, *index)?,
        (Function::IndexOf, [_], Some(part)) => index_of(text, part, 0)?,
        (Function::IndexOf, [_, Val::Int(from)], Some(part)) => index_of(text, part, *from)?,
        (Function::LastIndexOf, [_], Some(part)) => last_index_of(text, part, None)?,
        (Function::LastIndexOf, [_, Val::Int(until)], Some(part)) => last_index_of(text, part, Some(*until))?,
        (Function::LowerAscii, [], _) => Val::text(text.to_ascii_lowercase()),
        (Function::UpperAscii, [], _) => Val::text(text.to_ascii_uppercase()),
        (Function::Substring, [Val::Int(start)], _) => substring(receiver, text, *start, None)?,
        (Function::Substring, [Val::Int(start), Val::Int(end)], _) => substring(receiver, text, *start, Some(*end))?,
        (Function::Trim, [], _) => slice(receiver, text.trim()),
        (Function::Reverse, [], _) => Val::text(text.chars().rev().collect::<String>()),
        (Function::Quote, [], _) => Val::text(quote(text)),
        (Function::Split, [_], Some(separator)) => split(receiver, text, separator, -1, budget)?,
        (Function::Split, [_, Val::Int(limit)], Some(separator)) => split(receiver, text, separator, *limit, budget)?,
        (Function::Replace, [_, with], Some(part)) => match with.as_str() {
            Some(with) => replace(text, part, with, -1, budget)?,
            None => return Ok(None),
        },
        (Function::Replace, [_, with, Val::Int(limit)], Some(part)) => match with.as_str() {
            Some(with) => replace(text, part, with, *limit, budget)?,
            None => return Ok(None),
        },
        _ => return Ok(None),
    }))
}

fn size<'a>(value: &Val<'a>, budget: &mut Budget) -> Result<Option<Val<'a>>, ConditionError> {
    let count = match value {
        Val::List(list) => list.len(),
        Val::Map(map) => map.len(),
        Val::Open(map) => return Err(map.not_known()),
        _ => match (value.as_str(), value.as_bytes()) {
            (Some(text), _) => {
                budget.charge_text(text.len())?;
                text.chars().count()
            }
            (_, Some(bytes)) => bytes.len(),
            _ => return Ok(None),
        },
    };
    Ok(Some(Val::Int(count as i64)))
}

fn index_error() -> ConditionError {
    ConditionError::InvalidArgument(BadArgument::Position)
}

/// The byte at which code point `index` starts; one past the last code point is the end.
fn byte_of(text: &str, index: i64) -> Result<usize, ConditionError> {
    let index = usize::try_from(index).map_err(|_| index_error())?;
    text.char_indices().map(|(at, _)| at).chain([text.len()]).nth(index).ok_or_else(index_error)
}

/// Number of the code point that starts at byte `at`.
fn index_at(text: &str, at: usize) -> Val<'static> {
    Val::Int(text.get(..at).map_or(0, |before| before.chars().count()) as i64)
}

/// `part` of `text`, borrowed where `receiver` is.
fn slice<'a>(receiver: &Val<'a>, part: &str) -> Val<'a> {
    if let Val::Str(text) = receiver {
        let start = (part.as_ptr() as usize).wrapping_sub(text.as_ptr() as usize);
        if let Some(borrowed) = text.get(start..start.wrapping_add(part.len())) {
            return Val::Str(borrowed);
        }
    }
    Val::text(part)
}

fn char_at<'a>(receiver: &Val<'a>, text: &str, index: i64) -> Result<Val<'a>, ConditionError> {
    let rest = text.get(byte_of(text, index)?..).unwrap_or("");
    let width = rest.chars().next().map_or(0, char::len_utf8);
    Ok(slice(receiver, rest.get(..width).unwrap_or("")))
}

fn index_of(text: &str, part: &str, from: i64) -> Result<Val<'static>, ConditionError> {
    let start = byte_of(text, from)?;
    let found = text.get(start..).and_then(|rest| rest.find(part));
    Ok(found.map_or(Val::Int(-1), |at| index_at(text, start + at)))
}

fn last_index_of(text: &str, part: &str, until: Option<i64>) -> Result<Val<'static>, ConditionError> {
    let last_start = match until {
        Some(until) => byte_of(text, until)?,
        None => text.len(),
    };
    // A match that starts at or before `last_start` ends at most `part.len()` bytes later.
    let window = text.get(..text.floor_char_boundary(last_start.saturating_add(part.len()))).unwrap_or(text);
    Ok(window.rfind(part).map_or(Val::Int(-1), |at| index_at(text, at)))
}

fn substring<'a>(receiver: &Val<'a>, text: &str, start: i64, end: Option<i64>) -> Result<Val<'a>, ConditionError> {
    let from = byte_of(text, start)?;
    let to = match end {
        Some(end) => byte_of(text, end)?,
        None => text.len(),
    };
    match text.get(from..to) {
        Some(part) => Ok(slice(receiver, part)),
        None => Err(ConditionError::InvalidArgument(BadArgument::Substring)),
    }
}

/// At most `limit` parts; a negative limit means all.
fn split<'a>(
    receiver: &Val<'a>,
    text: &str,
    separator: &str,
    limit: i64,
    budget: &mut Budget,
) -> Result<Val<'a>, ConditionError> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut parts = Vec::new();
    let mut push = |part: &str, budget: &mut Budget| {
        budget.charge(2)?;
        parts.push(slice(receiver, part));
        Ok::<(), ConditionError>(())
    };
    if limit == 0 {
        return Ok(Val::list(parts));
    }
    if separator.is_empty() {
        let mut rest = text;
        let mut count = 1;
        while let Some(next) = rest.chars().next() {
            let (part, tail) = rest.split_at(if count < limit { next.len_utf8() } else { rest.len() });
            push(part, budget)?;
            rest = tail;
            count += 1;
        }
    } else {
        for part in text.splitn(limit, separator) {
            push(part, budget)?;
        }
    }
    Ok(Val::list(parts))
}

/// At most `limit` replacements; a negative limit means all.
fn replace<'a>(text: &str, part: &str, with: &str, limit: i64, budget: &mut Budget) -> Result<Val<'a>, ConditionError> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let count = text.matches(part).take(limit).count();
    let length = text.len().saturating_add(count.saturating_mul(with.len()));
    budget.charge(count)?;
    reserve(length, budget)?;
    Ok(Val::text(text.replacen(part, with, count)))
}

fn join<'a>(list: &List<'a>, rest: &[Val<'a>], budget: &mut Budget) -> Result<Option<Val<'a>>, ConditionError> {
    let separator = match rest {
        [] => "",
        [separator] => match separator.as_str() {
            Some(separator) => separator,
            None => return Ok(None),
        },
        _ => return Ok(None),
    };
    let mut joined = String::new();
    for (index, item) in list.iter().enumerate() {
        let Some(text) = item.as_str() else { return Ok(None) };
        budget.charge(2)?;
        reserve(text.len() + separator.len(), budget)?;
        if joined.len() + text.len() + separator.len() > MAX_TEXT {
            return Err(ConditionError::Limit);
        }
        if index > 0 {
            joined.push_str(separator);
        }
        joined.push_str(text);
    }
    Ok(Some(Val::text(joined)))
}

/// Pays for a string of `length` bytes before it is made.
pub(super) fn reserve(length: usize, budget: &mut Budget) -> Result<(), ConditionError> {
    if length > MAX_TEXT {
        budget.remaining = 0;
        return Err(ConditionError::Limit);
    }
    budget.charge_bytes(length)
}

/// The text as a CEL literal in double quotation marks.
pub(super) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '\u{07}' => quoted.push_str("\\a"),
            '\u{08}' => quoted.push_str("\\b"),
            '\u{0c}' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{0b}' => quoted.push_str("\\v"),
            '\\' => quoted.push_str("\\\\"),
            '"' => quoted.push_str("\\\""),
            _ => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
