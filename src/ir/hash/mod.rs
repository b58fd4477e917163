//! The hashes of a plan, its steps and a DAG: `sha256:` and the SHA-256 of a canonical form, in hexadecimal.
//!
//! `docs/hashes.md` describes the canonical form for those who compute it themselves.

mod content;
mod params;
mod sha256;
#[cfg(test)]
mod tests;

use std::ops::Range;

use sha2::{Digest, Sha256};

use self::content::StepWriter;
pub(crate) use self::content::{InputKey, input_key};
pub(crate) use self::params::canonical_params;
use self::sha256::whole_and_parts;
use super::canonical::write_string;
use super::hex::hex;
use super::refusal::{Refusal, RefusedField, refused_id};
use crate::model::{DagNode, Ordering, Plan, Step, Text};

/// The hashes of a plan, as far as it has a canonical form.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanHashes {
    /// `sha256:` and 64 hexadecimal digits; empty if anything was refused.
    pub ir_hash: Text,
    /// The same for each step, in the order of the plan; empty for a step of which anything was refused.
    pub step_hashes: Vec<Text>,
    /// Everything that has no canonical form, in the order of the plan.
    pub refusals: Vec<Refusal>,
}

/// The hashes of `plan` and of each step, in one pass.
///
/// They cover the tenant, the ordering and the content of the steps; not request id, subject, intent, labels, messages,
/// observations, run, correlation id, snapshot and audience. The order of keys, of `depends_on` and of `inputs` does not
/// matter, nor does that of the steps where the ordering is DAG. An absent field is the same as an empty one; inside params
/// and constraints every value counts as it stands. What is bound to a step's output is left out of params.
#[must_use]
pub fn plan_hashes(plan: &Plan) -> PlanHashes {
    let Canonical { text, steps, mut refusals } = write_plan(plan);
    let mut step_hashes = vec![Text::default(); plan.steps.len()];
    let good = || steps.iter().filter(|step| !step.refused);
    let mut hashed = good();
    let whole = whole_and_parts(&text, good().map(|step| step.range.clone()), |hash| {
        if let Some(place) = hashed.next().and_then(|step| step_hashes.get_mut(step.index)) {
            *place = hash_text(&hash);
        }
    });
    refusals.sort_by_key(|refusal| refusal.step);
    let ir_hash = if refusals.is_empty() { hash_text(&whole) } else { Text::default() };
    PlanHashes { ir_hash, step_hashes, refusals }
}

/// The hash of `plan`; see [`plan_hashes`].
///
/// # Errors
/// Everything in the plan that has no canonical form.
pub fn plan_hash(plan: &Plan) -> Result<Text, Vec<Refusal>> {
    let hashes = plan_hashes(plan);
    if hashes.refusals.is_empty() { Ok(hashes.ir_hash) } else { Err(hashes.refusals) }
}

/// The canonical form of `plan`, whose SHA-256 is its hash.
///
/// # Errors
/// Everything in the plan that has no canonical form.
pub fn plan_canonical(plan: &Plan) -> Result<String, Vec<Refusal>> {
    let Canonical { text, refusals, .. } = write_plan(plan);
    if refusals.is_empty() { Ok(into_text(text)) } else { Err(refusals) }
}

/// The hash of `step`, alone. It says nothing of the place of the step in a plan.
///
/// # Errors
/// Everything in the step that has no canonical form; paths say `steps[0]`.
pub fn step_hash(step: &Step) -> Result<Text, Vec<Refusal>> {
    step_bytes(step).map(|bytes| sha256_text(&bytes))
}

/// The canonical form of `step`, whose SHA-256 is its hash.
///
/// # Errors
/// Everything in the step that has no canonical form; paths say `steps[0]`.
pub fn step_canonical(step: &Step) -> Result<String, Vec<Refusal>> {
    step_bytes(step).map(into_text)
}

