//! What was made of a plan, as executors write it: the nodes of a DAG, and calls. For `lictor verify-dag`.

use crate::diag::{Finding, Findings, SourceId, Span};
use crate::model::{Attributes, DagNode, Execution, ExecutionOutcome};
use crate::yaml::{self, Field, Fields, Node};

use super::plan::{attributes, renamed, step, text, texts};

/// What became of a call, by the names of the wire.
const OUTCOMES: [(&str, ExecutionOutcome); 4] = [
    ("DONE", ExecutionOutcome::Done),
    ("FAILED", ExecutionOutcome::Failed),
    ("REFUSED", ExecutionOutcome::Refused),
    ("NOT_RUN", ExecutionOutcome::NotRun),
];

const NODE: &[&str] = &["irStepId", "irStepHash", "content", "dependsOn", "seq"];
const EXECUTION: &[&str] = &["seq", "stepId", "action", "resource", "params", "outcome"];

/// Reads a text that holds the nodes of a DAG, in YAML or JSON: `nodes: [{irStepId, irStepHash, content, dependsOn, seq}]`,
/// by these names or those of the wire. What a node lacks is left to verification. `None` where it cannot be read at all.
pub fn read_nodes(source: SourceId, text: &str, out: &mut Findings) -> Option<Vec<DagNode>> {
    read(source, text, "nodes", node, out)
}

/// Reads a text that holds calls, in YAML or JSON: `executions: [{seq, stepId, action, resource, params, outcome}]`, by
/// these names or those of the wire. `outcome` is required. `None` where it cannot be read at all.
pub fn read_executions(source: SourceId, text: &str, out: &mut Findings) -> Option<Vec<Execution>> {
    read(source, text, "executions", execution, out)
}

/// Reads a text that holds the arguments of one call, in YAML or JSON: one map. `None` where it is none.
pub fn read_params(source: SourceId, text: &str, out: &mut Findings) -> Option<Attributes> {
    let documents = yaml::parse(source, text, out);
    match documents.as_slice() {
        [only] if matches!(only.kind, yaml::Kind::Map(_)) => yaml::attributes(only, out),
        _ if out.has_errors() => None,
        _ => {
            let finding =
                Finding::error("no-params", "the file holds one map, from the names of arguments to their values");
            out.push(finding.at(Span::new(source, 0, 0)));
            None
        }
    }
}

fn read<T>(
    source: SourceId,
    text: &str,
    name: &'static str,
    of: fn(&Fields<'_>, &mut Findings) -> T,
    out: &mut Findings,
) -> Option<Vec<T>> {
    let documents = yaml::parse(source, text, out);
    if out.has_errors() {
        return None;
    }
    let [document] = documents.as_slice() else {
        let finding = Finding::error("no-list", format!("the file holds one document, `{name}: […]`"));
        out.push(finding.at(Span::new(source, 0, 0)));
        return None;
    };
    let fields = Fields::read(document, "the file", &[name], out)?;
    let entries = fields.require(name, out)?.list(name, out)?;
    Some(entries.into_iter().filter_map(|entry| one(entry, name, of, out)).collect())
}

fn one<T>(
    entry: Field<'_>,
    list: &'static str,
    of: fn(&Fields<'_>, &mut Findings) -> T,
    out: &mut Findings,
) -> Option<T> {
    let (what, allowed) = if list == "nodes" { ("a node", NODE) } else { ("an execution", EXECUTION) };
    let node: &Node = &renamed(entry.node, out);
    let fields = Field { node, ..entry }.fields(what, allowed, out)?;
    Some(of(&fields, out))
}

fn node(fields: &Fields<'_>, out: &mut Findings) -> DagNode {
    DagNode {
        ir_step_id: text(fields, "irStepId", out),
        ir_step_hash: text(fields, "irStepHash", out),
        content: fields.get("content").map(|content| step(content, out)),
        depends_on: texts(fields, "dependsOn", out),
        seq: seq(fields, out),
    }
}

fn execution(fields: &Fields<'_>, out: &mut Findings) -> Execution {
    let outcome = fields.require("outcome", out).and_then(|field| field.one_of("an outcome", &OUTCOMES, out));
    Execution {
        seq: seq(fields, out).unwrap_or_default(),
        step_id: text(fields, "stepId", out),
        action: text(fields, "action", out),
        resource: text(fields, "resource", out),
        params: attributes(fields, "params", out),
        outcome: outcome.unwrap_or_default(),
    }
}

fn seq(fields: &Fields<'_>, out: &mut Findings) -> Option<u64> {
    let seq = fields.get("seq").and_then(|field| field.integer(0..=i64::MAX, out))?;
    u64::try_from(seq).ok()
}
