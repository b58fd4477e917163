//! Strings with the escapes of RFC 8785.

use crate::model::{is_plain_json, not_plain_json};

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Appends `text` in quotes. Only the quote, the backslash and what lies below U+0020 is escaped.
pub(crate) fn write_string(out: &mut Vec<u8>, text: &str) {
    write_checked(out, text, || {});
}

/// The same; calls `look` first unless `text` is of printable ASCII characters alone, the quote and the backslash left out.
#[inline]
pub(crate) fn write_checked(out: &mut Vec<u8>, text: &str, look: impl FnOnce()) {
    out.push(b'"');
    let start = out.len();
    if !write_plain(out, text.as_bytes()) {
        out.truncate(start);
        look();
        write_escaped(out, text);
    }
    out.push(b'"');
}

/// Longest text that is copied and looked at in one go.
const SHORT: usize = 64;

/// Appends `bytes`, and says whether they stand for themselves in a JSON string. Short ones, which most are, are looked at
/// as they are copied, word by word, the last of which may overlap the one before.
fn write_plain(out: &mut Vec<u8>, bytes: &[u8]) -> bool {
    if bytes.len() > SHORT {
        out.extend_from_slice(bytes);
        return is_plain_json(bytes);
    }
    let end = out.len() + bytes.len();
    let mut flags = 0;
    if let Some(last) = bytes.last_chunk::<8>() {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            flags |= not_plain_json(u64::from_ne_bytes(*word));
            out.extend_from_slice(word);
        }
        if !rest.is_empty() {
            flags |= not_plain_json(u64::from_ne_bytes(*last));
            out.truncate(end - last.len());
            out.extend_from_slice(last);
        }
    } else if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        let both = u64::from(u32::from_ne_bytes(*first)) << 32 | u64::from(u32::from_ne_bytes(*last));
        flags = not_plain_json(both);
        out.extend_from_slice(first);
        out.truncate(end - last.len());
        out.extend_from_slice(last);
    } else {
        bytes.iter().for_each(|byte| out.push(*byte));
        return is_plain_json(bytes);
    }
    flags == 0
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
