//! What is to be approved, and the encoding in which it is kept.

use super::assess::{Assessed, Assessment, NotApprovable, assess_action, assess_plan};
use super::body::{Around, Body};
use crate::model::{Limits, Plan, Request, Sha256Digest, TargetKind, Text, Timestamp};
use crate::snapshot::Snapshot;

/// Something that waits for approval.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// A plan.
    Plan(Box<Plan>),
    /// A single action.
    Action(Box<Request>),
}

/// Translates targets and views to and from the bytes that are kept. The room `api` has one.
pub trait Codec: std::fmt::Debug + Send + Sync {
    /// The bytes of a target.
    fn encode(&self, target: &Target) -> Vec<u8>;

    /// The target of these bytes; `None` if they are none.
    fn decode(&self, kind: TargetKind, bytes: &[u8], limits: &Limits) -> Option<Target>;

    /// What approvers see of a target and of the answer that was given to it.
    fn view(&self, assessed: &Assessed<'_>) -> Vec<u8>;
}

impl Target {
    /// The tenant that it names, empty if it names none.
    pub(super) fn named_tenant(&self) -> &Text {
        match self {
            Self::Plan(plan) => &plan.tenant_id,
            Self::Action(request) => &request.tenant_id,
        }
    }

    /// Makes it one of `tenant`.
    pub(super) fn set_tenant(&mut self, tenant: &Text) {
        match self {
            Self::Plan(plan) => plan.tenant_id = tenant.clone(),
            Self::Action(request) => request.tenant_id = tenant.clone(),
        }
    }

    /// The snapshot that it pins, empty for the live one.
    pub(super) fn pin(&self) -> &str {
        match self {
            Self::Plan(plan) => &plan.snapshot,
            Self::Action(request) => &request.snapshot,
        }
    }

    /// The plan, if it is one.
    pub(super) fn plan(&self) -> Option<&Plan> {
        match self {
            Self::Plan(plan) => Some(plan),
            Self::Action(_) => None,
        }
    }

    /// What it is and needs.
    pub(super) fn assess(
        &self,
        snapshot: Option<&Snapshot>,
        now: Timestamp,
        limits: &Limits,
    ) -> Result<(Assessment, Assessed<'_>), NotApprovable> {
        match self {
            Self::Plan(plan) => assess_plan(snapshot, plan, now, limits),
            Self::Action(request) => assess_action(snapshot, request, now, limits),
        }
    }

    /// Whether it must not run any more, under the snapshot that is live now. What needs approval, or no longer does, may.
    pub(super) fn still_allowed(
        &self,
        snapshot: Option<&Snapshot>,
        now: Timestamp,
        limits: &Limits,
    ) -> Result<Text, NotApprovable> {
        let hash = match (self.assess(snapshot, now, limits), self) {
            (Ok((assessment, _)), _) => assessment.hash,
            (Err(NotApprovable::NotNeeded), Self::Action(request)) => crate::decide::action_hash(request),
            (Err(why), _) => return Err(why),
        };
        Ok(hash)
    }

    /// The hash of what is asked for with it.
    pub(super) fn body_hash(&self, around: Around<'_>) -> Sha256Digest {
        match self {
            Self::Plan(plan) => Body::of_plan(around, plan).hash(),
            Self::Action(request) => Body::of_action(around, request).hash(),
        }
    }
}
