//! What callers may administer: decided by the engine, over documents that only the operator of the server names.

use super::{Caller, Denied, DeniedReason};
use crate::decide;
use crate::model::{
    Action, Attributes, Layer, Limits, Request, Resource, Subject, Text, Timestamp, Value, default_tenant,
};
use crate::policy::{self, DocumentSet, SourceText};
use crate::snapshot::Snapshot;

/// The documents that hold unless others replace them.
const EMBEDDED: &str = include_str!("../../policies/system/administration.yaml");

/// Decides over actions `lictor.*`.
#[derive(Debug)]
pub struct Administration {
    snapshot: Snapshot,
    limits: Limits,
}

/// The documents that come with the program have errors, which a test rules out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system policies that come with the program have errors; name others with `--system-policies`")]
pub struct EmbeddedRefused;

impl Administration {
    /// Over the documents that come with the program.
    ///
    /// # Errors
    /// They have errors, which a test rules out.
    pub fn embedded() -> Result<Self, EmbeddedRefused> {
        let name = "policies/system/administration.yaml".into();
        let loaded = policy::load(&[SourceText { name, layer: Layer::System, text: EMBEDDED.into() }]);
        if loaded.findings.has_errors() { Err(EmbeddedRefused) } else { Ok(Self::over(&loaded.documents)) }
    }

    /// Over `documents`, which replace those that come with the program. They belong to the system layer.
    #[must_use]
    pub fn over(documents: &DocumentSet) -> Self {
        Self { snapshot: Snapshot::build(documents, 0), limits: Limits::default() }
    }

    /// Whether `caller` may do `action` (`lictor.approval.approve`, …) to `resource` in `tenant`.
    ///
    /// # Errors
    /// It may not act in the tenant, or the documents do not allow it.
    pub fn decide(
        &self,
        caller: &Caller,
        action: &str,
        resource: &Resource,
        tenant: &str,
        now: Timestamp,
    ) -> Result<(), Denied> {
        let named = if tenant.is_empty() { default_tenant() } else { tenant };
        if !caller.may_act_in(named) {
            let message = format!(
                "the caller `{}` may not act in the tenant `{named}`; an operator can add it to `tenants` of this \
                 principal in `identity.principals` of lictor.yaml",
                caller.principal
            );
            return Err(Denied { reason: DeniedReason::TenantNotAllowed, field: "tenant_id".into(), message });
        }
        self.grants(caller, action, resource, tenant, now)
    }

    /// Whether the documents grant `action`, whatever tenants the caller may act in.
    ///
    /// # Errors
    /// They do not.
    pub fn grants(
        &self,
        caller: &Caller,
        action: &str,
        resource: &Resource,
        tenant: &str,
        now: Timestamp,
    ) -> Result<(), Denied> {
        let request = Request {
            tenant_id: tenant.into(),
            subject: subject(caller),
            action: Action { name: action.into(), properties: Attributes::default() },
            resource: resource.clone(),
            ..Request::default()
        };
        let decision = decide::evaluate(Some(&self.snapshot), &request, now, &self.limits);
        if decision.allowed() { Ok(()) } else { Err(denied(caller, action, decision.reason())) }
    }
}

/// The caller as the documents see it. Every property is always there, so that no condition fails.
fn subject(caller: &Caller) -> Subject {
    let tenants = caller.tenants.iter().map(|tenant| Value::String(tenant.into())).collect();
    let properties = [
        ("kind", Value::String(caller.kind.as_str().into())),
        ("level", Value::Number(caller.level.unwrap_or(0).into())),
        ("tenants", Value::List(tenants)),
        ("asserted", Value::Bool(caller.is_asserted())),
    ];
    let entries = properties.map(|(key, value)| (Text::const_new(key), value)).to_vec();
    Subject {
        kind: Text::const_new("principal"),
        id: caller.principal.clone(),
        roles: caller.roles.clone(),
        // The keys differ.
        properties: Attributes::from_entries(entries).unwrap_or_default(),
        on_behalf_of: Text::default(),
    }
}

fn denied(caller: &Caller, action: &str, why: &str) -> Denied {
    let principal = &caller.principal;
    let in_question = action.strip_prefix("lictor.decision.");
    let (reason, remedy) = match in_question {
        Some(_) => (DeniedReason::RightMissing, "ask without it, or have an operator grant it"),
        None => (DeniedReason::AdministrationDenied, "an operator can grant it"),
    };
    let message = format!(
        "the caller `{principal}` may not do `{action}`: {why}; {remedy} by `roles` and `level` of this principal in \
         `identity.principals` of lictor.yaml, or by other `--system-policies`"
    );
    let field = match in_question {
        Some("pin") => "snapshot",
        Some("explain") => "explain",
        _ => "",
    };
    Denied { reason, field: field.into(), message }
}
