//! What is recorded of an audit.

use super::plan_record::Bytes;
use crate::model::{DagNode, DagVerification, Execution, Plan, Text, Ticket, Timestamp};

/// Everything that is recorded of one audit of a DAG or of executions.
#[derive(Debug, Clone)]
pub struct DagRecord {
    /// Its ticket.
    pub ticket: Ticket,
    /// When it was verified.
    pub verified_at: Timestamp,
    /// The plan: tenant, ids, ordering and steps.
    pub plan: Plan,
    /// The compiled DAG.
    pub nodes: Vec<DagNode>,
    /// Id of the validation whose receipt binds the plan, or of the approval; empty where nothing does.
    pub bound_by: Text,
    /// The calls that were made.
    pub executions: Vec<Execution>,
    /// The answer.
    pub verification: DagVerification,
    /// Who is on the channel, for example `uid:1000` or `anonymous`.
    pub actor: Text,
}

impl DagRecord {
    /// About how many bytes of memory the record owns.
    #[must_use]
    pub fn approximate_bytes(&self) -> usize {
        let mut bytes = Bytes(std::mem::size_of::<Self>());
        bytes.plan(&self.plan);
        bytes.text(&self.actor).text(&self.bound_by);
        for node in &self.nodes {
            bytes.of(std::mem::size_of_val(node)).text(&node.ir_step_id).text(&node.ir_step_hash);
            bytes.texts(&node.depends_on);
            if let Some(step) = &node.content {
                bytes.step(step);
            }
        }
        for call in &self.executions {
            bytes.of(std::mem::size_of_val(call)).text(&call.step_id).text(&call.action).text(&call.resource);
            bytes.attributes(&call.params);
        }
        let found = &self.verification;
        for texts in [
            &found.missing_steps,
            &found.extra_nodes,
            &found.duplicates,
            &found.rewired,
            &found.reordered,
            &found.not_run,
            &found.refused,
            &found.unchecked_params,
        ] {
            bytes.texts(texts);
        }
        for node in &found.malformed {
            bytes.of(std::mem::size_of_val(node)).of(node.reason.len());
        }
        for mismatch in &found.hash_mismatches {
            bytes.of(std::mem::size_of_val(mismatch)).text(&mismatch.expected).text(&mismatch.actual);
            bytes.of(mismatch.changed_paths.iter().map(|path| path.len().saturating_add(24)).sum());
        }
        for deviation in &found.deviations {
            bytes.of(std::mem::size_of_val(deviation)).of(deviation.message.len());
        }
        bytes.0
    }
}
