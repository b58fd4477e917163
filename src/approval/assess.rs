//! What a target is and needs: its hash, tier, cost and approvers, computed from the target and the snapshot alone. Nothing
//! that the caller says about it is believed.

use super::machine::required_level;
use crate::decide;
use crate::ir;
use crate::model::{
    Decision, Limits, Outcome, Plan, Request, Stage, TargetKind, Text, Timestamp, Validation, ValidationStatus,
};
use crate::policy::StageRule;
use crate::snapshot::{ApprovalRule, Snapshot};

/// Least tier of an action that needs approval, whatever its catalogue says.
const LEAST_TIER: u8 = 2;
/// Most actions of a plan that are named.
const NAMED_ACTIONS: usize = 16;

/// A target that may wait for approval.
#[derive(Debug, Clone)]
pub struct Assessment {
    /// Plan or action.
    pub kind: TargetKind,
    /// The hash that binds it.
    pub hash: Text,
    /// Risk tier, 0–3.
    pub tier: u8,
    /// What it may cost, in cents, where that is known.
    pub cost_cents: Option<i64>,
    /// Its subject.
    pub subject_id: Text,
    /// For whom the subject acts, empty if nobody.
    pub on_behalf_of: Text,
    /// Its run, empty if none.
    pub run_id: Text,
    /// Its correlation id, empty if none.
    pub correlation_id: Text,
    /// Its actions, each once.
    pub actions: Vec<Text>,
    /// How many steps it has; 1 for an action.
    pub steps: u32,
    /// Digest of the snapshot.
    pub snapshot: Text,
    /// The stages of approvers; none where it needs nobody.
    pub stages: Vec<Stage>,
    /// Greatest level of the stages; 0 without any.
    pub required_level: u8,
    /// Why it needs approvers, or nobody.
    pub why: String,
    /// What approval policies say of it.
    pub rule: ApprovalRule,
}

/// A target with the answer that was given to it.
#[derive(Debug)]
pub enum Assessed<'t> {
    /// A plan.
    Plan(&'t Plan, Box<Validation>),
    /// An action.
    Action(&'t Request, Box<Decision>),
}

/// Why a target cannot wait for approval.
#[derive(Debug, Clone)]
pub enum NotApprovable {
    /// No policies are live to judge it by.
    NoPolicies,
    /// The plan must not run.
    Rejected(Box<Validation>),
    /// The action must not happen.
    Denied(Box<Decision>),
    /// The action may happen as it is.
    NotNeeded,
}

/// What `plan` is and needs at `now`; `None` stands for a server without documents.
///
/// # Errors
/// It must not run, or there are no documents.
pub fn assess_plan<'t>(
    snapshot: Option<&Snapshot>,
    plan: &'t Plan,
    now: Timestamp,
    limits: &Limits,
) -> Result<(Assessment, Assessed<'t>), NotApprovable> {
    let snapshot = snapshot.ok_or(NotApprovable::NoPolicies)?;
    let validation = ir::validate(Some(snapshot), plan, now, limits);
    if validation.status == ValidationStatus::Reject {
        return Err(NotApprovable::Rejected(Box::new(validation)));
    }
    let cost_cents = plan.steps.iter().all(|step| step.budget_cents.is_some()).then_some(validation.total_budget_cents);
    let rule = snapshot.governance().approvals().rule(
        plan.tenant(),
        &plan.subject.id,
        risky_actions(snapshot, plan, &validation),
        validation.risk_tier,
    );
    let by_tier_alone = validation.violations.is_empty() && validation.required_level.is_none();
    let why = if validation.status == ValidationStatus::Pass {
        Why::NoneNeeded
    } else {
        why(&rule, cost_cents, by_tier_alone)
    };
    let (stages, why) = why.settle(&rule, cost_cents, validation.required_level);
    let assessment = Assessment {
        kind: TargetKind::Plan,
        hash: validation.ir_hash.clone(),
        tier: validation.risk_tier,
        cost_cents,
        subject_id: plan.subject.id.clone(),
        on_behalf_of: plan.subject.on_behalf_of.clone(),
        run_id: plan.run_id.clone(),
        correlation_id: Text::from(plan.correlation_or("")),
        actions: named_actions(plan),
        steps: u32::try_from(plan.steps.len()).unwrap_or(u32::MAX),
        snapshot: validation.snapshot.digest.clone(),
        required_level: required_level(&stages),
        stages,
        why,
        rule,
    };
    Ok((assessment, Assessed::Plan(plan, Box::new(validation))))
}

/// What the action of `request` is and needs at `now`.
///
/// # Errors
/// It must not happen, or may happen as it is, or there are no documents.
pub fn assess_action<'t>(
    snapshot: Option<&Snapshot>,
    request: &'t Request,
    now: Timestamp,
    limits: &Limits,
) -> Result<(Assessment, Assessed<'t>), NotApprovable> {
    let snapshot = snapshot.ok_or(NotApprovable::NoPolicies)?;
    let decision = decide::evaluate(Some(snapshot), request, now, limits);
    match decision.outcome {
        Outcome::RequireApproval => {}
        Outcome::Allow => return Err(NotApprovable::NotNeeded),
        Outcome::Deny => return Err(NotApprovable::Denied(Box::new(decision))),
    }
    let action = request.action.name.as_str();
    let tier = snapshot.governance().action(action).map_or(LEAST_TIER, |entry| entry.tier.max(LEAST_TIER));
    let cost_cents = cost_of(request);
    let rule = snapshot.governance().approvals().rule(request.tenant(), &request.subject.id, [action], tier);
    let level = decision.required_level();
    let (stages, why) = why(&rule, cost_cents, level.is_none()).settle(&rule, cost_cents, level);
    let assessment = Assessment {
        kind: TargetKind::Action,
        hash: decide::action_hash(request),
        tier,
        cost_cents,
        subject_id: request.subject.id.clone(),
        on_behalf_of: request.subject.on_behalf_of.clone(),
        run_id: request.run_id.clone(),
        correlation_id: first_of(&request.correlation_id, &request.request_id),
        actions: vec![request.action.name.clone()],
        steps: 1,
        snapshot: snapshot.label().digest.clone(),
        required_level: required_level(&stages),
        stages,
        why,
        rule,
    };
    Ok((assessment, Assessed::Action(request, Box::new(decision))))
}

