//! Tests of the room as a whole; those of single parts stand beside them.

mod recovery;
mod ring;
mod support;
