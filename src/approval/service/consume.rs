//! Redeeming: the one place that lets an approved target run.

use super::rules::Rules;
use super::{ATTEMPTS, Actor, Approvals};
use crate::approval::error::ApprovalError;
use crate::approval::grant::grant;
use crate::approval::machine::{Ask, Redeeming, Refused, StepCall, redeem};
use crate::approval::payload;
use crate::approval::target::Target;
use crate::approval::token;
use crate::event::EventType;
use crate::model::{Approval, Attributes, Redeemed, RedemptionMode, Step, Text, Timestamp};
use crate::snapshot::Snapshot;
use crate::store::OutboxEvent;

/// What is to be redeemed.
#[derive(Debug, Clone)]
pub struct Redemption {
    /// The caller's tenant.
    pub tenant: Text,
    /// The token, as given.
    pub token: String,
    /// The hash of what is about to run.
    pub target_hash: Text,
    /// The step that is about to run, with its resolved arguments; the whole if not given.
    pub step: Option<(Text, Attributes)>,
    /// Makes it repeatable; empty if it is not.
    pub redemption_key: Text,
}

/// It may run now.
#[derive(Debug, Clone)]
pub struct Consumed {
    /// The approval, as it is now.
    pub approval: Approval,
    /// How it is redeemed.
    pub mode: RedemptionMode,
    /// This redemption.
    pub redeemed: Redeemed,
    /// The signed grant; empty where the server has no keys.
    pub grant: String,
    /// Whether the same was answered before.
    pub replayed: bool,
}

/// Why nothing is redeemed, as the audit event says it.
#[derive(Debug)]
struct Refusal {
    reason: &'static str,
    detail: String,
    approval: Option<Box<Approval>>,
    answer: ApprovalError,
}

impl Approvals {
    /// Redeems an approval, as a whole or a step of it.
    ///
    /// # Errors
    /// [`ApprovalError::NotRedeemable`] for every reason that tells of others' approvals or of what is over; otherwise why
    /// not. The event `ir.approval_invalid` holds the true reason. Where the store cannot be used, nothing is redeemed.
    pub async fn consume(&self, actor: &Actor, redemption: &Redemption) -> Result<Consumed, ApprovalError> {
        for _ in 0..ATTEMPTS {
            match self.attempt(actor, redemption).await? {
                Ok(Some(consumed)) => return Ok(consumed),
                Ok(None) => {}
                Err(refusal) => return Err(self.refuse(actor, redemption, *refusal).await?),
            }
        }
        Err(ApprovalError::Contended)
    }

    /// One attempt; `None` where another change came first.
    async fn attempt(
        &self,
        actor: &Actor,
        redemption: &Redemption,
    ) -> Result<Result<Option<Consumed>, Box<Refusal>>, ApprovalError> {
        let unknown = || Refusal {
            reason: "token_not_found",
            detail: String::new(),
            approval: None,
            answer: ApprovalError::NotRedeemable,
        };
        let Some(hash) = token::hash_of(&redemption.token) else { return Ok(Err(Box::new(unknown()))) };
        let found = self.store().approval_by_token(&hash).await?;
        let Some(approval) = found.filter(|approval| token::same(&approval.token_hash, &hash)) else {
            return Ok(Err(Box::new(unknown())));
        };
        let (now, epoch) = self.moment().await?;
        let target = self.target_of(&approval)?;
        let rules = Rules::now(&self.0.parts.holder, &approval.snapshot);
        let check = |step: &Step, params: &Attributes| rules.objection(step, params);
        let ask = Ask {
            tenant: &redemption.tenant,
            target_hash: &redemption.target_hash,
            step: redemption.step.as_ref().map(|(step_id, params)| StepCall { step_id, params }),
            key_hash: key_hash(&redemption.redemption_key),
            principal: actor.principal.clone(),
        };
        let transition = match redeem(&approval, target.plan(), &ask, &check, now, epoch) {
            Ok(Redeeming::New(transition)) => transition,
            Ok(Redeeming::Replayed(redeemed)) => return Ok(Ok(Some(self.consumed(approval, redeemed, true)))),
            Err(refused) => return Ok(Err(Box::new(refusal(refused, approval)))),
        };
        if let Some(refusal) = self.revalidate(&target, &approval, rules.live(), now) {
            return Ok(Err(Box::new(refusal)));
        }
        match self.commit(&approval, *transition).await {
            Ok(None) => Ok(Ok(None)),
            Ok(Some(after)) => {
                let last = after.progress.redemption.as_ref().and_then(|redemption| redemption.redeemed.last());
                let redeemed = last.cloned().ok_or_else(|| ApprovalError::Internal("nothing was redeemed".into()))?;
                Ok(Ok(Some(self.consumed(after, redeemed, false))))
            }
            Err(ApprovalError::Refused(refused)) => Ok(Err(Box::new(refusal(refused, approval)))),
            Err(error) => Err(error),
        }
    }

