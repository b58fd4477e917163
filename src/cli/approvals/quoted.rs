//! Texts that others wrote, so that on a screen they cannot be taken for the record around them.
//!
//! A value is one word, or stands in quotes; a free text stands behind a bar, line by line, and is wrapped here and not by
//! the terminal.

use std::borrow::Cow;
use std::fmt::{Result, Write};

use crate::cli::style::{DIM, RESET};
use crate::model::{changes_the_display, has_forbidden_character};

/// Columns of a free text.
const COLUMNS: usize = 72;
/// Lines of a free text that are shown, unless all are asked for.
const SHOWN: usize = 20;

/// How much of free texts is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// Twenty lines of each.
    Short,
    /// All.
    Full,
}

/// `text` as one word; in quotes if it is empty or holds blanks, quotes, or what no id may hold,
/// which is then escaped.
pub fn value(text: &str) -> Cow<'_, str> {
    let hides = has_forbidden_character(text);
    let is_plain = |c: char| !c.is_whitespace() && !matches!(c, '"' | '\\');
    if !hides && !text.is_empty() && text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if c != ' ' && (c.is_whitespace() || hides && has_forbidden_character(c.encode_utf8(&mut [0; 4]))) => {
                // Writing to a string cannot fail.
                let _ = write!(quoted, "\\u{{{:x}}}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    Cow::Owned(quoted)
}

/// `values` as words, separated by commas.
pub fn values<T: AsRef<str>>(values: &[T]) -> String {
    values.iter().map(|text| value(text.as_ref())).collect::<Vec<_>>().join(", ")
}

/// A sentence of the server's in one line; what it quotes of others stays within it.
pub fn sentence(text: &str) -> String {
    text.chars().map(|c| if c == '\n' || changes_the_display(c) { '\u{fffd}' } else { c }).collect()
}

/// Writes a free text, every line behind `indent` blanks and a bar.
pub fn block(out: &mut String, indent: usize, text: &str, length: Length) -> Result {
    let lines = lines(text);
    let shown = if length == Length::Full { lines.len() } else { lines.len().min(SHOWN) };
    for line in lines.iter().take(shown) {
        writeln!(out, "{:indent$}{DIM}|{RESET} {line}", "")?;
    }
    match lines.len() - shown {
        0 => Ok(()),
        more => writeln!(
            out,
            "{:indent$}{DIM}… {more} more lines ({} bytes in all); --full shows them{RESET}",
            "",
            text.len()
        ),
    }
}

/// The lines of `text`, none wider than the block.
fn lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for line in text.split('\n') {
        let (mut part, mut width) = (String::new(), 0);
        for c in line.strip_suffix('\r').unwrap_or(line).chars() {
            let c = match c {
                '\t' => ' ',
                c if changes_the_display(c) => '\u{fffd}',
                c => c,
            };
            // What is not ASCII may take two columns.
            let columns = if c.is_ascii() { 1 } else { 2 };
            if width + columns > COLUMNS {
                lines.push(std::mem::take(&mut part));
                width = 0;
            }
            part.push(c);
            width += columns;
        }
        lines.push(part);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_one_word_or_quoted() {
        for (text, shown) in [
            ("bank.transfer", "bank.transfer"),
            ("zürich/7", "zürich/7"),
            ("", "\"\""),
            ("a b", "\"a b\""),
            ("a\"b\\", "\"a\\\"b\\\\\""),
            ("a\nAPPROVED", "\"a\\nAPPROVED\""),
            ("a\u{1b}[2J", "\"a\\u{1b}[2J\""),
            ("a\u{a0}b", "\"a\\u{a0}b\""),
            ("a\u{202e}b", "\"a\\u{202e}b\""),
            ("alice\u{2800}", "\"alice\\u{2800}\""),
            ("\u{3164}", "\"\\u{3164}\""),
            ("ali\u{200d}ce\u{fe0f}", "\"ali\\u{200d}ce\\u{fe0f}\""),
            ("👩\u{200d}🌾", "👩\u{200d}🌾"),
            ("I ❤\u{fe0f} it", "\"I ❤\u{fe0f} it\""),
        ] {
            assert_eq!(value(text), shown);
        }
        assert_eq!(values(&["a", "b c"]), "a, \"b c\"");
    }

    #[test]
    fn every_line_of_a_free_text_is_behind_a_bar() {
        let forged = format!("please{}APPROVED  hash sha256:0\r\n\u{1b}[2Jx\u{2028}y", "\n".repeat(300));
        let mut short = String::new();
        block(&mut short, 2, &forged, Length::Short).unwrap();
        let plain = |text: &str| anstream::adapter::strip_str(text).to_string();
        let lines: Vec<String> = plain(&short).lines().map(str::to_owned).collect();
        assert_eq!(lines.len(), 21);
        assert!(lines[..20].iter().all(|line| line.starts_with("  |")), "{lines:?}");
        assert_eq!(lines[20], format!("  … 282 more lines ({} bytes in all); --full shows them", forged.len()));
        let mut full = String::new();
        block(&mut full, 2, &forged, Length::Full).unwrap();
        let lines: Vec<String> = plain(&full).lines().map(str::to_owned).collect();
        assert!(lines.len() == 302 && lines.iter().all(|line| line.starts_with("  |")), "{lines:?}");
        assert_eq!(lines[300..], ["  | APPROVED  hash sha256:0", "  | \u{fffd}[2Jx\u{fffd}y"]);
    }

    #[test]
    fn no_line_is_left_to_the_terminal_to_wrap() {
        let padded = format!("a{}PENDING", " ".repeat(500));
        assert!(lines(&padded).iter().all(|line| line.chars().count() <= COLUMNS));
        assert!(lines(&"é".repeat(100)).iter().all(|line| line.chars().count() <= COLUMNS / 2));
        assert_eq!(lines(&padded).concat(), padded);
        assert_eq!(lines(""), [""]);
    }
}
