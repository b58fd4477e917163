//! Tests of the room as a whole; those of single parts stand beside them.

mod audit;
mod golden;
mod recovery;
mod ring;
mod support;
