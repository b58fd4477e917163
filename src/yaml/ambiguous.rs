//! Plain scalars that are one thing to some YAML readers and another to others, or that nobody can hold.

/// What a plain scalar may be taken for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ambiguous {
    /// A text, or this truth value (YAML 1.1).
    Truth(bool),
    /// A text, or a number (YAML 1.1), or numbers that differ; how to write the likelier one.
    Number(String),
    /// A number that no double holds.
    TooLarge,
}

/// What the plain scalar `text`, which is read as a text, may be taken for instead; `None` if it is a text to every reader.
///
/// Dates and times count as texts: readers that make something else of them keep what they say.
pub(super) fn text(text: &str) -> Option<Ambiguous> {
    match text {
        "yes" | "Yes" | "YES" | "on" | "On" | "ON" => return Some(Ambiguous::Truth(true)),
        "no" | "No" | "NO" | "off" | "Off" | "OFF" => return Some(Ambiguous::Truth(false)),
        _ => {}
    }
    let unsigned = unsigned(text);
    if !unsigned.trim_start_matches('.').starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    if unsigned.contains('_') {
        let joined: String = text.chars().filter(|c| *c != '_').collect();
        let is_number = is_decimal(self::unsigned(&joined)) || radix(self::unsigned(&joined)).is_some();
        return is_number.then_some(Ambiguous::Number(without_zeros(&joined)));
    }
    if !is_decimal(unsigned) {
        return None;
    }
    if text.parse::<f64>().is_ok_and(f64::is_infinite) {
        return Some(Ambiguous::TooLarge);
    }
    let is_padded = unsigned.len() > 1 && unsigned.starts_with('0');
    is_padded.then(|| Ambiguous::Number(without_zeros(text)))
}

/// What the plain scalar `text`, which is read as the whole number `value`, may be taken for instead: only YAML 1.1 knows binary
/// digits, and a sign before others than decimal ones.
pub(super) fn number(text: &str, value: i128) -> Option<Ambiguous> {
    let unsigned = unsigned(text);
    let base = radix(unsigned)?;
    (base == 2 || unsigned.len() < text.len()).then(|| Ambiguous::Number(value.to_string()))
}

fn unsigned(text: &str) -> &str {
    text.strip_prefix(['-', '+']).unwrap_or(text)
}

/// Whether it is digits, perhaps with a fraction and an exponent.
fn is_decimal(text: &str) -> bool {
    let (mantissa, exponent) = text.split_once(['e', 'E']).map_or((text, None), |(m, e)| (m, Some(e)));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let has_digits = |text: &str| !text.is_empty() && digits(text);
    digits(whole)
        && digits(fraction)
        && mantissa.len() > usize::from(mantissa.contains('.'))
        && exponent.is_none_or(|exponent| has_digits(unsigned(exponent)))
}

/// The base of a number in other digits than decimal ones.
fn radix(text: &str) -> Option<u32> {
    let (base, digits) = [("0x", 16), ("0o", 8), ("0b", 2)]
        .into_iter()
        .find_map(|(prefix, base)| Some((base, text.strip_prefix(prefix)?)))?;
    (!digits.is_empty() && digits.chars().all(|c| c.is_digit(base))).then_some(base)
}

/// A number without the zeros that it is padded with.
fn without_zeros(text: &str) -> String {
    let unsigned = unsigned(text);
    if radix(unsigned).is_some() {
        return text.to_owned();
    }
    let sign = if text.starts_with('-') { "-" } else { "" };
    let digits = unsigned.trim_start_matches('0');
    let zero = if digits.starts_with(|c: char| c.is_ascii_digit()) { "" } else { "0" };
    format!("{sign}{zero}{digits}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_readers_take_for_different_things_is_found() {
        for (written, expected) in [
            ("05", Some("5")),
            ("-05", Some("-5")),
            ("+007", Some("7")),
            ("00", Some("0")),
            ("017", Some("17")),
            ("1_000", Some("1000")),
            ("-1_000.5", Some("-1000.5")),
            ("0_1", Some("1")),
            ("2024_10", Some("202410")),
            ("0x1_F", Some("0x1F")),
            ("1_0e3", Some("10e3")),
            // Texts to every reader, or numbers of which the other parser says so.
            ("007abc", None),
            ("1.2.3", None),
            ("v1_000", None),
            ("1_a", None),
            ("_1", None),
            ("0x", None),
            ("0b2", None),
            ("12:30", None),
            ("2026-01-01", None),
            ("01.02.2026", None),
            ("e5", None),
            (".", None),
            ("-", None),
            ("", None),
            ("yesterday", None),
            ("y", None),
            ("YeS", None),
        ] {
            assert_eq!(text(written), expected.map(|number| Ambiguous::Number(number.into())), "{written}");
        }
        for (words, value) in
            [(["yes", "Yes", "YES", "on", "On", "ON"], true), (["no", "No", "NO", "off", "Off", "OFF"], false)]
        {
            assert!(words.into_iter().all(|word| text(word) == Some(Ambiguous::Truth(value))), "{words:?}");
        }
        for large in ["1e400", "-1E400", "+1.5e+999"] {
            assert_eq!(text(large), Some(Ambiguous::TooLarge), "{large}");
        }
        for (written, value, expected) in [
            ("0b11", 3, Some("3")),
            ("-0x1F", -31, Some("-31")),
            ("+0o17", 15, Some("15")),
            ("0x1F", 31, None),
            ("0o17", 15, None),
            ("31", 31, None),
        ] {
            assert_eq!(number(written, value), expected.map(|number| Ambiguous::Number(number.into())), "{written}");
        }
    }
}
