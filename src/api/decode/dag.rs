//! `VerifyDagRequest`.

use super::Malformed;
use super::checks::Checks;
use super::plan::{Steps, bounded_at, map, step};
use super::reader::{Merged, Reader};
use super::violation::{Fault, Path, Violation, Violations};
use crate::model::{DagNode, Execution, ExecutionOutcome, Limits, Plan, Text};

/// Longest receipt, in bytes.
const MAX_RECEIPT_BYTES: usize = 8 * 1_024;

/// What is to prove that the steps were validated.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Binding {
    /// Nothing.
    #[default]
    None,
    /// A receipt.
    Receipt(String),
    /// An approval.
    Approval(Text),
}

/// A plan, what was made of it, and what is wrong with the message. One with violations must not be verified.
#[derive(Debug, Default)]
pub struct DecodedDag {
    /// The plan: tenant, ids, ordering and steps.
    pub plan: Plan,
    /// What is to prove that it was validated.
    pub binding: Binding,
    /// The compiled DAG.
    pub nodes: Vec<DagNode>,
    /// The calls that were made.
    pub executions: Vec<Execution>,
    /// What is wrong, empty for a good message.
    pub violations: Vec<Violation>,
}

/// Reads a `VerifyDagRequest`.
pub fn verify_dag_request(message: &[u8], limits: &Limits) -> Result<DecodedDag, Malformed> {
    let mut violations = Violations::default();
    let mut dag = DecodedDag::default();
    let mut steps = Steps::new("steps", message, 3, limits);
    let (nodes, executions) = (Path::root("nodes"), Path::root("executions"));
    let mut ordering = 0;
    let mut reader = Reader::new(message);
    while let Some((number, raw)) = reader.next()? {
        match number {
            1 => dag.plan.tenant_id = Text::from(raw.string()?),
            2 => ordering = raw.enumeration()?,
            3 => steps.add(raw.message()?, limits, &mut violations)?,
            4 => dag.binding = Binding::Receipt(raw.string()?.to_owned()),
            5 => dag.binding = Binding::Approval(Text::from(raw.string()?)),
            6 => {
                let node = node(raw.message()?, &nodes.index(dag.nodes.len()), limits, &mut violations)?;
                bounded_at(&mut dag.nodes, node, &nodes, &mut violations);
            }
            7 => {
                let at = executions.index(dag.executions.len());
                let execution = execution(raw.message()?, &at, limits, &mut violations)?;
                bounded_at(&mut dag.executions, execution, &executions, &mut violations);
            }
            8 => dag.plan.correlation_id = Text::from(raw.string()?),
            9 => dag.plan.request_id = Text::from(raw.string()?),
            _ => {}
        }
    }
    dag.plan.steps = steps.kept;
    let mut checks = Checks { at: None, limits, violations: &mut violations };
    checks.id("tenant_id", &dag.plan.tenant_id, limits.id_bytes);
    dag.plan.ordering = checks.ordering(ordering);
    match &dag.binding {
        Binding::Receipt(receipt) => checks.id("receipt", receipt, MAX_RECEIPT_BYTES),
        Binding::Approval(id) => checks.id("approval_id", id, limits.id_bytes),
        Binding::None => {}
    }
    checks.id("correlation_id", &dag.plan.correlation_id, limits.id_bytes);
    checks.id("request_id", &dag.plan.request_id, limits.id_bytes);
    if dag.plan.steps.len() > limits.plan_steps {
        let said = limits.too_many_steps(dag.plan.steps.len());
        violations.add(&Path::root("steps"), Fault::TooLong, format_args!("{said}: split it into several plans"));
    }
    Ok(DecodedDag { violations: violations.into_vec(), ..dag })
}

fn node(message: &[u8], at: &Path<'_>, limits: &Limits, violations: &mut Violations) -> Result<DagNode, Malformed> {
    let mut node = DagNode::default();
    let mut content = Merged::default();
    let mut reader = Reader::new(message);
    while let Some((number, raw)) = reader.next()? {
        match number {
            1 => node.ir_step_id = Text::from(raw.string()?),
            2 => node.ir_step_hash = Text::from(raw.string()?),
            3 => content.add(raw.message()?)?,
            4 => bounded_at(&mut node.depends_on, Text::from(raw.string()?), &at.field("depends_on"), violations),
            5 => node.seq = Some(raw.varint()?),
            _ => {}
        }
    }
    let at = at.field("content");
    node.content = content.get().map(|message| step(message, &at, limits, violations)).transpose()?;
    Ok(node)
}

fn execution(
    message: &[u8],
    at: &Path<'_>,
    limits: &Limits,
    violations: &mut Violations,
) -> Result<Execution, Malformed> {
    let mut execution = Execution::default();
    let mut params = Merged::default();
    let mut outcome = 0;
    let mut reader = Reader::new(message);
    while let Some((number, raw)) = reader.next()? {
        match number {
            1 => execution.seq = raw.varint()?,
            2 => execution.step_id = Text::from(raw.string()?),
            3 => execution.action = Text::from(raw.string()?),
            4 => execution.resource = Text::from(raw.string()?),
            5 => params.add(raw.message()?)?,
            6 => outcome = raw.enumeration()?,
            _ => {}
        }
    }
    execution.params = map(&params, &at.field("params"), limits, violations)?;
    execution.outcome = match outcome {
        1 => ExecutionOutcome::Done,
        2 => ExecutionOutcome::Failed,
        3 => ExecutionOutcome::Refused,
        4 => ExecutionOutcome::NotRun,
        0 => {
            violations.add(&at.field("outcome"), Fault::MissingField, "the field is required");
            ExecutionOutcome::Done
        }
        _ => {
            let known = "write DONE, FAILED, REFUSED or NOT_RUN, with the prefix EXECUTION_OUTCOME_";
            violations.add(&at.field("outcome"), Fault::UnknownValue, known);
            ExecutionOutcome::Done
        }
    };
    Ok(execution)
}
