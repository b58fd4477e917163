//! A whole plan (IR) and what is declared of it: the question that ValidateIR answers.

use super::{Attributes, Subject, Text, Value, default_tenant};

/// How the steps of a plan are ordered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Ordering {
    /// One after the other, as listed. The order is content; `depends_on` must be empty.
    #[default]
    Sequential,
    /// By `depends_on` alone. Every step has an id, and the order of the list says nothing.
    Dag,
}

impl Ordering {
    /// The name in documents, records and canonical form.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sequential => "SEQUENTIAL",
            Self::Dag => "DAG",
        }
    }
}

/// A plan, in full.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// Chosen by the caller and echoed. Not content.
    pub request_id: Text,
    /// Tenant; empty means [`default_tenant`].
    pub tenant_id: Text,
    /// On whose behalf. Each step is also decided for it by the policy rules.
    pub subject: Subject,
    /// How the steps are ordered.
    pub ordering: Ordering,
    /// The steps; none is a plan that does nothing.
    pub steps: Vec<Step>,
    /// What the plan is for, in words. Not content; shown to approvers as unverified.
    pub intent_summary: Text,
    /// What the user wrote. Claims of `user` origin are checked against it. Not content.
    pub user_messages: Vec<Text>,
    /// What steps that ran already have returned, for a runtime that keeps no origins. Not content.
    pub observations: Vec<Observation>,
    /// Labels of the caller. Not content; shown to approvers as unverified.
    pub labels: Vec<(Text, Text)>,
    /// Run that the plan belongs to, empty if none.
    pub run_id: Text,
    /// Correlates records across systems.
    pub correlation_id: Text,
    /// Digest of the snapshot to validate with, empty for the live one.
    pub snapshot: Text,
    /// Who the receipt is for, empty for the configured audience.
    pub audience: Text,
}

impl Plan {
    /// The tenant that the plan belongs to, with the default filled in.
    #[must_use]
    pub fn tenant(&self) -> &str {
        if self.tenant_id.is_empty() { default_tenant() } else { &self.tenant_id }
    }

    /// The correlation id of question, answer and record: the caller's, else the request id, else `otherwise`.
    #[must_use]
    pub fn correlation_or<'a>(&'a self, otherwise: &'a str) -> &'a str {
        match (self.correlation_id.as_str(), self.request_id.as_str()) {
            ("", "") => otherwise,
            ("", request_id) => request_id,
            (correlation_id, _) => correlation_id,
        }
    }
}

/// One step of a plan: one call of one action.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Step {
    /// Identity within the plan. Required where the ordering is DAG or another step refers to it.
    pub step_id: Text,
    /// The action, as a catalogue names it.
    pub action: Text,
    /// Who carries it out, as a catalogue names it.
    pub provider: Text,
    /// What it is done to.
    pub resource: Text,
    /// Arguments of the call. A path that is bound to a step's output is absent, or a preview that is not hashed.
    pub params: Attributes,
    /// Constraints on how it is carried out, for example the environment.
    pub constraints: Attributes,
    /// Lets the executor run the step at most once.
    pub idempotency_key: Text,
    /// What it may cost, in cents; at most 2^53 - 1.
    pub budget_cents: Option<i64>,
    /// Ids of the steps that must have run.
    pub depends_on: Vec<Text>,
    /// Where arguments come from; several entries for one path are a union.
    pub inputs: Vec<Input>,
    /// What the step is for, in words. Content.
    pub description: Text,
}

/// A claim about where the argument at a path comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// JSON Pointer into `params`, for example `/recipient`.
    pub path: Text,
    /// Where the value there comes from.
    pub origin: Origin,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum Origin {
    /// From what the user wrote.
    User {
        /// The part of a user message that says so; empty means the literal itself.
        quote: Text,
    },
    /// Chosen by the planner before anything untrusted was read.
    Constant,
    /// From the output of another step.
    Step {
        /// The step.
        step_id: Text,
        /// JSON Pointer to the part of its output that was taken; empty for something made from the whole.
        output_path: Text,
    },
}

/// What a step that ran already has returned.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// The step.
    pub step_id: Text,
    /// What it returned.
    pub output: Value,
}

/// A node of the DAG that an executor compiled from a plan.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DagNode {
    /// Id of the plan's step; the position (from 0, in decimal) where the step has none.
    pub ir_step_id: Text,
    /// The step's hash, as the node declares it.
    pub ir_step_hash: Text,
    /// What the node will do; `None` where only the hash is declared.
    pub content: Option<Step>,
    /// Ids of the nodes that it waits for.
    pub depends_on: Vec<Text>,
    /// Its position in the order of execution, from 0, where it declares one.
    pub seq: Option<u64>,
}

/// A call that an executor made, or did not.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Execution {
    /// Its position in the order of execution, from 0.
    pub seq: u64,
    /// Id of the plan's step, empty where the executor keeps none.
    pub step_id: Text,
    /// The action called.
    pub action: Text,
    /// What it was done to.
    pub resource: Text,
    /// The arguments, resolved.
    pub params: Attributes,
    /// What became of it.
    pub outcome: ExecutionOutcome,
}

/// What became of a call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum ExecutionOutcome {
    /// It ran.
    #[default]
    Done,
    /// It ran and failed; it may have had effects.
    Failed,
    /// It was refused before it ran.
    Refused,
    /// It never ran.
    NotRun,
}

impl ExecutionOutcome {
    /// The name on the wire without its prefix, in documents and in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "DONE",
            Self::Failed => "FAILED",
            Self::Refused => "REFUSED",
            Self::NotRun => "NOT_RUN",
        }
    }
}
