//! The form in which texts are compared: lower case, runs of blanks as one, numbers by their value.

use compact_str::format_compact;
use smallvec::SmallVec;

use crate::model::{Text, Value};

/// Where an occurrence is looked for, and so what counts as the end of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Within {
    /// In what a person wrote: a word may touch punctuation, but is no part of an address, a name with dots or a number.
    Prose,
    /// In an argument, which whoever misled the planner may have written: nothing that is joined to more counts.
    Argument,
}

/// `text` as it is compared.
pub(super) fn normal(text: &str) -> Text {
    let look = Look::at(text);
    let plain: Text = if look.is_tidy {
        let mut plain = Text::from(text);
        plain.make_ascii_lowercase();
        plain
    } else if text.is_ascii() {
        normal_ascii(text)
    } else {
        normal_unicode(text).into()
    };
    if look.has_marks { numbers_by_value(&plain) } else { plain }
}

/// What is seen of a text in passing once over it.
struct Look {
    /// It is of ASCII characters that can be seen, with single blanks between.
    is_tidy: bool,
    /// It has a mark that may stand in a number, or that what is no ASCII may become.
    has_marks: bool,
}

impl Look {
    fn at(text: &str) -> Self {
        let (mut is_tidy, mut has_marks, mut after_blank) = (true, false, true);
        for byte in text.bytes() {
            let is_blank = byte == b' ';
            is_tidy &= byte.is_ascii_graphic() | (is_blank & !after_blank);
            has_marks |= matches!(byte, b'.' | b',' | b'\'') | !byte.is_ascii();
            after_blank = is_blank;
        }
        Self { is_tidy: is_tidy & !after_blank, has_marks }
    }
}

fn normal_ascii(text: &str) -> Text {
    let mut plain = SmallVec::<[u8; 64]>::with_capacity(text.len());
    for byte in text.bytes() {
        if byte > b' ' && byte != 0x7f {
            plain.push(byte.to_ascii_lowercase());
        } else if plain.last().is_some_and(|last| *last != b' ') {
            plain.push(b' ');
        }
    }
    Text::from_utf8(plain.strip_suffix(b" ").unwrap_or(&plain)).unwrap_or_default()
}

fn normal_unicode(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if c.is_whitespace() || c.is_control() => {
                if !plain.ends_with(' ') && !plain.is_empty() {
                    plain.push(' ');
                }
            }
            '\u{2018}' | '\u{2019}' => plain.push('\''),
            '\u{201c}' | '\u{201d}' => plain.push('"'),
            '\u{2010}'..='\u{2014}' | '\u{2212}' => plain.push('-'),
            c if c.is_ascii() => plain.push(c.to_ascii_lowercase()),
            c => plain.extend(c.to_lowercase()),
        }
    }
    plain.truncate(plain.trim_end().len());
    plain
}

/// A scalar as it is compared; `None` for a container and null.
pub(super) fn normal_scalar(value: &Value) -> Option<Text> {
    match value {
        Value::String(text) => Some(normal(text)),
        // A whole number that an i32 holds too; not minus zero, which is written with its sign.
        Value::Number(number) if f64::from(*number as i32).to_bits() == number.to_bits() => {
            Some(itoa::Buffer::new().format(*number as i32).into())
        }
        Value::Number(number) => Some(format_compact!("{number}")),
        Value::Bool(value) => Some(Text::const_new(if *value { "true" } else { "false" })),
        Value::Null | Value::List(_) | Value::Map(_) => None,
    }
}

/// Rewrites every number that stands for itself to its shortest form: `1,000.50` and `1000.5` become the same.
fn numbers_by_value(text: &str) -> Text {
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len());
    let (mut copied, mut at) = (0, 0);
    while at < bytes.len() {
        if !bytes[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let start = at;
        while at < bytes.len() && (bytes[at].is_ascii_digit() || is_separator(bytes, at)) {
            at += 1;
        }
        if stands_alone(text, start, at)
            && let Some(number) = shortest(&text[start..at])
        {
            out.push_str(&text[copied..start]);
            out.push_str(&number);
            copied = at;
        }
    }
    out.push_str(&text[copied..]);
    out.into()
}

