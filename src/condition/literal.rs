//! Number, string and bytes literals.

use super::lexer::{Tok, syntax};
use super::source::Problem;

/// The number literal at `at`, and its length.
pub(super) fn number(text: &str, at: usize) -> Result<(Tok<'_>, usize), Box<Problem>> {
    let rest = text.get(at..).unwrap_or("");
    let bytes = rest.as_bytes();
    let byte = |index: usize| bytes.get(index).copied().unwrap_or(0);
    let count_digits = |from: usize| bytes.iter().skip(from).take_while(|byte| byte.is_ascii_digit()).count();

    if byte(0) == b'0' && matches!(byte(1), b'x' | b'X') {
        let digits = bytes.iter().skip(2).take_while(|byte| byte.is_ascii_hexdigit()).count();
        let length = 2 + digits;
        let parsed = rest.get(2..length).and_then(|digits| u64::from_str_radix(digits, 16).ok());
        return integer(at, rest, length, parsed);
    }
    let mut length = count_digits(0);
    let mut is_double = false;
    if byte(length) == b'.' && byte(length + 1).is_ascii_digit() {
        is_double = true;
        length += 1 + count_digits(length + 1);
    }
    if matches!(byte(length), b'e' | b'E') {
        let sign = usize::from(matches!(byte(length + 1), b'+' | b'-'));
        let digits = count_digits(length + 1 + sign);
        if digits > 0 {
            is_double = true;
            length += 1 + sign + digits;
        }
    }
    if !is_double {
        let parsed = rest.get(..length).and_then(|digits| digits.parse().ok());
        return integer(at, rest, length, parsed);
    }
    let value: Option<f64> = rest.get(..length).and_then(|digits| digits.parse().ok());
    match value.filter(|value| value.is_finite()) {
        Some(value) => end_of_number(at, rest, length, Tok::Double(value)),
        None => Err(syntax(at..at + length, "the number does not fit a double")),
    }
}

fn integer(at: usize, rest: &str, length: usize, parsed: Option<u64>) -> Result<(Tok<'_>, usize), Box<Problem>> {
    let unsigned = matches!(rest.as_bytes().get(length), Some(b'u' | b'U'));
    let total = length + usize::from(unsigned);
    let Some(value) = parsed else {
        return Err(syntax(at..at + total, "the integer does not fit 64 bits"));
    };
    end_of_number(at, rest, total, if unsigned { Tok::Uint(value) } else { Tok::Int(value) })
}

/// A letter right behind a number is a mistake, not the next token.
fn end_of_number<'t>(at: usize, rest: &str, length: usize, kind: Tok<'t>) -> Result<(Tok<'t>, usize), Box<Problem>> {
    match rest.as_bytes().get(length) {
        Some(next) if next.is_ascii_alphanumeric() || *next == b'_' => {
            let word =
                rest.bytes().skip(length).take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
            let problem = syntax(at..at + length + word, "a letter cannot follow a number directly");
            Err(Box::new(problem.help("durations are written `duration(\"5m\")`, text in quotation marks")))
        }
        _ => Ok((kind, length)),
    }
}

/// The string or bytes literal at `at` and its length; `None` if what stands there is not one.
pub(super) fn string(text: &str, at: usize) -> Result<Option<(Tok<'_>, usize)>, Box<Problem>> {
    let rest = text.get(at..).unwrap_or("");
    let mut prefix = 0;
    let (mut is_bytes, mut is_raw) = (false, false);
    if matches!(rest.as_bytes().first(), Some(b'b' | b'B')) {
        is_bytes = true;
        prefix += 1;
    }
    if matches!(rest.as_bytes().get(prefix), Some(b'r' | b'R')) {
        is_raw = true;
        prefix += 1;
    }
    let Some(quote @ (b'"' | b'\'')) = rest.as_bytes().get(prefix).copied() else { return Ok(None) };
    let triple = rest.as_bytes().get(prefix..prefix + 3).is_some_and(|opening| opening.iter().all(|b| *b == quote));
    let width = if triple { 3 } else { 1 };
    let body_start = prefix + width;
    let Some(body_length) = find_end(rest.as_bytes().get(body_start..).unwrap_or(&[]), quote, triple, is_raw) else {
        let line = rest.find('\n').filter(|_| !triple).unwrap_or(rest.len());
        let mark = char::from(quote);
        let problem = syntax(at..at + line, "the string is not closed");
        return Err(Box::new(problem.help(format!("close it with {}", mark.to_string().repeat(width)))));
    };
    let body = rest.get(body_start..body_start + body_length).unwrap_or("");
    let length = body_start + body_length + width;
    let origin = at + body_start;
    let kind = match (is_bytes, is_raw) {
        (false, true) => Tok::Str(body.to_owned()),
        (true, true) => Tok::Bytes(body.as_bytes().to_vec()),
        (false, false) => Tok::Str(unescape_text(body, origin)?),
        (true, false) => Tok::Bytes(unescape_bytes(body, origin)?),
    };
    Ok(Some((kind, length)))
}

