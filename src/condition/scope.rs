//! The variables that a condition may read, in one table: names, fields, types, and the slots of the request that they
//! stand for.

use super::types::Ty;

/// What a variable or a field of one reads. Resolved at load, so that evaluation looks up no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Slot {
    SubjectType,
    SubjectId,
    SubjectRoles,
    SubjectProperties,
    OnBehalfOf,
    ActionName,
    ActionProperties,
    ResourceType,
    ResourceId,
    ResourceProperties,
    Context,
    Tenant,
    Now,
}

impl Slot {
    /// Its static type.
    pub(super) fn ty(self) -> Ty {
        match self {
            Self::SubjectProperties | Self::ActionProperties | Self::ResourceProperties | Self::Context => {
                Ty::map(Ty::String, Ty::Attribute)
            }
            Self::SubjectRoles => Ty::list(Ty::String),
            Self::Now => Ty::Timestamp,
            _ => Ty::String,
        }
    }

    /// Its path, as an author writes it.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::SubjectType => "subject.type",
            Self::SubjectId => "subject.id",
            Self::SubjectRoles => "subject.roles",
            Self::SubjectProperties => "subject.properties",
            Self::OnBehalfOf => "subject.on_behalf_of",
            Self::ActionName => "action.name",
            Self::ActionProperties => "action.properties",
            Self::ResourceType => "resource.type",
            Self::ResourceId => "resource.id",
            Self::ResourceProperties => "resource.properties",
            Self::Context => "context",
            Self::Tenant => "tenant",
            Self::Now => "now",
        }
    }
}

/// A variable.
#[derive(Debug)]
pub(super) struct Variable {
    pub(super) name: &'static str,
    pub(super) meaning: Meaning,
}

/// What a variable is.
#[derive(Debug)]
pub(super) enum Meaning {
    /// Something with fields, which is no value by itself.
    Entity(&'static [Field]),
    /// A value.
    Slot(Slot),
}

/// A field of an entity.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) slot: Slot,
}

/// The variables of one kind of condition.
#[derive(Debug)]
pub(super) struct Scope {
    pub(super) variables: &'static [Variable],
    /// Names that people bring from elsewhere, and what they are here.
    pub(super) hints: &'static [(&'static str, &'static str)],
}

const fn field(name: &'static str, slot: Slot) -> Field {
    Field { name, slot }
}

/// What a rule of a policy reads.
pub(super) static DECISION: Scope = Scope {
    variables: &[
        Variable {
            name: "subject",
            meaning: Meaning::Entity(&[
                field("type", Slot::SubjectType),
                field("id", Slot::SubjectId),
                field("roles", Slot::SubjectRoles),
                field("properties", Slot::SubjectProperties),
                field("on_behalf_of", Slot::OnBehalfOf),
            ]),
        },
        Variable {
            name: "action",
            meaning: Meaning::Entity(&[field("name", Slot::ActionName), field("properties", Slot::ActionProperties)]),
        },
        Variable {
            name: "resource",
            meaning: Meaning::Entity(&[
                field("type", Slot::ResourceType),
                field("id", Slot::ResourceId),
                field("properties", Slot::ResourceProperties),
            ]),
        },
        Variable { name: "context", meaning: Meaning::Slot(Slot::Context) },
        Variable { name: "tenant", meaning: Meaning::Slot(Slot::Tenant) },
        Variable { name: "now", meaning: Meaning::Slot(Slot::Now) },
    ],
    hints: &[
        ("agent_id", "subject.id"),
        ("agent_role", "subject.roles"),
        ("agent_type", "subject.type"),
        ("agent", "subject"),
        ("principal", "subject"),
        ("user", "subject"),
        ("environment", "context.environment"),
        ("params", "context.params"),
        ("request", "context"),
        ("ctx", "context"),
        ("roles", "subject.roles"),
        ("tenant_id", "tenant"),
    ],
};

impl Scope {
    /// The variable of this name.
    pub(super) fn variable(&self, name: &str) -> Option<&'static Variable> {
        self.variables.iter().find(|variable| variable.name == name)
    }

    /// The names of all variables.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.variables.iter().map(|variable| variable.name)
    }

    /// What a name from elsewhere is called here.
    pub(super) fn hint(&self, name: &str) -> Option<&'static str> {
        self.hints.iter().find(|(foreign, _)| *foreign == name).map(|(_, ours)| *ours)
    }
}
