//! Who makes one call: whoever is on the connection, unless the call itself shows who makes it.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

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

    /// When what the caller is known by expires; `None` for never.
    pub fn expiry(&self) -> Option<Instant> {
        let left = self.caller().valid_until?.duration_since(SystemTime::now()).unwrap_or_default();
        Instant::now().checked_add(left)
    }

    /// The connection that the call came on.
    #[inline]
    pub fn connection(&self) -> &Rc<Connection> {
        &self.connection
    }

    /// The worker that serves the call.
    #[inline]
    pub fn worker(&self) -> &Worker {
        self.connection.worker()
    }
}
