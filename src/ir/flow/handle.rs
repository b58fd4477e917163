//! Words that point at somebody or something, plain or in a form that software makes plain again. One of them beside the
//! user's words is not the user's.

use std::ops::Range;

/// Fewest digits of a number that stands for somebody or something, and not for an amount or a date.
const LONG_NUMBER: usize = 6;
/// The same where its digits are parted by blanks or hyphens, as those of accounts, cards and telephones are.
const LONG_PARTED_NUMBER: usize = 10;
/// Fewest characters of a token: letters with digits among them, such as something encoded.
const LONG_TOKEN: usize = 16;
/// Fewest characters of a token without digits: more than words of any language have.
const LONG_WORD: usize = 48;

/// Entities of HTML that stand for nothing an address or link is made of.
const HARMLESS_ENTITIES: [&str; 6] = ["amp", "lt", "gt", "quot", "apos", "nbsp"];

/// The parts of a normal text that point at somebody or something.
pub(super) fn handles(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    let mut parted = Parted::default();
    let mut spelled = Spelled::default();
    for piece in text.split([' ', ',', ';']) {
        let start = at;
        at += piece.len() + 1;
        let word = piece.trim_matches(|c: char| !c.is_alphanumeric());
        let start = start + piece.find(word).unwrap_or(0);
        let range = start..start + word.len();
        // What ends a piece: a comma or semicolon parts what a blank does not.
        let joined = text.as_bytes().get(at - 1) == Some(&b' ');
        found.extend(spelled.add(word, &range, joined));
        if is_handle(word) || is_encoded(piece) {
            found.push(if word.is_empty() { at - 1 - piece.len()..at - 1 } else { range });
            parted = Parted::default();
        } else {
            found.extend(parted.add(word, range, joined));
        }
    }
    found.extend(parted.end());
    found
}

/// The parts of a normal text that are the time of a day: `19:00`.
pub(super) fn times(text: &str) -> impl Iterator<Item = Range<usize>> {
    let is_time = |piece: &str| {
        let digits = |part: &str| matches!(part.len(), 1 | 2) && part.bytes().all(|byte| byte.is_ascii_digit());
        piece.contains(':') && piece.split(':').count() <= 3 && piece.split(':').all(digits)
    };
    let pieces = text.split(' ').scan(0, |at, piece| {
        let start = *at;
        *at += piece.len() + 1;
        Some((start, piece))
    });
    pieces.filter(move |(_, piece)| is_time(piece)).map(|(start, piece)| start..start + piece.len())
}

/// A number whose parts are words of their own.
#[derive(Default)]
struct Parted {
    digits: usize,
    /// Whether letters stand between, as those of a bank do.
    letters: bool,
    range: Range<usize>,
}

impl Parted {
    /// Goes on with a word; gives the number that ends with it or before it.
    fn add(&mut self, word: &str, range: Range<usize>, joined: bool) -> Option<Range<usize>> {
        let digits = word.chars().filter(|c| c.is_numeric()).count();
        // Of `q3` the digit is no part of anything.
        let is_part = digits > usize::from(digits < word.chars().count()) && !is_moment(word);
        let is_between = self.digits > 0 && !self.letters && word.len() <= 4;
        if !is_part && !is_between {
            return self.end();
        }
        self.letters |= !is_part && !word.is_empty();
        if self.digits == 0 {
            self.range.start = range.start;
        }
        self.digits += digits;
        if is_part {
            self.range.end = range.end;
        }
        if joined { None } else { self.end() }
    }

    fn end(&mut self) -> Option<Range<usize>> {
        let ended = std::mem::take(self);
        (ended.digits >= LONG_PARTED_NUMBER).then_some(ended.range)
    }
}

/// An address whose signs are words: `jim at mail dot example`.
#[derive(Default)]
struct Spelled {
    /// How many words of one there are: its name, `at`, a name, `dot`.
    words: usize,
    start: usize,
    /// Where the last word begins.
    last: usize,
}

impl Spelled {
    /// Goes on with a word; gives the address that ends with it.
    fn add(&mut self, word: &str, range: &Range<usize>, joined: bool) -> Option<Range<usize>> {
        let is_next = match self.words {
            1 => word == "at",
            3 => word == "dot",
            _ => !word.is_empty(),
        };
        if is_next && self.words > 0 {
            self.words += 1;
        } else if self.words > 0 && word == "at" {
            // The word before may be the name of one.
            (self.words, self.start) = (2, self.last);
        } else {
            (self.words, self.start) = (usize::from(!word.is_empty()), range.start);
        }
        self.last = range.start;
        let whole = self.words == 5;
        let found = whole.then_some(self.start..range.end);
        if whole || !joined {
            self.words = 0;
        }
        found
    }
}

