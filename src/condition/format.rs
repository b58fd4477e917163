//! `format`: `%s %d %f %e %b %o %x %X` and `%%`.

use super::convert::{double_text, scalar_text};
use super::error::{BadArgument, Budget, ConditionError};
use super::strings::reserve;
use super::value::Val;

/// Most digits after the point.
const MAX_PRECISION: usize = 100;

/// `arguments` are the format and the list of values; `None` where they are not.
pub(super) fn format<'a>(arguments: &[Val<'a>], budget: &mut Budget) -> Result<Option<Val<'a>>, ConditionError> {
    let [format, Val::List(values)] = arguments else { return Ok(None) };
    let Some(format) = format.as_str() else { return Ok(None) };
    let mut out = String::new();
    let mut next = 0;
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        out.push_str(rest.get(..at).unwrap_or(""));
        rest = rest.get(at + 1..).unwrap_or("");
        if let Some(after) = rest.strip_prefix('%') {
            out.push('%');
            rest = after;
            continue;
        }
        let (precision, after) = precision(rest)?;
        let clause = after.chars().next().ok_or_else(|| invalid(BadArgument::FormatEnd))?;
        rest = after.get(clause.len_utf8()..).unwrap_or("");
        let value = values.get(next).ok_or_else(|| invalid(BadArgument::FormatValues))?;
        next += 1;
        budget.charge(1)?;
        let before = out.len();
        write_clause(&mut out, clause, precision, &value, budget)?;
        reserve(out.len(), &mut Budget { remaining: u64::MAX })?;
        budget.charge_bytes(out.len() - before)?;
    }
    out.push_str(rest);
    reserve(out.len(), budget)?;
    Ok(Some(Val::text(out)))
}

fn invalid(message: BadArgument) -> ConditionError {
    ConditionError::InvalidArgument(message)
}

/// The `.3` of `%.3f`, and what follows it.
fn precision(text: &str) -> Result<(Option<usize>, &str), ConditionError> {
    let Some(digits_and_rest) = text.strip_prefix('.') else { return Ok((None, text)) };
    let end = digits_and_rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits_and_rest.len());
    let (digits, rest) = digits_and_rest.split_at(end);
    match digits.parse() {
        Ok(precision) if precision <= MAX_PRECISION => Ok((Some(precision), rest)),
        _ => Err(invalid(BadArgument::FormatPrecision)),
    }
}

fn write_clause(
    out: &mut String,
    clause: char,
    precision: Option<usize>,
    value: &Val<'_>,
    budget: &mut Budget,
) -> Result<(), ConditionError> {
    let wrong = || invalid(BadArgument::FormatValue);
    match clause {
        's' => write_value(out, value, budget)?,
        'd' => match value {
            Val::Int(_) | Val::Uint(_) => out.push_str(&scalar_text(value).ok_or_else(wrong)?),
            Val::Double(number) if !number.is_finite() => out.push_str(&double_text(*number)),
            _ => return Err(wrong()),
        },
        'f' | 'e' => {
            let number = match value {
                Val::Double(number) => *number,
                Val::Int(number) => *number as f64,
                Val::Uint(number) => *number as f64,
                _ => return Err(wrong()),
            };
            let precision = precision.unwrap_or(6);
            if !number.is_finite() {
                out.push_str(&double_text(number));
            } else if clause == 'f' {
                out.push_str(&format!("{number:.precision$}"));
            } else {
                out.push_str(&scientific(number, precision));
            }
        }
        'b' => match value {
            Val::Bool(value) => out.push(if *value { '1' } else { '0' }),
            Val::Int(number) => signed(out, *number, |magnitude| format!("{magnitude:b}")),
            Val::Uint(number) => out.push_str(&format!("{number:b}")),
            _ => return Err(wrong()),
        },
        'o' => match value {
            Val::Int(number) => signed(out, *number, |magnitude| format!("{magnitude:o}")),
            Val::Uint(number) => out.push_str(&format!("{number:o}")),
            _ => return Err(wrong()),
        },
        'x' | 'X' => {
            let start = out.len();
            match value {
                Val::Int(number) => signed(out, *number, |magnitude| format!("{magnitude:x}")),
                Val::Uint(number) => out.push_str(&format!("{number:x}")),
                _ => {
                    let bytes = value.as_str().map(str::as_bytes).or_else(|| value.as_bytes()).ok_or_else(wrong)?;
                    reserve(bytes.len().saturating_mul(2), budget)?;
                    for byte in bytes {
                        out.push_str(&format!("{byte:02x}"));
                    }
                }
            }
            if clause == 'X' {
                let upper = out.get(start..).unwrap_or("").to_ascii_uppercase();
                out.truncate(start);
                out.push_str(&upper);
            }
        }
        _ => return Err(invalid(BadArgument::FormatClause)),
    }
    Ok(())
}

fn signed(out: &mut String, number: i64, digits: impl Fn(u64) -> String) {
    if number < 0 {
        out.push('-');
    }
    out.push_str(&digits(number.unsigned_abs()));
}

/// `1.052033e+03`: at least two digits of exponent, with its sign.
fn scientific(number: f64, precision: usize) -> String {
    let text = format!("{number:.precision$e}");
    match text.split_once('e') {
        Some((mantissa, exponent)) => {
            let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
            format!("{mantissa}e{sign}{digits:0>2}")
        }
        None => text,
    }
}

fn write_value(out: &mut String, value: &Val<'_>, budget: &mut Budget) -> Result<(), ConditionError> {
    budget.charge(1)?;
    match value {
        Val::Null => out.push_str("null"),
        Val::Type(name) => out.push_str(name.as_str()),
        Val::List(list) => {
            out.push('[');
            for (index, item) in list.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                write_value(out, &item, budget)?;
            }
            out.push(']');
        }
        Val::Open(map) => return Err(map.not_known()),
        Val::Map(map) => {
            let mut entries = Vec::with_capacity(map.len());
            for (key, value) in map.iter() {
                let (mut key_text, mut value_text) = (String::new(), String::new());
                write_value(&mut key_text, &key, budget)?;
                write_value(&mut value_text, &value, budget)?;
                entries.push((key_text, value_text));
            }
            entries.sort_unstable();
            out.push('{');
            for (index, (key, value)) in entries.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                out.push_str(key);
                out.push_str(": ");
                out.push_str(value);
            }
            out.push('}');
        }
        _ => match (value.as_str(), value.as_bytes()) {
            (Some(text), _) => {
                reserve(text.len(), budget)?;
                out.push_str(text);
            }
            (_, Some(bytes)) => {
                reserve(bytes.len(), budget)?;
                out.push_str(std::str::from_utf8(bytes).map_err(|_| invalid(BadArgument::NotUtf8))?);
            }
            _ => out.push_str(&scalar_text(value).unwrap_or_default()),
        },
    }
    Ok(())
}
