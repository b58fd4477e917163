//! Creating.

use super::{Actor, Approvals};
use crate::approval::assess::{Assessed, Assessment};
use crate::approval::body::Around;
use crate::approval::error::ApprovalError;
use crate::approval::machine::{self, Happening, first_row};
use crate::approval::people::known_as;
use crate::approval::target::Target;
use crate::approval::token::{Token, sha256};
use crate::model::{
    Approval, ApprovalStatus, Escalation, Progress, Settled, Sha256Digest, Text, Timestamp, default_tenant, new_id,
};
use crate::store::{Created, NewApproval};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Creation {
    /// Makes it repeatable.
    pub idempotency_key: Text,
    /// Tenant; empty means the target's.
    pub tenant: Text,
    /// What is to be approved.
    pub target: Target,
    /// Who asks, as the caller says.
    pub requested_by: Text,
    /// Why, as the caller says.
    pub justification: String,
    /// How long it shall be valid, in seconds.
    pub ttl_seconds: Option<i64>,
    /// Endpoints to tell, beside the policy's.
    pub webhook_endpoints: Vec<Text>,
    /// Correlates records; empty means the target's.
    pub correlation_id: Text,
}

/// An approval and the token that redeems it.
#[derive(Debug)]
pub struct Newly {
    /// The approval.
    pub approval: Approval,
    /// The token. It is nowhere else.
    pub token: Token,
}

impl Approvals {
    /// Asks for an approval; asking again with the same key gives the same one and a new token.
    ///
    /// # Errors
    /// The target cannot be approved, the request is out of bounds, the key was used for something else, or the store cannot
    /// be used.
    pub async fn create(&self, actor: &Actor, mut creation: Creation) -> Result<Newly, ApprovalError> {
        let tenant = settle_tenant(&mut creation)?;
        let snapshot = self.snapshot();
        let pin = creation.target.pin();
        if !pin.is_empty() && snapshot.as_ref().is_none_or(|snapshot| snapshot.digest() != pin) {
            return Err(ApprovalError::Pinned);
        }
        let (now, epoch) = self.moment().await?;
        let assessed = creation.target.assess(snapshot.as_deref(), now, self.limits());
        let (assessment, assessed) = assessed.map_err(ApprovalError::NotApprovable)?;
        let ttl = ttl(&assessment, creation.ttl_seconds)?;
        for (index, name) in creation.webhook_endpoints.iter().enumerate() {
            let endpoint = snapshot.as_ref().and_then(|snapshot| snapshot.endpoints().get(name));
            if !endpoint.is_some_and(|endpoint| endpoint.serves(&tenant)) {
                return Err(ApprovalError::UnknownEndpoint { index, name: name.clone() });
            }
        }
        let token = Token::generate().map_err(|error| ApprovalError::Internal(error.to_string()))?;
        let body_hash = creation.target.body_hash(Around {
            tenant: &tenant,
            target_hash: &assessment.hash,
            requested_by: &creation.requested_by,
            justification: &creation.justification,
            ttl_seconds: creation.ttl_seconds,
            webhook_endpoints: &creation.webhook_endpoints,
            correlation_id: &creation.correlation_id,
        });
        let (most, most_of_tenant) = (assessment.rule.pending_per_creator, assessment.rule.pending_per_tenant);
        let approval = self.draft(actor, &creation, tenant, assessment, &assessed, ttl, now);
        let mut approval = Approval { token_hash: token.hash(), body_hash, epoch, ..approval };
        let (happening, reason) = match approval.status {
            ApprovalStatus::AutoApproved => (Happening::AutoApproved, approval.progress.resolution.clone()),
            _ => (Happening::Created, "created".to_owned()),
        };
        loop {
            let history = first_row(&approval, reason.clone());
            let (events, deliveries) = self.tell(happening, &approval, &history);
            let new = NewApproval {
                approval: approval.clone(),
                max_open: most,
                max_open_of_tenant: most_of_tenant,
                history,
                events,
                deliveries,
            };
            match self.store().create_approval(new).await? {
                Created::New => {
                    self.0.parts.metrics.happened(happening.name());
                    self.nudge();
                    return Ok(Newly { approval, token });
                }
                Created::Existing(existing) => return self.again(*existing, &body_hash, token).await,
                Created::TooManyOpen { open, of_tenant } => {
                    let (whose, most) = if of_tenant { ("tenant", most_of_tenant) } else { ("creator", most) };
                    return Err(ApprovalError::TooManyOpen { open, whose, most });
                }
                Created::OtherEpoch { epoch } => approval.epoch = epoch,
            }
        }
    }

