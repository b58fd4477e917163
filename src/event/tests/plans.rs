//! Records of plans for the golden events.

use super::support::snapshot;
use crate::event::*;
use crate::model::*;

fn text(value: &str) -> Value {
    Value::String(value.into())
}

fn map(entries: Vec<(&'static str, Value)>) -> Attributes {
    Attributes::from_entries(entries.into_iter().map(|(key, value)| (Text::const_new(key), value)).collect()).unwrap()
}

/// A search, and a transfer to whom the search has found.
fn plan() -> Plan {
    let search = Step {
        step_id: "search".into(),
        action: "mail.search".into(),
        provider: "mail".into(),
        params: map(vec![("query", text("invoice"))]),
        idempotency_key: "k-1".into(),
        ..Step::default()
    };
    let origin = |path: &str, origin| Input { path: path.into(), origin };
    let transfer = Step {
        step_id: "pay".into(),
        action: "bank.transfer".into(),
        provider: "bank".into(),
        resource: "account:main".into(),
        params: map(vec![("amount", Value::Number(20.5))]),
        constraints: map(vec![("environment", text("production"))]),
        idempotency_key: "k-2".into(),
        budget_cents: Some(2_050),
        depends_on: vec!["search".into()],
        inputs: vec![
            origin("/amount", Origin::User { quote: "20.50".into() }),
            origin("/recipient", Origin::Step { step_id: "search".into(), output_path: "/0/sender".into() }),
            origin("/note", Origin::Constant),
        ],
        description: "pay the invoice".into(),
    };
    Plan {
        request_id: "req-9".into(),
        tenant_id: "acme".into(),
        subject: Subject { kind: "agent".into(), id: "assistant-1".into(), ..Subject::default() },
        ordering: Ordering::Dag,
        steps: vec![search, transfer],
        intent_summary: "pay the invoice".into(),
        user_messages: vec!["pay the invoice, it is 20.50".into()],
        observations: vec![Observation { step_id: "search".into(), output: Value::List(Box::new([text("IBAN")])) }],
        labels: vec![("team".into(), "finance".into())],
        audience: "executor".into(),
        ..Plan::default()
    }
}

fn hash(digit: &str) -> Text {
    format!("sha256:{}", digit.repeat(64)).into()
}

fn step(index: u32, step_id: &str, tier: u8, decision: Outcome) -> StepValidation {
    let reason = TierReason {
        kind: TierKind::Action,
        tier,
        document: "assistant".into(),
        rule: "bank.transfer".into(),
        message: "the action moves money".into(),
    };
    StepValidation {
        index,
        step_id: step_id.into(),
        step_hash: hash("b"),
        tier,
        action_tier: tier,
        scope_tier: 0,
        impact_tier: 0,
        tier_reasons: if tier > 0 { vec![reason] } else { Vec::new() },
        decision,
        reason_code: if decision == Outcome::Allow { ReasonCode::Policy } else { ReasonCode::Default },
        matched: (decision == Outcome::Allow).then_some(0),
        requires_audit: false,
    }
}

/// The record of a validation with that status.
pub(super) fn validated(status: ValidationStatus, ticket: Ticket) -> PlanRecord {
    let violation = |code, severity, flow| Violation {
        code,
        severity,
        step_index: Some(1),
        step_id: "pay".into(),
        path: "steps[1].params/recipient".into(),
        message: "a stranger's text would choose who is paid".into(),
        help: "ask the user".into(),
        flow,
        rule: "assistant/strangers-choose-recipient".into(),
    };
    let hop = |step_id: &str, path: &str| FlowHop {
        step_id: step_id.into(),
        path: path.into(),
        label: "reads_untrusted".into(),
    };
    let flow = vec![hop("search", "/0/sender"), hop("pay", "/recipient")];
    let violations = match status {
        ValidationStatus::Pass => Vec::new(),
        ValidationStatus::Escalate => {
            vec![violation(ViolationCode::FlowViolation, ViolationSeverity::Warning, flow)]
        }
        ValidationStatus::Reject => vec![
            violation(ViolationCode::FlowViolation, ViolationSeverity::Error, flow),
            Violation {
                step_index: None,
                step_id: Text::default(),
                path: Text::default(),
                ..violation(ViolationCode::BudgetExceeded, ViolationSeverity::Error, Vec::new())
            },
        ],
    };
    let tier = if status == ValidationStatus::Pass { 1 } else { 2 };
    let validation = Validation {
        status,
        risk_tier: tier,
        requires_approval: status == ValidationStatus::Escalate,
        required_level: (status == ValidationStatus::Escalate).then_some(3),
        ir_hash: hash("a"),
        violations,
        steps: vec![step(0, "search", 0, Outcome::Deny), step(1, "pay", tier, Outcome::Allow)],
        total_budget_cents: 2_050,
        snapshot: snapshot(),
    };
    let validated_at = Timestamp::from_micros(1_767_323_045_000_004);
    PlanRecord { ticket, validated_at, validation_nanos: 9_120, plan: plan(), validation, actor: "uid:1000".into() }
}

/// The record of an audit that went well or did not.
pub(super) fn verified(success: bool, ticket: Ticket) -> DagRecord {
    let plan = plan();
    let node = |number: usize, hash: Text| DagNode {
        ir_step_id: plan.steps[number].step_id.clone(),
        ir_step_hash: hash,
        content: (number == 1).then(|| plan.steps[1].clone()),
        depends_on: plan.steps[number].depends_on.clone(),
        seq: Some(number as u64),
    };
    let call = |seq: u64, number: usize, outcome| Execution {
        seq,
        step_id: plan.steps[number].step_id.clone(),
        action: plan.steps[number].action.clone(),
        resource: plan.steps[number].resource.clone(),
        params: plan.steps[number].params.clone(),
        outcome,
    };
    let mut verification = DagVerification {
        success,
        bound_to: BoundTo::Receipt,
        compared: Compared::Mixed,
        ir_hash: hash("a"),
        dag_hash: hash("c"),
        params_snapshot: if success { hash("e") } else { Text::default() },
        unchecked_params: if success { Vec::new() } else { vec!["pay".into()] },
        ..DagVerification::default()
    };
    if !success {
        verification.missing_steps = vec!["search".into()];
        verification.extra_nodes = vec!["other".into()];
        verification.duplicates = vec!["pay".into()];
        verification.malformed = vec![MalformedNode { index: 2, reason: "the node has no `ir_step_id`".into() }];
        verification.hash_mismatches = vec![HashMismatch {
            step_id: "pay".into(),
            expected: hash("b"),
            actual: hash("d"),
            changed_paths: vec!["/params/amount".into()],
        }];
        verification.deviations = vec![Deviation {
            kind: DeviationKind::UnplannedCall,
            step_id: Text::default(),
            execution_seq: Some(1),
            message: "no step of the plan calls `bank.close`".into(),
        }];
        verification.refused = vec!["pay".into()];
    }
    DagRecord {
        ticket,
        verified_at: Timestamp::from_micros(1_767_323_045_000_005),
        nodes: vec![node(0, hash("b")), node(1, if success { hash("b") } else { hash("d") })],
        executions: vec![
            call(0, 0, ExecutionOutcome::Done),
            call(1, 1, if success { ExecutionOutcome::Done } else { ExecutionOutcome::Refused }),
        ],
        plan,
        bound_by: "019b7ca9-8c88-7aa9-9555-aaaa5555aabc".into(),
        verification,
        actor: "uid:1000".into(),
    }
}
