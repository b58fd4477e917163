//! What is wrong with JSON, with its place, as it is said of YAML.

use crate::diag::{Finding, SourceId, Span};

/// Text that is to be JSON and is not.
#[derive(Debug)]
pub struct BadJson {
    /// What kind of mistake it is.
    pub kind: BadJsonKind,
    /// What the parser says, without the place.
    message: String,
    /// Line and column, from 1.
    at: (usize, usize),
}

/// What kind of mistake it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadJsonKind {
    /// It is no JSON.
    Syntax,
    /// A number that no double holds.
    Range,
    /// It begins like JSON, and has a word for a number that JSON does not have and YAML takes for a text.
    NumberWord,
}

/// Parts of what the parser says, with the remedy.
const REMEDIES: [(&str, &str); 9] = [
    ("trailing comma", "remove the comma before the closing bracket"),
    ("key must be a string", "put the key in double quotes"),
    ("EOF while parsing a string", "add the closing quote"),
    ("EOF while parsing", "close every list and map, and add what is missing"),
    ("control character", "write it as an escape, for example `\\n`"),
    ("invalid escape", "write `\\\\` for a backslash"),
    ("invalid number", "write a number as JSON has it: no leading zeros, digits on both sides of the point"),
    ("trailing characters", "remove what follows the value: the file holds one"),
    ("expected `,` or", "add the comma between two entries, or the closing bracket"),
];

impl BadJson {
    /// What `error` says.
    pub fn of(kind: BadJsonKind, error: &serde_json::Error) -> Self {
        let full = error.to_string();
        let message = full.rsplit_once(" at line ").map_or(full.as_str(), |(message, _)| message).to_owned();
        Self { kind, message, at: (error.line(), error.column()) }
    }

    /// It as a finding in `text`.
    pub fn finding(&self, source: SourceId, text: &str) -> Finding {
        let place = self.place(source, text);
        match self.kind {
            BadJsonKind::Range => Finding::error("not-finite", "this number is beyond the range of a double")
                .at(place)
                .help("write a number that a double holds, or put it in quotes to make it a text"),
            BadJsonKind::NumberWord => Finding::error(
                "json-syntax",
                "it begins like JSON and is none, and YAML takes `NaN` and `Infinity` for texts",
            )
            .at(place)
            .help("write a number; if the text is meant, put it in quotes"),
            BadJsonKind::Syntax => {
                let known = REMEDIES.iter().find(|(part, _)| self.message.contains(part)).map(|(_, remedy)| *remedy);
                Finding::error("json-syntax", format!("this is not JSON: {}", self.message)).at(place).help(known.unwrap_or(
                    "write a text in double quotes, a number, `true`, `false`, `null`, a list or a map; a file that is YAML ends in \
                     `.yaml`",
                ))
            }
        }
    }

    /// The character at which the parser stopped; where the text ended too early, the last one.
    fn place(&self, source: SourceId, text: &str) -> Span {
        let (line, column) = self.at;
        let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
        let at = start.saturating_add(column.saturating_sub(1)).min(text.trim_end().len().saturating_sub(1));
        let at = text.floor_char_boundary(at);
        let width = text.get(at..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
        Span::new(source, at, at + width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Sources;

    #[test]
    fn a_mistake_has_its_place_and_remedy() {
        for (text, found, remedy) in [
            ("{\"a\": [1, 2,]}", "]", "remove the comma"),
            ("{\"a\": 1,\n a: 2}", "a", "double quotes"),
            ("{\"a\": 05}", "5", "leading zeros"),
            ("{\"a\": [1, 2}\n", "}", "add the comma"),
            ("{\"a\": [1, 2\n", "2", "close every list"),
            ("{\"é\": yes}", "y", "`.yaml`"),
            ("{} {}", "{", "remove what follows"),
            ("", "", "close every list"),
        ] {
            let error = serde_json::from_str::<serde_json::Value>(text).unwrap_err();
            let mut sources = Sources::default();
            let source = sources.add("a.json", text);
            let finding = BadJson::of(BadJsonKind::Syntax, &error).finding(source, text);
            assert_eq!(finding.span.and_then(|span| sources.excerpt(span)), Some(found), "{text}: {error}");
            assert!(finding.help.as_deref().is_some_and(|help| help.contains(remedy)), "{text}: {finding:?}");
            assert!(!finding.message.contains(" at line"), "{text}: {}", finding.message);
        }
    }
}
