//! Masking of plans and audits: parameters and constraints of steps, arguments of calls, and every text that quotes what was
//! masked.

use super::{Masker, Root, WITHHELD, mask_in, masked, quotes};
use crate::event::chain::ChainKey;
use crate::event::dag_record::DagRecord;
use crate::event::plan_record::PlanRecord;
use crate::model::{Attributes, Origin, Plan, Step, Text, Value};

impl Masker {
    /// Masks the record in place. What is named below `context.params` and `context.constraints` is masked in every step,
    /// whose rules see it there; `step.params` and `step.constraints` name it for plans alone.
    pub(in crate::event) fn mask_plan(&self, record: &mut PlanRecord) {
        let Some(key) = &self.key else { return };
        let tenant = Text::from(record.plan.tenant());
        let mut hidden = Hidden { key, tenant, clear: Vec::new() };
        for (root, path) in &self.paths {
            if *root == Root::Subject {
                hidden.mask(&mut record.plan.subject.properties, path);
            }
            for step in &mut record.plan.steps {
                hidden.mask_step(step, *root, path);
            }
        }
        if hidden.clear.is_empty() {
            return;
        }
        let validation = &mut record.validation;
        for violation in &mut validation.violations {
            hidden.withhold_string(&mut violation.message);
            hidden.withhold_string(&mut violation.help);
        }
        for reason in validation.steps.iter_mut().flat_map(|step| &mut step.tier_reasons) {
            hidden.withhold_text(&mut reason.message);
        }
        hidden.withhold_of_plan(&mut record.plan);
    }

    /// Masks the record of an audit in place, in the same way.
    pub(in crate::event) fn mask_dag(&self, record: &mut DagRecord) {
        let Some(key) = &self.key else { return };
        let tenant = Text::from(record.plan.tenant());
        let mut hidden = Hidden { key, tenant, clear: Vec::new() };
        for (root, path) in &self.paths {
            let nodes = record.nodes.iter_mut().filter_map(|node| node.content.as_mut());
            for step in record.plan.steps.iter_mut().chain(nodes) {
                hidden.mask_step(step, *root, path);
            }
            for call in &mut record.executions {
                hidden.mask_named("params", &mut call.params, *root, path);
            }
        }
        if hidden.clear.is_empty() {
            return;
        }
        for deviation in &mut record.verification.deviations {
            hidden.withhold_string(&mut deviation.message);
        }
        for node in &mut record.verification.malformed {
            hidden.withhold_string(&mut node.reason);
        }
        for step in record.nodes.iter_mut().filter_map(|node| node.content.as_mut()) {
            hidden.withhold_of_step(step);
        }
        hidden.withhold_of_plan(&mut record.plan);
    }
}

/// What has been masked so far.
struct Hidden<'a> {
    key: &'a ChainKey,
    tenant: Text,
    clear: Vec<Value>,
}

impl Hidden<'_> {
    fn mask_step(&mut self, step: &mut Step, root: Root, path: &str) {
        self.mask_named("params", &mut step.params, root, path);
        self.mask_named("constraints", &mut step.constraints, root, path);
    }

    /// Masks a map that rules see as `context.` and its name.
    fn mask_named(&mut self, name: &str, map: &mut Attributes, root: Root, path: &str) {
        let below = match (root, path) {
            (Root::Context | Root::Step, path) if path.is_empty() || path == name => Some(""),
            (Root::Context | Root::Step, path) => path.strip_prefix(name).and_then(|rest| rest.strip_prefix('.')),
            (Root::Subject | Root::Resource | Root::Action, _) => None,
        };
        if let Some(path) = below {
            self.mask(map, path);
        }
    }

    /// Masks what `path` leads to, or the map as a whole.
    fn mask(&mut self, map: &mut Attributes, path: &str) {
        if !path.is_empty() {
            mask_in(map, path, &mut |value| {
                let masked = masked(self.key, &self.tenant, value);
                self.clear.push(std::mem::replace(value, masked));
            });
        } else if !map.is_empty() {
            let whole = Value::Map(std::mem::take(map));
            if let Value::Map(masked) = masked(self.key, &self.tenant, &whole) {
                *map = masked;
            }
            self.clear.push(whole);
        }
    }

    /// Takes out every text of the plan that quotes what was masked.
    fn withhold_of_plan(&self, plan: &mut Plan) {
        self.withhold_text(&mut plan.intent_summary);
        plan.user_messages.iter_mut().for_each(|text| self.withhold_text(text));
        plan.labels.iter_mut().for_each(|(_, text)| self.withhold_text(text));
        for observation in &mut plan.observations {
            if self.is_told_by(&observation.output) {
                observation.output = Value::String(Text::const_new(WITHHELD));
            }
        }
        plan.steps.iter_mut().for_each(|step| self.withhold_of_step(step));
    }

    fn withhold_of_step(&self, step: &mut Step) {
        self.withhold_text(&mut step.description);
        for input in &mut step.inputs {
            if let Origin::User { quote } = &mut input.origin {
                self.withhold_text(quote);
            }
        }
    }

    fn quoted(&self, text: &str) -> bool {
        self.clear.iter().any(|value| quotes(text, value))
    }

    fn withhold_string(&self, text: &mut String) {
        if self.quoted(text) {
            *text = WITHHELD.to_owned();
        }
    }

    fn withhold_text(&self, text: &mut Text) {
        if self.quoted(text) {
            *text = Text::const_new(WITHHELD);
        }
    }

    /// Whether a value holds what was masked.
    fn is_told_by(&self, value: &Value) -> bool {
        match value {
            Value::Null | Value::Bool(_) => false,
            Value::Number(number) => self.quoted(&number.to_string()),
            Value::String(text) => self.quoted(text),
            Value::List(items) => items.iter().any(|item| self.is_told_by(item)),
            Value::Map(map) => map.iter().any(|(key, item)| self.quoted(key) || self.is_told_by(item)),
        }
    }
}