/// The hash of a DAG: that of the list of `{depends_on, ir_step_hash, ir_step_id}` of its nodes, sorted by id. It covers
/// what the nodes declare and which waits for which, not their content.
#[must_use]
pub fn dag_hash(nodes: &[DagNode]) -> Text {
    let mut sorted: Vec<&DagNode> = nodes.iter().collect();
    sorted.sort_by_key(|node| (&node.ir_step_id, &node.ir_step_hash, &node.depends_on));
    let mut out = vec![b'['];
    for (i, node) in sorted.into_iter().enumerate() {
        out.extend_from_slice(if i > 0 { b",{\"depends_on\":" } else { b"{\"depends_on\":" });
        content::write_set(&mut out, &node.depends_on);
        out.extend_from_slice(b",\"ir_step_hash\":");
        write_string(&mut out, &node.ir_step_hash);
        out.extend_from_slice(b",\"ir_step_id\":");
        write_string(&mut out, &node.ir_step_id);
        out.push(b'}');
    }
    out.push(b']');
    sha256_text(&out)
}

fn step_bytes(step: &Step) -> Result<Vec<u8>, Vec<Refusal>> {
    let mut writer = StepWriter::default();
    writer.write(0, step);
    if writer.refusals.is_empty() { Ok(writer.out) } else { Err(writer.refusals) }
}

/// The canonical form of a plan.
struct Canonical {
    text: Vec<u8>,
    /// Where its steps stand in it, one after the other.
    steps: Vec<StepPlace>,
    /// What has none. It is written nonetheless, in some form.
    refusals: Vec<Refusal>,
}

/// Where a step stands in the canonical form of its plan.
struct StepPlace {
    /// Its position in the plan.
    index: usize,
    range: Range<usize>,
    /// Whether anything of it was refused.
    refused: bool,
}

/// About as many bytes as a step has in canonical form, to ask for memory once.
const STEP_BYTES: usize = 256;

fn write_plan(plan: &Plan) -> Canonical {
    let mut writer = StepWriter::default();
    if let Some(reason) = refused_id(plan.tenant()) {
        let path = "tenant_id".to_owned();
        writer.refusals.push(Refusal { step: None, field: RefusedField::Tenant, path, reason });
    }
    writer.out.reserve(STEP_BYTES * plan.steps.len().saturating_add(1).min(1_000));
    writer.out.extend_from_slice(b"{\"ordering\":\"");
    writer.out.extend_from_slice(plan.ordering.as_str().as_bytes());
    writer.out.push(b'"');
    let mut steps = Vec::with_capacity(plan.steps.len());
    let mut step = |index: usize| {
        writer.out.extend_from_slice(if steps.is_empty() { b",\"steps\":[" } else { b"," });
        let (start, before) = (writer.out.len(), writer.refusals.len());
        writer.write(index, &plan.steps[index]);
        let refused = writer.refusals.len() > before;
        steps.push(StepPlace { index, range: start..writer.out.len(), refused });
    };
    match plan.ordering {
        Ordering::Sequential => (0..plan.steps.len()).for_each(&mut step),
        Ordering::Dag => by_id(plan).into_iter().for_each(&mut step),
    }
    writer.out.extend_from_slice(if plan.steps.is_empty() { b",\"tenant\":" } else { b"],\"tenant\":" });
    write_string(&mut writer.out, plan.tenant());
    writer.out.push(b'}');
    Canonical { text: writer.out, steps, refusals: writer.refusals }
}

/// Positions of the steps in the order of their ids, which is that of canonical form in a DAG.
fn by_id(plan: &Plan) -> Vec<usize> {
    let mut order: Vec<usize> = (0..plan.steps.len()).collect();
    order.sort_by_key(|index| &plan.steps[*index].step_id);
    order
}

fn sha256_text(bytes: &[u8]) -> Text {
    hash_text(&Sha256::digest(bytes).into())
}

fn hash_text(hash: &[u8; 32]) -> Text {
    let mut text = [0; 71];
    let (prefix, digits) = text.split_at_mut(7);
    prefix.copy_from_slice(b"sha256:");
    digits.copy_from_slice(&hex(hash));
    Text::from_utf8(text).unwrap_or_default()
}

/// Canonical form is made of whole strings and ASCII, so that nothing is lost here.
fn into_text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}
