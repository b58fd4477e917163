//! What deciding may cost, in numbers that do not depend on how busy the machine is: allocations, bytes kept for a rule,
//! and instructions.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

#[path = "../../benches/workload.rs"]
mod workload;

mod allocations;
mod instructions;
