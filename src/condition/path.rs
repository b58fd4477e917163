//! Attribute paths: a slot of the request and the keys below it, resolved at load.

mod not_known;

use std::fmt;
use std::rc::Rc;
use std::sync::{Arc, LazyLock};

use crate::model::{Attributes, ExplainedValue, Layer, Request, Step, Subject, Text, Timestamp, Value};

use super::ast::{Ast, Kind, NodeId};
use super::checker::{Checked, NodeMeaning};
use super::error::{Budget, ConditionError, FIELD_OF, MissingKey, Overload};
use super::open::OpenParams;
use super::plan::PlanBindings;
use super::scope::Slot;
use super::step_context::StepContext;
use super::time::Instant;
use super::value::{Const, List, Map, TypeName, Val};

/// Most keys of a path; attributes never nest that deep. What is longer is read key by key.
pub(super) const MAX_KEYS: usize = 64;

/// What a condition reads.
#[derive(Debug, Clone, Copy)]
pub struct Bindings<'a> {
    /// The question.
    pub request: &'a Request,
    /// When it is decided.
    pub now: Timestamp,
    /// The plan and the position of the step, for conditions of a risk policy.
    pub plan: Option<(&'a PlanBindings<'a>, usize)>,
    /// What stands in place of the request's context, for a policy that decides a step of a plan.
    pub context: Option<&'a StepContext<'a>>,
}

/// What conditions over a plan have in place of a request.
static NO_REQUEST: LazyLock<Request> = LazyLock::new(Request::default);

/// What a step reads as where there is none.
static NO_ATTRIBUTES: LazyLock<Attributes> = LazyLock::new(Attributes::default);

impl<'a> Bindings<'a> {
    /// What the rules of a policy read.
    #[inline]
    #[must_use]
    pub const fn of_request(request: &'a Request, now: Timestamp) -> Self {
        Self { request, now, plan: None, context: None }
    }

    /// What the rules of a policy read of a step of a plan: a request whose context is that of the step.
    #[must_use]
    pub const fn of_request_for(request: &'a Request, context: &'a StepContext<'a>, now: Timestamp) -> Self {
        Self { request, now, plan: None, context: Some(context) }
    }

    /// Whether there is no plan about it, so that everything is known.
    #[inline]
    const fn is_request(&self) -> bool {
        self.plan.is_none() && self.context.is_none()
    }

    /// Whether the rules of a layer do not know of what type the resource is: it is a step's, and no catalogue of that
    /// layer or a higher one says. What a lower layer says must not lift what they restrict.
    #[inline]
    #[must_use]
    pub fn is_resource_type_unknown_to(&self, layer: Layer) -> bool {
        self.context.is_some_and(|step| step.typed_by().is_none_or(|by| by > layer))
    }

    /// What the tier rules of a risk policy read: a plan, and its step at `step`.
    #[must_use]
    pub fn of_step(plan: &'a PlanBindings<'a>, step: usize, now: Timestamp) -> Self {
        Self { request: &NO_REQUEST, now, plan: Some((plan, step)), context: None }
    }

    /// What the plan rules of a risk policy read.
    #[must_use]
    pub fn of_plan(plan: &'a PlanBindings<'a>, now: Timestamp) -> Self {
        Self::of_step(plan, usize::MAX, now)
    }
}

/// A slot of the request and keys below it, for example `context.amount`.
#[derive(Clone)]
pub struct AttributePath {
    slot: Slot,
    keys: Box<[Key]>,
}

#[derive(Clone)]
struct Key {
    name: Text,
    /// The path up to and including the key. Shared with errors.
    path: Arc<Text>,
}

impl fmt::Debug for AttributePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl PartialEq for AttributePath {
    fn eq(&self, other: &Self) -> bool {
        self.slot == other.slot && self.as_str() == other.as_str()
    }
}

impl Eq for AttributePath {}

