//! JSON straight into a buffer, without an intermediate tree: what the writer thread spends its time on.

use crate::model::{Attributes, Timestamp, Value};

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Appends `text` as a JSON string. UTF-8 goes as it is; only quotes, backslashes and control characters are escaped.
pub(super) fn string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    escaped(out, text.as_bytes());
    out.push(b'"');
}

fn escaped(out: &mut Vec<u8>, mut rest: &[u8]) {
    while let Some(at) = rest.iter().position(|byte| *byte < 0x20 || *byte == b'"' || *byte == b'\\') {
        let (clean, tail) = rest.split_at(at);
        out.extend_from_slice(clean);
        let Some((byte, tail)) = tail.split_first() else { return };
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            control => {
                out.extend_from_slice(b"\\u00");
                hex(out, std::slice::from_ref(control));
            }
        }
        rest = tail;
    }
    out.extend_from_slice(rest);
}

/// Appends `,"key":`, without the comma directly behind an opening brace. `name` is one of ours, which needs no escape.
pub(super) fn key(out: &mut Vec<u8>, name: &'static str) {
    debug_assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
    out.extend_from_slice(if out.last() == Some(&b'{') { b"\"" } else { b",\"" });
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

/// Appends a member whose value is a string.
pub(super) fn string_member(out: &mut Vec<u8>, name: &'static str, value: &str) {
    key(out, name);
    string(out, value);
}

/// Appends a member whose value is a string, or null where it is empty.
pub(super) fn nullable_member(out: &mut Vec<u8>, name: &'static str, value: &str) {
    key(out, name);
    if value.is_empty() { out.extend_from_slice(b"null") } else { string(out, value) }
}

/// Appends a member whose value is a string, or nothing where it is empty.
pub(super) fn optional_member(out: &mut Vec<u8>, name: &'static str, value: &str) {
    if !value.is_empty() {
        string_member(out, name, value);
    }
}

/// Appends a member whose value is a whole number.
pub(super) fn integer_member(out: &mut Vec<u8>, name: &'static str, value: u64) {
    key(out, name);
    integer(out, value);
}

/// Appends a member whose value is a whole number of either sign.
pub(super) fn signed_member(out: &mut Vec<u8>, name: &'static str, value: i64) {
    key(out, name);
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Appends a member whose value is a truth value.
pub(super) fn bool_member(out: &mut Vec<u8>, name: &'static str, value: bool) {
    key(out, name);
    out.extend_from_slice(if value { b"true" } else { b"false" });
}

/// Appends a member whose value is an attribute map, or nothing where it is empty.
pub(super) fn map_member(out: &mut Vec<u8>, name: &'static str, map: &Attributes) {
    if !map.is_empty() {
        key(out, name);
        attributes(out, map);
    }
}

/// Appends a whole number.
pub(super) fn integer(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Appends a number as a replay reads it back, bit for bit. Whole numbers below 2^53 appear without a fraction; the
/// negative zero keeps its sign. What JSON cannot say (NaN, infinities) becomes null.
pub(super) fn number(out: &mut Vec<u8>, value: f64) {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value == 0.0 && value.is_sign_negative() {
        out.extend_from_slice(b"-0.0");
    } else if value.fract() == 0.0 && value.abs() < EXACT {
        out.extend_from_slice(itoa::Buffer::new().format(value as i64).as_bytes());
    } else if serde_json::to_writer(&mut *out, &value).is_err() {
        out.extend_from_slice(b"null");
    }
}

/// Appends an attribute map.
pub(super) fn attributes(out: &mut Vec<u8>, map: &Attributes) {
    out.push(b'{');
    for (index, (name, item)) in map.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        string(out, name);
        out.push(b':');
        value(out, item);
    }
    out.push(b'}');
}

/// Appends an attribute value. Recursion is bounded by the depth that requests may have.
pub(super) fn value(out: &mut Vec<u8>, item: &Value) {
    match item {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(item) => number(out, *item),
        Value::String(text) => string(out, text),
        Value::List(items) => list(out, items.iter(), value),
        Value::Map(map) => attributes(out, map),
    }
}

/// Appends a list, each item by `write`.
pub(super) fn list<T>(out: &mut Vec<u8>, items: impl Iterator<Item = T>, write: impl Fn(&mut Vec<u8>, T)) {
    out.push(b'[');
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(out, item);
    }
    out.push(b']');
}

/// Appends bytes as lower-case hexadecimal digits.
pub(super) fn hex(out: &mut Vec<u8>, bytes: &[u8]) {
    for byte in bytes {
        out.push(HEX[usize::from(byte >> 4)]);
        out.push(HEX[usize::from(byte & 0xf)]);
    }
}

/// Reads 32 bytes from 64 lower-case hexadecimal digits.
pub(super) fn unhex32(digits: &[u8]) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if digits.len() != 64 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = match pair {
            [high, low] => (digit(*high)? << 4) | digit(*low)?,
            _ => return None,
        };
    }
    Some(bytes)
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

/// Appends points in time as JSON strings (RFC 3339, UTC, six fractional digits), formatting each second only once.
#[derive(Debug, Default)]
pub(super) struct TimeFormat {
    second: i64,
    text: String,
}

impl TimeFormat {
    /// Appends `time` as a JSON string.
    pub(super) fn write(&mut self, out: &mut Vec<u8>, time: Timestamp) {
        let (second, micros) = (time.as_micros().div_euclid(1_000_000), time.as_micros().rem_euclid(1_000_000));
        if self.text.is_empty() || second != self.second {
            self.second = second;
            self.text = Timestamp::from_micros(second.saturating_mul(1_000_000)).to_string();
        }
        // `2026-01-02T03:04:05.` and then the fraction; a time that RFC 3339 cannot say is written as it displays.
        let Some(prefix) = self.text.strip_suffix("000000Z") else { return string(out, &time.to_string()) };
        out.push(b'"');
        out.extend_from_slice(prefix.as_bytes());
        let mut divisor = 100_000;
        while divisor > 0 {
            out.push(b'0' + u8::try_from((micros / divisor) % 10).unwrap_or(0));
            divisor /= 10;
        }
        out.extend_from_slice(b"Z\"");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn strings_read_back(text in any::<String>()) {
            let mut out = Vec::new();
            string(&mut out, &text);
            prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }

        #[test]
        fn numbers_read_back_bit_for_bit(bits in any::<u64>()) {
            let value = f64::from_bits(bits);
            prop_assume!(value.is_finite());
            let mut out = Vec::new();
            number(&mut out, value);
            let read: f64 = serde_json::from_slice(&out).unwrap();
            prop_assert_eq!(read.to_bits(), value.to_bits());
        }

        #[test]
        fn times_are_written_as_they_display(times in proptest::collection::vec(-62_000_000_000_000_000_i64..250_000_000_000_000_000, 1..6)) {
            let mut format = TimeFormat::default();
            for micros in times {
                let time = Timestamp::from_micros(micros);
                let mut out = Vec::new();
                format.write(&mut out, time);
                prop_assert_eq!(String::from_utf8(out).unwrap(), format!("\"{time}\""));
            }
        }

        #[test]
        fn hexadecimal_reads_back(bytes in any::<[u8; 32]>()) {
            let mut out = Vec::new();
            hex(&mut out, &bytes);
            prop_assert_eq!(unhex32(&out), Some(bytes));
        }
    }

    #[test]
    fn negative_zero_keeps_its_sign() {
        let mut out = Vec::new();
        number(&mut out, -0.0);
        assert_eq!(out, b"-0.0");
    }
}
