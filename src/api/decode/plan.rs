//! `ValidateIRRequest`, and the steps that `VerifyDagRequest` has as well.
//!
//! Only what has no canonical form is refused here. A step whose id, action or provider is blank or not printable is read
//! as it is: that is for the validation to say, with everything else that is wrong with the plan.

use super::Malformed;
use super::attributes::{attributes, value};
use super::checks::Checks;
use super::reader::{Merged, Reader};
use super::violation::{Fault, Path, Violation, Violations};
use crate::model::{Attributes, Input, Limits, Observation, Ordering, Origin, Plan, Step, Text, Value};

/// Most claims, dependencies and the like of one step that are kept. A plan that needs more of them is not a plan.
const MAX_LIST: usize = 16_384;

/// A plan and what is wrong with its message. One with violations must not be validated.
#[derive(Debug)]
pub struct DecodedPlan {
    /// The plan; incomplete where there are violations.
    pub plan: Plan,
    /// What is wrong, empty for a good message.
    pub violations: Vec<Violation>,
}

/// Reads a `ValidateIRRequest`.
pub fn validate_ir_request(message: &[u8], limits: &Limits) -> Result<DecodedPlan, Malformed> {
    let mut violations = Violations::default();
    let mut plan = Plan::default();
    let mut subject = Merged::default();
    let mut steps = Steps::new("steps", message, 5, limits);
    let (mut ordering, mut scheme) = (0, 0);
    let mut reader = Reader::new(message);
    while let Some((number, raw)) = reader.next()? {
        match number {
            1 => plan.request_id = Text::from(raw.string()?),
            2 => plan.tenant_id = Text::from(raw.string()?),
            3 => subject.add(raw.message()?)?,
            4 => ordering = raw.enumeration()?,
            5 => steps.add(raw.message()?, limits, &mut violations)?,
            6 => plan.intent_summary = Text::from(raw.string()?),
            7 => bounded(&mut plan.user_messages, Text::from(raw.string()?), "user_messages", &mut violations),
            8 => {
                let at = Path::root("observations");
                let at = at.index(plan.observations.len());
                let observation = observation(raw.message()?, &at, limits, &mut violations)?;
                bounded(&mut plan.observations, observation, "observations", &mut violations);
            }
            9 => bounded(&mut plan.labels, label(raw.message()?)?, "labels", &mut violations),
            10 => plan.run_id = Text::from(raw.string()?),
            11 => plan.correlation_id = Text::from(raw.string()?),
            12 => plan.snapshot = Text::from(raw.string()?),
            13 => scheme = raw.enumeration()?,
            14 => plan.audience = Text::from(raw.string()?),
            _ => {}
        }
    }
    plan.steps = steps.kept;
    unique_labels(&mut plan.labels, &mut violations);
    let mut checks = Checks { at: None, limits, violations: &mut violations };
    checks.id("request_id", &plan.request_id, limits.id_bytes);
    checks.id("tenant_id", &plan.tenant_id, limits.id_bytes);
    plan.subject = checks.subject(&subject, false)?;
    plan.ordering = checks.ordering(ordering);
    checks.id("run_id", &plan.run_id, limits.id_bytes);
    checks.id("correlation_id", &plan.correlation_id, limits.id_bytes);
    checks.id("snapshot", &plan.snapshot, limits.id_bytes);
    checks.id("audience", &plan.audience, limits.name_bytes);
    if !matches!(scheme, 0 | 1) {
        violations.add(&Path::root("hash_scheme"), Fault::UnknownValue, "the server knows only HASH_SCHEME_RFC8785_V1");
    }
    Ok(DecodedPlan { plan, violations: violations.into_vec() })
}

impl Checks<'_> {
    /// The ordering with a number of the wire.
    pub fn ordering(&mut self, number: i32) -> Ordering {
        match number {
            0 | 1 => Ordering::Sequential,
            2 => Ordering::Dag,
            _ => {
                let at = Path::below(self.at, "ordering");
                self.violations.add(&at, Fault::UnknownValue, "write ORDERING_SEQUENTIAL or ORDERING_DAG");
                Ordering::Sequential
            }
        }
    }
}

