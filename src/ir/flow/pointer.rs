//! JSON Pointers and the patterns of catalogues.

use std::borrow::Cow;

use crate::model::{Text, Value, same_text};
use crate::policy::PathPattern;

/// The tokens of a JSON Pointer, unescaped.
pub(super) type Tokens<'a> = smallvec::SmallVec<[Cow<'a, str>; 4]>;

/// Whether `text` is a JSON Pointer: has [`tokens`].
pub(super) fn is_pointer(text: &str) -> bool {
    text.is_empty() || (text.starts_with('/') && !text.bytes().any(|byte| byte == b'~')) || tokens(text).is_some()
}

/// The tokens of `pointer`; `None` if it is not one.
pub(super) fn tokens(pointer: &str) -> Option<Tokens<'_>> {
    if pointer.is_empty() {
        return Some(Tokens::new());
    }
    pointer.strip_prefix('/')?.split('/').map(unescape).collect()
}

fn unescape(token: &str) -> Option<Cow<'_, str>> {
    if !token.contains('~') {
        return Some(Cow::Borrowed(token));
    }
    let mut parts = token.split('~');
    let mut plain = parts.next()?.to_owned();
    for part in parts {
        plain.push(match part.as_bytes().first()? {
            b'0' => '~',
            b'1' => '/',
            _ => return None,
        });
        plain.push_str(&part[1..]);
    }
    Some(Cow::Owned(plain))
}

/// Appends `key` to `pointer`.
pub(super) fn push_key(pointer: &mut Text, key: &str) {
    pointer.push('/');
    if !key.bytes().any(|byte| matches!(byte, b'~' | b'/')) {
        pointer.push_str(key);
        return;
    }
    for c in key.chars() {
        match c {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            c => pointer.push(c),
        }
    }
}

/// Appends `index` to `pointer`.
pub(super) fn push_index(pointer: &mut Text, index: usize) {
    pointer.push('/');
    pointer.push_str(itoa::Buffer::new().format(index));
}

/// Whether the pattern covers the path: it matches the path or a part that the path begins with.
pub(super) fn covers(pattern: &PathPattern, path: &[Cow<'_, str>]) -> bool {
    pattern.segments.len() <= path.len() && agree(pattern, path)
}

/// Whether the pattern covers the path, or matches something below it.
pub(super) fn touches(pattern: &PathPattern, path: &[Cow<'_, str>]) -> bool {
    agree(pattern, path)
}

/// Whether the pattern touches the path that the JSON Pointer `path` says.
pub(super) fn reaches(pattern: &PathPattern, path: &str) -> bool {
    match (pattern.segments.as_slice(), path.strip_prefix('/')) {
        // One key, as nearly everywhere.
        ([Some(name)], Some(key)) if !key.contains(['/', '~']) => same_text(name, key),
        _ => tokens(path).is_some_and(|path| touches(pattern, &path)),
    }
}

fn agree(pattern: &PathPattern, path: &[Cow<'_, str>]) -> bool {
    pattern.segments.iter().zip(path).all(|(segment, token)| match segment {
        None => true,
        Some(name) => <Text as AsRef<str>>::as_ref(name) == token.as_ref(),
    })
}

/// What the value holds at a path.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Found<'a> {
    /// A value, below a list or as the whole.
    Value(&'a Value),
    /// A member of a map: its key, and its value.
    Member(&'a str, &'a Value),
}

/// What `value` holds at `path`. Asks `may_look` before it looks through the members of a map.
pub(super) fn find<'a>(value: &'a Value, path: &[Cow<'_, str>], may_look: impl Fn(usize) -> bool) -> Option<Found<'a>> {
    let mut found = Found::Value(value);
    for token in path {
        let (Found::Value(value) | Found::Member(_, value)) = found;
        found = match value {
            Value::Map(map) if may_look(map.len()) => {
                let (key, value) = map.iter().find(|(key, _)| key == token.as_ref())?;
                Found::Member(key, value)
            }
            Value::List(items) => Found::Value(items.get(index(token)?)?),
            _ => return None,
        };
    }
    Some(found)
}

/// A list index as RFC 6901 writes it.
fn index(token: &str) -> Option<usize> {
    let plain = token == "0" || (!token.starts_with('0') && token.bytes().all(|byte| byte.is_ascii_digit()));
    if plain { token.parse().ok() } else { None }
}
