//! `ValidateIRResponse`.

use proptest::prelude::*;
use prost::Message;

use super::{rule, text};
use crate::api::encode::{PlanAnswer, Writer, validate_ir_response};
use crate::api::proto::v1;
use crate::model::*;

fn violation() -> impl Strategy<Value = Violation> {
    let hop = (text(), text(), text()).prop_map(|(step_id, path, label)| FlowHop { step_id, path, label });
    (
        prop::sample::select(&ViolationCode::ALL[..]),
        any::<bool>(),
        prop::option::of(0_u32..3),
        [text(), text(), text(), text(), text()],
        prop::collection::vec(hop, 0..3),
    )
        .prop_map(|(code, error, step_index, [step_id, path, message, help, rule], flow)| Violation {
            code,
            severity: if error { ViolationSeverity::Error } else { ViolationSeverity::Warning },
            step_index,
            step_id,
            path,
            message: message.into(),
            help: help.into(),
            flow,
            rule,
        })
}

fn step() -> impl Strategy<Value = StepValidation> {
    let kind = prop::sample::select(&[TierKind::Action, TierKind::Scope, TierKind::Impact][..]);
    let reason = (kind, 0_u8..4, [text(), text(), text()])
        .prop_map(|(kind, tier, [document, rule, message])| TierReason { kind, tier, document, rule, message });
    let decision = prop::sample::select(&[Outcome::Allow, Outcome::Deny, Outcome::RequireApproval][..]);
    let reason_code = prop::sample::select(&[ReasonCode::Policy, ReasonCode::Default, ReasonCode::ConditionError][..]);
    (
        (0_u32..4, text(), text()),
        [0_u8..4, 0..4, 0..4, 0..4],
        prop::collection::vec(reason, 0..3),
        decision,
        reason_code,
    )
        .prop_map(|((index, step_id, step_hash), tiers, tier_reasons, decision, reason_code)| {
            let [tier, action_tier, scope_tier, impact_tier] = tiers;
            StepValidation {
                index,
                step_id,
                step_hash,
                tier,
                action_tier,
                scope_tier,
                impact_tier,
                tier_reasons,
                decision,
                reason_code,
                matched: Some(index),
                requires_audit: false,
            }
        })
}

/// The answer, field by field, in the plainest way.
fn expected(answer: &PlanAnswer<'_>) -> v1::ValidateIrResponse {
    let validation = answer.validation;
    let violation = |found: &Violation| v1::Violation {
        code: v1::ViolationCode::from_str_name(&format!("VIOLATION_CODE_{}", found.code.as_str())).unwrap().into(),
        severity: v1::ViolationSeverity::from_str_name(&format!("VIOLATION_SEVERITY_{}", found.severity.as_str()))
            .unwrap()
            .into(),
        step_index: found.step_index,
        step_id: found.step_id.to_string(),
        path: found.path.to_string(),
        message: found.message.clone(),
        help: found.help.clone(),
        flow: found
            .flow
            .iter()
            .map(|hop| v1::FlowHop {
                step_id: hop.step_id.to_string(),
                path: hop.path.to_string(),
                label: hop.label.to_string(),
            })
            .collect(),
        rule: found.rule.to_string(),
    };
    let reason = |reason: &TierReason| v1::TierReason {
        kind: v1::TierKind::from_str_name(&format!("TIER_KIND_{}", reason.kind.as_str().to_uppercase()))
            .unwrap()
            .into(),
        document: reason.document.to_string(),
        rule: reason.rule.to_string(),
        message: reason.message.to_string(),
        tier: reason.tier.into(),
    };
    let step = |step: &StepValidation| v1::StepValidation {
        index: step.index,
        step_id: step.step_id.to_string(),
        step_hash: step.step_hash.to_string(),
        tier: step.tier.into(),
        action_tier: step.action_tier.into(),
        scope_tier: step.scope_tier.into(),
        impact_tier: step.impact_tier.into(),
        tier_reasons: step.tier_reasons.iter().map(reason).collect(),
        decision: v1::Decision::from_str_name(&format!("DECISION_{}", step.decision.as_str().to_uppercase()))
            .unwrap()
            .into(),
        reason_code: v1::ReasonCode::from_str_name(&format!("REASON_CODE_{}", step.reason_code.as_str()))
            .unwrap()
            .into(),
        matched_policy: validation.matched_rule(step).map(|rule| rule.policy.to_string()).unwrap_or_default(),
        matched_rule: validation.matched_rule(step).map(|rule| rule.rule.to_string()).unwrap_or_default(),
    };
    let status = format!("VALIDATION_STATUS_{}", validation.status.as_str());
    let micros = answer.validated_at.as_micros();
    v1::ValidateIrResponse {
        validation_id: answer.validation_id.into(),
        request_id: answer.plan.request_id.to_string(),
        status: v1::ValidationStatus::from_str_name(&status).unwrap().into(),
        risk_tier: validation.risk_tier.into(),
        requires_approval: validation.requires_approval,
        required_level: validation.required_level.map(u32::from),
        ir_hash: validation.ir_hash.to_string(),
        hash_scheme: v1::HashScheme::Rfc8785V1.into(),
        violations: validation.violations.iter().map(violation).collect(),
        steps: validation.steps.iter().map(step).collect(),
        total_budget_cents: validation.total_budget_cents,
        snapshot: (!validation.snapshot.digest.is_empty()).then(|| v1::SnapshotRef {
            digest: validation.snapshot.digest.to_string(),
            revision: validation.snapshot.revision,
        }),
        semantics: SEMANTICS,
        validated_at: Some(prost_types::Timestamp {
            seconds: micros.div_euclid(1_000_000),
            nanos: i32::try_from(micros.rem_euclid(1_000_000) * 1_000).unwrap(),
        }),
        receipt: answer.receipt.into(),
        correlation_id: answer.correlation_id.into(),
        validation_nanos: answer.validation_nanos,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn prost_reads_what_was_meant(
        status in 0_usize..3, level in prop::option::of(1_u8..6), violations in prop::collection::vec(violation(), 0..4),
        steps in prop::collection::vec(step(), 0..4), total_budget_cents in any::<i64>(), request_id in text(),
        rules in prop::collection::vec(rule(), 0..3), micros in -1_000_000_000_000_i64..4_000_000_000_000_000, nanos in any::<u64>(), texts in [text(), text(), text()],
    ) {
        let status = [ValidationStatus::Pass, ValidationStatus::Escalate, ValidationStatus::Reject][status];
        let snapshot = SnapshotLabel { digest: texts[1].clone(), rules: rules.into(), ..SnapshotLabel::default() };
        let validation = Validation {
            status,
            risk_tier: steps.iter().map(|step| step.tier).max().unwrap_or_default(),
            requires_approval: status == ValidationStatus::Escalate,
            required_level: level,
            ir_hash: texts[0].clone(),
            violations,
            steps,
            total_budget_cents,
            snapshot: snapshot.into(),
        };
        let plan = Plan { request_id, ..Plan::default() };
        let answer = PlanAnswer {
            plan: &plan,
            validation: &validation,
            validation_id: "id",
            correlation_id: &texts[1],
            validated_at: Timestamp::from_micros(micros),
            receipt: &texts[2],
            validation_nanos: nanos,
        };
        let mut bytes = Vec::new();
        validate_ir_response(&mut Writer::new(&mut bytes), &answer);
        prop_assert_eq!(v1::ValidateIrResponse::decode(&*bytes).unwrap(), expected(&answer));
    }
}
