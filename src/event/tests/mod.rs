//! Tests of the room as a whole; those of single parts stand beside them.

mod audit;
mod export;
mod failure;
mod golden;
mod guaranteed;
mod mask;
mod plans;
mod recovery;
mod ring;
mod support;
