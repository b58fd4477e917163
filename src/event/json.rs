//! JSON straight into a buffer, without an intermediate tree: what the writer thread spends its time on.

use crate::model::{Attributes, Timestamp, Value};

/// The two lower-case hexadecimal digits of each byte.
const HEX: [[u8; 2]; 256] = {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut table = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = [DIGITS[byte >> 4], DIGITS[byte & 0xf]];
        byte += 1;
    }
    table
};

/// Appends `text` as a JSON string. UTF-8 goes as it is; only quotes, backslashes and control characters are escaped.
pub(super) fn string(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    out.reserve(bytes.len().saturating_add(2));
    out.push(b'"');
    if is_plain(bytes) {
        out.extend_from_slice(bytes);
    } else {
        escaped(out, bytes);
    }
    out.push(b'"');
}

/// Whether `bytes` can stand in a JSON string as they are. Most texts can; eight bytes are looked at together.
#[inline]
fn is_plain(bytes: &[u8]) -> bool {
    match bytes.last_chunk::<8>() {
        None => !bytes.iter().any(|byte| needs_escape(*byte)),
        Some(tail) => {
            let (words, _) = bytes.as_chunks::<8>();
            words.iter().chain([tail]).fold(0, |special, word| special | special_bytes(u64::from_ne_bytes(*word))) == 0
        }
    }
}

/// Not zero if, and only if, a byte of `word` needs an escape.
#[inline]
const fn special_bytes(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    let quote = quote.wrapping_sub(ONES) & !quote;
    let backslash = backslash.wrapping_sub(ONES) & !backslash;
    (control | quote | backslash) & (ONES * 0x80)
}

const fn needs_escape(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

#[cold]
fn escaped(out: &mut Vec<u8>, mut rest: &[u8]) {
    while let Some(at) = rest.iter().position(|byte| needs_escape(*byte)) {
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
#[inline]
pub(super) fn key(out: &mut Vec<u8>, name: &'static str) {
    debug_assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
    out.extend_from_slice(if out.last() == Some(&b'{') { b"\"" } else { b",\"" });
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

/// Appends a string, or null where it is empty.
#[inline]
pub(super) fn nullable(out: &mut Vec<u8>, value: &str) {
    if value.is_empty() { out.extend_from_slice(b"null") } else { string(out, value) }
}

/// Appends a member whose value is a string.
pub(super) fn string_member(out: &mut Vec<u8>, name: &'static str, value: &str) {
    key(out, name);
    string(out, value);
}

/// Appends a member whose value is a string, or null where it is empty.
pub(super) fn nullable_member(out: &mut Vec<u8>, name: &'static str, value: &str) {
    key(out, name);
    nullable(out, value);
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
        out.extend_from_slice(&HEX[usize::from(*byte)]);
    }
}

/// 32 bytes as 64 lower-case hexadecimal digits.
pub(super) fn hex32(bytes: &[u8; 32]) -> [u8; 64] {
    let mut digits = [0; 64];
    for (pair, byte) in digits.as_chunks_mut::<2>().0.iter_mut().zip(bytes) {
        *pair = HEX[usize::from(*byte)];
    }
    digits
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

/// Appends points in time as JSON strings (RFC 3339, UTC, six fractional digits), formatting each second only once, and
/// the same time only once.
#[derive(Debug, Default)]
pub(super) struct TimeFormat {
    /// The time that `text` says, in microseconds since the epoch.
    micros: i64,
    /// With its quotes; empty before the first.
    text: Vec<u8>,
}

/// Where the fraction stands, seen from the end of the text.
const FRACTION_FROM_END: usize = b"000000Z\"".len();

impl TimeFormat {
    /// Appends `time` as a JSON string.
    pub(super) fn write(&mut self, out: &mut Vec<u8>, time: Timestamp) {
        if self.text.is_empty() || self.micros != time.as_micros() {
            self.format(time);
        }
        out.extend_from_slice(&self.text);
    }

    fn format(&mut self, time: Timestamp) {
        let second = |micros: i64| micros.div_euclid(1_000_000);
        // A time that RFC 3339 cannot say is written as it displays, without the Z.
        let same_second = self.text.ends_with(b"Z\"") && second(self.micros) == second(time.as_micros());
        self.micros = time.as_micros();
        let fraction = self.text.len().checked_sub(FRACTION_FROM_END).and_then(|at| self.text.get_mut(at..));
        match fraction.and_then(|text| text.first_chunk_mut::<6>()) {
            Some(digits) if same_second => {
                let mut rest = self.micros.rem_euclid(1_000_000);
                for digit in digits.iter_mut().rev() {
                    *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
                    rest /= 10;
                }
            }
            _ => {
                self.text.clear();
                string(&mut self.text, &time.to_string());
            }
        }
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
        fn texts_with_one_special_character_read_back(text in "[a-z\u{80}-\u{ff}]{0,20}", at in 0_usize..20, special in "[\u{0}-\u{2f}\\\\\u{7f}]") {
            let at = text.char_indices().map(|(at, _)| at).nth(at).unwrap_or(text.len());
            let text = [&text[..at], special.as_str(), &text[at..]].concat();
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
        fn times_are_written_as_they_display(
            base in -62_000_000_000_000_000_i64..250_000_000_000_000_000,
            steps in proptest::collection::vec(prop_oneof![Just(0), -3_000_000..3_000_000_i64, any::<i64>()], 1..8),
        ) {
            let mut format = TimeFormat::default();
            for step in steps {
                let time = Timestamp::from_micros(base.wrapping_add(step));
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
            prop_assert_eq!(out, hex32(&bytes));
        }
    }

    #[test]
    fn negative_zero_keeps_its_sign() {
        let mut out = Vec::new();
        number(&mut out, -0.0);
        assert_eq!(out, b"-0.0");
    }
}
