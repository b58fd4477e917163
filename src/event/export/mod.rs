//! Exporters: where events go besides the journal.
//!
//! An exporter is one file that implements [`Exporter`]. Everything else is here, once for all: reading the journal from a
//! durable cursor, in order, at least once; trying again after failures; counting what was lost. Each exporter has a
//! thread of its own, so that a stalled one holds up nobody. Only events that an fsync covers are exported: what the
//! journal could still lose never leaves.

mod cursor;
mod driver;
mod stdout;

pub use stdout::StdoutExporter;

pub(super) use driver::Driver;

use super::error::EventError;
use super::reader::Batch;

/// What became of a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delivered {
    /// How many events from the front of what was given are durable at the destination. They will not be given again,
    /// unless the process ends before the cursor is.
    pub events: usize,
    /// Why not all are; the rest is given again after a pause.
    pub error: Option<String>,
}

impl Delivered {
    /// All `events` arrived.
    #[must_use]
    pub const fn all(events: usize) -> Self {
        Self { events, error: None }
    }

    /// Only the first `events` arrived.
    #[must_use]
    pub fn failed(events: usize, error: impl ToString) -> Self {
        Self { events, error: Some(error.to_string()) }
    }
}

/// A destination of events.
pub trait Exporter: Send {
    /// Delivers the events of `batch` from number `skip` on, in order. May block.
    fn export(&mut self, batch: &Batch, skip: usize) -> Delivered;
}

/// An exporter and the name of its cursor.
pub struct NamedExporter {
    name: String,
    exporter: Box<dyn Exporter>,
}

impl NamedExporter {
    /// `exporter` with the cursor `name`, which is also its label in metrics.
    ///
    /// # Errors
    /// [`EventError::ExporterName`] unless it has 1 to 64 letters, digits, `-` and `_`.
    pub fn new(name: &str, exporter: Box<dyn Exporter>) -> Result<Self, EventError> {
        let valid = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if name.is_empty() || name.len() > 64 || !name.bytes().all(valid) {
            return Err(EventError::ExporterName { name: name.to_owned() });
        }
        Ok(Self { name: name.to_owned(), exporter })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}
