//! One way to speak to both databases: the same text with numbered parameters (`?1`), values of few types, rows read by name.

use crate::model::{Sha256Digest, Text, Timestamp};

/// A connection to either database.
pub(super) enum Conn<'c> {
    /// Calls return when they are done: a future of them is ready when it is first asked.
    #[cfg(feature = "sqlite")]
    Sqlite(&'c mut rusqlite::Connection),
    #[cfg(feature = "postgres")]
    Postgres(&'c mut sqlx::postgres::PgConnection),
}

/// A row of either database, as long as it is looked at.
pub(super) enum Row<'r> {
    #[cfg(feature = "sqlite")]
    Sqlite {
        row: &'r rusqlite::Row<'r>,
        /// The column behind the one that was read last, which is mostly the next to be read.
        next: std::cell::Cell<usize>,
    },
    #[cfg(feature = "postgres")]
    Postgres(&'r sqlx::postgres::PgRow),
}

/// Why a statement failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum SqlError {
    #[cfg(feature = "sqlite")]
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    #[cfg(feature = "postgres")]
    #[error(transparent)]
    Postgres(#[from] sqlx::Error),
    /// A row or a parameter holds what it cannot. The database has nothing to do with it.
    #[error("{0}")]
    Nonsense(String),
}

type Outcome<T> = Result<T, SqlError>;

/// A value for a parameter.
#[derive(Debug, Clone, Copy)]
pub(super) enum Param<'a> {
    Text(&'a str),
    OptText(Option<&'a str>),
    Int(i64),
    OptInt(Option<i64>),
    Bytes(&'a [u8]),
}

impl<'a> From<&'a str> for Param<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a Text> for Param<'a> {
    fn from(text: &'a Text) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Param<'_> {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<Timestamp> for Param<'_> {
    fn from(at: Timestamp) -> Self {
        Self::Int(at.as_micros())
    }
}

impl From<Option<Timestamp>> for Param<'_> {
    fn from(at: Option<Timestamp>) -> Self {
        Self::OptInt(at.map(Timestamp::as_micros))
    }
}

impl<'a> From<&'a [u8]> for Param<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Bytes(bytes)
    }
}

impl<'a> From<&'a Sha256Digest> for Param<'a> {
    fn from(digest: &'a Sha256Digest) -> Self {
        Self::Bytes(digest)
    }
}

impl Conn<'_> {
    /// All rows of a statement, as `read` reads them. `sql` is made of constants only.
    pub(super) async fn all<T>(
        &mut self,
        sql: &str,
        params: &[Param<'_>],
        read: impl Fn(&Row<'_>) -> Outcome<T>,
    ) -> Outcome<Vec<T>> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(conn) => embedded::all(conn, sql, params, usize::MAX, read),
            #[cfg(feature = "postgres")]
            Self::Postgres(conn) => {
                let rows = shared::bound(sql, params).fetch_all(&mut **conn).await?;
                rows.iter().map(|row| read(&Row::Postgres(row))).collect()
            }
        }
    }

    /// The first row of a statement, if any.
    pub(super) async fn one<T>(
        &mut self,
        sql: &str,
        params: &[Param<'_>],
        read: impl Fn(&Row<'_>) -> Outcome<T>,
    ) -> Outcome<Option<T>> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(conn) => Ok(embedded::all(conn, sql, params, 1, read)?.pop()),
            #[cfg(feature = "postgres")]
            Self::Postgres(conn) => {
                let row = shared::bound(sql, params).fetch_optional(&mut **conn).await?;
                row.map(|row| read(&Row::Postgres(&row))).transpose()
            }
        }
    }

    /// Runs a statement and gives the number of rows that it wrote.
    pub(super) async fn run(&mut self, sql: &str, params: &[Param<'_>]) -> Outcome<u64> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(conn) => embedded::run(conn, sql, params),
            #[cfg(feature = "postgres")]
            Self::Postgres(conn) => Ok(shared::bound(sql, params).execute(&mut **conn).await?.rows_affected()),
        }
    }

    /// Whether this is PostgreSQL, for the few statements that differ.
    pub(super) fn is_postgres(&self) -> bool {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => false,
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => true,
        }
    }
}

/// What is SQLite's own.
#[cfg(feature = "sqlite")]
mod embedded {
    use std::cell::Cell;

    use rusqlite::types::{Null, ValueRef};
    use rusqlite::{CachedStatement, Connection};

    use super::{Outcome, Param, Row, nonsense};

