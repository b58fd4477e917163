//! What callers may administer: decided by the engine, over documents that only the operator of the server names.

use super::{Caller, CallerKind, Denied, DeniedReason};
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
    let Caller { principal, kind, .. } = caller;
    let in_question = action.strip_prefix("lictor.decision.");
    let reason = match in_question {
        Some(_) => DeniedReason::RightMissing,
        None => DeniedReason::AdministrationDenied,
    };
    let ask = if in_question.is_some() { "ask without it, or " } else { "" };
    let remedy = match kind {
        // Such a server believes what it is told.
        CallerKind::Dev => {
            "say another level or roles (`x-lictor-level`, `x-lictor-roles`; `--dev-level`, `--dev-roles`)"
        }
        CallerKind::Anonymous | CallerKind::UnixPeer => {
            "call with a certificate or a token that has the right `roles` and `level` (`identity.principals` of \
             lictor.yaml), or have an operator let other `--system-policies` grant it"
        }
        CallerKind::MutualTls | CallerKind::Jwt => {
            "have an operator grant it by `roles` and `level` of this principal in `identity.principals` of lictor.yaml, \
             or by other `--system-policies`"
        }
    };
    let message = format!("the caller `{principal}` may not do `{action}`: {why}; {ask}{remedy}");
    let field = match in_question {
        Some("pin") => "snapshot",
        Some("explain") => "explain",
        _ => "",
    };
    Denied { reason, field: field.into(), message }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{MayAssert, Names};

    fn caller(kind: CallerKind, roles: &[&str], level: Option<u8>) -> Caller {
        let tenants = Names::exactly(["default".into()]);
        Caller {
            principal: "somebody".into(),
            kind,
            roles: roles.iter().map(|role| Text::from(*role)).collect(),
            level,
            may_assert: MayAssert::anything_in(tenants.clone()),
            tenants,
            valid_until: None,
        }
    }

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    #[test]
    fn the_embedded_documents_decide_as_the_manual_says() {
        let administration = Administration::embedded().unwrap();
        let local = caller(CallerKind::UnixPeer, &[], None);
        let local_admin = caller(CallerKind::UnixPeer, &["admin"], Some(5));
        let nobody = caller(CallerKind::Anonymous, &[], None);
        let runtime = caller(CallerKind::MutualTls, &[], None);
        let approver = caller(CallerKind::Jwt, &[], Some(2));
        let admin = caller(CallerKind::Jwt, &["admin"], None);
        let owner = caller(CallerKind::Dev, &["owner"], Some(5));
        let operator = caller(CallerKind::MutualTls, &["operator"], None);
        let auditor = caller(CallerKind::MutualTls, &["auditor"], None);
        let all = [&local, &local_admin, &nobody, &runtime, &approver, &admin, &owner, &operator, &auditor];
        for (action, allowed) in [
            ("lictor.decision.explain", [true; 9]),
            ("lictor.decision.pin", [true, true, false, false, false, true, true, true, true]),
            ("lictor.decision.simulate", [true, true, false, false, false, true, true, true, true]),
            ("lictor.approval.create", [true, true, false, true, true, true, true, true, true]),
            ("lictor.approval.consume", [true, true, false, true, true, true, true, true, true]),
            ("lictor.approval.approve", [false, false, false, false, true, false, true, false, false]),
            ("lictor.approval.reject", [false, false, false, false, true, false, true, false, false]),
            ("lictor.approval.export", [false, true, false, false, false, true, true, true, true]),
            ("lictor.approval.redeliver", [false, true, false, false, false, true, true, true, false]),
            ("lictor.policy.create", [false, true, false, false, false, true, true, false, false]),
            ("lictor.event.subscribe", [false, true, false, false, false, true, true, true, true]),
        ] {
            for (caller, allowed) in all.iter().zip(allowed) {
                let outcome = administration.decide(caller, action, &Resource::default(), "", NOW);
                assert_eq!(outcome.is_ok(), allowed, "{action} by {caller:?}");
                if let Err(denied) = outcome {
                    let remedy = if caller.kind == CallerKind::Dev { "--dev-roles" } else { "identity.principals" };
                    assert!(denied.message.contains(action) && denied.message.contains(remedy));
                }
            }
        }
    }

    #[test]
    fn nobody_administers_another_tenant() {
        let administration = Administration::embedded().unwrap();
        let owner = caller(CallerKind::Jwt, &["owner"], Some(5));
        let decide = |tenant| administration.decide(&owner, "lictor.approval.get", &Resource::default(), tenant, NOW);
        assert!(decide("").is_ok() && decide("default").is_ok());
        assert_eq!(decide("acme").unwrap_err().reason, DeniedReason::TenantNotAllowed);
    }

    #[test]
    fn other_documents_replace_the_embedded_ones() {
        let text = "{apiVersion: lictor.dev/v1, kind: Policy, metadata: {name: mine}, spec: {rules: [
            {name: a, effect: allow, actions: [lictor.approval.get], subjects: {types: [principal], ids: [somebody]},
             when: 'subject.properties.level == 3 && \"default\" in subject.properties.tenants && !subject.properties.asserted'}]}}";
        let loaded = policy::load(&[SourceText { name: "mine".into(), layer: Layer::System, text: text.into() }]);
        assert!(!loaded.findings.has_errors(), "{:?}", loaded.findings);
        let administration = Administration::over(&loaded.documents);
        let get = |caller: &Caller| administration.decide(caller, "lictor.approval.get", &Resource::default(), "", NOW);
        assert!(get(&caller(CallerKind::Jwt, &[], Some(3))).is_ok());
        assert!(get(&caller(CallerKind::Jwt, &["admin"], Some(4))).is_err());
        assert!(get(&caller(CallerKind::Dev, &[], Some(3))).is_err());
    }
}
