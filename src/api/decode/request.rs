//! `EvaluateRequest` and the messages around it.

use super::Malformed;
use super::attributes::attributes;
use super::checks::Checks;
use super::reader::{Merged, Reader};
use super::violation::{Fault, Path, Violation, Violations};
use crate::model::{Action, Limits, Request, Resource, Text, has_forbidden_character};

/// A request and what is wrong with it. One with violations must not be decided.
#[derive(Debug)]
pub struct Decoded {
    /// The request; incomplete where there are violations.
    pub request: Request,
    /// What is wrong, empty for a good request.
    pub violations: Vec<Violation>,
}

impl Decoded {
    /// The request id as an answer may repeat it: empty if it breaks the rules of ids.
    pub fn request_id_to_echo(&self, limits: &Limits) -> Text {
        let id = &self.request.request_id;
        let may_echo = self.violations.is_empty() || (id.len() <= limits.id_bytes && !has_forbidden_character(id));
        if may_echo { id.clone() } else { Text::default() }
    }
}

/// Reads an `EvaluateRequest` that stands at `at` (`None` for one that is the whole message).
pub fn evaluate_request(message: &[u8], at: Option<&Path<'_>>, limits: &Limits) -> Result<Decoded, Malformed> {
    let mut violations = Violations::default();
    let mut request = Request::default();
    let mut subject = Merged::default();
    let mut action = Merged::default();
    let mut resource = Merged::default();
    let mut context = Merged::default();
    let mut reader = Reader::new(message);
    while let Some((number, raw)) = reader.next()? {
        match number {
            1 => request.request_id = Text::from(raw.string()?),
            2 => request.tenant_id = Text::from(raw.string()?),
            3 => subject.add(raw.message()?)?,
            4 => action.add(raw.message()?)?,
            5 => resource.add(raw.message()?)?,
            6 => context.add(raw.message()?)?,
            7 => request.run_id = Text::from(raw.string()?),
            8 => request.correlation_id = Text::from(raw.string()?),
            9 => request.snapshot = Text::from(raw.string()?),
            10 => request.explain = raw.boolean()?,
            11 => request.want_action_hash = raw.boolean()?,
            _ => {}
        }
    }
    let mut checks = Checks { at, limits, violations: &mut violations };
    checks.id("request_id", &request.request_id, limits.id_bytes);
    checks.id("tenant_id", &request.tenant_id, limits.id_bytes);
    request.subject = checks.subject(&subject, true)?;
    request.action = checks.action(&action)?;
    request.resource = checks.resource(&resource)?;
    if let Some(context) = context.get() {
        request.context = attributes(context, 1, &Path::below(at, "context"), limits, checks.violations)?;
    }
    checks.id("run_id", &request.run_id, limits.id_bytes);
    checks.id("correlation_id", &request.correlation_id, limits.id_bytes);
    checks.id("snapshot", &request.snapshot, limits.id_bytes);
    Ok(Decoded { request, violations: violations.into_vec() })
}

/// Reads the `request` of an `EvaluateStreamRequest`.
pub fn stream_request(message: &[u8], limits: &Limits) -> Result<Decoded, Malformed> {
    let mut content = Merged::default();
    let mut reader = Reader::new(message);
    while let Some((number, raw)) = reader.next()? {
        if number == 1 {
            content.add(raw.message()?)?;
        }
    }
    evaluate_request(content.get().unwrap_or_default(), Some(&Path::root("request")), limits)
}

/// A batch, its items still to be judged one by one.
#[derive(Debug)]
pub struct DecodedBatch {
    /// Digest of the snapshot to decide with, empty for the live one.
    pub snapshot: Text,
    /// The items, with what the batch says for all of them filled in.
    pub items: Vec<Decoded>,
    /// What is wrong with the batch itself.
    pub violations: Vec<Violation>,
}

/// Reads an `EvaluateBatchRequest`.
pub fn batch_request(message: &[u8], limits: &Limits) -> Result<DecodedBatch, Malformed> {
    let mut violations = Violations::default();
    let (mut tenant_id, mut run_id, mut correlation_id, mut snapshot) = ("", "", "", "");
    let mut items = Vec::with_capacity(Reader::new(message).count(2, limits.batch_items));
    let list = Path::root("requests");
    let mut reader = Reader::new(message);
    let mut count = 0_usize;
    while let Some((number, raw)) = reader.next()? {
        match number {
            1 => tenant_id = raw.string()?,
            2 => {
                let item = raw.message()?;
                if count < limits.batch_items {
                    items.push(evaluate_request(item, Some(&list.index(count)), limits)?);
                }
                count += 1;
            }
            3 => run_id = raw.string()?,
            4 => correlation_id = raw.string()?,
            5 => snapshot = raw.string()?,
            _ => {}
        }
    }
    let mut checks = Checks { at: None, limits, violations: &mut violations };
    checks.id("tenant_id", tenant_id, limits.id_bytes);
    checks.id("run_id", run_id, limits.id_bytes);
    checks.id("correlation_id", correlation_id, limits.id_bytes);
    checks.id("snapshot", snapshot, limits.id_bytes);
    if count == 0 {
        violations.add(&list, Fault::InvalidBatch, "a batch needs at least one request");
    } else if count > limits.batch_items {
        let most = limits.batch_items;
        violations.add(&list, Fault::InvalidBatch, format_args!("{count} requests, a batch may hold at most {most}"));
    }
    for (index, item) in items.iter_mut().enumerate() {
        inherit(&mut item.request.tenant_id, tenant_id);
        inherit(&mut item.request.run_id, run_id);
        inherit(&mut item.request.correlation_id, correlation_id);
        if !item.request.snapshot.is_empty() {
            let at = list.index(index);
            let mut own = Violations::default();
            own.add(&at.field("snapshot"), Fault::InvalidBatch, "an item may not pin a snapshot; pin it for the batch");
            item.violations.append(&mut own.into_vec());
        }
    }
    Ok(DecodedBatch { snapshot: Text::from(snapshot), items, violations: violations.into_vec() })
}

fn inherit(field: &mut Text, of_batch: &str) {
    if field.is_empty() {
        *field = Text::from(of_batch);
    }
}

impl Checks<'_> {
    fn action(&mut self, content: &Merged<'_>) -> Result<Action, Malformed> {
        let at = Path::below(self.at, "action");
        let mut action = Action::default();
        let mut properties = Merged::default();
        let mut reader = Reader::new(content.get().unwrap_or_default());
        while let Some((number, raw)) = reader.next()? {
            match number {
                1 => action.name = Text::from(raw.string()?),
                2 => properties.add(raw.message()?)?,
                _ => {}
            }
        }
        action.properties = self.properties(&properties, &at)?;
        self.required_at(&at.field("name"), &action.name, self.limits.name_bytes);
        Ok(action)
    }

    fn resource(&mut self, content: &Merged<'_>) -> Result<Resource, Malformed> {
        let at = Path::below(self.at, "resource");
        let mut resource = Resource::default();
        let mut properties = Merged::default();
        let mut reader = Reader::new(content.get().unwrap_or_default());
        while let Some((number, raw)) = reader.next()? {
            match number {
                1 => resource.kind = Text::from(raw.string()?),
                2 => resource.id = Text::from(raw.string()?),
                3 => properties.add(raw.message()?)?,
                _ => {}
            }
        }
        resource.properties = self.properties(&properties, &at)?;
        self.id_at(&at.field("type"), &resource.kind, self.limits.id_bytes);
        self.id_at(&at.field("id"), &resource.id, self.limits.resource_id_bytes);
        Ok(resource)
    }
}