    /// What was approved must still be allowed, and still have the hash that was approved.
    fn revalidate(
        &self,
        target: &Target,
        approval: &Approval,
        snapshot: Option<&Snapshot>,
        now: Timestamp,
    ) -> Option<Refusal> {
        let answer = match target.still_allowed(snapshot, now, self.limits()) {
            Ok(hash) if hash == approval.target_hash => return None,
            Ok(_) => ApprovalError::NotRedeemable,
            Err(why) => ApprovalError::NotApprovable(why),
        };
        let reason =
            if matches!(answer, ApprovalError::NotRedeemable) { "ir_hash_mismatch" } else { "not_allowed_now" };
        Some(Refusal { reason, detail: answer.to_string(), approval: Some(Box::new(approval.clone())), answer })
    }

    fn consumed(&self, approval: Approval, redeemed: Redeemed, replayed: bool) -> Consumed {
        let grant = self.0.parts.issuer.as_ref().map(|issuer| grant(issuer, &approval, &redeemed));
        let mode = approval.progress.redemption.as_ref().map_or(RedemptionMode::Whole, |redemption| redemption.mode);
        Consumed { approval, mode, redeemed, grant: grant.unwrap_or_default(), replayed }
    }

    /// Records why nothing is redeemed, and gives what the caller may know of it.
    async fn refuse(
        &self,
        actor: &Actor,
        redemption: &Redemption,
        refusal: Refusal,
    ) -> Result<ApprovalError, ApprovalError> {
        let Refusal { reason, detail, approval, answer } = refusal;
        let (now, _) = self.moment().await?;
        let tenant = redemption.tenant.as_str();
        let mut event = OutboxEvent::new(EventType::IrApprovalInvalid, tenant, actor.principal.clone(), now);
        let approval = approval.as_deref();
        if let Some(own) = approval.filter(|approval| approval.tenant_id == tenant) {
            event.correlation_id = own.correlation_id.clone();
        }
        event.payload =
            payload::invalid(tenant, &redemption.target_hash, reason, &detail, &actor.principal, now, approval);
        self.0.parts.metrics.refused(reason);
        self.store().add_events(vec![event]).await?;
        Ok(answer)
    }
}

/// The reason of a refusal for the record, and what the caller is told.
fn refusal(refused: Refused, approval: Approval) -> Refusal {
    use crate::model::ApprovalStatus;
    let reason = match &refused {
        Refused::OtherTenant => "tenant_mismatch",
        Refused::OtherTarget => "ir_hash_mismatch",
        Refused::UsedUp => "already_consumed",
        Refused::Over { .. } => "expired",
        Refused::WrongState { status: ApprovalStatus::Expired, .. } => "expired",
        Refused::WrongState { status: ApprovalStatus::Rejected, .. } => "rejected",
        Refused::WrongState { status: ApprovalStatus::Cancelled, .. } => "cancelled",
        Refused::NotApproved { .. } => "not_approved",
        Refused::StepUsedUp { .. } => "step_already_consumed",
        Refused::OutOfOrder { .. } => "step_out_of_order",
        Refused::OtherArguments { .. } => "arguments_mismatch",
        Refused::UnknownStep { .. } | Refused::NoSteps => "unknown_step",
        Refused::OtherMode { .. } => "mode_mismatch",
        Refused::KeyUsed => "redemption_key_reused",
        _ => "not_redeemable",
    };
    let detail = refused.to_string();
    let uniform = matches!(
        refused,
        Refused::OtherTenant
            | Refused::OtherTarget
            | Refused::UsedUp
            | Refused::Over { .. }
            | Refused::WrongState { .. }
    );
    let answer = if uniform { ApprovalError::NotRedeemable } else { ApprovalError::Refused(refused) };
    Refusal { reason, detail, approval: Some(Box::new(approval)), answer }
}

/// What is kept of a redemption key.
fn key_hash(key: &str) -> Text {
    if key.is_empty() {
        return Text::default();
    }
    token::sha256(key.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect::<String>().into()
}
