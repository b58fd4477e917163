//! The parts of a request that patterns are about.

use crate::model::Request;
use crate::policy::Pattern;

/// A part of the request that patterns are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dimension {
    /// The action's name.
    Action,
    /// The resource's id.
    ResourceId,
    /// The subject's id.
    SubjectId,
    /// One of the subject's roles.
    Role,
    /// The resource's type.
    ResourceType,
    /// The subject's type.
    SubjectType,
    /// The tenant.
    Tenant,
}

impl Dimension {
    /// All dimensions.
    pub const ALL: [Self; 7] = [
        Self::Action,
        Self::ResourceId,
        Self::SubjectId,
        Self::Role,
        Self::ResourceType,
        Self::SubjectType,
        Self::Tenant,
    ];

    /// The field of a document that holds the patterns.
    pub const fn field(self) -> &'static str {
        match self {
            Self::Action => "actions",
            Self::ResourceId => "resources.ids",
            Self::SubjectId => "subjects.ids",
            Self::Role => "subjects.roles",
            Self::ResourceType => "resources.types",
            Self::SubjectType => "subjects.types",
            Self::Tenant => "tenants",
        }
    }

    /// Calls `use_id` with each id that `request` has in this dimension.
    #[inline]
    pub fn ids<'a>(self, request: &'a Request, mut use_id: impl FnMut(&'a str)) {
        match self.id(request) {
            Some(id) => use_id(id),
            None => request.subject.roles.iter().for_each(|role| use_id(role)),
        }
    }

    /// Whether an id of `request` in this dimension matches `pattern`. Adds to `work` what it took.
    #[inline]
    pub fn matches(self, request: &Request, pattern: &Pattern, work: &mut usize) -> bool {
        match self.id(request) {
            Some(id) => pattern.matches_counting(id, work),
            None => request.subject.roles.iter().any(|role| pattern.matches_counting(role, work)),
        }
    }

    /// The one id that `request` has in this dimension; `None` for roles, of which there may be several.
    #[inline]
    pub fn id(self, request: &Request) -> Option<&str> {
        Some(match self {
            Self::Action => &request.action.name,
            Self::ResourceId => &request.resource.id,
            Self::SubjectId => &request.subject.id,
            Self::ResourceType => &request.resource.kind,
            Self::SubjectType => &request.subject.kind,
            Self::Tenant => request.tenant(),
            Self::Role => return None,
        })
    }
}
