//! Short strings of the domain.

use super::characters::changes_the_display;

/// A string as requests, rules and records carry it. Up to 24 bytes live inline, so that most ids cost no allocation.
pub use compact_str::CompactString as Text;

/// Whether two texts are the same. Short ones, which most keys and ids are, are compared in place as one or two words:
/// calling the system's comparison costs more than all of it.
#[inline]
#[must_use]
pub fn same_text(one: &str, other: &str) -> bool {
    same_bytes(one.as_bytes(), other.as_bytes())
}

/// Whether two texts given as bytes are the same.
#[inline]
#[must_use]
pub fn same_bytes(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    match one.len() {
        8..=16 => one.first_chunk::<8>() == other.first_chunk() && one.last_chunk::<8>() == other.last_chunk(),
        4..=7 => one.first_chunk::<4>() == other.first_chunk() && one.last_chunk::<4>() == other.last_chunk(),
        0..=3 => one.iter().zip(other).all(|(one, other)| one == other),
        _ => one == other,
    }
}

/// Longest `reason` in an answer, in characters.
const MAX_REASON_CHARS: usize = 512;

/// Whether all of `bytes` are ASCII characters that can be seen, or blanks.
#[inline]
pub(super) fn is_printable_ascii(bytes: &[u8]) -> bool {
    no_word(bytes, not_printable)
}

/// Whether all of `bytes` are ASCII characters that can be seen, or blanks, and stand for themselves in a JSON string.
#[inline]
#[must_use]
pub fn is_plain_json(bytes: &[u8]) -> bool {
    no_word(bytes, not_plain_json)
}

/// Not zero if, and only if, a byte of `word` is not one of those of [`is_plain_json`].
#[inline]
#[must_use]
pub const fn not_plain_json(word: u64) -> u64 {
    not_printable(word) | holds_byte(word, b'"') | holds_byte(word, b'\\')
}

/// Whether `flagged` gives zero for all of `bytes`, of which it gets eight at a time, some of them twice or blanks instead.
#[inline]
fn no_word(bytes: &[u8], flagged: impl Fn(u64) -> u64) -> bool {
    let word = |bytes: &[u8; 8]| flagged(u64::from_ne_bytes(*bytes));
    if let Some(tail) = bytes.last_chunk::<8>() {
        let (words, _) = bytes.as_chunks::<8>();
        return words.iter().chain([tail]).fold(0, |flags, bytes| flags | word(bytes)) == 0;
    }
    if let (Some([a, b, c, d]), Some([e, f, g, h])) = (bytes.first_chunk(), bytes.last_chunk()) {
        return word(&[*a, *b, *c, *d, *e, *f, *g, *h]) == 0;
    }
    let mut few = [b' '; 8];
    few.iter_mut().zip(bytes).for_each(|(place, byte)| *place = *byte);
    word(&few) == 0
}

/// One in each byte of a word.
const ONES: u64 = u64::MAX / 255;

/// Not zero if, and only if, a byte of `word` is below 0x20 or above 0x7e.
const fn not_printable(word: u64) -> u64 {
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    (word | control) & (ONES * 0x80) | holds_byte(word, 0x7f)
}

/// Not zero if, and only if, a byte of `word` is `byte`.
const fn holds_byte(word: u64, byte: u8) -> u64 {
    let same = word ^ (ONES * byte as u64);
    same.wrapping_sub(ONES) & !same & (ONES * 0x80)
}

/// A reason fit to be shown to people and models: characters that change the text around them become blanks and the length is
/// capped at 512 characters.
#[must_use]
pub fn sanitise_reason(reason: &str) -> Text {
    reason.chars().take(MAX_REASON_CHARS).map(|c| if changes_the_display(c) { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_look_at_eight_bytes_finds_what_a_look_at_each_finds(
            mut text in "[ -~]{0,24}",
            at in 0_usize..24,
            other in prop_oneof![Just(String::new()), any::<char>().prop_map(String::from), "[\u{0}-\u{9f}]"],
        ) {
            text.insert_str(at.min(text.len()), &other);
            let printable = |byte: u8| matches!(byte, 0x20..0x7f);
            prop_assert_eq!(is_printable_ascii(text.as_bytes()), text.bytes().all(printable));
            let plain = |byte| printable(byte) && !matches!(byte, b'"' | b'\\');
            prop_assert_eq!(is_plain_json(text.as_bytes()), text.bytes().all(plain));
        }
    }
}
