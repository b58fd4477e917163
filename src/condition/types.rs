//! Static types.

use std::fmt;
use std::rc::Rc;

use super::plan::Record;
use super::value::{Const, TypeName};

/// A static type. What an attribute holds is known only when a condition runs, but never is it an integer, bytes, a
/// timestamp or a duration, because attributes are JSON-like.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Ty {
    /// Already reported; agrees with everything.
    Unknown,
    /// Known only when the condition runs.
    Dyn,
    /// The value of an attribute: null, bool, double, string, list or map.
    Attribute,
    Null,
    Bool,
    Int,
    Uint,
    Double,
    String,
    Bytes,
    Timestamp,
    Duration,
    Type,
    List(Rc<Ty>),
    Map(Rc<Ty>, Rc<Ty>),
    /// A variable with fields; no value by itself.
    Entity(&'static str),
    /// A value with known fields, which behaves as a map of them.
    Record(&'static Record),
}

impl Ty {
    pub(super) fn list(element: Self) -> Self {
        Self::List(Rc::new(element))
    }

    pub(super) fn map(key: Self, value: Self) -> Self {
        Self::Map(Rc::new(key), Rc::new(value))
    }

    /// Whether the type is known only when the condition runs.
    pub(super) fn is_dynamic(&self) -> bool {
        matches!(self, Self::Unknown | Self::Dyn | Self::Attribute)
    }

    pub(super) fn is_numeric(&self) -> bool {
        matches!(self, Self::Int | Self::Uint | Self::Double)
    }

    /// The type of a constant.
    pub(super) fn of_const(value: &Const) -> Self {
        match value {
            Const::Null => Self::Null,
            Const::Bool(_) => Self::Bool,
            Const::Int(_) => Self::Int,
            Const::Uint(_) => Self::Uint,
            Const::Double(_) => Self::Double,
            Const::Str(_) => Self::String,
            Const::Bytes(_) => Self::Bytes,
            Const::Timestamp(_) => Self::Timestamp,
            Const::Duration(_) => Self::Duration,
            Const::Type(_) => Self::Type,
            Const::List(_) => Self::list(Self::Dyn),
            Const::Map(_) => Self::map(Self::Dyn, Self::Dyn),
        }
    }

    /// Whether a value of this type can be one of the run-time type `name`.
    pub(super) fn may_be(&self, name: TypeName) -> bool {
        match self {
            Self::Unknown | Self::Dyn => true,
            Self::Attribute => matches!(
                name,
                TypeName::Null | TypeName::Bool | TypeName::Double | TypeName::String | TypeName::List | TypeName::Map
            ),
            Self::Null => name == TypeName::Null,
            Self::Bool => name == TypeName::Bool,
            Self::Int => name == TypeName::Int,
            Self::Uint => name == TypeName::Uint,
            Self::Double => name == TypeName::Double,
            Self::String => name == TypeName::String,
            Self::Bytes => name == TypeName::Bytes,
            Self::Timestamp => name == TypeName::Timestamp,
            Self::Duration => name == TypeName::Duration,
            Self::Type => name == TypeName::Type,
            Self::List(_) => name == TypeName::List,
            Self::Map(..) | Self::Record(_) => name == TypeName::Map,
            Self::Entity(_) => false,
        }
    }

    /// Whether values of these types can ever be equal. Comparing with null always makes sense.
    pub(super) fn may_equal(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Entity(_), _) | (_, Self::Entity(_)) => false,
            (Self::Null, _) | (_, Self::Null) => true,
            (a, b) if a.is_numeric() && b.is_numeric() => true,
            (Self::Attribute, b) if b.is_numeric() => true,
            (a, Self::Attribute) if a.is_numeric() => true,
            (Self::List(a), Self::List(b)) => a.may_equal(b),
            (Self::Map(ka, va), Self::Map(kb, vb)) => ka.may_equal(kb) && va.may_equal(vb),
            (a, b) => TypeName::ALL.iter().any(|name| a.may_be(*name) && b.may_be(*name)),
        }
    }

    /// The type of a value that is of one of these types.
    pub(super) fn join(&self, other: &Self) -> Self {
        match (self, other) {
            (a, b) if a == b => a.clone(),
            (Self::Unknown, other) | (other, Self::Unknown) => other.clone(),
            (Self::List(a), Self::List(b)) => Self::list(a.join(b)),
            (Self::Map(ka, va), Self::Map(kb, vb)) => Self::map(ka.join(kb), va.join(vb)),
            _ => Self::Dyn,
        }
    }
}

impl fmt::Display for Ty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown | Self::Dyn => "dyn",
            Self::Attribute => "attribute",
            Self::Null => "null",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Uint => "uint",
            Self::Double => "double",
            Self::String => "string",
            Self::Bytes => "bytes",
            Self::Timestamp => "timestamp",
            Self::Duration => "duration",
            Self::Type => "type",
            Self::Entity(name) => name,
            Self::Record(record) => record.name,
            Self::List(element) => return write!(f, "list({element})"),
            Self::Map(key, value) => return write!(f, "map({key}, {value})"),
        })
    }
}
