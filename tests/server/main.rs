//! The server over real sockets, in process.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod audits;
mod batch;
mod edges;
mod guaranteed;
mod harness;
mod http_side;
mod identity;
mod lifecycle;
mod limits;
mod plans;
mod raw;
mod records;
mod refusals;
mod services;
mod slow_reader;
mod stream;
mod unary;