/// An attribute as it stands in a request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum AttributeRef<'a> {
    /// A string of the request itself, such as the subject's id.
    Text(&'a str),
    /// The subject's roles.
    Texts(&'a [Text]),
    /// All properties of an entity, or the whole context.
    Map(&'a Attributes),
    /// A value among the properties or the context.
    Value(&'a Value),
    /// The params of a step, of which some are not known before the plan runs.
    Open(&'a OpenParams<'a>),
    /// The time of the decision.
    Now(Timestamp),
    /// A whole number of a plan or step; `None` where none is given.
    Integer(Option<i64>),
    /// The steps of a plan.
    Steps(&'a PlanBindings<'a>),
    /// The subject of a plan.
    Subject(&'a Subject),
    /// The labels of a plan.
    Labels(&'a [(Text, Text)]),
}

impl<'a> AttributeRef<'a> {
    /// Whether it is a field of the request itself that says nothing: an empty string, no roles, no properties.
    pub(super) fn is_empty_field(self) -> bool {
        match self {
            Self::Text(text) => text.is_empty(),
            Self::Texts(texts) => texts.is_empty(),
            Self::Map(map) => map.is_empty(),
            Self::Integer(number) => number.is_none(),
            Self::Steps(plan) => plan.plan.steps.is_empty(),
            Self::Labels(labels) => labels.is_empty(),
            // What is bound will be there.
            Self::Subject(_) | Self::Open(_) | Self::Value(_) | Self::Now(_) => false,
        }
    }

    pub(super) fn to_val(self) -> Val<'a> {
        match self {
            Self::Text(text) => Val::Str(text),
            Self::Texts(texts) => Val::List(List::Texts(texts)),
            Self::Map(map) => Val::Map(Map::Attributes(map)),
            Self::Open(open) => Val::Open(Rc::new(open.map())),
            Self::Value(value) => Val::of_attribute(value),
            Self::Now(now) => Val::Timestamp(Instant::of(now)),
            Self::Integer(number) => Val::Int(number.unwrap_or(0)),
            Self::Steps(plan) => Val::List(List::Steps(plan)),
            Self::Subject(subject) => Val::Map(Map::Subject(subject)),
            Self::Labels(labels) => Val::Map(Map::Labels(labels)),
        }
    }

    /// The string, if it is one.
    #[inline]
    #[must_use]
    pub fn as_str(self) -> Option<&'a str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Value(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    /// A copy as an attribute value; the time becomes RFC 3339, and of steps and subjects only the ids are kept,
    /// and of params that are not all known nothing.
    #[must_use]
    pub fn to_value(self) -> Value {
        let text = |text: &Text| Value::String(text.clone());
        match self {
            Self::Text(text) => Value::String(text.into()),
            Self::Texts(texts) => Value::List(texts.iter().cloned().map(Value::String).collect()),
            Self::Map(map) => Value::Map(map.clone()),
            Self::Open(_) => Value::Null,
            Self::Value(value) => value.clone(),
            Self::Now(now) => Value::String(now.to_string().as_str().into()),
            Self::Integer(number) => number.map_or(Value::Null, |number| Value::Number(number as f64)),
            Self::Steps(plan) => Value::List(plan.plan.steps.iter().map(|step| text(&step.step_id)).collect()),
            Self::Subject(subject) => text(&subject.id),
            Self::Labels(labels) => {
                let entries = labels.iter().map(|(key, value)| (key.clone(), text(value))).collect();
                Value::Map(Attributes::from_entries(entries).unwrap_or_default())
            }
        }
    }

    pub(super) fn type_name(self) -> TypeName {
        self.to_val().type_name()
    }

    #[inline]
    fn as_map(self) -> Option<&'a Attributes> {
        match self {
            Self::Map(map) | Self::Value(Value::Map(map)) => Some(map),
            _ => None,
        }
    }
}

impl AttributePath {
    pub(super) fn new<'k>(slot: Slot, keys: impl IntoIterator<Item = &'k str>) -> Self {
        let mut text = Text::const_new(slot.as_str());
        let keys = keys
            .into_iter()
            .map(|key| {
                if is_identifier(key) {
                    text.push('.');
                    text.push_str(key);
                } else {
                    text.push('[');
                    text.push_str(&super::strings::quote(key));
                    text.push(']');
                }
                Key { name: key.into(), path: Arc::new(text.clone()) }
            })
            .collect();
        Self { slot, keys }
    }

    /// The path, as an author writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.keys.last().map_or(self.slot.as_str(), |key| &key.path)
    }

    /// Whether every request has the attribute: it is a field of the request itself and not a key of a map.
    pub(super) fn is_guaranteed(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether it is a list in every request.
    pub(super) fn is_guaranteed_list(&self) -> bool {
        self.is_guaranteed() && self.slot == Slot::SubjectRoles
    }

    pub(super) fn slot(&self) -> Slot {
        self.slot
    }

    /// The keys below the slot.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|key| key.name.as_str())
    }

    /// The attribute; `None` if it is missing. `now` is not part of a request and reads as `None`.
    #[must_use]
    pub fn read<'a>(&self, bindings: &Bindings<'a>) -> Option<AttributeRef<'a>> {
        if self.slot == Slot::Now {
            return None;
        }
        self.find(bindings)
    }

    /// What the slot reads.
    fn base<'a>(&self, bindings: &Bindings<'a>) -> AttributeRef<'a> {
        match (bindings.context, self.slot) {
            (Some(context), Slot::Context) => AttributeRef::Map(context.whole()),
            _ => self.base_of_request(bindings),
        }
    }

    /// The same, where the context is that of the request.
    #[inline]
    fn base_of_request<'a>(&self, bindings: &Bindings<'a>) -> AttributeRef<'a> {
        let request = bindings.request;
        match self.slot {
            Slot::SubjectType => AttributeRef::Text(&request.subject.kind),
            Slot::SubjectId => AttributeRef::Text(&request.subject.id),
            Slot::SubjectRoles => AttributeRef::Texts(&request.subject.roles),
            Slot::SubjectProperties => AttributeRef::Map(&request.subject.properties),
            Slot::OnBehalfOf => AttributeRef::Text(&request.subject.on_behalf_of),
            Slot::ActionName => AttributeRef::Text(&request.action.name),
            Slot::ActionProperties => AttributeRef::Map(&request.action.properties),
            Slot::ResourceType => AttributeRef::Text(&request.resource.kind),
            Slot::ResourceId => AttributeRef::Text(&request.resource.id),
            Slot::ResourceProperties => AttributeRef::Map(&request.resource.properties),
            Slot::Context => AttributeRef::Map(&request.context),
            Slot::Tenant => AttributeRef::Text(request.tenant()),
            Slot::Now => AttributeRef::Now(bindings.now),
            slot => of_plan(slot, bindings),
        }
    }

    /// The attribute; `None` if a key is missing or something on the way is not a map.
    #[inline]
    pub(super) fn find<'a>(&self, bindings: &Bindings<'a>) -> Option<AttributeRef<'a>> {
        self.follow(&self.keys, bindings, &mut Budget { remaining: u64::MAX })
    }

    /// The attribute, by the rules of CEL.
    #[inline]
    pub(super) fn require<'a>(
        &self,
        bindings: &Bindings<'a>,
        budget: &mut Budget,
    ) -> Result<AttributeRef<'a>, ConditionError> {
        match self.follow(&self.keys, bindings, budget) {
            Some(found) => Ok(found),
            None if bindings.is_request() => Err(self.missing(&self.keys, bindings)),
            None => self.require_open(bindings),
        }
    }

    /// Whether the attribute is there, by the rules of CEL: what leads to it must be.
    #[inline]
    pub(super) fn is_present(&self, bindings: &Bindings<'_>, budget: &mut Budget) -> Result<bool, ConditionError> {
        let Some((last, before)) = self.keys.split_last() else {
            return Ok(!self.base(bindings).is_empty_field());
        };
        match self.follow(before, bindings, budget) {
            Some(AttributeRef::Map(map) | AttributeRef::Value(Value::Map(map))) => {
                budget.spend(map.len() / 8);
                Ok(map.get(&last.name).is_some())
            }
            Some(AttributeRef::Open(open)) => open.map().has(&last.name),
            Some(other) => Err(self.no_field(before.len(), other)),
            None if bindings.is_request() => Err(self.missing(before, bindings)),
            None => self.is_present_open(last, before, bindings),
        }
    }

    /// What the first `keys` of the path lead to.
    #[inline]
    fn follow<'a>(&self, keys: &[Key], bindings: &Bindings<'a>, budget: &mut Budget) -> Option<AttributeRef<'a>> {
        match bindings.context {
            None => follow(self.base_of_request(bindings), keys, budget),
            Some(context) => self.follow_in_step(keys, context, bindings, budget),
        }
    }

    /// The same, where the context is that of a step.
    fn follow_in_step<'a>(
        &self,
        keys: &[Key],
        context: &'a StepContext<'a>,
        bindings: &Bindings<'a>,
        budget: &mut Budget,
    ) -> Option<AttributeRef<'a>> {
        if self.slot == Slot::Context && context.open().is_some() {
            let is_all = keys.is_empty() && self.keys.is_empty();
            if is_all || keys.first().is_some_and(|first| first.name == "params") {
                return None;
            }
        }
        if let (Slot::Context, [first, below @ ..]) = (self.slot, keys)
            && let Some(map) = context.map(&first.name)
            // A map that is itself asked for is a value among the others.
            && (!below.is_empty() || keys.len() < self.keys.len())
        {
            return follow(AttributeRef::Map(map), below, budget);
        }
        follow(self.base(bindings), keys, budget)
    }

    /// Why following `keys` led nowhere.
    #[cold]
    fn missing(&self, keys: &[Key], bindings: &Bindings<'_>) -> ConditionError {
        self.missing_below(self.base(bindings), 0, keys)
    }

    /// The same for `keys`, which stand behind the first `above` ones, from what those lead to.
    fn missing_below(&self, mut found: AttributeRef<'_>, above: usize, keys: &[Key]) -> ConditionError {
        for (count, key) in keys.iter().enumerate() {
            let Some(map) = found.as_map() else { return self.no_field(above + count, found) };
            match map.get(&key.name) {
                Some(value) => found = AttributeRef::Value(value),
                None => return ConditionError::NoSuchKey(MissingKey::at(&key.path)),
            }
        }
        self.no_field(above + keys.len(), found)
    }

    /// The first `count` keys lead to something that has no fields.
    fn no_field(&self, count: usize, found: AttributeRef<'_>) -> ConditionError {
        let last = count.checked_sub(1).and_then(|last| self.keys.get(last));
        let path = last.map_or(self.slot.as_str(), |key| &key.path);
        Overload::on_attribute(FIELD_OF, found.type_name(), None, path)
    }

    /// The path and its value, for an explanation.
    pub(super) fn explained(&self, bindings: &Bindings<'_>) -> ExplainedValue {
        ExplainedValue { path: self.as_str().into(), value: self.find(bindings).map(AttributeRef::to_value) }
    }
}

