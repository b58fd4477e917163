//! What was made of a plan, between the domain's types and the generated ones, for clients.

use prost::Message as _;

use super::decode;
use super::proto::v1;
use super::refusal::Refusal;
use super::wire::to_struct;
use super::wire_plan::to_plan_request;
use crate::model::{
    BoundTo, Compared, DagNode, DagVerification, Deviation, DeviationKind, Execution, ExecutionOutcome, HashMismatch,
    Limits, MalformedNode, Plan, Text,
};

/// The question whether what was made of `plan`, which the approval binds, is the plan, ready to be sent.
#[must_use]
pub fn to_dag_request(
    plan: &Plan,
    nodes: &[DagNode],
    executions: &[Execution],
    approval_id: &str,
) -> v1::VerifyDagRequest {
    dag_request(plan, nodes, executions, &decode::Binding::Approval(approval_id.into()))
}

/// Reads an encoded `VerifyDagRequest` as a server does that is sent it, and gives what it read.
///
/// # Errors
/// The status with which the server would refuse it, with the fields that are wrong.
pub fn read_dag_request(message: &[u8], limits: &Limits) -> Result<v1::VerifyDagRequest, Box<tonic::Status>> {
    let refusal = if message.len() > limits.plan_bytes {
        Refusal::message_too_large(message.len(), limits.plan_bytes)
    } else {
        match decode::verify_dag_request(message, limits) {
            Ok(read) if read.violations.is_empty() => {
                return Ok(dag_request(&read.plan, &read.nodes, &read.executions, &read.binding));
            }
            Ok(read) => Refusal::invalid(read.violations),
            Err(why) => Refusal::malformed(why),
        }
    };
    Err(Box::new(refusal.to_status()))
}

/// Judges the message of an audit as a server does that is sent it, what binds the plan left out.
///
/// # Errors
/// The status with which the server would refuse it, with the fields that are wrong.
pub fn check_dag(
    plan: &Plan,
    nodes: &[DagNode],
    executions: &[Execution],
    limits: &Limits,
) -> Result<(), Box<tonic::Status>> {
    let message = dag_request(plan, nodes, executions, &decode::Binding::None).encode_to_vec();
    read_dag_request(&message, limits).map(drop)
}

fn dag_request(
    plan: &Plan,
    nodes: &[DagNode],
    executions: &[Execution],
    binding: &decode::Binding,
) -> v1::VerifyDagRequest {
    let asked = to_plan_request(plan);
    v1::VerifyDagRequest {
        tenant_id: asked.tenant_id,
        ordering: asked.ordering,
        steps: asked.steps,
        binding: match binding {
            decode::Binding::None => None,
            decode::Binding::Receipt(token) => Some(v1::verify_dag_request::Binding::Receipt(token.clone())),
            decode::Binding::Approval(id) => Some(v1::verify_dag_request::Binding::ApprovalId(id.to_string())),
        },
        nodes: nodes.iter().map(node).collect(),
        executions: executions.iter().map(execution).collect(),
        correlation_id: asked.correlation_id,
        request_id: asked.request_id,
    }
}

fn node(node: &DagNode) -> v1::DagNode {
    let content = node.content.clone().and_then(|step| {
        let alone = Plan { steps: vec![step], ..Plan::default() };
        to_plan_request(&alone).steps.pop()
    });
    v1::DagNode {
        ir_step_id: node.ir_step_id.to_string(),
        ir_step_hash: node.ir_step_hash.to_string(),
        content,
        depends_on: node.depends_on.iter().map(Text::to_string).collect(),
        seq: node.seq,
    }
}

fn execution(call: &Execution) -> v1::Execution {
    let outcome = match call.outcome {
        ExecutionOutcome::Done => v1::ExecutionOutcome::Done,
        ExecutionOutcome::Failed => v1::ExecutionOutcome::Failed,
        ExecutionOutcome::Refused => v1::ExecutionOutcome::Refused,
        ExecutionOutcome::NotRun => v1::ExecutionOutcome::NotRun,
    };
    v1::Execution {
        seq: call.seq,
        step_id: call.step_id.to_string(),
        action: call.action.to_string(),
        resource: call.resource.to_string(),
        params: to_struct(&call.params),
        outcome: outcome.into(),
    }
}

