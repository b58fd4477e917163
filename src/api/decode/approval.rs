//! Messages of `ApprovalService` that hold attributes. The others are flat, and read by the generated types.

use super::Malformed;
use super::attributes::attributes;
use super::checks::{Checks, no_control_character};
use super::plan::validate_ir_request;
use super::reader::{Merged, Reader};
use super::request::evaluate_request;
use super::violation::{Fault, Path, Violation, Violations};
use crate::model::{Attributes, Limits, Plan, Request, Text};

/// Longest text of a creator, in bytes.
const TEXT_BYTES: usize = 4_096;
/// Most endpoints of one approval.
const ENDPOINTS: usize = 8;

/// What is to be approved.
#[derive(Debug)]
pub enum DecodedTarget {
    /// A plan.
    Plan(Box<Plan>),
    /// A single action.
    Action(Box<Request>),
}

/// A `CreateApprovalRequest`.
#[derive(Debug, Default)]
pub struct DecodedCreation {
    /// Makes it repeatable.
    pub idempotency_key: Text,
    /// The tenant, empty if not given.
    pub tenant_id: Text,
    /// What is to be approved; `None` only where there are violations.
    pub target: Option<DecodedTarget>,
    /// Who asks.
    pub requested_by: Text,
    /// Why.
    pub justification: String,
    /// How long it shall be valid, in seconds.
    pub ttl_seconds: Option<i64>,
    /// Endpoints to tell.
    pub webhook_endpoints: Vec<Text>,
    /// Correlates records.
    pub correlation_id: Text,
    /// What is wrong, empty for a good message.
    pub violations: Vec<Violation>,
}

/// Reads a `CreateApprovalRequest`.
pub fn create_approval_request(message: &[u8], limits: &Limits) -> Result<DecodedCreation, Malformed> {
    let mut violations = Violations::default();
    let mut creation = DecodedCreation::default();
    let (mut plan, mut action) = (Merged::default(), Merged::default());
    // Of the members of a oneof the last one counts.
    let mut last = 0;
    let mut reader = Reader::new(message);
    while let Some((number, raw)) = reader.next()? {
        match number {
            1 => creation.idempotency_key = Text::from(raw.string()?),
            2 => creation.tenant_id = Text::from(raw.string()?),
            3 | 4 => {
                if last != number {
                    (plan, action) = (Merged::default(), Merged::default());
                }
                last = number;
                let target = if number == 3 { &mut plan } else { &mut action };
                target.add(raw.message()?)?;
            }
            5 => creation.requested_by = Text::from(raw.string()?),
            6 => creation.justification = raw.string()?.to_owned(),
            7 => creation.ttl_seconds = Some(raw.varint()?.cast_signed()),
            8 => {
                let name = Text::from(raw.string()?);
                // One more than may be shows that there are too many.
                if creation.webhook_endpoints.len() <= ENDPOINTS {
                    creation.webhook_endpoints.push(name);
                }
            }
            9 => creation.correlation_id = Text::from(raw.string()?),
            _ => {}
        }
    }
    let mut checks = Checks { at: None, limits, violations: &mut violations };
    checks.required_at(&Path::root("idempotency_key"), &creation.idempotency_key, limits.id_bytes);
    checks.id("tenant_id", &creation.tenant_id, limits.id_bytes);
    checks.id("requested_by", &creation.requested_by, limits.name_bytes);
    checks.id("correlation_id", &creation.correlation_id, limits.id_bytes);
    text("justification", &creation.justification, &mut violations);
    if creation.webhook_endpoints.len() > ENDPOINTS {
        let at = Path::root("webhook_endpoints");
        violations.add(&at, Fault::TooLong, format_args!("at most {ENDPOINTS} endpoints can be told"));
    }
    let mut found = violations.into_vec();
    let mut inside = |of: Vec<Violation>, name: &str| {
        found.extend(of.into_iter().map(|v| Violation { field: format!("{name}.{}", v.field), ..v }));
    };
    match last {
        3 => {
            let decoded = validate_ir_request(plan.get().unwrap_or_default(), limits)?;
            inside(decoded.violations, "plan");
            // For the validation it is a text like any; here people read it.
            let mut violations = Violations::default();
            no_control_character(&Path::root("intent_summary"), &decoded.plan.intent_summary, &mut violations);
            inside(violations.into_vec(), "plan");
            creation.target = Some(DecodedTarget::Plan(Box::new(decoded.plan)));
        }
        4 => {
            let decoded = evaluate_request(action.get().unwrap_or_default(), None, limits)?;
            inside(decoded.violations, "action");
            creation.target = Some(DecodedTarget::Action(Box::new(decoded.request)));
        }
        _ => found.push(Violation {
            field: "target".to_owned(),
            fault: Fault::MissingField,
            description: "what is to be approved is missing: give `plan` or `action`".to_owned(),
        }),
    }
    creation.violations = found;
    Ok(creation)
}

