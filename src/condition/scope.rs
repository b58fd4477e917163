//! The variables that a condition may read, in one table: names, fields, types, and the slots of the request that they
//! stand for.

use super::plan::{STEP, SUBJECT};
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
    StepId,
    StepIndex,
    StepAction,
    StepProvider,
    StepResource,
    StepParams,
    StepConstraints,
    StepIdempotencyKey,
    StepBudget,
    StepDependsOn,
    StepDescription,
    StepLabels,
    IrTenant,
    IrSubject,
    IrOrdering,
    IrSteps,
    IrTotalBudget,
    IrIntent,
    IrUserMessages,
    IrLabels,
}

impl Slot {
    /// Its static type.
    pub(super) fn ty(self) -> Ty {
        match self {
            Self::SubjectProperties
            | Self::ActionProperties
            | Self::ResourceProperties
            | Self::Context
            | Self::StepParams
            | Self::StepConstraints => Ty::map(Ty::String, Ty::Attribute),
            Self::SubjectRoles | Self::StepDependsOn | Self::StepLabels | Self::IrUserMessages => Ty::list(Ty::String),
            Self::StepIndex | Self::StepBudget | Self::IrTotalBudget => Ty::Int,
            Self::IrSteps => Ty::list(Ty::Record(&STEP)),
            Self::IrSubject => Ty::Record(&SUBJECT),
            Self::IrLabels => Ty::map(Ty::String, Ty::String),
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
            Self::StepId => "step.step_id",
            Self::StepIndex => "step.index",
            Self::StepAction => "step.action",
            Self::StepProvider => "step.provider",
            Self::StepResource => "step.resource",
            Self::StepParams => "step.params",
            Self::StepConstraints => "step.constraints",
            Self::StepIdempotencyKey => "step.idempotency_key",
            Self::StepBudget => "step.budget_cents",
            Self::StepDependsOn => "step.depends_on",
            Self::StepDescription => "step.description",
            Self::StepLabels => "step.labels",
            Self::IrTenant => "ir.tenant",
            Self::IrSubject => "ir.subject",
            Self::IrOrdering => "ir.ordering",
            Self::IrSteps => "ir.steps",
            Self::IrTotalBudget => "ir.total_budget_cents",
            Self::IrIntent => "ir.intent_summary",
            Self::IrUserMessages => "ir.user_messages",
            Self::IrLabels => "ir.labels",
        }
    }
}

impl Slot {
    /// Whether tests of it are fused into predicates: it is a string, a list of strings, or a map of attributes.
    pub(super) const fn is_attribute(self) -> bool {
        !matches!(
            self,
            Self::Now
                | Self::StepIndex
                | Self::StepBudget
                | Self::IrTotalBudget
                | Self::IrSteps
                | Self::IrSubject
                | Self::IrLabels
        )
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
    /// A condition.
    pub(super) example: &'static str,
    /// Whether an attribute that is missing simply differs from every constant, where the outermost `&&` compares it by
    /// `==` or `in`, so that it needs no guard. Whoever evaluates sees to it by
    /// [`Condition::required_attributes`](super::Condition::required_attributes).
    pub(super) missing_differs: bool,
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
    example: "context.amount > 50.0",
    missing_differs: false,
};

const STEP_FIELDS: Meaning = Meaning::Entity(&[
    field("step_id", Slot::StepId),
    field("index", Slot::StepIndex),
    field("action", Slot::StepAction),
    field("provider", Slot::StepProvider),
    field("resource", Slot::StepResource),
    field("params", Slot::StepParams),
    field("constraints", Slot::StepConstraints),
    field("idempotency_key", Slot::StepIdempotencyKey),
    field("budget_cents", Slot::StepBudget),
    field("depends_on", Slot::StepDependsOn),
    field("description", Slot::StepDescription),
    field("labels", Slot::StepLabels),
]);

const IR_FIELDS: Meaning = Meaning::Entity(&[
    field("tenant", Slot::IrTenant),
    field("subject", Slot::IrSubject),
    field("ordering", Slot::IrOrdering),
    field("steps", Slot::IrSteps),
    field("total_budget_cents", Slot::IrTotalBudget),
    field("intent_summary", Slot::IrIntent),
    field("user_messages", Slot::IrUserMessages),
    field("labels", Slot::IrLabels),
]);

/// Names that people bring to the conditions of a risk policy, and what they are there.
const PLAN_HINTS: &[(&str, &str)] = &[
    ("plan", "ir"),
    ("steps", "ir.steps"),
    ("subject", "ir.subject"),
    ("tenant", "ir.tenant"),
    ("tenant_id", "ir.tenant"),
    ("params", "step.params"),
    ("constraints", "step.constraints"),
    ("action", "step.action"),
    ("resource", "step.resource"),
    ("provider", "step.provider"),
    ("context", "step.params"),
];

/// What a tier rule of a risk policy reads.
pub(super) static STEP_OF_PLAN: Scope = Scope {
    variables: &[
        Variable { name: "step", meaning: STEP_FIELDS },
        Variable { name: "ir", meaning: IR_FIELDS },
        Variable { name: "now", meaning: Meaning::Slot(Slot::Now) },
    ],
    hints: PLAN_HINTS,
    example: "step.action == \"bank.transfer\"",
    missing_differs: true,
};

/// What a plan rule of a risk policy reads.
pub(super) static WHOLE_PLAN: Scope = Scope {
    variables: &[
        Variable { name: "ir", meaning: IR_FIELDS },
        Variable { name: "now", meaning: Meaning::Slot(Slot::Now) },
    ],
    hints: PLAN_HINTS,
    example: "ir.steps.size() > 20",
    missing_differs: false,
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
