//! What is wrong with the YAML itself, in words for people who write it by hand.

use granit_parser::{ErrorKind, ScanError};

use crate::diag::{Finding, SourceId, Span};

use super::MAX_DEPTH;
use super::ambiguous::Ambiguous;

/// Longest piece of a text that a message quotes, in characters.
const MAX_QUOTED: usize = 40;

/// A syntax error as a finding.
pub(super) fn explain(source: SourceId, text: &str, error: &ScanError) -> Finding {
    let at = text.floor_char_boundary(error.marker().byte_offset().unwrap_or(text.len()));
    if let Some(tab) = tab_near(text, at) {
        return tab_indentation(Span::new(source, tab, tab + 1));
    }
    let here =
        Span::new(source, at, at + text.get(at..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8));
    match error.kind() {
        ErrorKind::RecursionLimitExceeded => too_deep(here),
        ErrorKind::MissingAnchorOrAliasName => unnamed_alias(here, text),
        ErrorKind::DirectiveDisallowed => {
            syntax(here, "a line that starts with `%` is a YAML directive, and directives are not allowed", "directive")
                .help("remove the line")
        }
        ErrorKind::MappingValueNotAllowed => syntax(
            here,
            "a key cannot stand here",
            "this `:` makes a key of what is before it",
        )
        .help("put a value that contains `: ` in quotes; if it is meant as a key, indent the line like its neighbours"),
        ErrorKind::InvalidTrailingDoubleQuotedScalar => trailing(here, '"', '\''),
        ErrorKind::InvalidTrailingSingleQuotedScalar => trailing(here, '\'', '"'),
        ErrorKind::UnexpectedCharacter { character } if character.is_control() => {
            syntax(here, format!("the control character `{}` is not allowed", character.escape_default()), "")
                .help("remove it, or write it as an escape in double quotes")
        }
        ErrorKind::UnexpectedCharacter { character } => {
            syntax(here, format!("a value cannot start with `{character}`"), "").help("put the value in quotes")
        }
        ErrorKind::UnclosedFlowCollection { open } => {
            syntax(here, format!("this `{open}` is never closed"), "opened here")
                .help(format!("add `{}`", close(*open)))
        }
        ErrorKind::MismatchedFlowCollectionEnd { open, close: found } => {
            syntax(here, format!("this `{open}` is closed by `{found}`"), "opened here")
                .help(format!("close it with `{}`", close(*open)))
        }
        ErrorKind::MisplacedFlowCollectionEnd => {
            syntax(here, "this bracket closes nothing", "").help("remove it, or add the opening one")
        }
        ErrorKind::UnclosedQuotedScalar => {
            syntax(here, "this quote is never closed", "opened here").help("add the closing quote")
        }
        ErrorKind::UnknownQuotedScalarEscape => unknown_escape(source, text, at),
        ErrorKind::ExpectedFlowSequenceSeparator => syntax(here, "expected `,` or `]`", ""),
        ErrorKind::ExpectedFlowMappingSeparator => syntax(here, "expected `,` or `}`", ""),
        ErrorKind::ExpectedBlockSequenceEntry => {
            syntax(here, "expected the `-` of another list entry", "this line belongs to no list entry")
                .help("start the line with `- `, or indent it like the map that it belongs to")
        }
        ErrorKind::ExpectedBlockMappingKey | ErrorKind::InvalidIndentation => {
            syntax(here, "this line does not fit the indentation above it", "")
                .help("indent it by as many blanks as the other keys of the same map")
        }
        ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => {
            syntax(here, "expected a `:` after the key", "").help("write `key: value`, with a blank after the colon")
        }
        kind => syntax(here, format!("this is not YAML: {kind}"), ""),
    }
}

/// A syntax error that only the parser of the meaning sees.
/// The parser read `text` from the byte `start` on.
pub(super) fn of_meaning(source: SourceId, text: &str, start: usize, error: &serde_yaml::Error) -> Finding {
    let at = error.location().map_or(0, |location| text.floor_char_boundary(start.saturating_add(location.index())));
    let full = error.to_string();
    let message = full.find(" at line ").and_then(|end| full.get(..end)).unwrap_or(&full);
    syntax(Span::new(source, at, at), format!("this is not YAML: {message}"), "")
}

/// The text means different things to different YAML readers.
pub(super) fn ambiguous(span: Span) -> Finding {
    Finding::error("ambiguous-yaml", "YAML readers disagree about what this means")
        .at(span)
        .help("write it plainly: put the value in quotes and on one line")
}

pub(super) fn too_deep(span: Span) -> Finding {
    Finding::error("too-deep", format!("lists and maps are nested deeper than {MAX_DEPTH} levels")).at(span)
}

pub(super) fn anchor(span: Span) -> Finding {
    Finding::error("anchor", "a text that starts with `&` is a YAML anchor, and anchors are not allowed")
        .at(span)
        .label("anchor")
        .help("write the value out wherever it is needed; put a text that starts with `&` in quotes")
}

pub(super) fn alias(span: Span, text: &str) -> Finding {
    let name = text.get(span.start as usize..span.end as usize).unwrap_or("*");
    Finding::error("alias", format!("`{}` is read as a YAML alias, and aliases are not allowed", short(name)))
        .at(span)
        .label("starts with `*`")
        .help(format!("a pattern that starts with `*` needs quotes: \"{}\"", short(name)))
}