    /// The statement with its parameters.
    fn bound<'c>(conn: &'c Connection, sql: &str, params: &[Param<'_>]) -> Outcome<CachedStatement<'c>> {
        let mut statement = conn.prepare_cached(sql)?;
        for (index, param) in params.iter().enumerate() {
            let at = index + 1;
            match *param {
                Param::Text(text) | Param::OptText(Some(text)) => statement.raw_bind_parameter(at, text),
                Param::Int(number) | Param::OptInt(Some(number)) => statement.raw_bind_parameter(at, number),
                Param::OptText(None) | Param::OptInt(None) => statement.raw_bind_parameter(at, Null),
                Param::Bytes(bytes) => statement.raw_bind_parameter(at, bytes),
            }?;
        }
        Ok(statement)
    }

    /// At most `limit` rows.
    pub(super) fn all<T>(
        conn: &Connection,
        sql: &str,
        params: &[Param<'_>],
        limit: usize,
        read: impl Fn(&Row<'_>) -> Outcome<T>,
    ) -> Outcome<Vec<T>> {
        let mut statement = bound(conn, sql, params)?;
        let mut rows = statement.raw_query();
        let mut found = Vec::new();
        while found.len() < limit
            && let Some(row) = rows.next()?
        {
            found.push(read(&Row::Sqlite { row, next: Cell::new(0) })?);
        }
        Ok(found)
    }

    pub(super) fn run(conn: &Connection, sql: &str, params: &[Param<'_>]) -> Outcome<u64> {
        let written = bound(conn, sql, params)?.raw_execute()?;
        Ok(u64::try_from(written).unwrap_or(u64::MAX))
    }

    /// The value of a column.
    pub(super) fn value<'r>(row: &'r rusqlite::Row<'_>, next: &Cell<usize>, name: &str) -> Outcome<ValueRef<'r>> {
        let statement: &rusqlite::Statement<'_> = row.as_ref();
        let hint = next.get();
        let index = match statement.column_name(hint) {
            Ok(found) if found == name => hint,
            _ => statement.column_index(name)?,
        };
        next.set(index + 1);
        Ok(row.get_ref(index)?)
    }

    /// A value of a type that the column does not have.
    pub(super) fn other_type(name: &str, value: ValueRef<'_>) -> super::SqlError {
        nonsense(name, format!("a value of type {}", value.data_type()))
    }
}

/// What is PostgreSQL's own.
#[cfg(feature = "postgres")]
mod shared {
    use sqlx::AssertSqlSafe;
    use sqlx::postgres::{PgArguments, Postgres};
    use sqlx::query::Query;

    use super::Param;

    /// The statement with its parameters, which are `$1` to PostgreSQL.
    pub(super) fn bound<'q>(sql: &str, params: &[Param<'q>]) -> Query<'q, Postgres, PgArguments> {
        let mut query = sqlx::query(AssertSqlSafe(sql.replace('?', "$")));
        for param in params {
            query = match *param {
                Param::Text(text) => query.bind(text),
                Param::OptText(text) => query.bind(text),
                Param::Int(number) => query.bind(number),
                Param::OptInt(number) => query.bind(number),
                Param::Bytes(bytes) => query.bind(bytes),
            };
        }
        query
    }
}

/// A column's value. `$sqlite` is the pattern of SQLite's value, and what is made of it.
macro_rules! get {
    ($row:expr, $name:expr, $kind:ty, $($sqlite:pat => $made:expr),+) => {
        match $row {
            #[cfg(feature = "sqlite")]
            Row::Sqlite { row, next } => {
                use rusqlite::types::ValueRef::*;
                match embedded::value(row, next, $name)? {
                    $($sqlite => Ok($made),)+
                    other => Err(embedded::other_type($name, other)),
                }
            }
            #[cfg(feature = "postgres")]
            Row::Postgres(row) => sqlx::Row::try_get::<$kind, _>(*row, $name).map_err(SqlError::from),
        }
    };
}

impl Row<'_> {
    fn str(&self, name: &str) -> Outcome<&str> {
        get!(self, name, &str, Text(text) => std::str::from_utf8(text).map_err(|error| nonsense(name, error))?)
    }

    fn opt_str(&self, name: &str) -> Outcome<Option<&str>> {
        get!(self, name, Option<&str>, Null => None,
            Text(text) => Some(std::str::from_utf8(text).map_err(|error| nonsense(name, error))?))
    }

    fn blob(&self, name: &str) -> Outcome<&[u8]> {
        get!(self, name, &[u8], Blob(bytes) => bytes)
    }

    pub(super) fn text(&self, name: &str) -> Outcome<Text> {
        self.str(name).map(Text::from)
    }

    pub(super) fn string(&self, name: &str) -> Outcome<String> {
        self.str(name).map(str::to_owned)
    }

    pub(super) fn opt_text(&self, name: &str) -> Outcome<Option<Text>> {
        self.opt_str(name).map(|text| text.map(Text::from))
    }

    pub(super) fn int(&self, name: &str) -> Outcome<i64> {
        get!(self, name, i64, Integer(number) => number)
    }

    pub(super) fn opt_int(&self, name: &str) -> Outcome<Option<i64>> {
        get!(self, name, Option<i64>, Null => None, Integer(number) => Some(number))
    }

    pub(super) fn bytes(&self, name: &str) -> Outcome<Vec<u8>> {
        self.blob(name).map(<[u8]>::to_vec)
    }

    /// A number that cannot be negative or too large unless somebody else wrote it.
    pub(super) fn number<T: TryFrom<i64>>(&self, name: &str) -> Outcome<T> {
        let value = self.int(name)?;
        T::try_from(value).map_err(|_| nonsense(name, value))
    }

    pub(super) fn time(&self, name: &str) -> Outcome<Timestamp> {
        self.int(name).map(Timestamp::from_micros)
    }

    pub(super) fn opt_time(&self, name: &str) -> Outcome<Option<Timestamp>> {
        self.opt_int(name).map(|micros| micros.map(Timestamp::from_micros))
    }

    pub(super) fn digest(&self, name: &str) -> Outcome<Sha256Digest> {
        let bytes = self.blob(name)?;
        Sha256Digest::try_from(bytes).map_err(|_| nonsense(name, format!("{} bytes", bytes.len())))
    }

    /// A JSON text.
    pub(super) fn json<T: serde::de::DeserializeOwned>(&self, name: &str) -> Outcome<T> {
        serde_json::from_str(self.str(name)?).map_err(|error| nonsense(name, error))
    }

    /// A name of a closed set.
    pub(super) fn named<T>(&self, name: &str, parse: impl FnOnce(&str) -> Option<T>) -> Outcome<T> {
        let text = self.str(name)?;
        parse(text).ok_or_else(|| nonsense(name, text))
    }
}

/// A column holds what it cannot.
pub(super) fn nonsense(column: &str, found: impl std::fmt::Display) -> SqlError {
    SqlError::Nonsense(format!("column `{column}` holds {found}"))
}
