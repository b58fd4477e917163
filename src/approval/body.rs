//! What a creation asks for, as a hash: the same key with another body is another request.

use serde::Serialize;

use super::token::sha256;
use crate::model::{Plan, Request, Sha256Digest, Text};

/// What is asked for beside the target's hash. Whatever order a client writes maps in, it is the same.
#[derive(Serialize)]
pub(super) struct Body<'a> {
    tenant: &'a str,
    target_hash: &'a str,
    requested_by: &'a str,
    justification: &'a str,
    ttl_seconds: Option<i64>,
    webhook_endpoints: &'a [Text],
    correlation_id: &'a str,
    run_id: &'a str,
    subject: &'a str,
    on_behalf_of: &'a str,
    intent_summary: &'a str,
    user_messages: &'a [Text],
    labels: Vec<(&'a Text, &'a Text)>,
    observations: Vec<(&'a Text, &'a crate::model::Value)>,
}

/// What the request says around the target.
#[derive(Debug, Clone, Copy)]
pub(super) struct Around<'a> {
    pub(super) tenant: &'a str,
    pub(super) target_hash: &'a str,
    pub(super) requested_by: &'a str,
    pub(super) justification: &'a str,
    pub(super) ttl_seconds: Option<i64>,
    pub(super) webhook_endpoints: &'a [Text],
    pub(super) correlation_id: &'a str,
}

impl<'a> Body<'a> {
    fn new(around: Around<'a>, run_id: &'a str, subject: &'a crate::model::Subject) -> Self {
        let Around { tenant, target_hash, requested_by, justification, ttl_seconds, webhook_endpoints, correlation_id } =
            around;
        Self {
            tenant,
            target_hash,
            requested_by,
            justification,
            ttl_seconds,
            webhook_endpoints,
            correlation_id,
            run_id,
            subject: &subject.id,
            on_behalf_of: &subject.on_behalf_of,
            intent_summary: "",
            user_messages: &[],
            labels: Vec::new(),
            observations: Vec::new(),
        }
    }

    /// The request for the approval of `plan`.
    pub(super) fn of_plan(around: Around<'a>, plan: &'a Plan) -> Self {
        let mut labels: Vec<_> = plan.labels.iter().map(|(key, value)| (key, value)).collect();
        labels.sort_unstable();
        Self {
            intent_summary: &plan.intent_summary,
            user_messages: &plan.user_messages,
            labels,
            observations: plan.observations.iter().map(|seen| (&seen.step_id, &seen.output)).collect(),
            ..Self::new(around, &plan.run_id, &plan.subject)
        }
    }

    /// The request for the approval of an action.
    pub(super) fn of_action(around: Around<'a>, request: &'a Request) -> Self {
        Self::new(around, &request.run_id, &request.subject)
    }

    /// Its SHA-256, over the RFC 8785 form.
    pub(super) fn hash(&self) -> Sha256Digest {
        // Texts and finite numbers only, all of which have a canonical form.
        sha256(&serde_json_canonicalizer::to_vec(self).unwrap_or_default())
    }
}
