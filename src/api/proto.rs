//! Generated types: the messages as plain data with client stubs, for clients, for tests, and for details of errors.
//!
//! The server decodes and encodes the messages of the hot path by hand (`decode`, `encode`); these types are what the
//! tests hold that code to.

/// Package `lictor`.
pub mod lictor {
    /// Package `lictor.v1`.
    #[allow(missing_docs, clippy::all, clippy::pedantic)]
    pub mod v1 {
        tonic::include_proto!("lictor.v1");
    }
}

/// Package `google`.
pub mod google {
    /// Package `google.rpc`: the shapes of errors.
    #[allow(missing_docs, clippy::all, clippy::pedantic)]
    pub mod rpc {
        tonic::include_proto!("google.rpc");
    }
}

pub use google::rpc;
pub use lictor::v1;

/// The descriptors of everything served, for reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
