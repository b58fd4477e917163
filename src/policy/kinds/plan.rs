//! Plans as authors and runtimes write them: for `lictor validate-ir`, and in test cases.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::diag::{Finding, Findings, SourceId, Span};
use crate::model::{Attributes, Input, Observation, Ordering, Origin, Plan, Step, Text};
use crate::policy::decode::OneLine;
use crate::yaml::{self, Field, Fields, Kind, Node, Number, spec};

use super::request::{self, SubjectSpec};

spec! {
    /// A plan, or a part of one. The names of the wire (`step_id`) are understood too.
    pub(crate) struct PlanSpec {
        /// Chosen by the caller.
        requestId: Option<OneLine>,
        /// The tenant; `default` if not given.
        tenant: Option<OneLine>,
        /// On whose behalf.
        subject: Option<SubjectSpec>,
        /// How the steps are ordered; SEQUENTIAL if not given.
        ordering: Option<OrderingName>,
        /// The steps.
        steps: Option<Vec<StepSpec>>,
        /// What the plan is for.
        intentSummary: Option<String>,
        /// What the user wrote.
        userMessages: Option<Vec<String>>,
        /// What steps that ran already have returned.
        observations: Option<Vec<ObservationSpec>>,
        /// Labels of the caller.
        labels: Option<BTreeMap<String, String>>,
        /// Run that the plan belongs to.
        runId: Option<OneLine>,
        /// Correlates records across systems.
        correlationId: Option<OneLine>,
        /// Digest of the snapshot to validate with.
        snapshot: Option<OneLine>,
        /// Who the receipt is for.
        audience: Option<OneLine>,
    }
}

spec! {
    /// One call of one action.
    pub(crate) struct StepSpec {
        /// Identity within the plan.
        stepId: Option<String>,
        /// The action, as a catalogue names it.
        action: Option<String>,
        /// Who carries it out.
        provider: Option<String>,
        /// What it is done to.
        resource: Option<String>,
        /// Arguments of the call.
        params: Option<BTreeMap<String, serde_json::Value>>,
        /// Constraints on how it is carried out.
        constraints: Option<BTreeMap<String, serde_json::Value>>,
        /// Lets the executor run the step at most once.
        idempotencyKey: Option<String>,
        /// What it may cost, in cents.
        budgetCents: Option<i64>,
        /// Ids of the steps that must have run, where the ordering is DAG.
        dependsOn: Option<Vec<String>>,
        /// Where arguments come from; several entries for one path are a union.
        inputs: Option<Vec<InputSpec>>,
        /// What the step is for.
        description: Option<String>,
    }
}

spec! {
    /// Where the argument at a path comes from: one of `user`, `constant`, `step`.
    pub(crate) struct InputSpec {
        /// JSON Pointer into `params`.
        path: String,
        /// From what the user wrote.
        user: Option<UserSpec>,
        /// Chosen before anything untrusted was read: `{}`.
        constant: Option<ConstantSpec>,
        /// From the output of another step.
        step: Option<OriginStepSpec>,
    }
}

spec! {
    /// From what the user wrote.
    pub(crate) struct UserSpec {
        /// The part of a user message that says so; the argument itself if not given.
        quote: Option<String>,
    }
}

spec! {
    /// Nothing more to say.
    pub(crate) struct ConstantSpec {}
}

spec! {
    /// From the output of another step.
    pub(crate) struct OriginStepSpec {
        /// The step.
        stepId: String,
        /// JSON Pointer to the part of its output that was taken; the whole if not given.
        outputPath: Option<String>,
    }
}

spec! {
    /// What a step that ran already has returned.
    pub(crate) struct ObservationSpec {
        /// The step.
        stepId: String,
        /// What it returned: a text, or any value.
        output: serde_json::Value,
    }
}

/// How the steps are ordered.
#[derive(schemars::JsonSchema)]
#[schemars(rename = "Ordering", rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(dead_code, reason = "read by the schema generator only")]
pub(crate) enum OrderingName {
    /// One after the other, as listed.
    Sequential,
    /// By `dependsOn`.
    Dag,
}

const ORDERINGS: [(&str, Ordering); 2] =
    [(Ordering::Sequential.as_str(), Ordering::Sequential), (Ordering::Dag.as_str(), Ordering::Dag)];

/// The names of the wire, and those of the file format.
const WIRE_NAMES: &[(&str, &str)] = &[
    ("request_id", "requestId"),
    ("tenant_id", "tenant"),
    ("tenantId", "tenant"),
    ("intent_summary", "intentSummary"),
    ("user_messages", "userMessages"),
    ("run_id", "runId"),
    ("correlation_id", "correlationId"),
    ("step_id", "stepId"),
    ("idempotency_key", "idempotencyKey"),
    ("budget_cents", "budgetCents"),
    ("depends_on", "dependsOn"),
    ("output_path", "outputPath"),
    ("on_behalf_of", "onBehalfOf"),
    ("ir_step_id", "irStepId"),
    ("ir_step_hash", "irStepHash"),
];

