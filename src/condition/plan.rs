//! Plans as values: steps and subjects are records whose fields are read one by one, so that a condition over a plan of a
//! thousand steps converts none of them.

use std::rc::Rc;

use crate::model::{Plan, Step, Subject, Text};

use super::open::OpenParams;
use super::types::Ty;
use super::value::{List, Map, Val};

/// The plan that a condition of a risk policy reads.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlanBindings<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// For each step, the labels of its action; what lies beyond the end has none.
    pub labels: &'a [&'a [Text]],
    /// For each step, its params where some are bound to another step's output; what lies beyond the end has none.
    pub open: &'a [Option<OpenParams<'a>>],
    /// Sum of the steps' budgets, in cents.
    pub total_budget_cents: i64,
}

/// One step of a plan.
#[derive(Debug, Clone, Copy)]
pub(super) struct StepRef<'a> {
    plan: &'a PlanBindings<'a>,
    step: &'a Step,
    index: usize,
}

impl<'a> PlanBindings<'a> {
    /// The params of the step at `index`, where some are bound.
    pub(super) fn open_params(&self, index: usize) -> Option<&'a OpenParams<'a>> {
        self.open.get(index)?.as_ref()
    }

    /// The step at `index`.
    pub(super) fn step(&'a self, index: usize) -> Option<StepRef<'a>> {
        self.plan.steps.get(index).map(|step| StepRef { plan: self, step, index })
    }
}

/// A value with known fields.
#[derive(Debug)]
pub(super) struct Record {
    /// What messages call it.
    pub(super) name: &'static str,
    /// Its fields, in the order in which macros see them.
    pub(super) fields: &'static [RecordField],
}

/// A field of a record.
#[derive(Debug)]
pub(super) struct RecordField {
    pub(super) name: &'static str,
    pub(super) ty: fn() -> Ty,
}

impl PartialEq for Record {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Record {
    /// The type of a field.
    pub(super) fn field(&self, name: &str) -> Option<Ty> {
        self.fields.iter().find(|field| field.name == name).map(|field| (field.ty)())
    }
}

const fn field(name: &'static str, ty: fn() -> Ty) -> RecordField {
    RecordField { name, ty }
}

fn string() -> Ty {
    Ty::String
}

fn strings() -> Ty {
    Ty::list(Ty::String)
}

fn int() -> Ty {
    Ty::Int
}

fn attributes() -> Ty {
    Ty::map(Ty::String, Ty::Attribute)
}

/// A step.
pub(super) static STEP: Record = Record {
    name: "step",
    fields: &[
        field("step_id", string),
        field("index", int),
        field("action", string),
        field("provider", string),
        field("resource", string),
        field("params", attributes),
        field("constraints", attributes),
        field("idempotency_key", string),
        field("budget_cents", int),
        field("depends_on", strings),
        field("description", string),
        field("labels", strings),
    ],
};

/// A subject.
pub(super) static SUBJECT: Record = Record {
    name: "subject",
    fields: &[
        field("type", string),
        field("id", string),
        field("roles", strings),
        field("properties", attributes),
        field("on_behalf_of", string),
    ],
};

impl<'a> StepRef<'a> {
    /// Whether it says what it may cost.
    pub(super) fn has_budget(self) -> bool {
        self.step.budget_cents.is_some()
    }

    /// The labels of its action.
    pub(super) fn labels(self) -> &'a [Text] {
        self.plan.labels.get(self.index).copied().unwrap_or_default()
    }

    /// A field. A budget that is not given reads as 0.
    pub(super) fn get(self, name: &str) -> Option<Val<'a>> {
        let step = self.step;
        Some(match name {
            "step_id" => Val::Str(&step.step_id),
            "index" => Val::Int(i64::try_from(self.index).unwrap_or(i64::MAX)),
            "action" => Val::Str(&step.action),
            "provider" => Val::Str(&step.provider),
            "resource" => Val::Str(&step.resource),
            "params" => match self.plan.open_params(self.index) {
                Some(open) => Val::Open(Rc::new(open.map())),
                None => Val::Map(Map::Attributes(&step.params)),
            },
            "constraints" => Val::Map(Map::Attributes(&step.constraints)),
            "idempotency_key" => Val::Str(&step.idempotency_key),
            "budget_cents" => Val::Int(step.budget_cents.unwrap_or(0)),
            "depends_on" => Val::List(List::Texts(&step.depends_on)),
            "description" => Val::Str(&step.description),
            "labels" => Val::List(List::Texts(self.labels())),
            _ => return None,
        })
    }
}

/// A field of a subject.
pub(super) fn subject_field<'a>(subject: &'a Subject, name: &str) -> Option<Val<'a>> {
    Some(match name {
        "type" => Val::Str(&subject.kind),
        "id" => Val::Str(&subject.id),
        "roles" => Val::List(List::Texts(&subject.roles)),
        "properties" => Val::Map(Map::Attributes(&subject.properties)),
        "on_behalf_of" => Val::Str(&subject.on_behalf_of),
        _ => return None,
    })
}
