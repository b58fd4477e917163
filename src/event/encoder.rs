//! Records become lines: the envelope, the sequence number and the link of the chain.

use uuid::Uuid;

use super::catalogue::{self, EventType, Severity};
use super::chain::{self, ChainKey, Hash};
use super::dag_payload;
use super::dag_record::DagRecord;
use super::gap::Gap;
use super::json::{self, TimeFormat};
use super::payload;
use super::plan_payload;
use super::plan_queue::PlanEvent;
use super::plan_record::PlanRecord;
use super::record::{ControlBody, ControlRecord, DecisionRecord};
use super::rendered::Rendered;
use crate::model::{SEMANTICS, Ticket, Timestamp, is_asserted};

/// Version of the envelope.
pub const SCHEMA_VERSION: &str = "1.0";

/// Gives each event its id and its number, and links it to the one before. Lines go to a buffer of the caller's; what is
/// encoded must be written, since the next line builds on it.
#[derive(Debug)]
pub(super) struct Encoder {
    key: Option<ChainKey>,
    head: Hash,
    next_sequence: u64,
    /// 74 random bits of this start; an event's id is its time and these bits plus its sequence number.
    id_base: u128,
    times: TimeFormat,
    rendered: Rendered,
    /// By type of event.
    frames: Vec<Frame>,
    /// What stands between the snapshot and the previous hash.
    before_prev: Vec<u8>,
    /// `head` in digits, as the next line states it.
    head_digits: [u8; 64],
}

/// The parts of the envelope that are the same for every event of a type.
#[derive(Debug, Default)]
struct Frame {
    /// From the end of the id to the timestamp.
    before_timestamp: Vec<u8>,
    /// From the end of the payload to the tenant.
    before_tenant: Vec<u8>,
}

impl Frame {
    fn new(kind: EventType, producer: &str, dev: bool) -> Self {
        let mut frame = Self { before_timestamp: b"\"".to_vec(), before_tenant: b",\"meta\":{".to_vec() };
        json::string_member(&mut frame.before_timestamp, "type", kind.as_str());
        json::string_member(&mut frame.before_timestamp, "source", kind.source());
        frame.before_timestamp.extend_from_slice(b",\"target\":null,\"timestamp\":");
        json::string_member(&mut frame.before_tenant, "schema_version", SCHEMA_VERSION);
        json::string_member(&mut frame.before_tenant, "producer", producer);
        json::string_member(&mut frame.before_tenant, "source_module", kind.source_module());
        if dev {
            frame.before_tenant.extend_from_slice(b",\"dev\":true");
        }
        json::key(&mut frame.before_tenant, "tenant_id");
        frame
    }
}

/// What the envelope says besides the payload.
struct Header<'a> {
    /// The event's id, `None` to make one.
    id: Option<Uuid>,
    kind: EventType,
    at: Timestamp,
    severity: Severity,
    tenant: Option<&'a str>,
    /// Empty: the event's own id.
    correlation: &'a str,
    actor: &'a str,
    ticket: Option<Ticket>,
    snapshot: &'a str,
}

/// Low 74 bits: what a UUIDv7 holds besides its time, version and variant.
const ID_MASK: u128 = (1 << 74) - 1;

impl Encoder {
    /// With `dev` every line says that callers are believed what they say of themselves.
    pub(super) fn new(
        producer: &str,
        dev: bool,
        key: Option<ChainKey>,
        head: Hash,
        next_sequence: u64,
        id_base: u128,
    ) -> Self {
        let mut frames = Vec::new();
        for kind in EventType::ALL {
            frames.resize_with(frames.len().max((kind as usize).saturating_add(1)), Frame::default);
            if let Some(frame) = frames.get_mut(kind as usize) {
                *frame = Frame::new(kind, producer, dev);
            }
        }
        let mut before_prev = Vec::new();
        json::integer_member(&mut before_prev, "semantics", SEMANTICS.into());
        before_prev.extend_from_slice(b",\"prev\":\"");
        Self {
            key,
            head,
            next_sequence,
            id_base,
            times: TimeFormat::default(),
            rendered: Rendered::default(),
            frames,
            before_prev,
            head_digits: json::hex32(&head),
        }
    }

    /// Number of the last event that was encoded, 0 if none ever was.
    pub(super) fn last_sequence(&self) -> u64 {
        self.next_sequence.saturating_sub(1)
    }

