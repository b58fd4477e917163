//! The tools of an MCP server as an `ActionCatalog`.
//!
//! What a server says of its own tools is a hint: it decides what a new entry starts with, and changes nothing that a
//! document sets.

mod lists;
mod merge;
mod tool;

#[cfg(test)]
mod tests;

use serde_json::{Map, Value, json};

use crate::diag::{Finding, Findings};

use super::Imported;
use crate::policy::API_VERSION;
use crate::yaml;
use tool::Tool;

/// Turns the answer to `tools/list` of an MCP server (the result, its JSON-RPC envelope, or the list alone) into a
/// catalogue called `name`. With `over`, the YAML of a catalogue, adds to that: its entries keep what they set.
#[must_use]
pub fn import_mcp(answer: &str, name: &str, over: Option<&str>) -> Imported {
    let mut findings = Findings::default();
    let listed = match serde_json::from_str::<Value>(answer) {
        Ok(answer) => listed(&answer, &mut findings),
        Err(error) => {
            findings.push(Finding::error("import-no-json", format!("the file is not JSON: {error}")));
            Vec::new()
        }
    };
    let mut tools = Vec::<Tool>::new();
    for (number, entry) in listed.iter().enumerate() {
        let Some(tool) = tool::read(entry, number, &mut findings) else { continue };
        if tools.iter().any(|known| known.name == tool.name) {
            let message = format!("the tool `{}` is listed twice, again as `tools[{number}]`", tool.name);
            let help = "an action has one entry; rename one of the tools";
            findings.push(Finding::error("import-duplicate", message).help(help));
        } else {
            tools.push(tool);
        }
    }
    let left_out = listed.len() - tools.len();
    // A server may list its tools in any order.
    tools.sort_by(|a, b| a.name.cmp(&b.name));
    let document = match over {
        Some(yaml) => merge::over(yaml, &tools, &mut findings),
        None => Some(catalogue(name, tools.iter().map(|tool| tool.entry.clone()).collect())),
    };
    if listed.is_empty() && !findings.has_errors() {
        let help = "save what the server answers to `tools/list`: it has a list `tools`";
        findings.push(Finding::error("import-empty", "no tools found").help(help));
    }
    let yaml = document.filter(|_| !tools.is_empty()).map(|document| yaml::write(&document));
    let yaml = match yaml {
        Some(Ok(yaml)) => yaml,
        Some(Err(error)) => {
            findings.push(Finding::error("import-unwritable", format!("cannot write YAML: {error}")));
            String::new()
        }
        None => String::new(),
    };
    Imported { yaml, left_out, findings }
}

fn catalogue(name: &str, actions: Vec<Map<String, Value>>) -> Value {
    json!({
        "apiVersion": API_VERSION,
        "kind": "ActionCatalog",
        "metadata": {"name": name},
        "spec": {"actions": actions},
    })
}

/// The tools of an answer.
fn listed(answer: &Value, out: &mut Findings) -> Vec<Value> {
    if let Some(error) = answer.get("error") {
        let message = error.get("message").and_then(Value::as_str).unwrap_or("no message");
        out.push(Finding::error("import-empty", format!("the server answered with an error: {message}")));
        return Vec::new();
    }
    let result = answer.get("result").unwrap_or(answer);
    if result.get("nextCursor").is_some_and(|cursor| !cursor.is_null()) {
        let help = "ask with the cursor until there is none, and put all tools into one list";
        out.push(Finding::warning("import-page", "the answer is one page of several: tools are missing").help(help));
    }
    match result.get("tools").unwrap_or(result) {
        Value::Array(tools) => tools.clone(),
        _ => {
            let help = "save what the server answers to `tools/list`: `{\"tools\": […]}`";
            out.push(Finding::error("import-empty", "no list of tools found").help(help));
            Vec::new()
        }
    }
}
