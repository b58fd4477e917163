//! A step of a plan as the context of a request.

use std::cell::OnceCell;

use super::open::OpenParams;
use crate::model::{Attributes, Layer, Step, Text, Value};

/// What a rule of a policy reads as the context where it decides a step of a plan: `{params, constraints, provider,
/// budget_cents, step_id, idempotency_key}`, fields that say nothing left out. The arguments are read in place; the map is
/// made only for conditions that read it as a whole, or another field.
#[derive(Debug)]
pub struct StepContext<'a> {
    step: &'a Step,
    typed_by: Option<Layer>,
    open: Option<OpenParams<'a>>,
    whole: OnceCell<Attributes>,
}

impl<'a> StepContext<'a> {
    /// The context of `step`, the type of whose resource is given by a catalogue of the layer `typed_by`, if by any.
    #[must_use]
    pub fn of(step: &'a Step, typed_by: Option<Layer>) -> Self {
        Self { step, typed_by, open: OpenParams::of(step), whole: OnceCell::new() }
    }

    /// The highest layer of which a catalogue gives the type of the resource; `None` where none does.
    pub(super) fn typed_by(&self) -> Option<Layer> {
        self.typed_by
    }

    /// The params, where some are bound to another step's output.
    pub(super) fn open(&self) -> Option<&OpenParams<'a>> {
        self.open.as_ref()
    }

    /// The map at `key`, for what is below it.
    pub(super) fn map(&self, key: &str) -> Option<&'a Attributes> {
        match key {
            "params" => Some(&self.step.params),
            "constraints" => Some(&self.step.constraints),
            _ => None,
        }
    }

    /// All of it.
    pub(super) fn whole(&self) -> &Attributes {
        self.whole.get_or_init(|| {
            let step = self.step;
            let text = |name: &'static str, text: &Text| {
                (!text.is_empty()).then(|| (Text::const_new(name), Value::String(text.clone())))
            };
            let entries = [
                Some((Text::const_new("params"), Value::Map(step.params.clone()))),
                Some((Text::const_new("constraints"), Value::Map(step.constraints.clone()))),
                text("provider", &step.provider),
                step.budget_cents.map(|cents| (Text::const_new("budget_cents"), Value::Number(cents as f64))),
                text("step_id", &step.step_id),
                text("idempotency_key", &step.idempotency_key),
            ];
            // The names differ, so that this cannot fail.
            Attributes::from_entries(entries.into_iter().flatten().collect()).unwrap_or_default()
        })
    }
}