    /// Number of the next event.
    pub(super) fn next_sequence(&self) -> u64 {
        self.next_sequence
    }

    /// Hash of the last event that was encoded.
    pub(super) fn head(&self) -> Hash {
        self.head
    }

    /// Appends the events of a decision.
    pub(super) fn decision(&mut self, out: &mut Vec<u8>, record: &DecisionRecord) {
        let mut id_buffer = Uuid::encode_buffer();
        let id = &*record.ticket.decision_id(record.decided_at).hyphenated().encode_lower(&mut id_buffer);
        let request = &record.request;
        let correlation = match (request.correlation_id.as_str(), request.request_id.as_str()) {
            ("", "") => id,
            ("", request_id) => request_id,
            (correlation_id, _) => correlation_id,
        };
        for kind in catalogue::types_of_decision(record) {
            let header = Header {
                id: None,
                kind,
                at: record.decided_at,
                severity: catalogue::severity_of_decision(kind, record),
                tenant: Some(request.tenant()),
                correlation,
                actor: &record.actor,
                ticket: Some(record.ticket),
                snapshot: &record.decision.snapshot.digest,
            };
            let mut rendered = std::mem::take(&mut self.rendered);
            self.event(out, &header, |out, times| payload::write(out, times, &mut rendered, kind, record, id));
            self.rendered = rendered;
        }
    }

    /// Appends the event of a plan.
    pub(super) fn plan(&mut self, out: &mut Vec<u8>, event: &PlanEvent) {
        match event {
            PlanEvent::Validated(record) => self.validation(out, record),
            PlanEvent::Verified(record) => self.verification(out, record),
        }
    }

    /// Appends the event of a validation.
    pub(super) fn validation(&mut self, out: &mut Vec<u8>, record: &PlanRecord) {
        let mut id_buffer = Uuid::encode_buffer();
        let id = &*record.ticket.decision_id(record.validated_at).hyphenated().encode_lower(&mut id_buffer);
        let kind = catalogue::type_of_validation(record.validation.status);
        let header = Header {
            id: None,
            kind,
            at: record.validated_at,
            severity: kind.severity(),
            tenant: Some(record.plan.tenant()),
            correlation: record.plan.correlation_or(id),
            actor: &record.actor,
            ticket: Some(record.ticket),
            snapshot: &record.validation.snapshot.digest,
        };
        self.event(out, &header, |out, times| plan_payload::write(out, times, record, id));
    }

    /// Appends the event of an audit.
    pub(super) fn verification(&mut self, out: &mut Vec<u8>, record: &DagRecord) {
        let kind = if record.verification.success { EventType::IrDagDiffOk } else { EventType::IrDagDiffFailed };
        let header = Header {
            id: None,
            kind,
            at: record.verified_at,
            severity: kind.severity(),
            tenant: Some(record.plan.tenant()),
            correlation: record.plan.correlation_or(""),
            actor: &record.actor,
            ticket: Some(record.ticket),
            snapshot: "",
        };
        self.event(out, &header, |out, times| dag_payload::write(out, times, record));
    }

    /// Appends the event of a control record.
    pub(super) fn control(&mut self, out: &mut Vec<u8>, record: &ControlRecord) {
        let (id, snapshot) = match &record.body {
            ControlBody::Ready(event) => (Some(event.id), event.snapshot.as_str()),
            ControlBody::SnapshotPublished(body) => (None, body.snapshot.digest.as_str()),
            ControlBody::ReloadFailed(body) => (None, body.kept.as_ref().map_or("", |kept| kept.digest.as_str())),
        };
        let header = Header {
            id,
            kind: catalogue::type_of_control(&record.body),
            at: record.at,
            severity: catalogue::type_of_control(&record.body).severity(),
            tenant: record.tenant.as_deref(),
            correlation: record.correlation_id.as_deref().unwrap_or_default(),
            actor: &record.actor,
            ticket: None,
            snapshot,
        };
        self.event(out, &header, |out, times| match &record.body {
            ControlBody::Ready(event) => object(out, &event.payload),
            ControlBody::SnapshotPublished(body) => {
                object(out, body);
                time_into_object(out, times, "published_at", record.at);
            }
            ControlBody::ReloadFailed(body) => {
                object(out, body);
                time_into_object(out, times, "failed_at", record.at);
            }
        });
    }

