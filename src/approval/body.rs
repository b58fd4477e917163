//! What a creation asks for, as a hash: the same key with another body is another request.
//!
//! It covers what the target's hash does not and what counts for the decision or is shown to approvers. Left out are
//! `request_id`, which a repeated call may choose anew, and whether an action's hash is wanted.

#[cfg(test)]
mod tests;

use serde::Serialize;

use super::token::sha256;
use crate::model::{Attributes, Ordering, Plan, Request, Sha256Digest, Step, Subject, Text, Value};

/// What is asked for beside the target's hash. Whatever order a client writes maps in, it is the same.
#[derive(Serialize)]
pub(super) struct Body<'a> {
    around: Around<'a>,
    run_id: &'a str,
    correlation_id: &'a str,
    snapshot: &'a str,
    subject: Whom<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<Said<'a>>,
    explain: bool,
}

/// What the request says around the target.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Around<'a> {
    pub(super) tenant: &'a str,
    pub(super) target_hash: &'a str,
    pub(super) requested_by: &'a str,
    pub(super) justification: &'a str,
    pub(super) ttl_seconds: Option<i64>,
    pub(super) webhook_endpoints: &'a [Text],
    pub(super) correlation_id: &'a str,
}

/// On whose behalf: a plan's hash does not cover it, and the policy rules read it.
#[derive(Serialize)]
struct Whom<'a> {
    kind: &'a str,
    id: &'a str,
    roles: &'a [Text],
    properties: &'a Attributes,
    on_behalf_of: &'a str,
}

impl<'a> Whom<'a> {
    fn of(subject: &'a Subject) -> Self {
        let Subject { kind, id, roles, properties, on_behalf_of } = subject;
        Self { kind, id, roles, properties, on_behalf_of }
    }
}

/// What a plan says that its hash does not cover.
#[derive(Serialize)]
struct Said<'a> {
    intent_summary: &'a str,
    user_messages: &'a [Text],
    observations: Vec<(&'a Text, &'a Value)>,
    labels: Vec<(&'a Text, &'a Text)>,
    audience: &'a str,
    /// The arguments of each step with the previews at bound paths, which are shown and not hashed.
    params: Vec<&'a Attributes>,
}

impl<'a> Body<'a> {
    /// The request for the approval of `plan`.
    pub(super) fn of_plan(around: Around<'a>, plan: &'a Plan) -> Self {
        // Each member by name: whoever adds one decides here whether it counts.
        let Plan {
            request_id: _,
            tenant_id: _,
            subject,
            ordering,
            steps,
            intent_summary,
            user_messages,
            observations,
            labels,
            run_id,
            correlation_id,
            snapshot,
            audience,
        } = plan;
        let mut labels: Vec<_> = labels.iter().map(|(key, value)| (key, value)).collect();
        labels.sort_unstable();
        let mut steps: Vec<&Step> = steps.iter().collect();
        if *ordering == Ordering::Dag {
            steps.sort_by(|one, other| one.step_id.cmp(&other.step_id));
        }
        let said = Said {
            intent_summary,
            user_messages,
            observations: observations.iter().map(|seen| (&seen.step_id, &seen.output)).collect(),
            labels,
            audience,
            params: steps.into_iter().map(|step| &step.params).collect(),
        };
        let subject = Whom::of(subject);
        Self { around, run_id, correlation_id, snapshot, subject, plan: Some(said), explain: false }
    }

    /// The request for the approval of an action, whose hash covers subject, action, resource and context.
    pub(super) fn of_action(around: Around<'a>, request: &'a Request) -> Self {
        let Request {
            request_id: _,
            tenant_id: _,
            subject,
            action: _,
            resource: _,
            context: _,
            run_id,
            correlation_id,
            snapshot,
            explain,
            want_action_hash: _,
        } = request;
        let subject = Whom::of(subject);
        Self { around, run_id, correlation_id, snapshot, subject, plan: None, explain: *explain }
    }

    /// Its SHA-256, over the RFC 8785 form.
    pub(super) fn hash(&self) -> Sha256Digest {
        // Texts and finite numbers only, all of which have a canonical form.
        sha256(&serde_json_canonicalizer::to_vec(self).unwrap_or_default())
    }
}
