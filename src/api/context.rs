//! Who makes one call: whoever is on the connection, unless the call itself shows who makes it.

use std::rc::Rc;
use std::sync::Arc;

use super::connection::Connection;
use super::worker::Worker;
use crate::identity::Caller;

/// One call's connection and caller.
#[derive(Debug, Clone)]
pub struct CallContext {
    connection: Rc<Connection>,
    shown: Option<Arc<Caller>>,
}

impl CallContext {
    /// A call by whoever is on `connection`, or by `shown`.
    pub fn new(connection: Rc<Connection>, shown: Option<Arc<Caller>>) -> Self {
        Self { connection, shown }
    }

    /// Who makes the call.
    #[inline]
    pub fn caller(&self) -> &Caller {
        self.shared_caller()
    }

    /// The same, to be kept.
    #[inline]
    pub fn shared_caller(&self) -> &Arc<Caller> {
        self.shown.as_ref().unwrap_or_else(|| self.connection.caller())
    }

    /// The worker that serves the call.
    #[inline]
    pub fn worker(&self) -> &Worker {
        self.connection.worker()
    }
}