/// The steps of a plan as they are read.
#[derive(Debug)]
pub struct Steps {
    at: Path<'static>,
    /// The steps; of a plan with far too many only the first.
    pub kept: Vec<Step>,
    count: usize,
}

impl Steps {
    /// None yet, with space for those in field `number` of `message`, which has the name `name`.
    pub fn new(name: &'static str, message: &[u8], number: u32, limits: &Limits) -> Self {
        let expected = Reader::new(message).count(number, limits.plan_steps);
        Self { at: Path::root(name), kept: Vec::with_capacity(expected), count: 0 }
    }

    /// Reads the next one.
    pub fn add(&mut self, message: &[u8], limits: &Limits, violations: &mut Violations) -> Result<(), Malformed> {
        let step = step(message, &self.at.index(self.count), limits, violations)?;
        self.count += 1;
        if self.count <= limits.kept_steps() {
            self.kept.push(step);
        }
        Ok(())
    }
}

/// Reads a `Step` that stands at `at`.
pub fn step(message: &[u8], at: &Path<'_>, limits: &Limits, violations: &mut Violations) -> Result<Step, Malformed> {
    let mut step = Step::default();
    let (mut params, mut constraints) = (Merged::default(), Merged::default());
    let mut reader = Reader::new(message);
    while let Some((number, raw)) = reader.next()? {
        match number {
            1 => step.step_id = Text::from(raw.string()?),
            2 => step.action = Text::from(raw.string()?),
            3 => step.provider = Text::from(raw.string()?),
            4 => step.resource = Text::from(raw.string()?),
            5 => params.add(raw.message()?)?,
            6 => constraints.add(raw.message()?)?,
            7 => step.idempotency_key = Text::from(raw.string()?),
            8 => step.budget_cents = Some(raw.varint()?.cast_signed()),
            9 => bounded_at(&mut step.depends_on, Text::from(raw.string()?), &at.field("depends_on"), violations),
            10 => {
                let list = at.field("inputs");
                if let Some(input) = input(raw.message()?, &list.index(step.inputs.len()), violations)? {
                    bounded_at(&mut step.inputs, input, &list, violations);
                }
            }
            11 => step.description = Text::from(raw.string()?),
            _ => {}
        }
    }
    step.params = map(&params, &at.field("params"), limits, violations)?;
    step.constraints = map(&constraints, &at.field("constraints"), limits, violations)?;
    Ok(step)
}

/// Reads a `Struct` that may be absent.
pub fn map(
    content: &Merged<'_>,
    at: &Path<'_>,
    limits: &Limits,
    violations: &mut Violations,
) -> Result<Attributes, Malformed> {
    content.get().map_or_else(|| Ok(Attributes::default()), |message| attributes(message, 1, at, limits, violations))
}