fn first_of(a: &Text, b: &Text) -> Text {
    if a.is_empty() { b.clone() } else { a.clone() }
}

/// The actions of the steps for which the plan needs approval: those of a tier that does, that a rule wants approved, or
/// where something was found; all where it is only the plan as a whole.
fn risky_actions<'p>(snapshot: &Snapshot, plan: &'p Plan, validation: &Validation) -> Vec<&'p str> {
    let least = snapshot.governance().approval_tier();
    let is_found = |index: u32| validation.violations.iter().any(|found| found.step_index == Some(index));
    let risky = validation
        .steps
        .iter()
        .filter(|step| step.tier >= least || step.decision == Outcome::RequireApproval || is_found(step.index));
    let named: Vec<&str> = risky.filter_map(|step| action_at(plan, step.index)).collect();
    if named.is_empty() { plan.steps.iter().map(|step| step.action.as_str()).collect() } else { named }
}

fn action_at(plan: &Plan, index: u32) -> Option<&str> {
    Some(plan.steps.get(usize::try_from(index).ok()?)?.action.as_str())
}

fn named_actions(plan: &Plan) -> Vec<Text> {
    let mut actions: Vec<Text> = Vec::new();
    for step in &plan.steps {
        if actions.len() < NAMED_ACTIONS && !actions.contains(&step.action) {
            actions.push(step.action.clone());
        }
    }
    actions
}

/// What an action may cost: `context.cost_cents`, where it is a whole number of cents. The hash covers it.
fn cost_of(request: &Request) -> Option<i64> {
    const MOST: f64 = 9_007_199_254_740_991.0;
    match request.context.get("cost_cents") {
        Some(crate::model::Value::Number(cents)) if cents.fract() == 0.0 && (0.0..=MOST).contains(cents) => {
            Some(*cents as i64)
        }
        _ => None,
    }
}

/// Whether somebody must approve.
enum Why {
    NoneNeeded,
    CheapEnough,
    Approvers,
}

/// `by_tier_alone`: no flow, no plan rule and no named level stands behind it.
fn why(rule: &ApprovalRule, cost_cents: Option<i64>, by_tier_alone: bool) -> Why {
    let most = rule.auto_approve_max_cents;
    if most > 0 && by_tier_alone && cost_cents.is_some_and(|cents| cents <= most) {
        Why::CheapEnough
    } else {
        Why::Approvers
    }
}

impl Why {
    /// The stages, and the reason in words.
    fn settle(self, rule: &ApprovalRule, cost_cents: Option<i64>, level: Option<u8>) -> (Vec<Stage>, String) {
        match self {
            Self::NoneNeeded => (Vec::new(), "the plan passed validation and needs no approval".into()),
            Self::CheapEnough => {
                let most = rule.auto_approve_max_cents;
                (Vec::new(), format!("costs {} of at most {most} cents that need nobody", cost_cents.unwrap_or(0)))
            }
            Self::Approvers => (stages(rule, cost_cents, level), "needs approval".into()),
        }
    }
}

/// The stages that apply at this cost; the last one has at least the level that a rule names.
fn stages(rule: &ApprovalRule, cost_cents: Option<i64>, level: Option<u8>) -> Vec<Stage> {
    let applies = |stage: &&StageRule| cost_cents.is_none_or(|cents| cents >= stage.min_cents);
    let mut applying: Vec<StageRule> = rule.stages.iter().filter(applies).copied().collect();
    if applying.is_empty() {
        // Laying layers on one another may leave no stage for small amounts; somebody must approve all the same.
        applying = rule.stages.clone();
    }
    let mut stages: Vec<Stage> = applying
        .into_iter()
        .map(|stage| Stage { level: stage.level, quorum: u32::from(stage.quorum), approvals: Vec::new() })
        .collect();
    let reached = required_level(&stages);
    if let (Some(last), Some(level)) = (stages.last_mut(), level.filter(|level| *level > reached)) {
        last.level = level;
    }
    stages
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::approval::ApprovalError;

    #[test]
    fn without_policies_nothing_is_judged() {
        let limits = Limits::default();
        let plan = assess_plan(None, &Plan::default(), Timestamp::default(), &limits).map(drop);
        let action = assess_action(None, &Request::default(), Timestamp::default(), &limits).map(drop);
        for refused in [plan, action] {
            let why = refused.expect_err("nothing to judge by");
            assert!(matches!(why, NotApprovable::NoPolicies), "{why:?}");
            let message = ApprovalError::NotApprovable(why).to_string();
            assert!(message.contains("no policies are live") && message.contains("log"), "{message}");
        }
    }
}
