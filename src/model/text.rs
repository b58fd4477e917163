//! Short strings of the domain and the characters that they may hold.

/// A string as requests, rules and records carry it. Up to 24 bytes live inline, so that most ids cost no allocation.
pub use compact_str::CompactString as Text;

/// Longest `reason` in an answer, in characters.
const MAX_REASON_CHARS: usize = 512;

/// Whether `text` holds a character that no id may hold: a control character, or one that changes the direction of
/// text and can make an id look like another.
///
/// ```
/// assert!(lictor::model::has_forbidden_character("a\u{202e}b"));
/// assert!(!lictor::model::has_forbidden_character("größe/1"));
/// ```
#[must_use]
pub fn has_forbidden_character(text: &str) -> bool {
    if text.is_ascii() {
        return text.bytes().any(|byte| byte < 0x20 || byte == 0x7f);
    }
    text.chars().any(is_forbidden)
}

fn is_forbidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A reason fit to be shown to people and models: control and bidirectional characters become blanks and the length is
/// capped at 512 characters.
#[must_use]
pub fn sanitise_reason(reason: &str) -> Text {
    reason.chars().take(MAX_REASON_CHARS).map(|c| if is_forbidden(c) { ' ' } else { c }).collect()
}