/// A point, comma or apostrophe between two digits.
fn is_separator(bytes: &[u8], at: usize) -> bool {
    matches!(bytes[at], b'.' | b',' | b'\'') && bytes.get(at + 1).is_some_and(u8::is_ascii_digit)
}

fn stands_alone(text: &str, start: usize, end: usize) -> bool {
    let joins = |c: char| c.is_alphanumeric() || matches!(c, '_' | '@' | '/' | '.' | '-' | '\'');
    let mut before = text[..start].chars().rev();
    let joined_before = match before.next() {
        Some('-') => before.next().is_some_and(joins),
        Some(c) => joins(c) && c != '\'',
        None => false,
    };
    let mut after = text[end..].chars();
    let joined_after = match after.next() {
        Some('.' | '-' | '\'') => after.next().is_some_and(char::is_alphanumeric),
        Some(c) => joins(c),
        None => false,
    };
    (!joined_before || currency_before(&text[..start]).is_some())
        && (!joined_after || currency_after(&text[end..]).is_some())
}

/// The shortest form of a decimal number with or without marks between groups of three digits. `None` for what is no such
/// number, and for digits that begin with a zero: those are names, not amounts.
fn shortest(written: &str) -> Option<String> {
    let (whole, fraction) = split_decimal(written)?;
    if whole.len() > 1 && whole.starts_with('0') {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    Some(if fraction.is_empty() { whole } else { format!("{whole}.{fraction}") })
}

fn split_decimal(written: &str) -> Option<(String, &str)> {
    let last = written.rfind(['.', ',', '\'']);
    let Some(last) = last else { return Some((written.to_owned(), "")) };
    let mark = written.as_bytes().get(last).copied()? as char;
    let (before, after) = (&written[..last], &written[last + 1..]);
    let others = before.matches(['.', ',', '\'']).count();
    let same = before.matches(mark).count();
    if others == 0 {
        // One mark: a comma or an apostrophe before three digits groups them, everything else is a decimal.
        if mark != '.' && after.len() == 3 && before.len() <= 3 {
            return Some((format!("{before}{after}"), ""));
        }
        return (mark != '\'').then(|| (before.to_owned(), after));
    }
    if same == others {
        return grouped(written, mark).map(|whole| (whole, ""));
    }
    if same > 0 || mark == '\'' {
        return None;
    }
    let group_mark = before.chars().find(|c| !c.is_ascii_digit())?;
    grouped(before, group_mark).map(|whole| (whole, after))
}

fn grouped(digits: &str, mark: char) -> Option<String> {
    let mut groups = digits.split(mark);
    let first = groups.next()?;
    let fits = (1..=3).contains(&first.len()) && first.bytes().all(|b| b.is_ascii_digit());
    let rest_fits = groups.all(|group| group.len() == 3 && group.bytes().all(|b| b.is_ascii_digit()));
    (fits && rest_fits).then(|| digits.chars().filter(char::is_ascii_digit).collect())
}

/// Whether the bytes `start..end` of `text` are whole words.
pub(super) fn is_whole(text: &str, start: usize, end: usize, within: Within) -> bool {
    let mut before = text[..start].chars().rev();
    let mut after = text[end..].chars();
    let mut inner = text[start..end].chars();
    let (first, last) = (inner.next(), inner.next_back());
    let is_argument = within == Within::Argument;
    // An address that only ends like the user's is another one; in an argument also one beside anything that software may take
    // for a part of it.
    let is_name = || !text[start..end].contains(['@', '.']);
    let edge = |inner: Option<char>, outer: Option<char>, beyond: Option<char>| match outer {
        None => true,
        Some(c) if is_attached(c) => false,
        Some(c) if is_argument && !c.is_ascii() && !is_quotation(c) && !is_name() => false,
        Some(c) if is_word(c) => match inner {
            Some(inner) if is_word(inner) => match (is_unspaced(inner), is_unspaced(c)) {
                (true, true) => is_name(),
                (one, other) => one != other,
            },
            _ => true,
        },
        Some(c) => {
            let goes_on = |beyond: char| is_word(beyond) || is_argument && joins(beyond, within);
            !(decimal(inner, c, beyond) || joins(c, within) && beyond.is_some_and(goes_on))
        }
    };
    // The sign of a number, or the point of a fraction.
    let sign = |outer: Option<char>, beyond: Option<char>| {
        let is_number = first.is_some_and(|c| c.is_ascii_digit());
        is_number && (outer == Some('.') || outer == Some('-') && !beyond.is_some_and(is_word))
    };
    let (before_1, before_2) = (before.next(), before.next());
    let (after_1, after_2) = (after.next(), after.next());
    let is_amount = |edge: Option<char>| edge.is_some_and(|c| c.is_ascii_digit());
    let begins = edge(first, before_1, before_2) || (is_amount(first) && currency_before(&text[..start]).is_some());
    let ends =
        edge(last.or(first), after_1, after_2) || (is_amount(last.or(first)) && currency_after(&text[end..]).is_some());
    begins && ends && !sign(before_1, before_2)
}

/// Whether a character is shown as a part of the one before, or not at all.
fn is_attached(c: char) -> bool {
    matches!(u32::from(c),
        0xad | 0x0300..=0x036f | 0x0483..=0x0489 | 0x180b..=0x180f | 0x1ab0..=0x1aff | 0x1dc0..=0x1dff | 0x200b..=0x200f
        | 0x202a..=0x202e | 0x2060..=0x206f | 0x20d0..=0x20ff | 0x3099 | 0x309a | 0xfe00..=0xfe0f | 0xfe20..=0xfe2f
        | 0xfeff | 0xe0000..=0xe01ef)
}

/// Whether a character beyond ASCII stands around what is quoted or listed, and in no address.
fn is_quotation(c: char) -> bool {
    matches!(c, '«' | '»' | '‹' | '›' | '„' | '‚' | '「' | '」' | '『' | '』' | '、')
}

/// Whether the script of a letter is written without blanks between words, or with what other languages write as words of
/// their own joined to them: Han, Kana, Hangul, Bopomofo, Thai, Lao, Khmer, Myanmar, Tibetan.
pub(super) fn is_unspaced(c: char) -> bool {
    matches!(u32::from(c),
        0x0e00..=0x0fff | 0x1000..=0x109f | 0x1100..=0x11ff | 0x1780..=0x17ff | 0x19e0..=0x19ff | 0x2e80..=0x2fdf
        | 0x3005..=0x3007 | 0x3040..=0x312f | 0x3130..=0x318f | 0x31a0..=0x31bf | 0x31f0..=0x31ff | 0x3400..=0x4dbf
        | 0x4e00..=0x9fff | 0xa960..=0xa97f | 0xaa60..=0xaa7f | 0xac00..=0xd7ff | 0xf900..=0xfaff | 0xff66..=0xffdc
        | 0x1b000..=0x1b16f | 0x20000..=0x323af)
}

/// The code of a currency that `text` ends with, as a word but for the number that follows.
fn currency_before(text: &str) -> Option<&str> {
    let (before, code) = text.split_at_checked(text.len().checked_sub(3)?)?;
    (is_currency(code) && !before.chars().next_back().is_some_and(is_word)).then_some(code)
}

/// The code of a currency that `text` begins with, as a word but for the number before.
fn currency_after(text: &str) -> Option<&str> {
    let (code, after) = text.split_at_checked(3)?;
    (is_currency(code) && !after.chars().next().is_some_and(is_word)).then_some(code)
}

/// Codes of ISO 4217 in lower case, sorted.
const CURRENCIES: [&str; 64] = [
    "aed", "ars", "aud", "bam", "bdt", "bgn", "bhd", "brl", "cad", "chf", "clp", "cny", "cop", "czk", "dkk", "dzd",
    "egp", "eur", "gbp", "gel", "ghs", "hkd", "huf", "idr", "ils", "inr", "iqd", "isk", "jod", "jpy", "kes", "krw",
    "kwd", "kzt", "lbp", "lkr", "mad", "mxn", "myr", "ngn", "nok", "nzd", "omr", "pen", "php", "pkr", "pln", "qar",
    "ron", "rsd", "rub", "sar", "sek", "sgd", "thb", "tnd", "try", "twd", "uah", "usd", "uyu", "vnd", "xof", "zar",
];

pub(super) fn is_currency(code: &str) -> bool {
    CURRENCIES.binary_search(&code).is_ok()
}

/// Where a run of letters and digits falls into words: a number beside the code of a currency, and each letter of a script
/// that is written without blanks. Gives the length of the first word.
pub(super) fn first_word(run: &str) -> usize {
    if run.is_ascii() {
        return first_word_spaced(run);
    }
    match run.char_indices().find(|(_, c)| is_unspaced(*c)) {
        Some((0, c)) => c.len_utf8(),
        Some((at, _)) => first_word_spaced(&run[..at]),
        None => first_word_spaced(run),
    }
}

fn first_word_spaced(run: &str) -> usize {
    let bytes = run.as_bytes();
    let is_digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
    if !is_digit(bytes.first()) && !is_digit(bytes.last()) {
        return run.len();
    }
    let digits = |bytes: &[u8]| !bytes.is_empty() && bytes.iter().all(u8::is_ascii_digit);
    if let Some((number, code)) = bytes.len().checked_sub(3).and_then(|at| run.split_at_checked(at))
        && digits(number.as_bytes())
        && is_currency(code)
    {
        return number.len();
    }
    if let Some((code, number)) = run.split_at_checked(3)
        && digits(number.as_bytes())
        && is_currency(code)
    {
        return code.len();
    }
    run.len()
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// A mark between digits makes one number of them.
fn decimal(inner: Option<char>, mark: char, beyond: Option<char>) -> bool {
    let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
    matches!(mark, ',' | '\'') && digit(inner) && digit(beyond)
}

fn joins(c: char, within: Within) -> bool {
    match within {
        Within::Prose => matches!(c, '@' | '.'),
        Within::Argument => {
            matches!(c, '@' | '.' | '-' | '/' | '\\' | ':' | '+' | '=' | '&' | '?' | '#' | '%' | '~')
        }
    }
}

/// Whether `part` occurs in `text` as whole words.
pub(super) fn occurs(part: &str, text: &str, within: Within) -> bool {
    !part.is_empty() && text.match_indices(part).any(|(at, _)| is_whole(text, at, at + part.len(), within))
}

/// The places where `part` occurs in `text` as whole words.
pub(super) fn occurrences<'t>(part: &'t str, text: &'t str) -> impl Iterator<Item = std::ops::Range<usize>> + 't {
    text.match_indices(part)
        .map(|(at, _)| at..at + part.len())
        .filter(move |range| !part.is_empty() && is_whole(text, range.start, range.end, Within::Argument))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_compared_without_case_and_blanks() {
        for (text, same) in [
            ("  Send\r\n it \t NOW ", "send it now"),
            ("ÄRGER", "ärger"),
            ("", ""),
            (" \n", ""),
            ("it\u{2019}s \u{201c}fine\u{201d}", "it's \"fine\""),
        ] {
            assert_eq!(normal(text), same);
        }
    }

    #[test]
    fn numbers_are_compared_by_value() {
        for (text, same) in [
            ("1,000.50", "1000.5"),
            ("1000.5", "1000.5"),
            ("1.000,50", "1000.5"),
            ("1'000.50", "1000.5"),
            ("$1,000.00!", "$1000!"),
            ("1,000,000", "1000000"),
            ("1.000.000", "1000000"),
            ("12,50 euros", "12.5 euros"),
            ("1.0", "1"),
            ("0.50", "0.5"),
            ("-1,500.0", "-1500"),
            ("pay 5.", "pay 5."),
            ("(1,000)", "(1000)"),
            // Not numbers, or not alone.
            ("10.0.0.1", "10.0.0.1"),
            ("007.50", "007.50"),
            ("v1.50", "v1.50"),
            ("a@1.50", "a@1.50"),
            ("1.50x", "1.50x"),
            ("1,00,0", "1,00,0"),
            ("2024-05-15", "2024-05-15"),
            ("x-1.50", "x-1.50"),
            ("1.50.txt", "1.50.txt"),
            ("1,000.00EUR", "1000eur"),
            ("EUR1.50", "eur1.5"),
        ] {
            assert_eq!(normal(text), same, "{text}");
        }
        assert_eq!(normal_scalar(&Value::Number(1000.5)).as_deref(), Some("1000.5"));
        assert_eq!(normal_scalar(&Value::Number(-3.0)).as_deref(), Some("-3"));
    }

    #[test]
    fn ascii_is_only_faster() {
        for text in ["", " ", "A  b\t", "\u{7f}x\u{0}y\r\n ", "Send IT now, 1,000.50!"] {
            assert_eq!(normal_ascii(text), normal_unicode(text), "{text:?}");
        }
    }

    #[test]
    fn numbers_are_written_as_they_are_displayed() {
        for number in [0.0, -0.0, 1.0, -1.0, 0.5, 2_147_483_647.0, 2_147_483_648.0, -2_147_483_649.0, 1e15, 1e300, 1e-7]
        {
            assert_eq!(normal_scalar(&Value::Number(number)), Some(number.to_string().into()));
        }
    }

    #[test]
    fn occurrences_are_whole_words() {
        for (part, text, prose, argument) in [
            ("bob", "ask bob.", true, true),
            ("bob", "ask bobby", false, false),
            ("bob", "bob's", true, true),
            ("bob@x.com", "(bob@x.com), now", true, true),
            ("x.com", "bob@x.com", false, false),
            ("bob", "bob@x.com", false, false),
            ("50", "50.25", false, false),
            ("50", "1,50", false, false),
            ("5", "-5", false, false),
            ("5", "$5", true, true),
            ("https://a.example", "see https://a.example/x?y=z", true, false),
            ("paris", "paris-london", true, false),
            ("good.example", "http://good.example.evil.example", false, false),
            ("hello there", "well, hello there!", true, true),
            ("é", "café", false, false),
            ("", "anything", false, false),
            ("$5", "a$5", true, true),
            // Scripts that write no blanks, alone and beside others.
            ("lea@partner.example", "给lea@partner.example发会议记录", true, false),
            ("lea@partner.example", "「lea@partner.example」", true, true),
            ("firma.sk", "lea@firma.sk\u{33cc}", false, false),
            ("firma.sk", "firma.sk\u{33cc}", true, false),
            ("weather.example", "™weather.example", true, false),
            // What is attached makes another letter of the last one, or hides.
            ("rene", "rene\u{301}", false, false),
            ("lea", "lea\u{200b}x", false, false),
            // Ways up, and the point of a fraction.
            ("/srv/tmp", "/srv/tmp/../payroll", true, false),
            ("/srv/tmp", "delete /srv/tmp/.", true, false),
            ("x.com", "see x.com.", true, true),
            ("5", "give .5 of it", false, false),
            ("会议记录", "给lea@partner.example发会议记录", true, true),
            ("田中", "田中さんに送って", true, true),
            ("김철수", "김철수에게 50만원", true, true),
            ("50", "给他50元", true, true),
            ("lea", "给lea发", true, true),
            ("le", "给lea发", false, false),
            ("え.example", "lea@例え.example", false, false),
            // Amounts with their currency.
            ("50", "50eur", true, true),
            ("50", "eur50", true, true),
            ("50", "€50", true, true),
            ("50", "50€", true, true),
            ("50", "50k", false, false),
            ("50", "50eurx", false, false),
            ("50", "150eur", false, false),
            ("50", "xeur50", false, false),
            ("50", "5.50eur", false, false),
            ("50", "50.5eur", false, false),
        ] {
            assert_eq!(occurs(part, text, Within::Prose), prose, "{part} in {text}");
            assert_eq!(occurs(part, text, Within::Argument), argument, "{part} in argument {text}");
        }
    }
}
