//! The characters that ids and texts for people may not hold.

use std::borrow::Cow;

use super::text::is_printable_ascii;

/// Whether `text` holds a character that no id may hold; see [`forbidden_character`].
///
/// ```
/// assert!(lictor::model::has_forbidden_character("alice\u{2800}"));
/// assert!(!lictor::model::has_forbidden_character("größe/1"));
/// ```
#[must_use]
pub fn has_forbidden_character(text: &str) -> bool {
    forbidden_character(text).is_some()
}

/// The first character of `text` that no id may hold, because an id with it is not the one that it looks like: a control
/// character, a line or paragraph separator, and one that changes the direction of text or shows as nothing.
///
/// What shows as nothing is allowed where it has work to do: joiners between letters of those scripts, or emoji, that need
/// them; and the selectors of the text and the emoji form behind a symbol or in a keycap.
///
/// ```
/// use lictor::model::forbidden_character;
/// assert_eq!(forbidden_character("a\u{202e}b\u{200b}"), Some('\u{202e}'));
/// assert_eq!(forbidden_character("ali\u{200d}ce"), Some('\u{200d}'));
/// assert_eq!(forbidden_character("می\u{200c}خواهم/👩\u{200d}🌾/❤\u{fe0f}/1\u{fe0f}\u{20e3}"), None);
/// ```
#[must_use]
pub fn forbidden_character(text: &str) -> Option<char> {
    if is_printable_ascii(text.as_bytes()) {
        return None;
    }
    let mut before = None;
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if changes_the_display(c) || is_blank(c) && !has_work(before, c, rest.as_str().chars().next()) {
            return Some(c);
        }
        before = Some(c);
    }
    None
}

