//! The caller's deadline, from the header `grpc-timeout`.

use std::time::{Duration, Instant};

use http::HeaderMap;

use super::refusal::Refusal;

/// Longest deadline that is kept; a later one is none.
const FAR_AWAY: Duration = Duration::from_secs(60 * 60 * 24 * 365);

/// The instant at which the caller stops waiting, `None` if it does not say.
///
/// # Errors
/// The header is not a duration.
pub fn of_headers(headers: &HeaderMap) -> Result<Option<Instant>, Refusal> {
    let Some(value) = headers.get("grpc-timeout") else { return Ok(None) };
    let timeout = value.to_str().ok().and_then(parse).ok_or_else(Refusal::bad_timeout)?;
    Ok(if timeout > FAR_AWAY { None } else { Instant::now().checked_add(timeout) })
}

/// At most eight digits and a unit: hours, minutes, seconds, milliseconds, microseconds or nanoseconds.
fn parse(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(number * 3_600),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_grpc_writes_and_nothing_else() {
        let cases = [
            ("1H", Some(Duration::from_secs(3_600))),
            ("2M", Some(Duration::from_secs(120))),
            ("3S", Some(Duration::from_secs(3))),
            ("250m", Some(Duration::from_millis(250))),
            ("99999999u", Some(Duration::from_micros(99_999_999))),
            ("0n", Some(Duration::ZERO)),
            ("123456789n", None),
            ("m", None),
            ("", None),
            ("-1m", None),
            ("+1m", None),
            ("1s", None),
            ("1é", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text), expected, "{text}");
        }
    }
}