/// Reads a text that holds one plan, in YAML or JSON. Unknown fields, budgets that are no whole numbers and whole numbers
/// that a double would round are refused, each with its place; what a plan can hold but must not is left to validation.
/// `None` where it cannot be read at all.
pub fn read(source: SourceId, text: &str, out: &mut Findings) -> Option<Plan> {
    let documents = yaml::parse(source, text, out);
    if out.has_errors() {
        return None;
    }
    match documents.as_slice() {
        [] => {
            out.push(Finding::error("no-plan", "the file holds no plan").at(Span::new(source, 0, 0)));
            None
        }
        [only] => {
            let only = renamed(only, out);
            let plan = partial(&only, out);
            if let (Kind::Map(_), None) = (&only.kind, only.get("steps")) {
                out.push(
                    Finding::error("missing-field", "the plan has no `steps`")
                        .at(only.head())
                        .help("list the steps, each with its `action`; a plan that does nothing has `steps: []`"),
                );
            }
            Some(plan)
        }
        [_, second, ..] => {
            let finding = Finding::error("several-plans", "the file holds several plans").at(second.head());
            out.push(finding.help("keep one; the others need a file of their own"));
            None
        }
    }
}

/// Whether a part of a question is one of a plan: it has a field that no request has.
pub(super) fn is_one(node: &Node) -> bool {
    const ONLY: [&str; 6] = ["steps", "ordering", "userMessages", "observations", "labels", "intentSummary"];
    let ours = |key: &str| {
        WIRE_NAMES.iter().find(|(wire, _)| *wire == key).map_or_else(|| key.to_owned(), |(_, ours)| (*ours).to_owned())
    };
    matches!(&node.kind, Kind::Map(entries) if entries.iter().any(|entry| ONLY.contains(&ours(&entry.key).as_str())))
}

/// Reads a plan, or the part of one that `node` gives.
pub(super) fn partial(node: &Node, out: &mut Findings) -> Plan {
    let node = &renamed(node, out);
    let Some(fields) = Fields::read(node, "a plan", PlanSpec::FIELDS, out) else { return Plan::default() };
    let mut plan = Plan {
        request_id: text(&fields, "requestId", out),
        tenant_id: text(&fields, "tenant", out),
        intent_summary: text(&fields, "intentSummary", out),
        user_messages: texts(&fields, "userMessages", out),
        run_id: text(&fields, "runId", out),
        correlation_id: text(&fields, "correlationId", out),
        snapshot: text(&fields, "snapshot", out),
        audience: text(&fields, "audience", out),
        ..Plan::default()
    };
    if let Some(field) = fields.get("subject") {
        let subject = renamed(field.node, out);
        plan.subject = request::subject_of(Field { node: &subject, ..field }, out);
    }
    if let Some(field) = fields.get("ordering") {
        plan.ordering = field.one_of("an ordering", &ORDERINGS, out).unwrap_or_default();
    }
    if let Some(field) = fields.get("steps") {
        let entries = field.list("steps", out).unwrap_or_default();
        plan.steps = entries.into_iter().map(|entry| step(entry, out)).collect();
    }
    if let Some(field) = fields.get("observations") {
        let entries = field.list("observations", out).unwrap_or_default();
        plan.observations = entries.into_iter().filter_map(|entry| observation(entry, out)).collect();
    }
    if let Some(field) = fields.get("labels") {
        for entry in field.entries(out).unwrap_or_default() {
            let value = Field { name: "labels", node: &entry.value, key_span: entry.key_span, is_entry: true };
            plan.labels.extend(value.string(out).map(|value| (entry.key.clone(), value.into())));
        }
    }
    plan
}

pub(super) fn step(entry: Field<'_>, out: &mut Findings) -> Step {
    let node = renamed(entry.node, out);
    let entry = Field { node: &node, ..entry };
    let Some(fields) = entry.fields("a step", StepSpec::FIELDS, out) else { return Step::default() };
    let inputs = fields.get("inputs").and_then(|field| field.list("inputs", out)).unwrap_or_default();
    Step {
        step_id: text(&fields, "stepId", out),
        action: text(&fields, "action", out),
        provider: text(&fields, "provider", out),
        resource: text(&fields, "resource", out),
        params: attributes(&fields, "params", out),
        constraints: attributes(&fields, "constraints", out),
        idempotency_key: text(&fields, "idempotencyKey", out),
        budget_cents: fields.get("budgetCents").and_then(|field| cents(field, out)),
        depends_on: texts(&fields, "dependsOn", out),
        inputs: inputs.into_iter().filter_map(|input| self::input(input, out)).collect(),
        description: text(&fields, "description", out),
    }
}

