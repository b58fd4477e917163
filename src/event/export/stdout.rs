//! Events as lines of JSON on the standard output.

use std::io::{self, Write};

use super::{Delivered, Exporter};
use crate::event::reader::Batch;

/// Writes each event as one line. "Durable" means that the line was written to the stream and the stream flushed.
pub struct StdoutExporter<W = io::Stdout> {
    stream: W,
}

impl Default for StdoutExporter {
    fn default() -> Self {
        Self { stream: io::stdout() }
    }
}

impl<W: Write> StdoutExporter<W> {
    /// Writes to `stream` instead of the standard output.
    pub fn to(stream: W) -> Self {
        Self { stream }
    }
}

impl<W: Write + Send> Exporter for StdoutExporter<W> {
    fn export(&mut self, batch: &Batch, skip: usize) -> Delivered {
        let mut delivered = 0_usize;
        for (_, line) in batch.lines(skip) {
            if let Err(error) = self.stream.write_all(line) {
                return Delivered::failed(delivered, error);
            }
            delivered = delivered.saturating_add(1);
        }
        match self.stream.flush() {
            Ok(()) => Delivered::all(delivered),
            // What was buffered may not have arrived: all of it is given again.
            Err(error) => Delivered::failed(0, error),
        }
    }
}
