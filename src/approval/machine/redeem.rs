//! Redeeming, as a whole or step by step.

use std::borrow::Cow;

use super::refused::Refused;
use super::{Happening, Transition, history, is_over, next};
use crate::ir::call_hash;
use crate::model::{
    Approval, ApprovalStatus, Attributes, Ordering, Plan, Redeemed, Redemption, RedemptionMode, Step, TargetKind, Text,
    Timestamp,
};

/// What is to be redeemed. The token has been compared already.
#[derive(Debug, Clone)]
pub struct Ask<'a> {
    /// The caller's tenant.
    pub tenant: &'a str,
    /// The hash of what is about to run.
    pub target_hash: &'a str,
    /// The step that is about to run; the whole if not given.
    pub step: Option<StepCall<'a>>,
    /// SHA-256 of the caller's redemption key, in hexadecimal digits; empty without one.
    pub key_hash: Text,
    /// Who redeems.
    pub principal: Text,
}

/// A step that is about to run.
#[derive(Debug, Clone, Copy)]
pub struct StepCall<'a> {
    /// The step, by id or position.
    pub step_id: &'a str,
    /// Its arguments, resolved.
    pub params: &'a Attributes,
}

/// Says how the arguments of a call differ from what a step fixes, or break the schema where it is open.
pub type CallCheck<'a> = &'a dyn Fn(&Step, &Attributes) -> Option<String>;

/// What redeeming comes to.
#[derive(Debug, Clone, PartialEq)]
pub enum Redeeming {
    /// It is to be committed; the redemption is the last of the transition's.
    New(Box<Transition>),
    /// The same was redeemed before with the same key: the answer is the same.
    Replayed(Redeemed),
}

/// What redeeming `ask` makes of `approval`, the target of which is `plan` if it is one.
///
/// The checks are made in this order: tenant, hash, used up, final, expired, not approved, and then what is to be redeemed.
///
/// # Errors
/// It may not be redeemed, or not so, or not now.
pub fn redeem(
    approval: &Approval,
    plan: Option<&Plan>,
    ask: &Ask<'_>,
    check: CallCheck<'_>,
    now: Timestamp,
    epoch: u64,
) -> Result<Redeeming, Refused> {
    if approval.tenant_id != ask.tenant {
        return Err(Refused::OtherTenant);
    }
    if approval.target_hash != ask.target_hash {
        return Err(Refused::OtherTarget);
    }
    let over = is_over(approval, now, epoch);
    let consume = super::Verb::Consume;
    let before = approval.progress.redemption.as_ref();
    if let Some(earlier) = before.and_then(|redemption| same_key(redemption, ask)).filter(|_| !over) {
        return replay(approval, earlier, ask, plan);
    }
    match approval.status {
        ApprovalStatus::Consumed => return Err(Refused::UsedUp),
        status if status.is_final() => return Err(Refused::WrongState { status, verb: consume }),
        _ if over => return Err(Refused::Over { verb: consume }),
        status if status.is_open() => return Err(Refused::NotApproved { status }),
        _ => {}
    }
    let mode = if ask.step.is_some() { RedemptionMode::Stepwise } else { RedemptionMode::Whole };
    if let Some(begun) = before.filter(|begun| begun.mode != mode) {
        return Err(Refused::OtherMode { begun: words(begun.mode), asked: words(mode) });
    }
    let redeemed: &[Redeemed] = before.map_or(&[], |redemption| &redemption.redeemed);
    let step = ask.step.map(|call| next_step(approval, plan, call, redeemed, check)).transpose()?;

    let entry = Redeemed {
        step_id: step.as_ref().map(|step| step.id.clone()).unwrap_or_default(),
        key_hash: ask.key_hash.clone(),
        grant_id: grant_id(approval, step.as_ref().map(|step| step.id.as_str())),
        step_hash: step.as_ref().map(|step| step.hash.clone()).unwrap_or_default(),
        principal: ask.principal.clone(),
        at: now,
    };
    let mut after = next(approval, now);
    let redemption = after.progress.redemption.get_or_insert(Redemption { mode, redeemed: Vec::new() });
    redemption.redeemed.push(entry);
    let last = step.as_ref().is_none_or(|step| redemption.redeemed.len() >= step.of);
    let (reason, happening) = match &step {
        None => ("redeemed as a whole".to_owned(), Happening::Consumed),
        Some(step) if last => (format!("redeemed the last step, {:?}", step.id), Happening::Consumed),
        Some(step) => (format!("redeemed the step {:?}", step.id), Happening::Redeemed),
    };
    if last {
        after.status = ApprovalStatus::Consumed;
        after.consumed_at = Some(now);
    }
    let history = history(approval, &after, &ask.principal, reason);
    Ok(Redeeming::New(Box::new(Transition {
        approval: after,
        history: Some(history),
        voter: None,
        happening: Some(happening),
        verb: super::Verb::Consume,
    })))
}

