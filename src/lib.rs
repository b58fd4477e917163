//! Lictor: the policy-decision point that stands beside an AI agent runtime and decides, before each action, whether it
//! may happen.
//!
//! The pure core (`model`, `diag`, `yaml`, `condition`, `policy`, `snapshot`, `decide`, `ir`) knows neither sockets nor
//! clocks nor files and is what other Rust programs embed with `default-features = false`. Everything around it comes with
//! the feature `server`. `docs/architecture.md` describes the rooms and which may use which.

pub mod condition;
pub mod decide;
pub mod diag;
pub mod ir;
pub mod model;
pub mod policy;
pub mod snapshot;
pub mod yaml;

mod engine;

pub use engine::{DocumentsRefused, Engine};

#[cfg(feature = "server")]
pub mod api;
#[cfg(feature = "server")]
pub mod app;
#[cfg(feature = "server")]
pub mod approval;
#[cfg(feature = "server")]
pub mod cli;
#[cfg(feature = "server")]
pub mod config;
#[cfg(feature = "server")]
pub mod event;
#[cfg(feature = "server")]
pub mod identity;
#[cfg(feature = "server")]
pub mod receipt;
#[cfg(feature = "server")]
pub mod reload;
#[cfg(feature = "server")]
pub mod state_dir;
#[cfg(feature = "server")]
pub mod store;
#[cfg(feature = "server")]
pub mod telemetry;
#[cfg(feature = "server")]
pub mod webhook;

#[cfg(all(feature = "server", not(any(feature = "sqlite", feature = "postgres"))))]
compile_error!("a server needs a store: enable the feature `sqlite` or `postgres`");
