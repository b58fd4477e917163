//! Strings with the escapes of RFC 8785.

use crate::model::is_plain_json;

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Appends `text` in quotes. Only the quote, the backslash and what lies below U+0020 is escaped.
pub(crate) fn write_string(out: &mut Vec<u8>, text: &str) {
    write_checked(out, text, || {});
}

/// The same; calls `look` first unless `text` is of printable ASCII characters alone, the quote and the backslash left out.
#[inline]
pub(crate) fn write_checked(out: &mut Vec<u8>, text: &str, look: impl FnOnce()) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    if is_plain_json(text.as_bytes()) {
        out.extend_from_slice(text.as_bytes());
    } else {
        look();
        write_escaped(out, text);
    }
    out.push(b'"');
}

fn write_escaped(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    let mut start = 0;
    for (i, byte) in bytes.iter().enumerate() {
        if !needs_escape(*byte) {
            continue;
        }
        out.extend_from_slice(&bytes[start..i]);
        start = i + 1;
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', *byte]),
            0x08 => out.extend_from_slice(b"\\b"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\n' => out.extend_from_slice(b"\\n"),
            0x0c => out.extend_from_slice(b"\\f"),
            b'\r' => out.extend_from_slice(b"\\r"),
            _ => {
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(byte >> 4)]);
                out.push(HEX[usize::from(byte & 0x0f)]);
            }
        }
    }
    out.extend_from_slice(&bytes[start..]);
}

const fn needs_escape(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}