/// The id of the step at `index`: its own, else its position.
#[must_use]
pub fn step_id(plan: &Plan, index: usize) -> Cow<'_, str> {
    match plan.steps.get(index).map(|step| step.step_id.as_str()) {
        Some("") | None => Cow::Owned(index.to_string()),
        Some(id) => Cow::Borrowed(id),
    }
}

/// The `jti` of the grant over the whole, or a step.
fn grant_id(approval: &Approval, step_id: Option<&str>) -> Text {
    match step_id {
        None => approval.id.clone(),
        Some(step_id) => format!("{}/{step_id}", approval.id).into(),
    }
}

const fn words(mode: RedemptionMode) -> &'static str {
    match mode {
        RedemptionMode::Whole => "as a whole",
        RedemptionMode::Stepwise => "step by step",
    }
}

fn same_key<'r>(redemption: &'r Redemption, ask: &Ask<'_>) -> Option<&'r Redeemed> {
    redemption.redeemed.iter().find(|entry| !entry.key_hash.is_empty() && entry.key_hash == ask.key_hash)
}

/// The same answer again, if the same was asked: the same step with the same arguments, to the last open one.
fn replay(approval: &Approval, earlier: &Redeemed, ask: &Ask<'_>, plan: Option<&Plan>) -> Result<Redeeming, Refused> {
    let redeemable =
        matches!(approval.status, ApprovalStatus::Consumed | ApprovalStatus::Approved | ApprovalStatus::AutoApproved);
    if !redeemable {
        return Err(Refused::WrongState { status: approval.status, verb: super::Verb::Consume });
    }
    match ask.step {
        None if earlier.step_id.is_empty() => Ok(Redeeming::Replayed(earlier.clone())),
        Some(call) if call.step_id == earlier.step_id => {
            let (_, step) = find(plan, call.step_id)?;
            match call_hash(step, call.params) {
                Ok(hash) if hash == earlier.step_hash => Ok(Redeeming::Replayed(earlier.clone())),
                _ => Err(Refused::KeyUsed),
            }
        }
        _ => Err(Refused::KeyUsed),
    }
}

/// A step that may be redeemed next.
struct NextStep {
    id: Text,
    /// Hash of it with its resolved arguments.
    hash: Text,
    /// Number of steps of the plan.
    of: usize,
}

fn find<'p>(plan: Option<&'p Plan>, wanted: &str) -> Result<(usize, &'p Step), Refused> {
    let plan = plan.ok_or(Refused::NoSteps)?;
    let position = (0..plan.steps.len()).find(|index| step_id(plan, *index) == wanted);
    let found = position.and_then(|index| Some((index, plan.steps.get(index)?)));
    found.ok_or_else(|| Refused::UnknownStep { step_id: wanted.into() })
}

fn next_step(
    approval: &Approval,
    plan: Option<&Plan>,
    call: StepCall<'_>,
    redeemed: &[Redeemed],
    check: CallCheck<'_>,
) -> Result<NextStep, Refused> {
    let plan = plan.filter(|_| approval.target_kind == TargetKind::Plan).ok_or(Refused::NoSteps)?;
    let (index, step) = find(Some(plan), call.step_id)?;
    let id: Text = call.step_id.into();
    let is_redeemed = |id: &str| redeemed.iter().any(|entry| entry.step_id == id);
    if is_redeemed(&id) {
        return Err(Refused::StepUsedUp { step_id: id });
    }
    let first = match plan.ordering {
        Ordering::Sequential => {
            (0..index).map(|earlier| step_id(plan, earlier)).find(|id| !is_redeemed(id)).map(|id| Text::from(&*id))
        }
        Ordering::Dag => step.depends_on.iter().find(|id| !is_redeemed(id)).cloned(),
    };
    if let Some(first) = first {
        return Err(Refused::OutOfOrder { step_id: id, first });
    }
    if let Some(what) = check(step, call.params) {
        return Err(Refused::OtherArguments { step_id: id, what });
    }
    match call_hash(step, call.params) {
        Ok(hash) => Ok(NextStep { id, hash, of: plan.steps.len() }),
        Err(refusals) => {
            let what = refusals.first().map_or_else(String::new, |refusal| {
                let path = refusal.path.strip_prefix("steps[0].").unwrap_or(&refusal.path);
                format!("`{path}`: {}", refusal.reason)
            });
            Err(Refused::OtherArguments { step_id: id, what })
        }
    }
}