/// Whether `c` changes how the text around it is shown, wherever it stands: a control character, a separator of lines, one
/// that changes the direction of text, and hidden marks and tags. Others that show as nothing are left to free texts.
#[must_use]
pub fn changes_the_display(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{061c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// What shows as nothing and is no white space: the code points of `Default_Ignorable_Code_Point` (Unicode 16) that
/// [`changes_the_display`] leaves, then letters and symbols whose glyph is empty. First and last of each run, sorted.
const BLANK: [(char, char); 17] = [
    ('\u{34f}', '\u{34f}'),     // combining grapheme joiner
    ('\u{115f}', '\u{1160}'),   // fillers of Hangul
    ('\u{17b4}', '\u{17b5}'),   // inherent vowels of Khmer
    ('\u{180b}', '\u{180d}'),   // variation selectors of Mongolian
    ('\u{180f}', '\u{180f}'),   // and a fourth
    ('\u{200c}', '\u{200d}'),   // joiners
    ('\u{2800}', '\u{2800}'),   // braille of no dots
    ('\u{3164}', '\u{3164}'),   // filler of Hangul
    ('\u{fe00}', '\u{fe0f}'),   // variation selectors
    ('\u{ffa0}', '\u{ffa0}'),   // half-width filler of Hangul
    ('\u{fff0}', '\u{fff8}'),   // reserved
    ('\u{16fe4}', '\u{16fe4}'), // filler of Khitan
    ('\u{1bca0}', '\u{1bca3}'), // format controls of shorthand
    ('\u{1d159}', '\u{1d159}'), // notehead of nothing
    ('\u{1d173}', '\u{1d17a}'), // format controls of music
    ('\u{e0080}', '\u{e00ff}'), // reserved
    ('\u{e0100}', '\u{e0fff}'), // variation selectors, and reserved
];

fn is_blank(c: char) -> bool {
    let run = BLANK.partition_point(|(_, last)| *last < c);
    BLANK.get(run).is_some_and(|(first, _)| *first <= c)
}

/// Whether `c`, which shows as nothing, changes the shape of its neighbours.
fn has_work(before: Option<char>, c: char, after: Option<char>) -> bool {
    match c {
        // Latin, Greek, Cyrillic and others below Arabic know no joiners.
        '\u{200c}' | '\u{200d}' => {
            let joins = |c: char| c >= '\u{600}' && !matches!(c, '\u{200c}' | '\u{200d}');
            before.is_some_and(joins) && after.is_some_and(joins)
        }
        '\u{fe0e}' | '\u{fe0f}' => before.is_some_and(has_emoji_form) || after == Some('\u{20e3}'),
        _ => false,
    }
}

/// Whether `c` lies where the symbols are that have a text and an emoji form.
fn has_emoji_form(c: char) -> bool {
    matches!(
        c,
        '©' | '®' | '\u{203c}'..='\u{2049}' | '\u{2100}'..='\u{27ff}' | '\u{2900}'..='\u{2bff}' | '\u{3030}' | '\u{303d}'
            | '\u{3297}' | '\u{3299}' | '\u{1f000}'..='\u{1faff}'
    )
}

/// The first control character of `text`, which people write for people, other than a line break or a tab.
///
/// ```
/// use lictor::model::control_character;
/// assert_eq!(control_character("a\0b\u{1b}[2J"), Some('\0'));
/// assert_eq!(control_character("two lines\r\n\tgröße"), None);
/// ```
#[must_use]
pub fn control_character(text: &str) -> Option<char> {
    if is_printable_ascii(text.as_bytes()) {
        return None;
    }
    text.chars().find(|c| is_control(*c))
}

/// `text` with U+FFFD instead of each character that [`control_character`] finds.
#[must_use]
pub fn without_control_characters(text: &str) -> Cow<'_, str> {
    match control_character(text) {
        Some(_) => Cow::Owned(text.replace(is_control, "\u{fffd}")),
        None => Cow::Borrowed(text),
    }
}

fn is_control(c: char) -> bool {
    c.is_control() && !matches!(c, '\n' | '\r' | '\t')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_that_shows_as_nothing_hides_in_an_id() {
        let runs = BLANK.windows(2).all(|pair| pair[0].1 < pair[1].0) && BLANK.iter().all(|(a, b)| a <= b);
        assert!(runs, "each run once, in order");
        // Of DerivedCoreProperties.txt, Default_Ignorable_Code_Point.
        let ignorable = [
            0xad..=0xad,
            0x34f..=0x34f,
            0x61c..=0x61c,
            0x115f..=0x1160,
            0x17b4..=0x17b5,
            0x180b..=0x180f,
            0x200b..=0x200f,
            0x202a..=0x202e,
            0x2060..=0x206f,
            0x3164..=0x3164,
            0xfe00..=0xfe0f,
            0xfeff..=0xfeff,
            0xffa0..=0xffa0,
            0xfff0..=0xfff8,
            0x1bca0..=0x1bca3,
            0x1d173..=0x1d17a,
            0xe0000..=0xe0fff_u32,
        ];
        let others = ['\0', '\u{85}', '\u{2028}', '\u{2029}', '\u{2800}', '\u{fffa}', '\u{16fe4}', '\u{1d159}'];
        for c in ignorable.into_iter().flatten().filter_map(char::from_u32).chain(others) {
            for text in
                [format!("alice{c}"), format!("{c}alice"), format!("al{c}ice"), format!("zo{c}é"), c.to_string()]
            {
                assert_eq!(forbidden_character(&text), Some(c), "{text:?}");
            }
        }
    }

    #[test]
    fn what_can_be_seen_may_be_in_an_id() {
        for text in [
            "größe/1",
            "한글",
            "ភាសាខ្មែរ",
            "ᠮᠣᠩᠭᠣᠯ",
            "⠇⠊⠉⠞⠕⠗",
            "می\u{200c}خواهم",
            "क्\u{200d}ष",
            "👩\u{200d}🌾",
            "🏳\u{fe0f}\u{200d}🌈",
            "❤\u{fe0f}",
            "☎\u{fe0e}",
            "3\u{fe0f}\u{20e3}",
            "Bob  Smith",
        ] {
            assert_eq!(forbidden_character(text), None, "{text}");
        }
        for (text, hidden) in [
            ("👩\u{200d}", '\u{200d}'),
            ("\u{200c}خواهم", '\u{200c}'),
            ("خو\u{200c}\u{200c}اهم", '\u{200c}'),
            ("خو\u{200d}/", '\u{200d}'),
            ("❤\u{fe0f}\u{fe0f}", '\u{fe0f}'),
            ("❤\u{fe00}", '\u{fe00}'),
            ("中\u{fe0f}", '\u{fe0f}'),
        ] {
            assert_eq!(forbidden_character(text), Some(hidden), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_plain_ascii_is_allowed_and_what_steers_is_not(text in any::<String>()) {
            if text.bytes().all(|byte| matches!(byte, 0x20..0x7f)) {
                prop_assert_eq!(forbidden_character(&text), None);
            }
            if text.chars().any(changes_the_display) {
                prop_assert!(has_forbidden_character(&text));
            }
        }
    }
}
