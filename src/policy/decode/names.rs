//! Names, short texts and levels.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::diag::{Finding, Findings};
use crate::model::has_forbidden_character;
use crate::yaml::Field;

/// Longest name, in characters.
const MAX_NAME: usize = 128;

/// Longest short text, in bytes.
const MAX_SHORT: usize = 1024;

/// The schema of a name.
pub(crate) struct Name;

/// The schema of a short text.
pub(crate) struct OneLine;

impl JsonSchema for Name {
    fn schema_name() -> Cow<'static, str> {
        "Name".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"})
    }
}

impl JsonSchema for OneLine {
    fn schema_name() -> Cow<'static, str> {
        "OneLine".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "minLength": 1, "maxLength": MAX_SHORT})
    }
}

/// A name that answers and records carry.
pub(crate) fn name<'n>(field: Field<'n>, out: &mut Findings) -> Option<&'n str> {
    let text = field.string(out)?;
    let problem = match text.char_indices().find(|(at, c)| !is_name_char(*at, *c)) {
        _ if text.is_empty() => "a name must not be empty".to_owned(),
        Some((_, ' ')) => "a name cannot hold blanks".to_owned(),
        Some((0, c)) => format!("a name cannot start with `{}`", c.escape_debug()),
        Some((_, c)) => format!("a name cannot hold `{}`", c.escape_debug()),
        None if text.len() > MAX_NAME => {
            format!("a name has at most {MAX_NAME} characters, this one has {}", text.len())
        }
        None => return Some(text),
    };
    let finding = Finding::error("bad-name", problem).at(field.node.span);
    let legal = legal_name(text);
    out.push(if legal.is_empty() {
        finding.help("start with a letter or digit and go on with letters, digits, `.`, `_` and `-`")
    } else {
        finding.help(format!("use letters, digits, `.`, `_` and `-`, for example `{legal}`"))
    });
    None
}

fn is_name_char(at: usize, c: char) -> bool {
    c.is_ascii_alphanumeric() || (at > 0 && matches!(c, '.' | '_' | '-'))
}

/// The name nearest to `text` that is legal; empty if there is none.
pub(crate) fn legal_name(text: &str) -> String {
    let mut name = String::new();
    for c in text.chars() {
        if name.len() >= MAX_NAME {
            break;
        }
        if is_name_char(name.len(), c) {
            name.push(c);
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
    }
    name.truncate(name.trim_end_matches('-').len());
    name
}

/// A text that is not empty and holds no control characters, for example an id.
pub(crate) fn short_text<'n>(field: Field<'n>, out: &mut Findings) -> Option<&'n str> {
    let text = field.string(out)?;
    let problem = if text.trim().is_empty() {
        format!("`{}` must not be empty", field.name)
    } else if has_forbidden_character(text) {
        format!("`{}` holds a control, text-direction or invisible character", field.name)
    } else if text.len() > MAX_SHORT {
        format!("`{}` has more than {MAX_SHORT} bytes", field.name)
    } else {
        return Some(text);
    };
    out.push(Finding::error("bad-value", problem).at(field.node.span));
    None
}

/// A level of approver.
pub(crate) fn level(field: Field<'_>, out: &mut Findings) -> Option<u8> {
    field.integer(1..=5, out).and_then(|level| u8::try_from(level).ok())
}
