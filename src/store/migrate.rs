//! The schema: numbered steps, the same numbers for both databases, run at start.

/// A step, which is run once.
pub(super) struct Step {
    /// From 1, without gaps.
    pub(super) version: i64,
    /// What it is about.
    pub(super) name: &'static str,
    /// Its statements.
    pub(super) sql: &'static str,
}

/// Number and name of each step.
macro_rules! steps {
    ($engine:literal) => {
        &[
            Step {
                version: 1,
                name: "approvals",
                sql: include_str!(concat!("../../migrations/", $engine, "/0001_approvals.sql")),
            },
            Step {
                version: 2,
                name: "keys, order, indexes",
                sql: include_str!(concat!("../../migrations/", $engine, "/0002_keys_order_indexes.sql")),
            },
        ]
    };
}

#[cfg(feature = "sqlite")]
pub(super) const SQLITE: &[Step] = steps!("sqlite");

#[cfg(feature = "postgres")]
pub(super) const POSTGRES: &[Step] = steps!("postgres");

/// The newest schema of `steps`.
pub(super) fn newest(steps: &[Step]) -> i64 {
    steps.iter().map(|step| step.version).max().unwrap_or(0)
}