/// What a slot of a plan, or of its step, reads; empty where there is none.
fn of_plan<'a>(slot: Slot, bindings: &Bindings<'a>) -> AttributeRef<'a> {
    let Some((of, index)) = bindings.plan else { return AttributeRef::Text("") };
    let (plan, step) = (of.plan, of.plan.steps.get(index));
    let text = |field: fn(&Step) -> &Text| AttributeRef::Text(step.map_or("", |step| field(step)));
    let map = |field: fn(&Step) -> &Attributes| AttributeRef::Map(step.map_or(&NO_ATTRIBUTES, field));
    match slot {
        Slot::StepId => text(|step| &step.step_id),
        Slot::StepAction => text(|step| &step.action),
        Slot::StepProvider => text(|step| &step.provider),
        Slot::StepResource => text(|step| &step.resource),
        Slot::StepIdempotencyKey => text(|step| &step.idempotency_key),
        Slot::StepDescription => text(|step| &step.description),
        Slot::StepParams => match of.open_params(index) {
            Some(open) => AttributeRef::Open(open),
            None => map(|step| &step.params),
        },
        Slot::StepConstraints => map(|step| &step.constraints),
        Slot::StepIndex => AttributeRef::Integer(i64::try_from(index).ok()),
        Slot::StepBudget => AttributeRef::Integer(step.and_then(|step| step.budget_cents)),
        Slot::StepDependsOn => AttributeRef::Texts(step.map_or(&[], |step| &step.depends_on)),
        Slot::StepLabels => AttributeRef::Texts(of.labels.get(index).copied().unwrap_or_default()),
        Slot::IrSubject => AttributeRef::Subject(&plan.subject),
        Slot::IrOrdering => AttributeRef::Text(plan.ordering.as_str()),
        Slot::IrSteps => AttributeRef::Steps(of),
        Slot::IrTotalBudget => AttributeRef::Integer(Some(of.total_budget_cents)),
        Slot::IrIntent => AttributeRef::Text(&plan.intent_summary),
        Slot::IrUserMessages => AttributeRef::Texts(&plan.user_messages),
        Slot::IrLabels => AttributeRef::Labels(&plan.labels),
        _ => AttributeRef::Text(plan.tenant()),
    }
}

