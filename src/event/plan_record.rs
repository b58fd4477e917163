//! What is recorded of a validated plan.

use super::record::{entry_bytes, text_bytes, value_bytes};
use crate::model::{Attributes, Origin, Plan, Step, Text, Ticket, Timestamp, Validation, ValidationStatus};

/// Everything that is recorded of one validation. Serialised by the writer, never by the thread that validated.
#[derive(Debug, Clone)]
pub struct PlanRecord {
    /// Its ticket, also inside the validation id.
    pub ticket: Ticket,
    /// The time that the conditions saw.
    pub validated_at: Timestamp,
    /// Time that the validation took.
    pub validation_nanos: u64,
    /// The question.
    pub plan: Plan,
    /// The answer.
    pub validation: Validation,
    /// Who is on the channel, for example `uid:1000` or `anonymous`.
    pub actor: Text,
}

impl PlanRecord {
    /// Whether the plan may run and nothing else is to be said of it. Only such records may not use the ring's reserve.
    #[must_use]
    pub fn is_plain_pass(&self) -> bool {
        self.validation.status == ValidationStatus::Pass && self.validation.violations.is_empty()
    }

    /// Whether a step carries the audit obligation, so that the plan must not run without this record.
    #[must_use]
    pub fn requires_audit(&self) -> bool {
        self.validation.status != ValidationStatus::Reject
            && self.validation.steps.iter().any(|step| step.requires_audit)
    }

    /// Makes a validation whose record cannot be written as it must be into a rejection.
    pub fn refuse_unrecorded(&mut self) {
        self.validation.refuse_unrecorded();
    }

    /// About how many bytes of memory the record owns.
    #[must_use]
    pub fn approximate_bytes(&self) -> usize {
        let mut bytes = Bytes(std::mem::size_of::<Self>());
        bytes.plan(&self.plan);
        let validation = &self.validation;
        bytes.text(&self.actor).text(&validation.ir_hash);
        for violation in &validation.violations {
            bytes.of(std::mem::size_of_val(violation)).of(violation.message.len()).of(violation.help.len());
            bytes.text(&violation.step_id).text(&violation.path).of(std::mem::size_of_val(violation.flow.as_slice()));
            for hop in &violation.flow {
                bytes.text(&hop.step_id).text(&hop.path).text(&hop.label);
            }
        }
        for step in &validation.steps {
            bytes.of(std::mem::size_of_val(step)).text(&step.step_id).text(&step.step_hash);
            for reason in &step.tier_reasons {
                bytes.of(std::mem::size_of_val(reason)).text(&reason.message);
                bytes.text(&reason.document).text(&reason.rule);
            }
        }
        bytes.0
    }
}

/// A sum of bytes.
pub(super) struct Bytes(pub usize);

impl Bytes {
    pub(super) fn of(&mut self, bytes: usize) -> &mut Self {
        self.0 = self.0.saturating_add(bytes);
        self
    }

    pub(super) fn text(&mut self, text: &Text) -> &mut Self {
        self.of(text_bytes(text))
    }

    pub(super) fn texts(&mut self, texts: &[Text]) -> &mut Self {
        self.of(std::mem::size_of_val(texts));
        texts.iter().fold(self, |bytes, text| bytes.text(text))
    }

    pub(super) fn attributes(&mut self, map: &Attributes) -> &mut Self {
        map.iter().fold(self, |bytes, (key, value)| bytes.of(entry_bytes(key, value)))
    }

    pub(super) fn plan(&mut self, plan: &Plan) {
        let Plan { request_id, tenant_id, subject, intent_summary, run_id, correlation_id, snapshot, audience, .. } =
            plan;
        for text in [request_id, tenant_id, intent_summary, run_id, correlation_id, snapshot, audience] {
            self.text(text);
        }
        self.text(&subject.kind).text(&subject.id).text(&subject.on_behalf_of);
        self.texts(&subject.roles).attributes(&subject.properties);
        self.texts(&plan.user_messages);
        for observation in &plan.observations {
            self.of(std::mem::size_of_val(observation)).text(&observation.step_id).of(value_bytes(&observation.output));
        }
        for (key, value) in &plan.labels {
            self.of(std::mem::size_of::<(Text, Text)>()).text(key).text(value);
        }
        for step in &plan.steps {
            self.step(step);
        }
    }

    pub(super) fn step(&mut self, step: &Step) {
        let Step { step_id, action, provider, resource, idempotency_key, description, .. } = step;
        self.of(std::mem::size_of::<Step>());
        for text in [step_id, action, provider, resource, idempotency_key, description] {
            self.text(text);
        }
        self.attributes(&step.params).attributes(&step.constraints).texts(&step.depends_on);
        for input in &step.inputs {
            self.of(std::mem::size_of_val(input)).text(&input.path);
            match &input.origin {
                Origin::User { quote } => _ = self.text(quote),
                Origin::Constant => {}
                Origin::Step { step_id, output_path } => _ = self.text(step_id).text(output_path),
            }
        }
    }
}
