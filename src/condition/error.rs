//! Why a condition has no value, and the meter that bounds what evaluation may cost.

use std::fmt;
use std::sync::Arc;

use crate::model::Text;

use super::open::NotKnown;
use super::value::TypeName;

/// Why a condition has no value. Two words long and cheap to make, because errors are normal on the way to a value:
/// messages are put together only when displayed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConditionError {
    /// The request's budget is used up.
    #[error("evaluation limit reached")]
    Limit,
    /// An attribute or a map key that is not there.
    #[error("no such key `{0}`")]
    NoSuchKey(MissingKey),
    /// An argument of a step that is bound to another step's output, or a part of it, or what holds it.
    #[error("it {0}")]
    NotKnown(Box<NotKnown>),
    /// A list has no element at this index.
    #[error("index {0} is out of bounds")]
    OutOfBounds(i64),
    /// An operation met a value of a type that it is not defined for.
    #[error("no such overload: {0}")]
    NoSuchOverload(Box<Overload>),
    /// An integer result does not fit 64 bits.
    #[error("integer overflow")]
    Overflow,
    /// Division of an integer by zero.
    #[error("division by zero")]
    DivisionByZero,
    /// Modulus of an integer by zero.
    #[error("modulus by zero")]
    ModulusByZero,
    /// A value outside the range of this type.
    #[error("{0} out of range")]
    OutOfRange(TypeName),
    /// A string that does not spell a value of this type.
    #[error("cannot convert string to {0}")]
    BadConversion(TypeName),
    /// A map was built with the same key twice.
    #[error("duplicate map key")]
    DuplicateKey,
    /// A map was built with a key that is neither int, uint, bool nor string.
    #[error("unsupported map key type {0}")]
    UnsupportedKey(TypeName),
    /// A function refused the value of an argument.
    #[error("{0}")]
    InvalidArgument(BadArgument),
    /// The condition's value is not a bool.
    #[error("the condition is {0}, not bool")]
    NotBool(TypeName),
}

/// What is wrong with an argument of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadArgument {
    /// Bytes that are no text.
    #[error("the bytes are not UTF-8")]
    NotUtf8,
    /// A position before the start or after the end of a string.
    #[error("index out of range")]
    Position,
    /// A substring that would end before it starts.
    #[error("the start of a substring lies after its end")]
    Substring,
    /// A list index with a fraction.
    #[error("a list index is a whole number")]
    ListIndex,
    /// Neither an IANA name nor an offset.
    #[error("unknown time zone")]
    TimeZone,
    /// A precision that is no number, or too big.
    #[error("the precision of a format clause is not a number up to 100")]
    FormatPrecision,
    /// A format that ends after `%`.
    #[error("the format ends within a clause")]
    FormatEnd,
    /// Too few values for a format.
    #[error("the format has more clauses than values")]
    FormatValues,
    /// A value that a clause of a format does not take.
    #[error("a format clause does not fit its value")]
    FormatValue,
    /// A letter after `%` that means nothing.
    #[error("unknown format clause")]
    FormatClause,
    /// A program that does not fit its own tables. The compiler makes none.
    #[error("the compiled condition is damaged")]
    Program,
}

/// A key that is not there, with the path that leads to it where it is known.
#[derive(Clone, PartialEq, Eq)]
pub struct MissingKey(Arc<Text>);

impl MissingKey {
    /// The key that `path` ends with.
    pub(super) fn at(path: &Arc<Text>) -> Self {
        Self(path.clone())
    }

    /// A key by itself.
    pub(super) fn named(key: &str) -> Self {
        Self(Arc::new(key.into()))
    }

    /// The path up to and including the missing key, for example `context.amount`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MissingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for MissingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// The operation that looks up a name in a map.
pub(super) const FIELD_OF: &str = "field of";

/// An operation and the types that it met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overload {
    operation: &'static str,
    left: TypeName,
    right: Option<TypeName>,
    path: Option<Text>,
}

impl Overload {
    /// An operation on one value.
    #[cold]
    pub(super) fn unary(operation: &'static str, operand: TypeName) -> ConditionError {
        Self { operation, left: operand, right: None, path: None }.into()
    }

    /// An operation on two values.
    #[cold]
    pub(super) fn binary(operation: &'static str, left: TypeName, right: TypeName) -> ConditionError {
        Self { operation, left, right: Some(right), path: None }.into()
    }

    /// An operation on the attribute at `path`, with another value or not.
    #[cold]
    pub(super) fn on_attribute(
        operation: &'static str,
        attribute: TypeName,
        other: Option<TypeName>,
        path: &str,
    ) -> ConditionError {
        Self { operation, left: attribute, right: other, path: Some(path.into()) }.into()
    }
}

impl From<Overload> for ConditionError {
    fn from(overload: Overload) -> Self {
        Self::NoSuchOverload(Box::new(overload))
    }
}

impl fmt::Display for Overload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.operation == FIELD_OF {
            let (known, path) = self.path.as_ref().map_or(("", "the value"), |path| ("`", path.as_str()));
            return write!(f, "{known}{path}{known} is {} and has no fields", self.left.described());
        }
        match self.right {
            None => write!(f, "`{}` on {}", self.operation, self.left)?,
            Some(right) => write!(f, "`{}` on {} and {right}", self.operation, self.left)?,
        }
        match &self.path {
            Some(path) => write!(f, " (`{path}`)"),
            None => Ok(()),
        }
    }
}

/// What evaluation may still cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Cost units left. One stands for about ten nanoseconds: an instruction, an element, 16 bytes compared or four bytes
    /// of text worked on.
    pub remaining: u64,
}

/// Bytes compared or copied that cost one unit.
const BYTES_PER_UNIT: usize = 16;

/// Bytes of text searched, cut, counted or rewritten that cost one unit.
const TEXT_BYTES_PER_UNIT: usize = 4;

impl Budget {
    /// Takes `units`.
    ///
    /// # Errors
    /// [`ConditionError::Limit`] where fewer are left; then none is.
    #[inline]
    pub fn charge(&mut self, units: usize) -> Result<(), ConditionError> {
        match self.remaining.checked_sub(units as u64) {
            Some(left) => {
                self.remaining = left;
                Ok(())
            }
            None => {
                self.remaining = 0;
                Err(ConditionError::Limit)
            }
        }
    }

    /// Takes `units`, or all that is left; then the next [`charge`](Self::charge) fails.
    #[inline]
    pub(super) fn spend(&mut self, units: usize) {
        self.remaining = self.remaining.saturating_sub(units as u64);
    }

    /// Takes what working through `bytes` bytes of text character by character costs.
    #[inline]
    pub(super) fn charge_text(&mut self, bytes: usize) -> Result<(), ConditionError> {
        self.charge(bytes / TEXT_BYTES_PER_UNIT)
    }

    /// Takes what comparing or copying `bytes` bytes costs.
    #[inline]
    pub(super) fn charge_bytes(&mut self, bytes: usize) -> Result<(), ConditionError> {
        if bytes < BYTES_PER_UNIT { Ok(()) } else { self.charge(bytes / BYTES_PER_UNIT) }
    }
}
