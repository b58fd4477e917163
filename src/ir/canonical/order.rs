//! The order of keys.

use std::cmp::Ordering;

/// Compares two strings by their UTF-16 code units, which differs from the order of their bytes only between characters
/// above U+FFFF, written as surrogates there, and those from U+E000 to U+FFFF.
pub(crate) fn compare_utf16(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let Some((x, y)) = a.iter().zip(b).find(|(x, y)| x != y) else {
        return a.len().cmp(&b.len());
    };
    // The first bytes that differ decide. These values are only ever the first byte of a character: F0 and above begin
    // one above U+FFFF, EE and EF one from U+E000.
    match (*x >= 0xf0, *y >= 0xf0) {
        (true, false) if *y >= 0xee => Ordering::Less,
        (false, true) if *x >= 0xee => Ordering::Greater,
        _ => x.cmp(y),
    }
}
