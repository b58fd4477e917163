//! Values while a program runs, and the constants that a program holds. What can be borrowed from the request or the
//! program is borrowed; only computed strings, bytes, lists and maps own memory.

use std::fmt;
use std::rc::Rc;

use crate::model::{Attributes, Subject, Text, Value};

use super::open::{Member, OpenMap};
use super::plan::{PlanBindings, STEP, SUBJECT, StepRef, subject_field};
use super::time::{Instant, Span};

/// A value on the stack.
#[derive(Debug, Clone)]
pub(super) enum Val<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    Str(&'a str),
    Text(Rc<str>),
    Bytes(&'a [u8]),
    Buffer(Rc<[u8]>),
    List(List<'a>),
    Map(Map<'a>),
    /// A map of which a part is not known before the plan runs.
    Open(Rc<OpenMap<'a>>),
    Timestamp(Instant),
    Duration(Span),
    Type(TypeName),
}

/// A list, wherever its elements live.
#[derive(Debug, Clone)]
pub(super) enum List<'a> {
    Attributes(&'a [Value]),
    Texts(&'a [Text]),
    Steps(&'a PlanBindings<'a>),
    Constant(&'a [Const]),
    Computed(Rc<[Val<'a>]>),
}

/// A map, wherever its entries live.
#[derive(Debug, Clone)]
pub(super) enum Map<'a> {
    Attributes(&'a Attributes),
    Step(StepRef<'a>),
    Subject(&'a Subject),
    Labels(&'a [(Text, Text)]),
    Constant(&'a [(Const, Const)]),
    Computed(Rc<[(Val<'a>, Val<'a>)]>),
}

/// The type of a value. Displays as messages call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the specification")]
pub enum TypeName {
    Null,
    Bool,
    Int,
    Uint,
    Double,
    String,
    Bytes,
    List,
    Map,
    Timestamp,
    Duration,
    Type,
}

impl fmt::Display for TypeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "null",
            Self::Timestamp => "timestamp",
            Self::Duration => "duration",
            name => name.as_str(),
        })
    }
}

impl TypeName {
    /// All types, for name look-up.
    pub(super) const ALL: [Self; 12] = [
        Self::Null,
        Self::Bool,
        Self::Int,
        Self::Uint,
        Self::Double,
        Self::String,
        Self::Bytes,
        Self::List,
        Self::Map,
        Self::Timestamp,
        Self::Duration,
        Self::Type,
    ];

    /// What a value of the type is, for people who look at the data and not at its types.
    pub(super) const fn described(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "a bool",
            Self::Int | Self::Uint | Self::Double => "a number",
            Self::String => "a string",
            Self::Bytes => "bytes",
            Self::List => "a list",
            Self::Map => "a map",
            Self::Timestamp => "a timestamp",
            Self::Duration => "a duration",
            Self::Type => "a type",
        }
    }

    /// The name in CEL.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Null => "null_type",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Uint => "uint",
            Self::Double => "double",
            Self::String => "string",
            Self::Bytes => "bytes",
            Self::List => "list",
            Self::Map => "map",
            Self::Timestamp => "google.protobuf.Timestamp",
            Self::Duration => "google.protobuf.Duration",
            Self::Type => "type",
        }
    }
}

/// A constant of a program. Owned by the program and shared between threads.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Const {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    Str(Text),
    Bytes(Box<[u8]>),
    List(Box<[Const]>),
    Map(Box<[(Const, Const)]>),
    Timestamp(Instant),
    Duration(Span),
    Type(TypeName),
}

impl Const {
    /// The constant as a value that borrows from it.
    #[inline]
    pub(super) fn val(&self) -> Val<'_> {
        match self {
            Self::Null => Val::Null,
            Self::Bool(value) => Val::Bool(*value),
            Self::Int(value) => Val::Int(*value),
            Self::Uint(value) => Val::Uint(*value),
            Self::Double(value) => Val::Double(*value),
            Self::Str(text) => Val::Str(text),
            Self::Bytes(bytes) => Val::Bytes(bytes),
            Self::List(items) => Val::List(List::Constant(items)),
            Self::Map(entries) => Val::Map(Map::Constant(entries)),
            Self::Timestamp(instant) => Val::Timestamp(*instant),
            Self::Duration(span) => Val::Duration(*span),
            Self::Type(name) => Val::Type(*name),
        }
    }

    /// The constant as a double, where a double holds it exactly.
    pub(super) fn as_exact_double(&self) -> Option<f64> {
        const LIMIT: u64 = 1 << 53;
        match self {
            Self::Int(value) if value.unsigned_abs() <= LIMIT => Some(*value as f64),
            Self::Uint(value) if *value <= LIMIT => Some(*value as f64),
            Self::Double(value) if !value.is_nan() => Some(*value),
            _ => None,
        }
    }
}

impl<'a> Val<'a> {
    /// An attribute's value.
    #[inline]
    pub(super) fn of_attribute(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(value) => Self::Double(*value),
            Value::String(text) => Self::Str(text),
            Value::List(items) => Self::List(List::Attributes(items)),
            Value::Map(map) => Self::Map(Map::Attributes(map)),
        }
    }

    /// A member of a map of which a part is not known.
    pub(super) fn of_member(member: Member<'a>) -> Self {
        match member {
            Member::Known(value) => Self::of_attribute(value),
            Member::Open(map) => Self::Open(Rc::new(map)),
        }
    }

    /// A computed string.
    pub(super) fn text(text: impl Into<Rc<str>>) -> Self {
        Self::Text(text.into())
    }

    /// A computed list.
    pub(super) fn list(items: Vec<Self>) -> Self {
        Self::List(List::Computed(items.into()))
    }

    /// The string, if it is one.
    #[inline]
    pub(super) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The bytes, if it is bytes.
    pub(super) fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Buffer(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The type.
    pub(super) fn type_name(&self) -> TypeName {
        match self {
            Self::Null => TypeName::Null,
            Self::Bool(_) => TypeName::Bool,
            Self::Int(_) => TypeName::Int,
            Self::Uint(_) => TypeName::Uint,
            Self::Double(_) => TypeName::Double,
            Self::Str(_) | Self::Text(_) => TypeName::String,
            Self::Bytes(_) | Self::Buffer(_) => TypeName::Bytes,
            Self::List(_) => TypeName::List,
            Self::Map(_) | Self::Open(_) => TypeName::Map,
            Self::Timestamp(_) => TypeName::Timestamp,
            Self::Duration(_) => TypeName::Duration,
            Self::Type(_) => TypeName::Type,
        }
    }

    /// The value as a constant.
    pub(super) fn to_const(&self) -> Const {
        match self {
            Self::Null => Const::Null,
            Self::Bool(value) => Const::Bool(*value),
            Self::Int(value) => Const::Int(*value),
            Self::Uint(value) => Const::Uint(*value),
            Self::Double(value) => Const::Double(*value),
            Self::Str(text) => Const::Str((*text).into()),
            Self::Text(text) => Const::Str((&**text).into()),
            Self::Bytes(bytes) => Const::Bytes((*bytes).into()),
            Self::Buffer(bytes) => Const::Bytes((&**bytes).into()),
            Self::List(list) => Const::List(list.iter().map(|item| item.to_const()).collect()),
            Self::Map(map) => Const::Map(map.iter().map(|(key, value)| (key.to_const(), value.to_const())).collect()),
            // No constant and no expression has a plan in it.
            Self::Open(_) => Const::Null,
            Self::Timestamp(instant) => Const::Timestamp(*instant),
            Self::Duration(span) => Const::Duration(*span),
            Self::Type(name) => Const::Type(*name),
        }
    }
}

impl<'a> List<'a> {
    /// Number of elements.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Attributes(items) => items.len(),
            Self::Texts(items) => items.len(),
            Self::Steps(plan) => plan.plan.steps.len(),
            Self::Constant(items) => items.len(),
            Self::Computed(items) => items.len(),
        }
    }

    /// The element at `index`.
    pub(super) fn get(&self, index: usize) -> Option<Val<'a>> {
        match self {
            Self::Attributes(items) => items.get(index).map(Val::of_attribute),
            Self::Texts(items) => items.get(index).map(|text| Val::Str(text)),
            Self::Steps(plan) => plan.step(index).map(|step| Val::Map(Map::Step(step))),
            Self::Constant(items) => items.get(index).map(Const::val),
            Self::Computed(items) => items.get(index).cloned(),
        }
    }

    /// The elements.
    pub(super) fn iter(&self) -> impl Iterator<Item = Val<'a>> + '_ {
        (0..self.len()).filter_map(|index| self.get(index))
    }
}

