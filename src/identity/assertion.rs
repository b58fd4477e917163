//! What a caller may assert in a question: tenant, subject, roles, and on whose behalf the subject acts.

use super::{Caller, Denied, DeniedReason, Names};
use crate::model::{Subject, default_tenant};

/// Whom and what a caller may speak of in questions.
#[derive(Debug, Clone, PartialEq)]
pub struct MayAssert {
    /// Tenants; most callers have one, which is compared first.
    pub tenants: Names,
    /// Ids of subjects.
    pub subjects: Assertable,
    /// Roles of subjects.
    pub roles: Assertable,
    /// Whom a subject may act for.
    pub on_behalf_of: Assertable,
}

/// Names that may be asserted.
#[derive(Debug, Clone, PartialEq)]
pub enum Assertable {
    /// Any.
    Any,
    /// These.
    Only(Names),
}

impl Assertable {
    /// The names as what may be asserted.
    #[must_use]
    pub fn of(names: Names) -> Self {
        if names.is_any() { Self::Any } else { Self::Only(names) }
    }

    #[inline]
    fn allows(&self, name: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Only(names) => names.contains(name),
        }
    }

    fn described(&self) -> String {
        let Self::Only(names) = self else { return "any".into() };
        let names: Vec<_> = names.iter().take(8).map(|name| format!("`{name}`")).collect();
        if names.is_empty() { "none".into() } else { names.join(", ") }
    }
}

impl MayAssert {
    /// Anything within `tenants`.
    #[must_use]
    pub fn anything_in(tenants: Names) -> Self {
        Self { tenants, subjects: Assertable::Any, roles: Assertable::Any, on_behalf_of: Assertable::Any }
    }
}

impl Caller {
    /// Whether this caller may put a question about `subject` in `tenant`, which is empty for the default one.
    ///
    /// # Errors
    /// The first thing that it may not assert, with the field and the remedy.
    #[inline]
    pub fn may_ask(&self, tenant: &str, subject: &Subject) -> Result<(), Denied> {
        let may = &self.may_assert;
        let allowed = may.tenants.contains_tenant(tenant)
            && may.subjects.allows(&subject.id)
            && (matches!(may.roles, Assertable::Any) || subject.roles.iter().all(|role| may.roles.allows(role)))
            && (subject.on_behalf_of.is_empty() || may.on_behalf_of.allows(&subject.on_behalf_of));
        if allowed { Ok(()) } else { Err(self.denied_assertion(tenant, subject)) }
    }

    /// Whether this caller may put a question that is about no subject in `tenant`, which is empty for the default one.
    ///
    /// # Errors
    /// It may not speak of the tenant.
    pub fn may_ask_in(&self, tenant: &str) -> Result<(), Denied> {
        if self.may_assert.tenants.contains_tenant(tenant) {
            return Ok(());
        }
        Err(self.denied_assertion(tenant, &Subject::default()))
    }

    /// Says what of it is too much.
    #[cold]
    fn denied_assertion(&self, tenant: &str, subject: &Subject) -> Denied {
        let may = &self.may_assert;
        let tenant = if tenant.is_empty() { default_tenant() } else { tenant };
        if !may.tenants.contains(tenant) {
            let allowed = Assertable::Only(may.tenants.clone()).described();
            return self.too_much(DeniedReason::TenantNotAllowed, "tenant_id", "tenants", tenant, &allowed);
        }
        if !may.subjects.allows(&subject.id) {
            let allowed = may.subjects.described();
            return self.too_much(DeniedReason::SubjectNotAllowed, "subject.id", "subjects", &subject.id, &allowed);
        }
        for (index, role) in subject.roles.iter().enumerate() {
            if !may.roles.allows(role) {
                let field = format!("subject.roles[{index}]");
                return self.too_much(DeniedReason::RoleNotAllowed, &field, "roles", role, &may.roles.described());
            }
        }
        let (field, allowed) = ("subject.on_behalf_of", may.on_behalf_of.described());
        let reason = DeniedReason::OnBehalfOfNotAllowed;
        self.too_much(reason, field, "onBehalfOf", &subject.on_behalf_of, &allowed)
    }

