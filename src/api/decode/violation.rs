//! What is wrong with a request, and where.

use std::fmt::{self, Write};

/// Most violations that one answer lists; the details of an error travel in a header, which clients bound.
const MAX_VIOLATIONS: usize = 12;
/// Longest path that an answer shows, in bytes.
const MAX_PATH_BYTES: usize = 120;

/// Kind of violation, as `google.rpc.ErrorInfo.reason` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// A required field is absent or empty.
    MissingField,
    /// An id holds a control or bidirectional character.
    ForbiddenCharacter,
    /// A string or a list is longer than allowed.
    TooLong,
    /// A map holds the same key twice.
    DuplicateKey,
    /// A number is NaN or infinite.
    NotFinite,
    /// A `google.protobuf.Value` without a kind.
    UnsetValue,
    /// Attributes are nested too deeply.
    TooDeep,
    /// A batch has no items, too many, or one that pins a snapshot of its own.
    InvalidBatch,
    /// An enum has a number that the server does not know.
    UnknownValue,
    /// A value is not one of those that are allowed.
    OutOfRange,
}

impl Fault {
    /// The reason on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MissingField => "MISSING_FIELD",
            Self::ForbiddenCharacter => "FORBIDDEN_CHARACTER",
            Self::TooLong => "FIELD_TOO_LONG",
            Self::DuplicateKey => "DUPLICATE_KEY",
            Self::NotFinite => "NUMBER_NOT_FINITE",
            Self::UnsetValue => "UNSET_VALUE",
            Self::TooDeep => "TOO_DEEP",
            Self::InvalidBatch => "INVALID_BATCH",
            Self::UnknownValue => "UNKNOWN_ENUM_VALUE",
            Self::OutOfRange => "OUT_OF_RANGE",
        }
    }
}

/// One thing that is wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Where, for example `context.items[3].price`.
    pub field: String,
    /// What kind.
    pub fault: Fault,
    /// What is wrong, for people.
    pub description: String,
}

/// Collects violations.
#[derive(Debug, Default)]
pub struct Violations {
    found: Vec<Violation>,
}

impl Violations {
    /// Adds one; beyond the limit it is not kept.
    pub fn add(&mut self, at: &Path<'_>, fault: Fault, description: impl fmt::Display) {
        if self.found.len() < MAX_VIOLATIONS {
            self.found.push(Violation { field: at.to_string(), fault, description: description.to_string() });
        }
    }

    /// What was found, in the order of the message.
    pub fn into_vec(self) -> Vec<Violation> {
        self.found
    }
}

/// Where in a message something stands. Built on the stack while descending, so that a good request pays nothing for it.
#[derive(Debug, Clone, Copy)]
pub struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    segment: Segment<'a>,
}

#[derive(Debug, Clone, Copy)]
enum Segment<'a> {
    Field(&'static str),
    Key(&'a str),
    Index(usize),
}

impl<'a> Path<'a> {
    /// A field of the outermost message.
    pub const fn root(field: &'static str) -> Self {
        Self { parent: None, segment: Segment::Field(field) }
    }

    /// A field of the message at this path.
    pub const fn field(&'a self, field: &'static str) -> Self {
        Self { parent: Some(self), segment: Segment::Field(field) }
    }

    /// An entry of the map at this path.
    pub const fn key(&'a self, key: &'a str) -> Self {
        Self { parent: Some(self), segment: Segment::Key(key) }
    }

    /// An item of the list at this path.
    pub const fn index(&'a self, index: usize) -> Self {
        Self { parent: Some(self), segment: Segment::Index(index) }
    }

    /// A field of the message at `parent`, or of the outermost one.
    pub const fn below(parent: Option<&'a Path<'a>>, field: &'static str) -> Self {
        Self { parent, segment: Segment::Field(field) }
    }

    fn write(&self, out: &mut String) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.write(out)?;
        }
        match self.segment {
            Segment::Field(name) if out.is_empty() => out.write_str(name),
            Segment::Field(name) => write!(out, ".{name}"),
            Segment::Key(key) if is_plain(key) => write!(out, ".{key}"),
            Segment::Key(key) => write!(out, "[{key:?}]"),
            Segment::Index(index) => write!(out, "[{index}]"),
        }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut whole = String::new();
        self.write(&mut whole)?;
        if whole.len() > MAX_PATH_BYTES {
            whole.truncate(whole.floor_char_boundary(MAX_PATH_BYTES));
            whole.push('…');
        }
        f.write_str(&whole)
    }
}

/// Whether a key can stand in a path without quotes.
fn is_plain(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}