/// The answer of a server. What this program does not know of it counts as a deviation.
#[must_use]
pub fn read_dag_response(answer: &v1::VerifyDagResponse) -> DagVerification {
    let texts = |texts: &[String]| texts.iter().map(Text::from).collect::<Vec<_>>();
    let kind = |deviation: &v1::Deviation| {
        let known = DeviationKind::ALL.into_iter().find(|kind| *kind as i32 == deviation.kind);
        known.unwrap_or(DeviationKind::PlanInvalid)
    };
    let deviation = |deviation: &v1::Deviation| Deviation {
        kind: kind(deviation),
        step_id: deviation.step_id.as_str().into(),
        execution_seq: deviation.execution_seq,
        message: deviation.message.clone(),
    };
    let mismatch = |mismatch: &v1::HashMismatch| HashMismatch {
        step_id: mismatch.step_id.as_str().into(),
        expected: mismatch.expected.as_str().into(),
        actual: mismatch.actual.as_str().into(),
        changed_paths: mismatch.changed_paths.clone(),
    };
    DagVerification {
        success: answer.success,
        bound_to: match answer.bound_to() {
            v1::BoundTo::Receipt => BoundTo::Receipt,
            v1::BoundTo::Approval => BoundTo::Approval,
            v1::BoundTo::None | v1::BoundTo::Unspecified => BoundTo::None,
        },
        compared: match answer.compared() {
            v1::Compared::Content => Compared::Content,
            v1::Compared::Mixed => Compared::Mixed,
            v1::Compared::DeclaredHashes | v1::Compared::Unspecified => Compared::DeclaredHashes,
        },
        ir_hash: answer.ir_hash.as_str().into(),
        dag_hash: answer.dag_hash.as_str().into(),
        missing_steps: texts(&answer.missing_steps),
        extra_nodes: texts(&answer.extra_nodes),
        duplicates: texts(&answer.duplicates),
        malformed: answer
            .malformed
            .iter()
            .map(|node| MalformedNode { index: node.index, reason: node.reason.clone() })
            .collect(),
        hash_mismatches: answer.hash_mismatches.iter().map(mismatch).collect(),
        rewired: texts(&answer.rewired),
        reordered: texts(&answer.reordered),
        deviations: answer.deviations.iter().map(deviation).collect(),
        not_run: texts(&answer.not_run),
        refused: texts(&answer.refused),
        params_snapshot: answer.params_snapshot.as_str().into(),
        unchecked_params: texts(&answer.unchecked_params),
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;
    use crate::api::encode::{DagAnswer, Writer, verify_dag_response};
    use crate::model::Timestamp;

    #[test]
    fn an_answer_is_read_as_it_was_written() {
        let deviation = |kind| Deviation { kind, step_id: "a".into(), execution_seq: Some(3), message: "m".into() };
        let verification = DagVerification {
            bound_to: BoundTo::Approval,
            compared: Compared::Mixed,
            ir_hash: "sha256:1".into(),
            missing_steps: vec!["b".into()],
            unchecked_params: vec!["u".into()],
            params_snapshot: "sha256:5".into(),
            malformed: vec![MalformedNode { index: 2, reason: "r".into() }],
            hash_mismatches: vec![HashMismatch {
                step_id: "c".into(),
                expected: "e".into(),
                actual: "x".into(),
                changed_paths: vec!["/params".into()],
            }],
            deviations: DeviationKind::ALL.into_iter().map(deviation).collect(),
            refused: vec!["d".into()],
            ..DagVerification::default()
        };
        let mut bytes = Vec::new();
        let answer = DagAnswer {
            verification: &verification,
            request_id: "",
            correlation_id: "",
            verified_at: Timestamp::default(),
        };
        verify_dag_response(&mut Writer::new(&mut bytes), &answer);
        let sent = v1::VerifyDagResponse::decode(&*bytes).expect("an answer");
        assert_eq!(read_dag_response(&sent), verification);
    }
}