    fn too_much(&self, reason: DeniedReason, field: &str, list: &str, value: &str, allowed: &str) -> Denied {
        let message = format!(
            "`{field}`: the caller `{}` may not assert `{value}` (allowed: {allowed}); an operator can add it to \
             `mayAssert.{list}` of this principal in `identity.principals` of lictor.yaml",
            self.principal
        );
        Denied { reason, field: field.to_owned(), message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::CallerKind;
    use crate::model::Text;
    use crate::policy::Pattern;

    fn names(patterns: &[&str]) -> Names {
        let patterns: Vec<_> = patterns.iter().map(|text| Pattern::parse(text).unwrap()).collect();
        Names::matching(&patterns)
    }

    fn caller(may_assert: MayAssert) -> Caller {
        Caller {
            principal: "cn:runtime".into(),
            kind: CallerKind::MutualTls,
            roles: Vec::new(),
            level: None,
            tenants: may_assert.tenants.clone(),
            may_assert,
            valid_until: None,
        }
    }

    #[test]
    fn a_question_is_held_to_what_its_caller_may_assert() {
        let runtime = caller(MayAssert {
            tenants: names(&["default", "acme"]),
            subjects: Assertable::Only(names(&["agent-*"])),
            roles: Assertable::Only(names(&["guest", "support.*"])),
            on_behalf_of: Assertable::Only(names(&["user:*"])),
        });
        let local = caller(MayAssert::anything_in(names(&["default"])));
        use DeniedReason::{OnBehalfOfNotAllowed, RoleNotAllowed, SubjectNotAllowed, TenantNotAllowed};
        type Case<'a> = (&'a Caller, &'a str, &'a str, &'a [&'a str], &'a str, Option<(DeniedReason, &'a str)>);
        let cases: [Case<'_>; 13] = [
            (&runtime, "", "agent-1", &[], "", None),
            (&runtime, "default", "agent-1", &["guest"], "", None),
            (&runtime, "acme", "agent-1", &["guest", "support.eu"], "user:7", None),
            (&runtime, "other", "agent-1", &[], "", Some((TenantNotAllowed, "tenant_id"))),
            (&runtime, "", "person", &[], "", Some((SubjectNotAllowed, "subject.id"))),
            (&runtime, "", "", &[], "", Some((SubjectNotAllowed, "subject.id"))),
            (&runtime, "", "agent-1", &["guest", "admin"], "", Some((RoleNotAllowed, "subject.roles[1]"))),
            (&runtime, "", "agent-1", &[], "root", Some((OnBehalfOfNotAllowed, "subject.on_behalf_of"))),
            (&runtime, "other", "person", &["admin"], "root", Some((TenantNotAllowed, "tenant_id"))),
            (&local, "", "anyone", &["admin"], "anybody", None),
            (&local, "default", "anyone", &["admin"], "anybody", None),
            (&local, "acme", "anyone", &[], "", Some((TenantNotAllowed, "tenant_id"))),
            (&local, "Default", "anyone", &[], "", Some((TenantNotAllowed, "tenant_id"))),
        ];
        for (caller, tenant, id, roles, on_behalf_of, expected) in cases {
            let subject = Subject {
                id: id.into(),
                roles: roles.iter().map(|role| Text::from(*role)).collect(),
                on_behalf_of: on_behalf_of.into(),
                ..Subject::default()
            };
            let outcome = caller.may_ask(tenant, &subject);
            let found = outcome.as_ref().err().map(|denied| (denied.reason, denied.field.as_str()));
            assert_eq!(found, expected, "{tenant} {id} {roles:?} {on_behalf_of}");
            if let Err(denied) = outcome {
                assert!(denied.message.contains(&denied.field) && denied.message.contains("identity.principals"));
            }
        }
    }
}