/// A `ConsumeRequest`.
#[derive(Debug, Default)]
pub struct DecodedConsume {
    /// The tenant, empty if not given.
    pub tenant_id: Text,
    /// The token.
    pub token: String,
    /// The hash of what is about to run.
    pub target_hash: Text,
    /// The step and its arguments.
    pub step: Option<(Text, Attributes)>,
    /// Makes it repeatable.
    pub redemption_key: Text,
    /// What is wrong, empty for a good message.
    pub violations: Vec<Violation>,
}

/// Reads a `ConsumeRequest`.
pub fn consume_request(message: &[u8], limits: &Limits) -> Result<DecodedConsume, Malformed> {
    let mut violations = Violations::default();
    let mut consume = DecodedConsume::default();
    let mut step = Merged::default();
    let mut reader = Reader::new(message);
    while let Some((number, raw)) = reader.next()? {
        match number {
            1 => consume.tenant_id = Text::from(raw.string()?),
            2 => consume.token = raw.string()?.to_owned(),
            3 => consume.target_hash = Text::from(raw.string()?),
            4 => step.add(raw.message()?)?,
            5 => consume.redemption_key = Text::from(raw.string()?),
            _ => {}
        }
    }
    if let Some(message) = step.get() {
        consume.step = Some(consume_step(message, limits, &mut violations)?);
    }
    if consume.token.is_empty() {
        violations.add(&Path::root("token"), Fault::MissingField, "the field is required");
    }
    let mut checks = Checks { at: None, limits, violations: &mut violations };
    checks.id("tenant_id", &consume.tenant_id, limits.id_bytes);
    checks.required_at(&Path::root("target_hash"), &consume.target_hash, limits.id_bytes);
    checks.id("redemption_key", &consume.redemption_key, limits.id_bytes);
    consume.violations = violations.into_vec();
    Ok(consume)
}

fn consume_step(message: &[u8], limits: &Limits, violations: &mut Violations) -> Result<(Text, Attributes), Malformed> {
    let at = Path::root("step");
    let mut id = Text::default();
    let mut params = Merged::default();
    let mut reader = Reader::new(message);
    while let Some((number, raw)) = reader.next()? {
        match number {
            1 => id = Text::from(raw.string()?),
            2 => params.add(raw.message()?)?,
            _ => {}
        }
    }
    let params = match params.get() {
        Some(message) => attributes(message, 1, &at.field("params"), limits, violations)?,
        None => Attributes::default(),
    };
    Checks { at: None, limits, violations }.required_at(&at.field("step_id"), &id, limits.id_bytes);
    Ok((id, params))
}

/// Checks a text for people.
fn text(field: &'static str, text: &str, violations: &mut Violations) {
    let at = Path::root(field);
    if text.len() > TEXT_BYTES {
        let what = format_args!("{} bytes, at most {TEXT_BYTES} are allowed", text.len());
        violations.add(&at, Fault::TooLong, what);
    }
    no_control_character(&at, text, violations);
}

/// Checks fields that are read by the generated types: ids that may be empty, ids that may not, texts for people.
pub fn flat_violations(
    ids: &[(&'static str, &str)],
    required: &[(&'static str, &str)],
    texts: &[(&'static str, &str)],
    limits: &Limits,
) -> Vec<Violation> {
    let mut violations = Violations::default();
    let mut checks = Checks { at: None, limits, violations: &mut violations };
    for (field, id) in ids {
        checks.id(field, id, limits.name_bytes);
    }
    for (field, id) in required {
        checks.required_at(&Path::root(field), id, limits.name_bytes);
    }
    for (field, words) in texts {
        text(field, words, &mut violations);
    }
    violations.into_vec()
}
