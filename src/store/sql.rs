//! One way to speak to both databases: the same text with numbered parameters, values of few types, rows read by name.

use sqlx::{AssertSqlSafe, Row as _};

use crate::model::{Sha256Digest, Text, Timestamp};

#[cfg(feature = "postgres")]
use sqlx::postgres::{PgConnection, PgRow};
#[cfg(feature = "sqlite")]
use sqlx::sqlite::{SqliteConnection, SqliteRow};

/// A connection to either database.
pub(super) enum Conn<'c> {
    #[cfg(feature = "sqlite")]
    Sqlite(&'c mut SqliteConnection),
    #[cfg(feature = "postgres")]
    Postgres(&'c mut PgConnection),
}

/// A row of either database.
pub(super) enum Row {
    #[cfg(feature = "sqlite")]
    Sqlite(SqliteRow),
    #[cfg(feature = "postgres")]
    Postgres(PgRow),
}

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

/// Binds `params` to a query of either database.
macro_rules! bound {
    ($sql:expr, $params:expr) => {{
        let mut query = sqlx::query(AssertSqlSafe($sql));
        for param in $params {
            query = match *param {
                Param::Text(text) => query.bind(text),
                Param::OptText(text) => query.bind(text),
                Param::Int(number) => query.bind(number),
                Param::OptInt(number) => query.bind(number),
                Param::Bytes(bytes) => query.bind(bytes),
            };
        }
        query
    }};
}

impl Conn<'_> {
    /// All rows of a statement. `sql` is made of constants only.
    pub(super) async fn all(&mut self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, sqlx::Error> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(conn) => {
                let rows = bound!(sql, params).fetch_all(&mut **conn).await?;
                Ok(rows.into_iter().map(Row::Sqlite).collect())
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(conn) => {
                let rows = bound!(sql, params).fetch_all(&mut **conn).await?;
                Ok(rows.into_iter().map(Row::Postgres).collect())
            }
        }
    }

    /// The first row of a statement, if any.
    pub(super) async fn one(&mut self, sql: &str, params: &[Param<'_>]) -> Result<Option<Row>, sqlx::Error> {
        self.all(sql, params).await.map(|rows| rows.into_iter().next())
    }

    /// Runs a statement and gives the number of rows that it wrote.
    pub(super) async fn run(&mut self, sql: &str, params: &[Param<'_>]) -> Result<u64, sqlx::Error> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(conn) => Ok(bound!(sql, params).execute(&mut **conn).await?.rows_affected()),
            #[cfg(feature = "postgres")]
            Self::Postgres(conn) => Ok(bound!(sql, params).execute(&mut **conn).await?.rows_affected()),
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

/// A column's value.
macro_rules! get {
    ($row:expr, $name:expr, $kind:ty) => {
        match $row {
            #[cfg(feature = "sqlite")]
            Row::Sqlite(row) => row.try_get::<$kind, _>($name),
            #[cfg(feature = "postgres")]
            Row::Postgres(row) => row.try_get::<$kind, _>($name),
        }
    };
}

impl Row {
    pub(super) fn text(&self, name: &str) -> Result<Text, sqlx::Error> {
        get!(self, name, &str).map(Text::from)
    }

    pub(super) fn string(&self, name: &str) -> Result<String, sqlx::Error> {
        get!(self, name, String)
    }

    pub(super) fn opt_text(&self, name: &str) -> Result<Option<Text>, sqlx::Error> {
        get!(self, name, Option<&str>).map(|text| text.map(Text::from))
    }

    pub(super) fn int(&self, name: &str) -> Result<i64, sqlx::Error> {
        get!(self, name, i64)
    }

    pub(super) fn opt_int(&self, name: &str) -> Result<Option<i64>, sqlx::Error> {
        get!(self, name, Option<i64>)
    }

    pub(super) fn bytes(&self, name: &str) -> Result<Vec<u8>, sqlx::Error> {
        get!(self, name, Vec<u8>)
    }

    /// A number that cannot be negative or too large unless somebody else wrote it.
    pub(super) fn number<T: TryFrom<i64>>(&self, name: &str) -> Result<T, sqlx::Error> {
        let value = self.int(name)?;
        T::try_from(value).map_err(|_| nonsense(name, value))
    }

    pub(super) fn time(&self, name: &str) -> Result<Timestamp, sqlx::Error> {
        self.int(name).map(Timestamp::from_micros)
    }

    pub(super) fn opt_time(&self, name: &str) -> Result<Option<Timestamp>, sqlx::Error> {
        self.opt_int(name).map(|micros| micros.map(Timestamp::from_micros))
    }

    pub(super) fn digest(&self, name: &str) -> Result<Sha256Digest, sqlx::Error> {
        let bytes = self.bytes(name)?;
        Sha256Digest::try_from(bytes.as_slice()).map_err(|_| nonsense(name, format!("{} bytes", bytes.len())))
    }

    /// A JSON text.
    pub(super) fn json<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<T, sqlx::Error> {
        serde_json::from_str(get!(self, name, &str)?).map_err(|error| nonsense(name, error))
    }

    /// A name of a closed set.
    pub(super) fn named<T>(&self, name: &str, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, sqlx::Error> {
        let text = get!(self, name, &str)?;
        parse(text).ok_or_else(|| nonsense(name, text))
    }
}

/// A column holds what it cannot.
pub(super) fn nonsense(column: &str, found: impl std::fmt::Display) -> sqlx::Error {
    sqlx::Error::Decode(format!("column `{column}` holds {found}").into())
}
