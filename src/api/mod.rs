//! The server: listeners, limits, the gRPC services and the HTTP side; translation between wire and domain, no policy.
//!
//! Data-plane workers serve the calls. Each is one thread with one runtime and the connections that were dealt to it;
//! connections are accepted on the control runtime. A call of the hot path is decoded (`decode`), decided and recorded
//! (`desk`) and encoded (`encode`) where it arrived, in one go and without waiting for anything but its own bytes.
//!
//! What is wrong with a question is a refusal (`refusal`): a gRPC status with typed details. A denial is an answer.

mod accept;
mod admission;
mod approvals;
mod authority;
mod batch;
mod compute;
mod connection;
mod context;
mod dag;
mod deadline;
mod decode;
mod desk;
mod drain;
mod ease;
mod encode;
mod frame;
mod health;
mod http;
mod in_process;
mod listeners;
mod message;
mod options;
mod plans;
pub mod proto;
mod refusal;
mod reply;
mod routed;
mod routes;
mod server;
mod service;
mod shown;
mod socket;
mod stream;
mod timer;
mod tls;
mod unconfirmed;
mod unsent;
mod untaken;
mod wire;
mod wire_dag;
mod wire_plan;
mod worker;

pub use approvals::{ApprovalDesk, KnownPeople, WireCodec};
pub use health::Readiness;
pub use http::HttpServer;
pub use in_process::evaluate_message;
pub use listeners::{HttpListener, Listeners};
pub use options::{ConnectionLimits, ServerOptions};
pub use server::{Server, ServerError, State};
pub use wire::{check_request, read_request, to_filled_struct, to_request, to_response};
pub use wire_dag::{check_dag, read_dag_request, read_dag_response, to_dag_request};
pub use wire_plan::{check_plan, read_plan_request, to_plan_request, to_plan_response};