fn unnamed_alias(here: Span, text: &str) -> Finding {
    match text.get(here.start as usize..here.end as usize) {
        Some("&") => anchor(here),
        _ => {
            let rest = text.get(here.start as usize..).unwrap_or("");
            let word = rest.split([',', ']', '}', ' ', '\n', '\r']).next().unwrap_or("*");
            alias(Span::new(here.source, here.start as usize, here.start as usize + word.len()), text)
        }
    }
}

pub(super) fn tag(span: Span, text: &str) -> Finding {
    let start = span.start as usize;
    let line = text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or("!").trim_end();
    let word = text.get(start..span.end as usize).unwrap_or("!");
    Finding::error("tag", format!("`{}` is read as a YAML tag, and tags are not allowed", short(word)))
        .at(span)
        .label("starts with `!`")
        .help(if line.contains('\'') {
            "a value that starts with `!` needs quotes, or its own line below `>-`".to_owned()
        } else {
            format!("a value that starts with `!` needs quotes: '{}'", short(line))
        })
}

pub(super) fn merge_key(span: Span) -> Finding {
    Finding::error("merge-key", "`<<` is a YAML merge key, and merging is not allowed")
        .at(span)
        .help("write the fields out")
}

pub(super) fn key_is_no_string(span: Span, found: &str) -> Finding {
    Finding::error("bad-key", format!("a key must be a string, found {found}")).at(span).help("put the key in quotes")
}

pub(super) fn duplicate_key(span: Span, first: Span, key: &str) -> Finding {
    Finding::error("duplicate-key", format!("the key `{}` occurs twice", short(key)))
        .at(span)
        .label("again here")
        .related(first, "first here")
        .help("remove one of the two")
}

/// A plain scalar that is one thing to some readers and another to others, or a number that is none.
pub(super) fn ambiguous_scalar(span: Span, text: &str, what: &Ambiguous, is_key: bool) -> Finding {
    let text = short(text);
    let (code, message, value) = match what {
        Ambiguous::Truth(value) => (
            "ambiguous-yaml",
            format!("`{text}` is a text to some YAML readers and `{value}` to others"),
            value.to_string(),
        ),
        Ambiguous::Number(value) => {
            ("ambiguous-yaml", format!("`{text}` is a text to some YAML readers and a number to others"), value.clone())
        }
        Ambiguous::TooLarge => {
            ("not-finite", format!("`{text}` is no number that a double holds"), "a finite number".into())
        }
    };
    let quoted = format!("if the text is meant, put it in quotes: \"{text}\"");
    Finding::error(code, message).at(span).help(match (what, is_key) {
        (_, true) => format!("put the key in quotes: \"{text}\""),
        (Ambiguous::TooLarge, false) => format!("write {value}; {quoted}"),
        (_, false) => format!("write `{value}`; {quoted}"),
    })
}

fn tab_indentation(span: Span) -> Finding {
    Finding::error("tab-indentation", "this line is indented with a tab")
        .at(span)
        .label("tab")
        .help("YAML is indented with blanks only: write two blanks instead of each tab")
}

/// The first tab in the indentation of the line of `at` or of the next one.
fn tab_near(text: &str, at: usize) -> Option<usize> {
    let mut start = text.get(..at)?.rfind('\n').map_or(0, |newline| newline + 1);
    for _ in 0..2 {
        let line = text.get(start..)?.split('\n').next()?;
        let indentation = line.len() - line.trim_start_matches([' ', '\t']).len();
        let content = !line.get(indentation..)?.trim_end().is_empty();
        if let Some(tab) = line.get(..indentation)?.find('\t').filter(|_| content) {
            return Some(start + tab);
        }
        start += line.len() + 1;
    }
    None
}

fn unknown_escape(source: SourceId, text: &str, from: usize) -> Finding {
    let mut chars = text.get(from..).unwrap_or("").char_indices();
    let mut found = (from, from);
    let mut word = String::from("\\");
    while let Some((offset, c)) = chars.next() {
        if c != '\\' {
            continue;
        }
        match chars.next() {
            Some((_, escaped)) if "0abt\tnvfre \"/\\N_LPxuU\n\r".contains(escaped) => {}
            Some((next, escaped)) => {
                word.push(escaped);
                found = (from + offset, from + next + escaped.len_utf8());
                break;
            }
            None => break,
        }
    }
    syntax(Span::new(source, found.0, found.1), format!("`{word}` is no escape that double quotes know"), "")
        .help("use single quotes, in which `\\` stands for itself, or write `\\\\`")
}

fn trailing(here: Span, outer: char, inner: char) -> Finding {
    syntax(here, "text follows the closing quote", "")
        .help(format!("put the whole value into `{inner}` quotes and keep the `{outer}` inside them"))
}

const fn close(open: char) -> char {
    match open {
        '[' => ']',
        '{' => '}',
        _ => ')',
    }
}

fn syntax(span: Span, message: impl Into<String>, label: &str) -> Finding {
    Finding::error("yaml-syntax", message).at(span).label(label)
}

fn short(text: &str) -> String {
    if text.chars().count() <= MAX_QUOTED {
        return text.to_owned();
    }
    text.chars().take(MAX_QUOTED).chain("…".chars()).collect()
}
