//! Policies of the predecessor (JSON) as documents of ours.
//!
//! What the predecessor decided by accident (a missing field counts as different, an unbound pattern, a default of `warn`
//! that denied) is written so that the import never allows more; every place where the meaning differs is reported, and
//! what cannot be said here is an error that names the rule.

mod cel;
mod clause;
mod differences;
mod draft;
mod mcp;
mod names;
mod read;

#[cfg(test)]
mod tests;

use serde_json::{Map, Value, json};

use crate::diag::{Finding, Findings};

pub use mcp::import_mcp;

use super::API_VERSION;
use crate::yaml;
use names::Names;
use read::OldPolicy;

/// What came of an import.
#[derive(Debug, Clone)]
pub struct Imported {
    /// The documents as YAML; empty where nothing could be imported.
    pub yaml: String,
    /// How many rules or tools could not be imported.
    pub left_out: usize,
    /// What could not be imported (errors) and what means something else than before (warnings). Without places.
    pub findings: Findings,
}

/// Turns the predecessor's JSON (a policy, a list of policies, or a list of rules) into documents.
#[must_use]
pub fn import(json: &str) -> Imported {
    let mut findings = Findings::default();
    let policies = match serde_json::from_str::<Value>(json) {
        Ok(value) => read::policies(&value, &mut findings),
        Err(error) => {
            findings.push(Finding::error("import-no-json", format!("the file is not JSON: {error}")));
            Vec::new()
        }
    };
    let mut documents = Vec::new();
    documents.extend(policy_set(&policies, &mut findings));
    let mut names = Names::default();
    let (mut written, mut found) = (0_usize, 0_usize);
    for policy in &policies {
        let rules = rules(policy, &mut names, &mut findings);
        found = found.saturating_add(policy.rules.len()).saturating_add(policy.unreadable);
        written = written.saturating_add(rules.list.len());
        documents.extend(document(policy, rules, &mut findings));
    }
    if written == 0 {
        documents.clear();
    }
    if found == 0 && !findings.has_errors() {
        let help = "a policy has a list `rules`, a rule an `effect`";
        findings.push(Finding::error("import-empty", "no rules found").help(help));
    }
    differences::report(&policies, &mut findings);
    let mut yaml = String::new();
    for document in &documents {
        match yaml::write(document) {
            Ok(text) => {
                if !yaml.is_empty() {
                    yaml.push_str("---\n");
                }
                yaml.push_str(&text);
            }
            Err(error) => findings.push(Finding::error("import-unwritable", format!("cannot write YAML: {error}"))),
        }
    }
    Imported { yaml, left_out: found.saturating_sub(written), findings }
}

/// The default of the first policy that is enabled, which was that of all. `None` where no policy says one.
fn policy_set(policies: &[OldPolicy], out: &mut Findings) -> Option<Value> {
    if policies.iter().all(|policy| policy.default_effect.is_none()) {
        return None;
    }
    let first = policies.iter().find(|policy| policy.enabled)?;
    let written = first.default_effect.as_deref().unwrap_or("deny");
    let effect = match written {
        // Which policies are enabled, and so which is the first, is not known.
        _ if policies.iter().any(|policy| policy.broken) => "deny",
        "allow" | "deny" => written,
        "warn" | "audit" => {
            out.push(Finding::warning(
                "import-default",
                format!(
                    "a default of `{written}` denied in the predecessor and would allow here; it is imported as `deny`"
                ),
            ));
            "deny"
        }
        _ => {
            out.push(Finding::error("import-default", format!("`{written}` is not an effect; the default is `deny`")));
            "deny"
        }
    };
    for other in policies.iter().filter(|policy| policy.enabled && policy.default_effect.as_deref() != Some(written)) {
        if let Some(default) = &other.default_effect {
            out.push(Finding::warning(
                "import-default",
                format!(
                    "the default `{default}` of `{}` is left out: only that of the first enabled policy, `{}`, counted",
                    other.name, first.name
                ),
            ));
        }
    }
    Some(json!({
        "apiVersion": API_VERSION,
        "kind": "PolicySet",
        "metadata": {"name": "imported"},
        "spec": {"defaultEffect": effect},
    }))
}

/// What is written of a policy.
struct Rules {
    /// Its name here.
    name: String,
    /// Those of its rules that can be said here.
    list: Vec<Value>,
}

fn rules(policy: &OldPolicy, names: &mut Names, out: &mut Findings) -> Rules {
    let name = names.take(&policy.name, "policy", out);
    let mut rule_names = Names::default();
    let list = policy.rules.iter().filter_map(|rule| draft::rule(rule, &name, &mut rule_names, out)).collect();
    Rules { name, list }
}

fn document(policy: &OldPolicy, rules: Rules, out: &mut Findings) -> Option<Value> {
    if rules.list.is_empty() {
        out.push(Finding::warning("import-empty", format!("the policy `{}` has no rule and is left out", policy.name)));
        return None;
    }
    let mut metadata = Map::new();
    metadata.insert("name".to_owned(), json!(rules.name));
    if !policy.annotations.is_empty() {
        metadata.insert("annotations".to_owned(), Value::Object(policy.annotations.clone()));
    }
    let mut spec = Map::new();
    if !policy.enabled {
        spec.insert("enabled".to_owned(), json!(false));
    }
    if !policy.description.is_empty() {
        spec.insert("description".to_owned(), json!(policy.description));
    }
    spec.insert("rules".to_owned(), Value::Array(rules.list));
    Some(json!({"apiVersion": API_VERSION, "kind": "Policy", "metadata": metadata, "spec": spec}))
}
