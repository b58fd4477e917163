//! The server over real sockets, in process.

mod harness;
mod unary;
