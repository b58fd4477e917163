//! Why a condition has no value, and the meter that bounds what evaluation may cost.

use std::fmt;
use std::sync::Arc;

/// Why a condition has no value. Cheap to make: messages are put together only when displayed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConditionError {
    /// The request's budget is used up.
    #[error("evaluation limit reached")]
    Limit,
    /// An attribute or a map key that is not there.
    #[error("no such key `{0}`")]
    NoSuchKey(MissingKey),
    /// A list has no element at this index.
    #[error("index {0} is out of bounds")]
    OutOfBounds(i64),
    /// An operation met a value of a type that it is not defined for.
    #[error("no such overload: {0}")]
    NoSuchOverload(Overload),
    /// An integer result does not fit 64 bits.
    #[error("integer overflow")]
    Overflow,
    /// Division of an integer by zero.
    #[error("division by zero")]
    DivisionByZero,
    /// Modulus of an integer by zero.
    #[error("modulus by zero")]
    ModulusByZero,
    /// A timestamp or duration outside the range of its type.
    #[error("{0} out of range")]
    OutOfRange(&'static str),
    /// A value that cannot be converted.
    #[error("cannot convert {from} to {to}")]
    BadConversion {
        /// Type of the value.
        from: &'static str,
        /// Type that was wanted.
        to: &'static str,
    },
    /// A map was built with the same key twice.
    #[error("duplicate map key")]
    DuplicateKey,
    /// A map was built with a key that is neither int, uint, bool nor string.
    #[error("unsupported map key type {0}")]
    UnsupportedKey(&'static str),
    /// A function refused the value of an argument.
    #[error("{0}")]
    InvalidArgument(&'static str),
    /// The condition's value is not a bool.
    #[error("the condition is {0}, not bool")]
    NotBool(&'static str),
}

/// A key that is not there, with the path that leads to it where it is known.
#[derive(Clone, PartialEq, Eq)]
pub struct MissingKey {
    path: Arc<str>,
    /// The part of `path` up to and including the missing key.
    end: usize,
}

impl MissingKey {
    /// The first `end` bytes of `path`.
    pub(super) fn in_path(path: &Arc<str>, end: usize) -> Self {
        Self { path: path.clone(), end }
    }

    /// A key by itself.
    pub(super) fn named(key: &str) -> Self {
        Self { path: key.into(), end: key.len() }
    }

    /// The path up to and including the missing key, for example `context.amount`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.path.get(..self.end).unwrap_or(&self.path)
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

/// An operation and the types that it met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overload {
    operation: &'static str,
    left: &'static str,
    right: Option<&'static str>,
    path: Option<Arc<str>>,
}

impl Overload {
    pub(super) fn unary(operation: &'static str, operand: &'static str) -> Self {
        Self { operation, left: operand, right: None, path: None }
    }

    pub(super) fn binary(operation: &'static str, left: &'static str, right: &'static str) -> Self {
        Self { operation, left, right: Some(right), path: None }
    }

    /// On the attribute at `path`.
    pub(super) fn at(mut self, path: &Arc<str>) -> Self {
        self.path = Some(path.clone());
        self
    }
}

impl fmt::Display for Overload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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
    /// Cost units left: about one per instruction, element, or 16 bytes touched.
    pub remaining: u64,
}

/// Bytes touched that cost one unit.
const BYTES_PER_UNIT: usize = 16;

impl Budget {
    /// Takes `units`.
    #[inline]
    pub(super) fn charge(&mut self, units: usize) -> Result<(), ConditionError> {
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

    /// Takes what touching `bytes` bytes costs.
    #[inline]
    pub(super) fn charge_bytes(&mut self, bytes: usize) -> Result<(), ConditionError> {
        if bytes < BYTES_PER_UNIT { Ok(()) } else { self.charge(bytes / BYTES_PER_UNIT) }
    }
}