/// Length of the body, up to the closing quotation marks.
fn find_end(body: &[u8], quote: u8, triple: bool, raw: bool) -> Option<usize> {
    let mut at = 0;
    while let Some(byte) = body.get(at) {
        match *byte {
            b'\\' if !raw => at += 1,
            b'\n' | b'\r' if !triple => return None,
            found
                if found == quote
                    && (!triple || body.get(at..at + 3).is_some_and(|close| close.iter().all(|b| *b == quote))) =>
            {
                return Some(at);
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// What an escape sequence stands for.
enum Escape {
    /// A code point.
    Char(char),
    /// An octet where the literal is bytes, else a code point below 256.
    Octet(u8),
    /// Half of a surrogate pair.
    Surrogate(u32),
}

fn unescape_text(body: &str, origin: usize) -> Result<String, Box<Problem>> {
    let mut text = String::with_capacity(body.len());
    let mut at = 0;
    while let Some(next) = body.get(at..).and_then(|rest| rest.chars().next()) {
        if next != '\\' {
            text.push(next);
            at += next.len_utf8();
            continue;
        }
        let (escape, length) = escape(body, at, origin)?;
        at += length;
        match escape {
            Escape::Char(c) => text.push(c),
            Escape::Octet(octet) => text.push(char::from(octet)),
            Escape::Surrogate(high) => {
                let (low, low_length) = match body.get(at..).is_some_and(|rest| rest.starts_with('\\')) {
                    true => self::escape(body, at, origin)?,
                    false => (Escape::Octet(0), 0),
                };
                let pair = match low {
                    Escape::Surrogate(low) if high < 0xdc00 && low >= 0xdc00 => {
                        char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00))
                    }
                    _ => None,
                };
                let Some(pair) = pair else {
                    return Err(bad_escape(
                        origin + at - length,
                        length,
                        "half of a surrogate pair is not a character",
                    ));
                };
                text.push(pair);
                at += low_length;
            }
        }
    }
    Ok(text)
}

fn unescape_bytes(body: &str, origin: usize) -> Result<Vec<u8>, Box<Problem>> {
    let mut bytes = Vec::with_capacity(body.len());
    let mut at = 0;
    while let Some(next) = body.as_bytes().get(at) {
        if *next != b'\\' {
            bytes.push(*next);
            at += 1;
            continue;
        }
        if let Some(b'u' | b'U') = body.as_bytes().get(at + 1) {
            return Err(bad_escape(origin + at, 2, "a bytes literal takes no \\u escapes; write octets as \\xff"));
        }
        let (escape, length) = escape(body, at, origin)?;
        match escape {
            Escape::Char(c) => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            Escape::Octet(octet) => bytes.push(octet),
            Escape::Surrogate(_) => return Err(bad_escape(origin + at, length, "not an octet")),
        }
        at += length;
    }
    Ok(bytes)
}

/// The escape sequence at `at`, which is a backslash, and its length.
fn escape(body: &str, at: usize, origin: usize) -> Result<(Escape, usize), Box<Problem>> {
    let code = body.as_bytes().get(at + 1).copied().unwrap_or(0);
    let hexadecimal = |digits: usize| {
        body.get(at + 2..at + 2 + digits)
            .filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()))
            .and_then(|text| u32::from_str_radix(text, 16).ok())
            .ok_or_else(|| {
                bad_escape(origin + at, 2, &format!("`\\{}` takes {digits} hexadecimal digits", char::from(code)))
            })
    };
    let simple = |c: char| Ok((Escape::Char(c), 2));
    match code {
        b'\\' | b'?' | b'"' | b'\'' | b'`' => simple(char::from(code)),
        b'a' => simple('\u{07}'),
        b'b' => simple('\u{08}'),
        b'f' => simple('\u{0c}'),
        b'n' => simple('\n'),
        b'r' => simple('\r'),
        b't' => simple('\t'),
        b'v' => simple('\u{0b}'),
        b'x' | b'X' => Ok((Escape::Octet(hexadecimal(2)? as u8), 4)),
        b'u' | b'U' => {
            let digits = if code == b'u' { 4 } else { 8 };
            let value = hexadecimal(digits)?;
            let escape = match char::from_u32(value) {
                Some(c) => Escape::Char(c),
                None if (0xd800..0xe000).contains(&value) => Escape::Surrogate(value),
                None => return Err(bad_escape(origin + at, digits + 2, "not a Unicode code point")),
            };
            Ok((escape, digits + 2))
        }
        b'0'..=b'3' => {
            let octal = body.get(at + 1..at + 4).filter(|text| text.bytes().all(|byte| (b'0'..=b'7').contains(&byte)));
            match octal.and_then(|text| u8::from_str_radix(text, 8).ok()) {
                Some(octet) => Ok((Escape::Octet(octet), 4)),
                None => Err(bad_escape(origin + at, 2, "an octal escape takes three digits, 000 to 377")),
            }
        }
        _ => {
            let width = body.get(at + 1..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
            let found = body.get(at..at + 1 + width).unwrap_or("\\");
            Err(bad_escape(origin + at, 1 + width, &format!("`{found}` is not an escape sequence")))
        }
    }
}

fn bad_escape(at: usize, length: usize, message: &str) -> Box<Problem> {
    let problem = syntax(at..at + length, message);
    Box::new(problem.help("write `\\\\` for a backslash, or a raw string: r\"…\""))
}
