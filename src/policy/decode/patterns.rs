//! Lists of patterns.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::diag::{Finding, Findings};
use crate::policy::{MAX_PATTERN_BYTES, Pattern};
use crate::yaml::Field;

/// The schema of a pattern.
pub(crate) struct PatternText;

impl JsonSchema for PatternText {
    fn schema_name() -> Cow<'static, str> {
        "Pattern".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "minLength": 1,
            "maxLength": MAX_PATTERN_BYTES,
            "pattern": "^[^?\\[\\]{}]+$",
            "description": "An id, or a glob: `*` is one segment or a part of one, `**` any number of characters. \
                The separators are those of `. / :` that occur in the pattern.",
        })
    }
}

/// A list of patterns over ids of at most `limit` bytes. `None` means any; also where something is wrong.
pub(crate) fn patterns(field: Option<Field<'_>>, limit: usize, out: &mut Findings) -> Option<Box<[Pattern]>> {
    let field = field?;
    let entries = field.list("strings", out)?;
    if entries.is_empty() {
        out.push(
            Finding::error("empty-list", format!("`{}` is empty, which would match nothing", field.name))
                .at(field.node.span)
                .help("leave the list out to match everything"),
        );
        return None;
    }
    let mut patterns = Vec::with_capacity(entries.len());
    for entry in entries {
        let Some(text) = entry.string(out) else { continue };
        match Pattern::parse(text) {
            Ok(pattern) => {
                out.extend(never_matches(&pattern, entry, limit));
                patterns.push(pattern);
            }
            Err(error) => {
                out.push(Finding::error("bad-pattern", error.to_string()).at(entry.node.span).help(error.help()))
            }
        }
    }
    Some(patterns.into_boxed_slice())
}

/// Why a pattern matches no id that a request can hold.
fn never_matches(pattern: &Pattern, entry: Field<'_>, limit: usize) -> Option<Finding> {
    let text = pattern.as_str();
    let finding = if pattern.shortest_match() > limit {
        Finding::warning(
            "never-matches",
            format!("no id in `{}` is longer than {limit} bytes, so nothing matches", entry.name),
        )
    } else if text.trim() != text {
        Finding::warning("never-matches", format!("`{text}` starts or ends with a blank, which ids hardly do"))
            .help("remove the blank")
    } else {
        return None;
    };
    Some(finding.at(entry.node.span))
}
