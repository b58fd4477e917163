//! What is found out about a plan, as it is found out.

use std::fmt::Display;

use crate::model::{Plan, Text, Violation, ViolationCode, ViolationSeverity, changes_the_display, sanitise_reason};

/// Collects violations, and what makes a plan escalate besides.
#[derive(Debug, Default)]
pub(super) struct Report {
    violations: Vec<Violation>,
    wants_approval: bool,
    required_level: Option<u8>,
}

impl Report {
    /// An error of a field of the step at `index`. `field` is its path below the step, for example `depends_on[0]`.
    pub(super) fn step(
        &mut self,
        code: ViolationCode,
        plan: &Plan,
        index: usize,
        field: impl Display,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.violations.push(Violation {
            code,
            severity: ViolationSeverity::Error,
            step_index: u32::try_from(index).ok(),
            step_id: plan.steps.get(index).map(|step| step.step_id.clone()).unwrap_or_default(),
            path: format!("steps[{index}].{field}").into(),
            message: message.into(),
            help: help.into(),
            rule: Text::default(),
            flow: Vec::new(),
        });
    }

    /// An error of the whole plan.
    pub(super) fn plan(
        &mut self,
        code: ViolationCode,
        path: &str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.add(Violation {
            code,
            severity: ViolationSeverity::Error,
            step_index: None,
            step_id: Text::default(),
            path: path.into(),
            message: message.into(),
            help: help.into(),
            rule: Text::default(),
            flow: Vec::new(),
        });
    }

    /// A violation of any severity.
    pub(super) fn add(&mut self, violation: Violation) {
        self.violations.push(violation);
    }

    /// Something wants a human's approval, of this level at least.
    pub(super) fn escalate(&mut self, level: Option<u8>) {
        self.wants_approval = true;
        self.required_level = self.required_level.max(level);
    }

    /// The violations by step and then those of the plan, whether anything wants approval, and of which level.
    pub(super) fn finish(mut self) -> (Vec<Violation>, bool, Option<u8>) {
        // Messages reach people, logs and models, and may quote what the plan says.
        for violation in &mut self.violations {
            for text in [&mut violation.message, &mut violation.help] {
                if text.contains(changes_the_display) {
                    *text = sanitise_reason(text).into();
                }
            }
        }
        self.violations.sort_by_key(|violation| violation.step_index.unwrap_or(u32::MAX));
        (self.violations, self.wants_approval, self.required_level)
    }
}

/// How messages call the step at `index`: by its id, else by its position from 1.
pub(super) fn name_of(plan: &Plan, index: usize) -> String {
    match plan.steps.get(index).map(|step| step.step_id.as_str()).filter(|id| !id.is_empty()) {
        Some(id) => format!("`{id}`"),
        None => format!("steps[{index}]"),
    }
}