    /// The approval that the same key gave before, with a new token.
    async fn again(&self, existing: Approval, body_hash: &Sha256Digest, token: Token) -> Result<Newly, ApprovalError> {
        if existing.body_hash != *body_hash {
            return Err(ApprovalError::KeyReused);
        }
        let change = self.change(&existing.tenant_id, &existing.id, |approval, now, epoch| {
            machine::reissue(approval, token.hash(), now, epoch).map_err(|_| ApprovalError::KeyUsedUp)
        });
        Ok(Newly { approval: change.await?, token })
    }

    /// The approval as it will be stored, but for token, body and epoch.
    #[allow(clippy::too_many_arguments, reason = "each is another source of its members")]
    fn draft(
        &self,
        actor: &Actor,
        creation: &Creation,
        tenant: Text,
        assessment: Assessment,
        assessed: &Assessed<'_>,
        ttl: u32,
        now: Timestamp,
    ) -> Approval {
        let open = !assessment.stages.is_empty();
        let expires_at = machine::later(now, ttl);
        let escalation = assessment.rule.escalation.filter(|_| open);
        let mut webhooks = assessment.rule.webhooks;
        for name in &creation.webhook_endpoints {
            if !webhooks.contains(name) {
                webhooks.push(name.clone());
            }
        }
        let correlation_id = if creation.correlation_id.is_empty() {
            assessment.correlation_id
        } else {
            creation.correlation_id.clone()
        };
        let id: Text = new_id(now).hyphenated().to_string().into();
        Approval {
            tenant_id: tenant,
            version: 1,
            status: if open { ApprovalStatus::Pending } else { ApprovalStatus::AutoApproved },
            target_kind: assessment.kind,
            target_hash: assessment.hash,
            target: self.0.parts.codec.encode(&creation.target),
            view: self.0.parts.codec.view(assessed),
            tier: assessment.tier,
            required_level: assessment.required_level,
            snapshot: assessment.snapshot,
            policy: assessment.rule.documents.join(",").into(),
            requested_by: creation.requested_by.clone(),
            on_behalf_of: assessment.on_behalf_of.clone(),
            created_by: actor.principal.clone(),
            justification: creation.justification.clone(),
            cost_cents: assessment.cost_cents,
            correlation_id: if correlation_id.is_empty() { id.clone() } else { correlation_id },
            created_at: now,
            updated_at: now,
            escalates_at: escalation.map(|rule| machine::later(now, rule.after_seconds).min(expires_at)),
            expires_at,
            resolved_at: (!open).then_some(now),
            consumed_at: None,
            token_hash: [0; 32],
            key_hash: sha256(creation.idempotency_key.as_bytes()),
            body_hash: [0; 32],
            epoch: 0,
            webhook_endpoints: creation.webhook_endpoints.clone(),
            progress: Progress {
                settled: Settled {
                    known_as: known_as(
                        &*self.0.parts.people,
                        [&creation.requested_by, &assessment.on_behalf_of, &assessment.subject_id],
                    ),
                    subject_id: assessment.subject_id,
                    run_id: assessment.run_id,
                    actions: assessment.actions,
                    policies: assessment.rule.documents,
                    webhooks,
                    steps: assessment.steps,
                    escalation: escalation
                        .map(|rule| Escalation { after_seconds: rule.after_seconds, level: rule.level }),
                },
                stages: assessment.stages,
                resolved_by: if open { Text::default() } else { Text::const_new("system") },
                resolution: if open { String::new() } else { assessment.why },
                ..Progress::default()
            },
            id,
        }
    }
}

/// The tenant of request and target, which must agree; the target names it afterwards.
fn settle_tenant(creation: &mut Creation) -> Result<Text, ApprovalError> {
    let named = creation.target.named_tenant();
    let tenant = match (creation.tenant.as_str(), named.as_str()) {
        ("", "") => Text::const_new(default_tenant()),
        ("", target) => target.into(),
        (request, "") => request.into(),
        (request, target) if request == target => request.into(),
        (request, target) => {
            return Err(ApprovalError::TenantsDiffer { target: target.into(), request: request.into() });
        }
    };
    creation.target.set_tenant(&tenant);
    Ok(tenant)
}

fn ttl(assessment: &Assessment, asked: Option<i64>) -> Result<u32, ApprovalError> {
    let bounds = assessment.rule.ttl;
    let Some(asked) = asked else { return Ok(bounds.default_seconds) };
    let fitting = u32::try_from(asked).ok().filter(|asked| (bounds.min_seconds..=bounds.max_seconds).contains(asked));
    fitting.ok_or(ApprovalError::Ttl { asked, min: bounds.min_seconds, max: bounds.max_seconds })
}