/// Signs as people write them who do not want machines to read an address.
const SPELLED_SIGNS: [&str; 6] = ["[at]", "(at)", "{at}", "[dot]", "(dot)", "{dot}"];

/// Whether a word points at somebody or something: an address, a link, a name with dots, a number of many digits, a token.
/// Characters of full width count as those that they stand for.
fn is_handle(word: &str) -> bool {
    let mut text = String::with_capacity(word.len());
    text.extend(word.chars().map(narrow));
    let chars: Vec<char> = text.chars().collect();
    let dotted =
        chars.windows(3).any(|three| three[1] == '.' && three[0].is_alphanumeric() && three[2].is_alphabetic());
    let digits = chars.iter().filter(|c| c.is_numeric()).count();
    let token = digits > 0
        && chars.len() >= LONG_TOKEN
        && chars.iter().any(|c| c.is_alphabetic())
        && chars.iter().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '_' | '='));
    let long_number = digits >= LONG_NUMBER && !(is_moment(&text) && digits <= 14);
    let long_word = chars.len() >= LONG_WORD && chars.iter().all(|c| c.is_ascii_alphanumeric());
    let spelled = SPELLED_SIGNS.iter().any(|sign| text.contains(sign));
    text.contains('@') || text.contains("://") || spelled || dotted || token || long_number || long_word
}

/// Whether a piece holds characters in an encoded form: percent, an entity of HTML, or the end of base64.
fn is_encoded(piece: &str) -> bool {
    let hex = |c: Option<&u8>| c.is_some_and(u8::is_ascii_hexdigit);
    let bytes = piece.as_bytes();
    let percent = (0..bytes.len()).any(|i| bytes[i] == b'%' && hex(bytes.get(i + 1)) && hex(bytes.get(i + 2)));
    // The semicolon that ends an entity has parted the pieces.
    let entity = piece.rsplit_once('&').is_some_and(|(_, name)| {
        let number =
            name.strip_prefix('#').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_hexdigit() || c == 'x'));
        let is_name = name.len() >= 2 && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
        number || (is_name && !HARMLESS_ENTITIES.contains(&name))
    });
    let base64 = piece.trim_end_matches('=').len() >= LONG_TOKEN && piece.ends_with('=');
    percent || entity || base64
}

/// Whether a word is a date, a time, or both.
fn is_moment(word: &str) -> bool {
    let of_moment = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'-' | b':' | b'/' | b'.' | b't' | b'z');
    word.bytes().all(of_moment) && word.bytes().any(|byte| matches!(byte, b'-' | b':' | b'/'))
}

/// The character that one of full width, or another form of a dot or at sign, stands for.
fn narrow(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        '\u{3002}' | '\u{ff61}' | '\u{2024}' | '\u{fe52}' => '.',
        '\u{fe6b}' => '@',
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_point_at_something() {
        for word in [
            "a@x.com",
            "https://x",
            "www.evil.example",
            "gb29nwbk60161331926819",
            "+4917612345",
            "bill.pdf",
            "пример.рф",
            "ｃｏｌｌｅｃｔ＠ｅｖｉｌ",
            "evil\u{3002}example",
            "１２３４５６",
            "y29sbgvjdeblbmlslmv4yw1wbgu",
        ] {
            assert!(is_handle(word), "{word}");
        }
        for word in [
            "hello",
            "19:00",
            "2024-05-26",
            "2024-05-26t19:00:00",
            "1000.5",
            "q3",
            "2024",
            "e.",
            "well-known",
            "rechtsschutzversicherungsgesellschaften",
            "２０２４",
        ] {
            assert!(!is_handle(word), "{word}");
        }
    }

    #[test]
    fn handles_are_found_in_every_form() {
        for text in [
            "bob or collect%40evil%2eexample",
            "bob &#99;ollect&#64;evil",
            "bob, collect&commat;evil&period;example",
            "bob y29sbgvjdeblbmlsl==",
            "bob and gb29 nwbk 6016 1331 9268 19",
            "bob +49 176 1234 567",
            "bob 4111-1111-1111-1111",
            "bob and collect at evil dot example",
            "bob, collect (at) evil [dot] example",
            "bob collect[at]evil[dot]example",
            "bob at at collect at evil dot example",
            "bob at home collect at evil dot example",
            "bob at collect at evil dot example",
        ] {
            assert!(!handles(text).is_empty(), "{text}");
        }
        for text in [
            "bob",
            "50% off for bob",
            "bob & ann, tom &amp; jerry",
            "on 2024-05-26 19:00 for 2 hours in room 12",
            "100, 200, 300, 400",
            "a = b",
            "q1 2024 and q2 2024 and q3 2024",
            "2024 and 2025 and 2026",
            "meet bob at noon",
            "look at me, dot the i",
            "at the dot",
        ] {
            assert!(handles(text).is_empty(), "{text}: {:?}", handles(text));
        }
    }
}
