//! Tools added to a catalogue that somebody keeps.

use serde_json::{Map, Value};

use crate::diag::{Finding, Findings};
use crate::model::Layer;
use crate::policy::{SourceText, load};

use super::tool::Tool;

/// What a server may fill in where an entry says nothing. A tier is always said.
const FILLED_IN: [&str; 4] = ["description", "labels", "countPaths", "paramsSchema"];

/// The catalogue of `yaml` with `tools` added. `None` where it is no catalogue.
pub(super) fn over(yaml: &str, tools: &[Tool], out: &mut Findings) -> Option<Value> {
    let text = SourceText { name: "the catalogue".into(), layer: Layer::Organisation, text: yaml.into() };
    let loaded = load(&[text]);
    if loaded.findings.has_errors() {
        let help = "`lictor check` says what is wrong with it";
        out.push(Finding::error("import-bad-over", "the catalogue to add to has errors").help(help));
        return None;
    }
    // The text itself and not what was loaded of it: annotations are kept. Several documents are refused here.
    let kept = serde_yaml::from_str::<Value>(yaml).ok();
    let Some(mut kept) = kept.filter(|kept| kept.get("kind").and_then(Value::as_str) == Some("ActionCatalog")) else {
        let help = "keep other documents in other files";
        let message = "the file to add to must hold one ActionCatalog and nothing else";
        out.push(Finding::error("import-bad-over", message).help(help));
        return None;
    };
    let actions = kept.get_mut("spec").and_then(|spec| spec.get_mut("actions")).and_then(Value::as_array_mut)?;
    for tool in tools {
        let known = actions.iter_mut().filter_map(Value::as_object_mut);
        match known.into_iter().find(|entry| entry.get("name").and_then(Value::as_str) == Some(&tool.name)) {
            Some(entry) => fill_in(entry, tool, out),
            None => actions.push(Value::Object(tool.entry.clone())),
        }
    }
    for entry in actions.iter().filter_map(|entry| entry.get("name")).filter_map(Value::as_str) {
        if !tools.iter().any(|tool| tool.name == entry) {
            let message = format!("the server does not list `{entry}` any more; its entry is kept");
            out.push(Finding::warning("import-gone", message).help("remove it if no plan may name it"));
        }
    }
    Some(kept)
}

/// Adds what the entry does not say; reports what the server says differently.
fn fill_in(entry: &mut Map<String, Value>, tool: &Tool, out: &mut Findings) {
    for key in FILLED_IN {
        match (entry.get(key), tool.entry.get(key)) {
            (None, Some(value)) => {
                entry.insert(key.to_owned(), value.clone());
            }
            (Some(kept), Some(value)) if key == "paramsSchema" && kept != value => {
                let message = format!("the parameters of `{}` are not those that the server lists any more", tool.name);
                let help = "the schema of the catalogue is kept; compare it with the server's";
                out.push(Finding::warning("import-changed", message).help(help));
            }
            _ => {}
        }
    }
    let tier = |entry: &Map<String, Value>| entry.get("tier").and_then(Value::as_u64);
    if tier(entry) < tier(&tool.entry) {
        let message = format!(
            "the catalogue gives `{}` tier {}, the server's annotations would give {}",
            tool.name,
            tier(entry).unwrap_or(0),
            tier(&tool.entry).unwrap_or(0)
        );
        out.push(Finding::warning("import-lower", message).help("the tier of the catalogue is kept; is it right?"));
    }
}
