//! Why a caller may not do what it asks.

/// What is missing, in the words of `google.rpc.ErrorInfo`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeniedReason {
    /// The caller may not speak of this tenant, or act in it.
    TenantNotAllowed,
    /// The caller may not speak for this subject.
    SubjectNotAllowed,
    /// The caller may not assert this role.
    RoleNotAllowed,
    /// The caller may not assert on whose behalf the subject acts.
    OnBehalfOfNotAllowed,
    /// The system policies do not allow this administration.
    AdministrationDenied,
    /// The system policies do not grant this right in questions.
    RightMissing,
}

impl DeniedReason {
    /// In UPPER_SNAKE_CASE.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TenantNotAllowed => "TENANT_NOT_ALLOWED",
            Self::SubjectNotAllowed => "SUBJECT_NOT_ALLOWED",
            Self::RoleNotAllowed => "ROLE_NOT_ALLOWED",
            Self::OnBehalfOfNotAllowed => "ON_BEHALF_OF_NOT_ALLOWED",
            Self::AdministrationDenied => "ADMINISTRATION_DENIED",
            Self::RightMissing => "RIGHT_MISSING",
        }
    }
}

/// A caller may not do what it asks. The message names what was asked and the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Denied {
    /// What is missing.
    pub reason: DeniedReason,
    /// Path of the field that is too much, for example `subject.roles[1]`; empty where it is no field.
    pub field: String,
    /// For people.
    pub message: String,
}
