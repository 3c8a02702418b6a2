//! Statements on one connection: prepared once, bound by name, errors told apart.

use std::fmt;
use std::rc::Rc;

use partie_contract::{ToValue, Value};
use rusqlite::ffi::{self, ErrorCode};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, ToSql};

use crate::error::{Error, ErrorKind};

/// A connection as a closure may use it: only inside the transaction that it was lent.
pub(crate) struct Session {
    connection: Rc<Connection>,
    /// Whether a statement found the disk full.
    is_full: bool,
    /// Whether a statement ran that may have written.
    has_written: bool,
}

/// A row of SQLite.
pub(crate) struct Row<'r>(&'r rusqlite::Row<'r>);

/// A value as SQLite takes it.
struct Bound<'v>(Value<'v>);

// === impl Session ===

impl Session {
    pub(super) fn new(connection: Rc<Connection>) -> Self {
        Self { connection, is_full: false, has_written: false }
    }

    pub(crate) fn execute(&mut self, sql: &'static str, params: &[&dyn ToValue]) -> Result<usize, Error> {
        self.with(sql, params, |statement| statement.raw_execute().map_err(Error::from))
    }

    pub(crate) fn each(
        &mut self,
        sql: &'static str,
        params: &[&dyn ToValue],
        mut row: impl FnMut(&Row<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.with(sql, params, |statement| {
            let mut rows = statement.raw_query();
            while let Some(one) = rows.next()? {
                row(&Row(one))?;
            }
            Ok(())
        })
    }

    pub(crate) fn in_transaction(&self) -> bool {
        !self.connection.is_autocommit()
    }

    pub(crate) fn take_full(&mut self) -> bool {
        std::mem::take(&mut self.is_full)
    }

    /// Whether a statement ran that may have written, since this was last asked.
    pub(crate) fn take_written(&mut self) -> bool {
        std::mem::take(&mut self.has_written)
    }

    fn with<T>(
        &mut self,
        sql: &'static str,
        params: &[&dyn ToValue],
        run: impl FnOnce(&mut CachedStatement<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        // Without a transaction the statement would commit by itself, and again when the job is run again.
        if !self.in_transaction() {
            return Err(Error::new(ErrorKind::Ended).at(sql));
        }
        let mut writes = false;
        let result = self.prepare(sql, params).and_then(|mut statement| {
            writes = !statement.readonly();
            run(&mut statement)
        });
        self.has_written |= writes;
        result.map_err(|error| {
            self.is_full |= error.kind() == ErrorKind::Full;
            error.at(sql)
        })
    }

    fn prepare(&self, sql: &'static str, params: &[&dyn ToValue]) -> Result<CachedStatement<'_>, Error> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut highest = 0;
        // SQLite numbers parameters by their first appearance, so `$2` may be its first.
        for at in 1..=statement.parameter_count() {
            let name = statement.parameter_name(at).unwrap_or("?");
            let number = name.strip_prefix('$').and_then(|number| number.parse::<usize>().ok());
            let Some(param) = number.and_then(|number| params.get(number.checked_sub(1)?)) else {
                return Err(wrong_params(format!("there is no value for `{name}`")));
            };
            highest = highest.max(number.unwrap_or_default());
            let value = Bound(param.to_value()?);
            statement.raw_bind_parameter(at, value)?;
        }
        if highest != params.len() {
            return Err(wrong_params(format!("{} values for {highest} parameters", params.len())));
        }
        Ok(statement)
    }
}

fn wrong_params(what: String) -> Error {
    Error::new(ErrorKind::Value).caused_by(what)
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Session")
    }
}

// === values ===

impl Row<'_> {
    pub(crate) fn value(&self, column: usize) -> Result<Value<'_>, Error> {
        Ok(match self.0.get_ref(column)? {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(whole) => Value::Integer(whole),
            ValueRef::Real(real) => Value::Real(real),
            ValueRef::Text(text) => match std::str::from_utf8(text) {
                Ok(text) => text.into(),
                Err(error) => return Err(Error::new(ErrorKind::Value).caused_by(error)),
            },
            ValueRef::Blob(bytes) => bytes.into(),
        })
    }
}

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match &self.0 {
            Value::Null => ValueRef::Null,
            Value::Bool(truth) => ValueRef::Integer(i64::from(*truth)),
            Value::Integer(whole) => ValueRef::Integer(*whole),
            Value::Real(real) => ValueRef::Real(*real),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Blob(bytes) => ValueRef::Blob(bytes),
            Value::Uuid(id) => ValueRef::Blob(id.as_bytes()),
        }))
    }
}

// === errors ===

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::Error as E;
        let kind = match &error {
            E::SqliteFailure(failure, _) => match (failure.code, failure.extended_code) {
                (
                    _,
                    ffi::SQLITE_CONSTRAINT_UNIQUE
                    | ffi::SQLITE_CONSTRAINT_PRIMARYKEY
                    | ffi::SQLITE_CONSTRAINT_ROWID,
                ) => ErrorKind::UniqueViolation,
                (ErrorCode::ConstraintViolation, _) => ErrorKind::ConstraintViolation,
                (ErrorCode::DiskFull, _) => ErrorKind::Full,
                (ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _) => ErrorKind::Busy,
                (ErrorCode::ReadOnly, _) => ErrorKind::ReadOnly,
                (ErrorCode::AuthorizationForStatementDenied, _) => ErrorKind::Refused,
                _ => ErrorKind::Other,
            },
            E::InvalidColumnIndex(_) | E::InvalidColumnName(_) | E::NulError(_) => ErrorKind::Value,
            _ => ErrorKind::Other,
        };
        Self::new(kind).caused_by(error)
    }
}