/// The origin of an input before its message is read: a later kind replaces an earlier one, and occurrences of one kind in
/// a row are merged.
enum Kind<'a> {
    Unset,
    User(Merged<'a>),
    Constant(Merged<'a>),
    Step(Merged<'a>),
}

fn input(message: &[u8], at: &Path<'_>, violations: &mut Violations) -> Result<Option<Input>, Malformed> {
    let mut path = Text::default();
    let mut kind = Kind::Unset;
    let mut reader = Reader::new(message);
    while let Some((number, raw)) = reader.next()? {
        match (number, &mut kind) {
            (1, _) => path = Text::from(raw.string()?),
            (2, Kind::User(parts)) | (3, Kind::Constant(parts)) | (4, Kind::Step(parts)) => {
                parts.add(raw.message()?)?
            }
            (2..=4, _) => {
                // What is replaced counts for nothing, but must be well-formed like everything else.
                origin(&kind)?;
                let first = Merged::Once(raw.message()?);
                kind = match number {
                    2 => Kind::User(first),
                    3 => Kind::Constant(first),
                    _ => Kind::Step(first),
                };
            }
            _ => {}
        }
    }
    let origin = origin(&kind)?;
    if origin.is_none() {
        violations.add(at, Fault::MissingField, "one of `user`, `constant` and `step` is required");
    }
    Ok(origin.map(|origin| Input { path, origin }))
}

fn origin(kind: &Kind<'_>) -> Result<Option<Origin>, Malformed> {
    // All three messages hold nothing but strings, whose fields are numbered from 1.
    fn texts<const N: usize>(parts: &Merged<'_>) -> Result<[Text; N], Malformed> {
        let mut texts = [const { Text::const_new("") }; N];
        let mut reader = Reader::new(parts.get().unwrap_or_default());
        while let Some((number, raw)) = reader.next()? {
            if let Some(slot) = texts.get_mut(number as usize - 1) {
                *slot = Text::from(raw.string()?);
            }
        }
        Ok(texts)
    }
    Ok(match kind {
        Kind::Unset => None,
        Kind::User(parts) => {
            let [quote] = texts(parts)?;
            Some(Origin::User { quote })
        }
        Kind::Constant(parts) => {
            let [] = texts(parts)?;
            Some(Origin::Constant)
        }
        Kind::Step(parts) => {
            let [step_id, output_path] = texts(parts)?;
            Some(Origin::Step { step_id, output_path })
        }
    })
}

fn observation(
    message: &[u8],
    at: &Path<'_>,
    limits: &Limits,
    violations: &mut Violations,
) -> Result<Observation, Malformed> {
    let mut step_id = Text::default();
    let mut text = None;
    let mut content = Merged::default();
    let mut reader = Reader::new(message);
    while let Some((number, raw)) = reader.next()? {
        match number {
            1 => step_id = Text::from(raw.string()?),
            2 => {
                content = match text.take() {
                    Some(_) => Merged::Once(raw.message()?),
                    None => {
                        content.add(raw.message()?)?;
                        content
                    }
                };
            }
            3 => text = Some(raw.string()?),
            _ => {}
        }
    }
    // Also where a text replaces it, so that everything that was sent is well-formed.
    let read = content.get().map(|message| value(message, 0, &at.field("value"), limits, violations)).transpose()?;
    let output = text.map(|text| Value::String(Text::from(text))).or(read).unwrap_or_else(|| {
        violations.add(at, Fault::MissingField, "one of `value` and `text` is required");
        Value::Null
    });
    Ok(Observation { step_id, output })
}

fn label(message: &[u8]) -> Result<(Text, Text), Malformed> {
    let mut label = (Text::default(), Text::default());
    let mut reader = Reader::new(message);
    while let Some((number, raw)) = reader.next()? {
        match number {
            1 => label.0 = Text::from(raw.string()?),
            2 => label.1 = Text::from(raw.string()?),
            _ => {}
        }
    }
    Ok(label)
}

/// Puts labels into the order of their keys, and finds keys that occur twice.
fn unique_labels(labels: &mut [(Text, Text)], violations: &mut Violations) {
    labels.sort_by(|one, other| one.0.cmp(&other.0));
    let at = Path::root("labels");
    for pair in labels.windows(2) {
        if let [one, other] = pair
            && one.0 == other.0
        {
            violations.add(&at.key(&one.0), Fault::DuplicateKey, "the key occurs twice in its map");
        }
    }
}

fn bounded<T>(list: &mut Vec<T>, item: T, name: &'static str, violations: &mut Violations) {
    bounded_at(list, item, &Path::root(name), violations);
}

/// Adds to the list at `at`, which may not grow without bound.
pub fn bounded_at<T>(list: &mut Vec<T>, item: T, at: &Path<'_>, violations: &mut Violations) {
    if list.len() == MAX_LIST {
        violations.add(at, Fault::TooLong, format_args!("more than {MAX_LIST} entries"));
    }
    // One more than may be there, so that this is said once.
    if list.len() <= MAX_LIST {
        list.push(item);
    }
}
