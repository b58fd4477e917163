//! The real program over real sockets: started, loaded, reloaded, killed, stopped and asked from another language.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

#[path = "../server/identity/authority.rs"]
mod authority;
mod crash;
mod harness;
mod hostile;
mod memory;
mod python;
mod readme;
mod reload;
mod shutdown;
mod tls;
