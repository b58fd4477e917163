//! Reading a question from a file or from standard input.

use std::borrow::Cow;
use std::io::Read;
use std::path::Path;

use super::documents::CommandError;
use super::json_error::{BadJson, BadJsonKind};
use crate::diag::{Findings, SourceId, Sources};

/// Reads the file, `-` for standard input, and makes of it what `parse` makes of a text.
///
/// # Errors
/// It cannot be read, or is not what it should be.
pub fn read<T>(path: &Path, parse: impl FnOnce(SourceId, &str, &mut Findings) -> Option<T>) -> Result<T, CommandError> {
    let from_stdin = path.as_os_str() == "-";
    let name = if from_stdin { "standard input".into() } else { path.display().to_string() };
    let mut bytes = Vec::new();
    let most = crate::yaml::MAX_BYTES as u64 + 1;
    let too_large = |size: &str| {
        CommandError::environment(format!(
            "`{name}` has {size}, and at most {} are read; a plan may not be larger either: send fewer steps, or leave out \
             what no step needs, such as long observations",
            crate::yaml::MAX_BYTES
        ))
    };
    let outcome = if from_stdin {
        std::io::stdin().lock().take(most).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes))
    };
    outcome.map_err(|error| CommandError::environment(format!("cannot read `{name}`: {error}")))?;
    if bytes.len() as u64 >= most {
        // Of what is piped in nobody knows how much more there is.
        let size = std::fs::metadata(path).ok().filter(|file| !from_stdin && file.is_file());
        let size = size.map_or_else(|| format!("more than {} bytes", most - 1), |file| format!("{} bytes", file.len()));
        return Err(too_large(&size));
    }
    let text =
        String::from_utf8(bytes).map_err(|_| CommandError::environment(format!("`{name}` is not UTF-8 text")))?;
    let mut sources = Sources::default();
    let mut findings = Findings::default();
    let must_be_json = path.extension().is_some_and(|end| end.eq_ignore_ascii_case("json"));
    let text = match json_text(&text, must_be_json) {
        Ok(json) => json,
        Err(bad) => {
            let source = sources.add(name, text.as_str());
            findings.push(bad.finding(source, &text));
            return Err(CommandError::Refused { sources, findings });
        }
    };
    let source = sources.add(name, text.as_ref());
    match parse(source, &text, &mut findings) {
        Some(parsed) if !findings.has_errors() => Ok(parsed),
        _ => Err(CommandError::Refused { sources, findings }),
    }
}

/// JSON as YAML reads it: characters that JSON escapes as two halves stand for themselves. Text that is to be JSON and is
/// not, for example because of a `NaN`, would mean something else as YAML; so would a number that is too large for JSON.
fn json_text(text: &str, must_be_json: bool) -> Result<Cow<'_, str>, BadJson> {
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(_) => Ok(join_surrogates(text).into()),
        Err(error) if is_beyond_range(text, &error) => Err(BadJson::of(BadJsonKind::Range, &error)),
        // How deep it may be is said with the place by whoever reads it.
        Err(error) if error.to_string().starts_with("recursion limit exceeded") => Ok(join_surrogates(text).into()),
        Err(error) if must_be_json => Err(BadJson::of(BadJsonKind::Syntax, &error)),
        Err(error) if holds_bare_number_word(text) => Err(BadJson::of(BadJsonKind::NumberWord, &error)),
        Err(_) => Ok(text.into()),
    }
}

