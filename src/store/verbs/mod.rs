//! What the store can do, as statements over one connection that runs inside a transaction of the caller's.

pub(super) mod approvals;
pub(super) mod deliveries;
pub(super) mod due;
pub(super) mod figures;
pub(super) mod known;
pub(super) mod lists;
pub(super) mod mark;
pub(super) mod meta;
pub(super) mod outbox;

use crate::model::Timestamp;

use super::sql::{Conn, SqlError};

/// What a verb knows besides its arguments.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    /// The store's time.
    pub(super) now: Timestamp,
}

type Outcome<T> = Result<T, SqlError>;