impl<'a> Map<'a> {
    /// Number of entries.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Attributes(map) => map.len(),
            Self::Step(_) => STEP.fields.len(),
            Self::Subject(_) => SUBJECT.fields.len(),
            Self::Labels(entries) => entries.len(),
            Self::Constant(entries) => entries.len(),
            Self::Computed(entries) => entries.len(),
        }
    }

    /// The entry at `index`, in the order in which entries were given.
    pub(super) fn entry(&self, index: usize) -> Option<(Val<'a>, Val<'a>)> {
        match self {
            Self::Attributes(map) => {
                map.iter().nth(index).map(|(key, value)| (Val::Str(key), Val::of_attribute(value)))
            }
            Self::Step(step) => {
                STEP.fields.get(index).and_then(|field| Some((Val::Str(field.name), step.get(field.name)?)))
            }
            Self::Subject(subject) => SUBJECT
                .fields
                .get(index)
                .and_then(|field| Some((Val::Str(field.name), subject_field(subject, field.name)?))),
            Self::Labels(entries) => entries.get(index).map(|(key, value)| (Val::Str(key), Val::Str(value))),
            Self::Constant(entries) => entries.get(index).map(|(key, value)| (key.val(), value.val())),
            Self::Computed(entries) => entries.get(index).cloned(),
        }
    }

    /// The entries.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Val<'a>, Val<'a>)> + '_ {
        (0..self.len()).filter_map(|index| self.entry(index))
    }

    /// Whether the string `key` is there, as `has` sees it: a field of a record is if it says something.
    pub(super) fn has_str(&self, key: &str) -> bool {
        let says_something = |value: Val<'a>| match value {
            Val::Str(text) => !text.is_empty(),
            Val::List(list) => list.len() > 0,
            Val::Map(map) => map.len() > 0,
            _ => true,
        };
        match self {
            Self::Step(step) if key == "budget_cents" => step.has_budget(),
            Self::Step(_) | Self::Subject(_) => self.get_str(key).is_some_and(says_something),
            _ => self.get_str(key).is_some(),
        }
    }

    /// The value at the string `key`.
    pub(super) fn get_str(&self, wanted: &str) -> Option<Val<'a>> {
        match self {
            Self::Attributes(map) => map.get(wanted).map(Val::of_attribute),
            Self::Step(step) => step.get(wanted),
            Self::Subject(subject) => subject_field(subject, wanted),
            Self::Labels(entries) => entries.iter().find(|(key, _)| key == wanted).map(|(_, value)| Val::Str(value)),
            Self::Constant(entries) => entries
                .iter()
                .find(|(key, _)| matches!(key, Const::Str(text) if text == wanted))
                .map(|(_, value)| value.val()),
            Self::Computed(entries) => {
                entries.iter().find(|(key, _)| key.as_str() == Some(wanted)).map(|(_, value)| value.clone())
            }
        }
    }
}