/// Whether a text in braces or brackets holds one of the numbers that JSON does not have, outside of quotes and comments, where
/// a value stands.
fn holds_bare_number_word(text: &str) -> bool {
    if !text.trim_start_matches('\u{feff}').trim_start().starts_with(['{', '[']) {
        return false;
    }
    let mut rest = text;
    let mut before = None;
    while let Some(c) = rest.chars().next() {
        match c {
            // A quote within a plain word opens nothing.
            '"' | '\'' if !before.is_some_and(char::is_alphanumeric) => {
                let end = quoted(rest, c);
                rest = rest.get(end..).unwrap_or_default();
                before = Some(c);
                continue;
            }
            '#' if before.is_none_or(char::is_whitespace) => {
                rest = rest.get(rest.find('\n').unwrap_or(rest.len())..).unwrap_or_default();
                before = Some('\n');
                continue;
            }
            _ => {}
        }
        if before.is_some_and(|c| matches!(c, ':' | ',' | '[' | '{') || c.is_whitespace()) {
            let word = rest.split([',', ']', '}', '\n', '\r']).next().unwrap_or_default().trim();
            if matches!(word, "NaN" | "Infinity" | "-Infinity" | "+Infinity" | "-NaN") {
                return true;
            }
        }
        before = Some(c);
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
    }
    false
}

/// Where the text in quotes ends that `text` begins with.
fn quoted(text: &str, quote: char) -> usize {
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' if quote == '"' => drop(chars.next()),
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn join_surrogates(text: &str) -> String {
    let mut joined = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        joined.push_str(before);
        let unit = |at: usize| {
            let digits = escape.get(at..at + 6)?.strip_prefix("\\u")?;
            u16::from_str_radix(digits, 16).ok()
        };
        let pair = unit(0).zip(unit(6)).and_then(|(high, low)| char::decode_utf16([high, low]).next()?.ok());
        let length = match pair {
            Some(c) if c as u32 > 0xffff => {
                joined.push(c);
                12
            }
            // The backslash and what it escapes, which may be a backslash.
            _ => {
                let length = escape.char_indices().nth(2).map_or(escape.len(), |(end, _)| end);
                joined.push_str(&escape[..length]);
                length
            }
        };
        rest = &escape[length..];
    }
    joined.push_str(rest);
    joined
}

/// Refuses JSON with a number that YAML, which everything else is read as, would take for text.
pub fn check_range(text: &str) -> Result<(), String> {
    match serde_json::from_str::<serde_json::Value>(text) {
        Err(error) if is_beyond_range(text, &error) => Err(beyond_range(&error)),
        _ => Ok(()),
    }
}

fn beyond_range(error: &serde_json::Error) -> String {
    format!("a number is beyond the range of a double (line {}, column {})", error.line(), error.column())
}

/// Whether `text` is JSON but for a number that is too large. A text such as `1e999f`, which only begins like one, is not.
pub fn is_beyond_range(text: &str, error: &serde_json::Error) -> bool {
    let text = text.trim();
    error.to_string().starts_with("number out of range")
        && (text.starts_with(['[', '{']) || text.parse::<f64>().is_ok_and(f64::is_infinite))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_read_as_json() {
        assert_eq!(join_surrogates(r#"{"a": "\ud83d\ude00 \\ud83d \u00e9"}"#), r#"{"a": "😀 \\ud83d \u00e9"}"#);
        assert_eq!(join_surrogates("a\\"), "a\\");
        assert!(json_text(r#"{"a": NaN}"#, true).is_err());
        for text in [
            r#"{"a": NaN}"#,
            "{a: NaN}",
            r#"[1, Infinity]"#,
            " {\"a\": {\"b\":-Infinity}}",
            "{\"a\": \"x # y\", \"b\": [NaN\n]}",
            "{\"a\": 'it''s', \"b\": NaN}",
        ] {
            assert_eq!(json_text(text, false).unwrap_err().kind, BadJsonKind::NumberWord, "{text}");
        }
        for text in [
            "{a: \"NaN\"}",
            "{a: NaN Inc}",
            "{a: 'NaN', b: \"x, NaN, y\"} # NaN",
            "a: NaN",
            "{a: it's NaNcy, b: Infinity9}",
        ] {
            assert_eq!(json_text(text, false).unwrap(), text);
        }
        assert_eq!(json_text(r#"{"a": 1e999}"#, false).unwrap_err().kind, BadJsonKind::Range);
        let deep = "[".repeat(1_000) + &"]".repeat(1_000);
        assert_eq!(json_text(&deep, true).unwrap(), deep);
    }
}
