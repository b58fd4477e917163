//! One tool as an entry of a catalogue.

use serde_json::{Map, Value, json};

use super::lists::lists;
use crate::diag::{Finding, Findings};
use crate::model::{Limits, has_forbidden_character, sanitise_reason};
use crate::policy::{BAD_PATTERN, BadSchema, BadSchemaKind, ParamsSchema};

/// Longest description that is taken over, in characters.
const MAX_DESCRIPTION: usize = 160;

/// A tool that can be an action.
#[derive(Debug)]
pub(super) struct Tool {
    /// Its name.
    pub(super) name: String,
    /// Its entry in a catalogue.
    pub(super) entry: Map<String, Value>,
}

/// What a server says of what a tool does, with what the protocol takes for granted where it says nothing: it changes
/// things, for good, and deals with the outside world.
#[derive(Debug, Clone, Copy)]
struct Hints {
    reads_only: bool,
    destroys: bool,
    open_world: bool,
}

impl Hints {
    /// 0 reads what is in the house, 1 reads what is outside, 2 changes something that can be undone, 3 the rest.
    const fn tier(self) -> u8 {
        match (self.destroys, self.reads_only, self.open_world) {
            (true, _, _) => 3,
            (false, true, false) => 0,
            (false, true, true) => 1,
            (false, false, _) => 2,
        }
    }

    fn labels(self) -> Vec<&'static str> {
        let all = [
            (self.open_world, "reads_untrusted"),
            (self.destroys || !self.reads_only, "side_effect"),
            (self.destroys, "irreversible"),
        ];
        all.into_iter().filter(|(carries, _)| *carries).map(|(_, label)| label).collect()
    }
}

/// Reads the tool at position `number` of the list, from 0. `None` for one that cannot be an action.
pub(super) fn read(tool: &Value, number: usize, out: &mut Findings) -> Option<Tool> {
    let Some(name) = tool.get("name").and_then(Value::as_str) else {
        let message = format!("`tools[{number}]` has no name");
        out.push(Finding::error("import-bad-name", message).help("a tool is a map with `name` and `inputSchema`"));
        return None;
    };
    if let Some(problem) = bad_name(name) {
        let message = format!("the tool `{}` (`tools[{number}]`) {problem}", name.escape_debug());
        out.push(Finding::error("import-bad-name", message).help("no step may name it; have it renamed"));
        return None;
    }
    let place = format!("the tool `{name}` (`tools[{number}]`)");
    let schema = schema(tool, &place, out)?;
    let hints = hints(tool, &place, out);
    let mut entry = Map::new();
    entry.insert("name".to_owned(), json!(name));
    if let Some(description) = description(tool) {
        entry.insert("description".to_owned(), json!(description));
    }
    entry.insert("tier".to_owned(), json!(hints.tier()));
    let labels = hints.labels();
    if !labels.is_empty() {
        entry.insert("labels".to_owned(), json!(labels));
    }
    if let Some(schema) = schema {
        let lists = if hints.reads_only && !hints.destroys { Vec::new() } else { lists(schema) };
        if !lists.is_empty() {
            entry.insert("countPaths".to_owned(), json!(lists));
        }
        entry.insert("paramsSchema".to_owned(), storable(&Value::Object(schema.clone())));
    }
    Some(Tool { name: name.to_owned(), entry })
}

fn bad_name(name: &str) -> Option<String> {
    let longest = Limits::default().name_bytes;
    if name.trim().is_empty() {
        Some("has an empty name".to_owned())
    } else if name.trim() != name {
        Some("has a name that starts or ends with a blank".to_owned())
    } else if has_forbidden_character(name) {
        Some("has a control, text-direction or invisible character in its name".to_owned())
    } else if name.len() > longest {
        Some(format!("has a name of more than {longest} bytes"))
    } else if name == "lictor" || name.starts_with("lictor.") {
        Some("has a name that belongs to the administration".to_owned())
    } else {
        None
    }
}

/// The schema of its parameters; `Some(None)` where it has none, `None` where it is of no use.
#[allow(clippy::option_option, reason = "no schema and a bad one are different things")]
fn schema<'a>(tool: &'a Value, place: &str, out: &mut Findings) -> Option<Option<&'a Map<String, Value>>> {
    match tool.get("inputSchema") {
        None | Some(Value::Null) => {
            let message = format!("{place} has no `inputSchema`: any parameters are allowed");
            out.push(Finding::warning("import-no-schema", message).help("write a `paramsSchema` for it"));
            Some(None)
        }
        Some(json @ Value::Object(schema)) => match ParamsSchema::compile(json) {
            Ok(_) => Some(Some(schema)),
            Err(problems) => {
                for BadSchema { pointer, message, kind } in problems {
                    let message = format!("{place}: `inputSchema{pointer}` cannot be used: {message}");
                    let help = match kind {
                        BadSchemaKind::Outside => "have the server list a schema that refers to nothing outside of it",
                        BadSchemaKind::Pattern => BAD_PATTERN,
                        BadSchemaKind::Other => {
                            "have the server list a schema of draft 2020-12, or of the draft that `$schema` names"
                        }
                    };
                    out.push(Finding::error("import-bad-schema", message).help(help));
                }
                None
            }
        },
        Some(_) => {
            let message = format!("{place}: its `inputSchema` is no JSON object");
            out.push(Finding::error("import-bad-schema", message));
            None
        }
    }
}

fn hints(tool: &Value, place: &str, out: &mut Findings) -> Hints {
    let mut hint = |key: &str| match tool.get("annotations").and_then(|annotations| annotations.get(key)) {
        None | Some(Value::Null) => None,
        Some(Value::Bool(hint)) => Some(*hint),
        Some(_) => {
            let message = format!("{place}: `annotations.{key}` is neither true nor false and is left out of account");
            out.push(Finding::warning("import-bad-hint", message));
            None
        }
    };
    let (reads_only, destroys) = (hint("readOnlyHint"), hint("destructiveHint"));
    let open_world = hint("openWorldHint").unwrap_or(true);
    if reads_only == Some(true) && destroys == Some(true) {
        let message = format!("{place} is said to be read-only and destructive; it counts as destructive");
        out.push(Finding::warning("import-contradiction", message));
    }
    let reads_only = reads_only.unwrap_or(false);
    Hints { reads_only, destroys: destroys.unwrap_or(!reads_only), open_world }
}

/// The first line of what it is for.
fn description(tool: &Value) -> Option<String> {
    let text = tool.get("description").or_else(|| tool.get("title")).and_then(Value::as_str)?;
    let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
    let mut short: String = line.chars().take(MAX_DESCRIPTION).collect();
    if short.len() < line.len() {
        short.push('…');
    }
    Some(sanitise_reason(&short).into())
}

/// A schema as a document can hold it: whole numbers beyond 64 bits with a sign, which no parameter reaches, as doubles.
fn storable(value: &Value) -> Value {
    match value {
        Value::Number(number) if number.is_u64() && !number.is_i64() => {
            number.as_f64().map_or(Value::Null, Value::from)
        }
        Value::Array(items) => items.iter().map(storable).collect(),
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), storable(value))).collect(),
        other => other.clone(),
    }
}