/// What `keys` lead to. Pays for looking into large maps.
#[inline]
fn follow<'a>(base: AttributeRef<'a>, keys: &[Key], budget: &mut Budget) -> Option<AttributeRef<'a>> {
    let mut found = base;
    for key in keys {
        let map = found.as_map()?;
        budget.spend(map.len() / 8);
        found = AttributeRef::Value(map.get(&key.name)?);
    }
    Some(found)
}

fn is_identifier(key: &str) -> bool {
    !key.is_empty()
        && !key.as_bytes().first().is_some_and(u8::is_ascii_digit)
        && key.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
}

/// The path that the node `id` reads (or, in `has`, tests), if it is one.
pub(super) fn path_of(ast: &Ast, checked: &Checked, id: NodeId) -> Option<AttributePath> {
    let mut keys = Vec::new();
    let mut at = id;
    while keys.len() <= MAX_KEYS {
        match (checked.meaning(at), ast.kind(at)) {
            (NodeMeaning::Slot(slot), _) => {
                keys.reverse();
                return Some(AttributePath::new(slot, keys));
            }
            (NodeMeaning::Path(_), Kind::Select { operand, field, .. }) => {
                keys.push(field.as_str());
                at = *operand;
            }
            (NodeMeaning::Path(_), Kind::Index { operand, index }) => {
                let Kind::Literal(Const::Str(key)) = ast.kind(*index) else { return None };
                keys.push(key.as_str());
                at = *operand;
            }
            _ => return None,
        }
    }
    None
}
