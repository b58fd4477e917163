//! The server over real sockets, in process.

mod batch;
mod harness;
mod http_side;
mod lifecycle;
mod limits;
mod raw;
mod refusals;
mod services;
mod stream;
mod unary;