    /// Appends a statement that records are missing.
    pub(super) fn gap(&mut self, out: &mut Vec<u8>, gap: &Gap, at: Timestamp) {
        let header = Header {
            id: None,
            kind: EventType::EventsGap,
            at,
            severity: EventType::EventsGap.severity(),
            tenant: None,
            correlation: "",
            actor: "system",
            ticket: None,
            snapshot: "",
        };
        self.event(out, &header, |out, times| {
            object(out, gap);
            time_into_object(out, times, "detected_at", at);
        });
    }

    fn event(&mut self, out: &mut Vec<u8>, header: &Header<'_>, payload: impl FnOnce(&mut Vec<u8>, &mut TimeFormat)) {
        let start = out.len();
        let mut id_buffer = Uuid::encode_buffer();
        let id = header.id.unwrap_or_else(|| self.event_id(header.at));
        let id = &*id.hyphenated().encode_lower(&mut id_buffer);
        let Some(frame) = self.frames.get(header.kind as usize) else { return };
        out.extend_from_slice(b"{\"id\":\"");
        out.extend_from_slice(id.as_bytes());
        out.extend_from_slice(&frame.before_timestamp);
        self.times.write(out, header.at);
        out.extend_from_slice(b",\"payload\":");
        payload(out, &mut self.times);
        out.extend_from_slice(&frame.before_tenant);
        json::nullable(out, header.tenant.unwrap_or_default());
        out.extend_from_slice(b",\"correlation_id\":");
        json::string(out, if header.correlation.is_empty() { id } else { header.correlation });
        out.extend_from_slice(b",\"actor\":");
        json::string(out, header.actor);
        if is_asserted(header.actor) {
            out.extend_from_slice(b",\"asserted\":true");
        }
        out.extend_from_slice(b",\"severity\":\"");
        out.extend_from_slice(header.severity.as_str().as_bytes());
        out.extend_from_slice(b"\",\"ticket\":");
        match header.ticket {
            Some(ticket) => ticket_string(out, ticket),
            None => out.extend_from_slice(b"null"),
        }
        out.extend_from_slice(b",\"sequence\":");
        json::integer(out, self.next_sequence);
        out.extend_from_slice(b",\"snapshot\":");
        json::nullable(out, header.snapshot);
        out.extend_from_slice(&self.before_prev);
        out.extend_from_slice(&self.head_digits);
        out.push(b'"');
        self.head = chain::link(self.key.as_ref(), &self.head, out.get(start..).unwrap_or_default());
        self.head_digits = json::hex32(&self.head);
        chain::close_line(out, &self.head_digits);
        self.next_sequence = self.next_sequence.saturating_add(1);
    }

    /// A UUIDv7 that no other event of this start has, since sequence numbers are never used twice.
    fn event_id(&self, at: Timestamp) -> Uuid {
        let millis = u128::try_from(at.as_micros() / 1_000).unwrap_or(0) & 0xffff_ffff_ffff;
        let bits = self.id_base.wrapping_add(u128::from(self.next_sequence)) & ID_MASK;
        let (high, low) = (bits >> 62, bits & ((1 << 62) - 1));
        Uuid::from_u128((millis << 80) | (0x7 << 76) | (high << 64) | (0b10 << 62) | low)
    }
}

fn ticket_string(out: &mut Vec<u8>, ticket: Ticket) {
    let mut boot = [b'"'; 8];
    let mut rest = ticket.boot.bits();
    for digit in boot.iter_mut().skip(1).rev() {
        // 26 bits are seven digits.
        *digit = b"0123456789abcdef"[(rest & 0xf) as usize];
        rest >>= 4;
    }
    out.extend_from_slice(&boot);
    out.push(b'/');
    json::integer(out, ticket.worker.into());
    out.push(b'/');
    json::integer(out, ticket.number);
    out.push(b'"');
}

/// Appends `body`, which serialises as an object. The types that are passed here cannot fail to.
fn object(out: &mut Vec<u8>, body: &impl serde::Serialize) {
    let start = out.len();
    if serde_json::to_writer(&mut *out, body).is_err() {
        out.truncate(start);
        out.extend_from_slice(b"{}");
    }
}

/// Adds a time as last member of the object that was just appended.
fn time_into_object(out: &mut Vec<u8>, times: &mut TimeFormat, name: &'static str, at: Timestamp) {
    out.pop();
    json::key(out, name);
    times.write(out, at);
    out.push(b'}');
}