fn input(entry: Field<'_>, out: &mut Findings) -> Option<Input> {
    let fields = entry.fields("an input", InputSpec::FIELDS, out)?;
    let path = fields.require("path", out).and_then(|field| field.string(out));
    let user = fields.get("user").and_then(|field| {
        let fields = field.fields("`user`", UserSpec::FIELDS, out)?;
        Some(Origin::User { quote: text(&fields, "quote", out) })
    });
    let constant = fields.get("constant").and_then(|field| {
        field.fields("`constant`", ConstantSpec::FIELDS, out)?;
        Some(Origin::Constant)
    });
    let step = fields.get("step").and_then(|field| {
        let node = renamed(field.node, out);
        let fields = Field { node: &node, ..field }.fields("`step`", OriginStepSpec::FIELDS, out)?;
        let step_id = fields.require("stepId", out).and_then(|field| field.string(out))?.into();
        Some(Origin::Step { step_id, output_path: text(&fields, "outputPath", out) })
    });
    let given = ["user", "constant", "step"].into_iter().filter(|name| fields.get(name).is_some()).count();
    if given != 1 {
        let message = match given {
            0 => "the input does not say where the value comes from",
            _ => "an input has one origin, and this one has several",
        };
        let help = "write one of `user: {quote: …}`, `constant: {}` and `step: {stepId: …, outputPath: …}`; several \
                    origins of one path are several inputs";
        out.push(Finding::error("bad-input", message).at(entry.node.head()).help(help));
        return None;
    }
    Some(Input { path: path?.into(), origin: user.or(constant).or(step)? })
}

fn observation(entry: Field<'_>, out: &mut Findings) -> Option<Observation> {
    let node = renamed(entry.node, out);
    let fields = Field { node: &node, ..entry }.fields("an observation", ObservationSpec::FIELDS, out)?;
    let step_id = fields.require("stepId", out).and_then(|field| field.string(out));
    let output = fields.require("output", out).and_then(|field| yaml::value(field.node, out));
    Some(Observation { step_id: step_id?.into(), output: output? })
}

/// A whole number that fits what the wire carries; whether a plan may have it is for validation to say.
fn cents(field: Field<'_>, out: &mut Findings) -> Option<i64> {
    let found = match &field.node.kind {
        Kind::Number(Number::Integer(cents)) => return Some(*cents),
        Kind::Refused => return None,
        Kind::Number(Number::Float(_)) => "a number with a fraction or exponent".to_owned(),
        _ => field.node.describe(),
    };
    let message = format!("`{}` must be a whole number of cents, found {found}", field.name);
    let at = if field.node.kind == Kind::Null { field.key_span } else { field.node.span };
    out.push(
        Finding::error("wrong-type", message).at(at).help("write it without fraction and quotes, for example `500`"),
    );
    None
}

/// The map with the names of the wire put into those of the file format; anything else as it is.
pub(super) fn renamed<'n>(node: &'n Node, out: &mut Findings) -> Cow<'n, Node> {
    let ours = |key: &str| WIRE_NAMES.iter().find(|(wire, _)| *wire == key).map(|(_, ours)| *ours);
    let Kind::Map(entries) = &node.kind else { return Cow::Borrowed(node) };
    if !entries.iter().any(|entry| ours(&entry.key).is_some()) {
        return Cow::Borrowed(node);
    }
    let mut entries = entries.clone();
    for index in 0..entries.len() {
        let Some((key, span)) = entries.get(index).and_then(|entry| Some((ours(&entry.key)?, entry.key_span))) else {
            continue;
        };
        if let Some(other) = entries.iter().find(|other| other.key == key) {
            out.push(
                Finding::error("duplicate-key", format!("`{key}` is given twice, by two names"))
                    .at(span)
                    .related(other.key_span, "first here")
                    .help("remove one of them"),
            );
        }
        if let Some(entry) = entries.get_mut(index) {
            entry.key = Text::const_new(key);
        }
    }
    Cow::Owned(Node { span: node.span, kind: Kind::Map(entries) })
}

pub(super) fn text(fields: &Fields<'_>, name: &'static str, out: &mut Findings) -> Text {
    fields.get(name).and_then(|field| field.string(out)).unwrap_or_default().into()
}

pub(super) fn texts(fields: &Fields<'_>, name: &'static str, out: &mut Findings) -> Vec<Text> {
    let entries = fields.get(name).and_then(|field| field.list("strings", out)).unwrap_or_default();
    entries.into_iter().filter_map(|entry| entry.string(out)).map(Text::from).collect()
}

pub(super) fn attributes(fields: &Fields<'_>, name: &'static str, out: &mut Findings) -> Attributes {
    let Some(field) = fields.get(name).filter(|field| field.entries(out).is_some()) else {
        return Attributes::default();
    };
    yaml::attributes(field.node, out).unwrap_or_default()
}
