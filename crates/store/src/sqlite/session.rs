//! Statements on one connection: prepared once, bound by name, errors told apart.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
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
    /// The numbers of each statement's parameters, by where its text is.
    numbers: HashMap<(usize, usize), Box<[usize]>>,
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
        Self { connection, numbers: HashMap::new(), is_full: false, has_written: false }
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
        let Self { connection, numbers, .. } = &mut *self;
        let result = prepare(connection, numbers, sql, params).and_then(|mut statement| {
            writes = !statement.readonly();
            run(&mut statement)
        });
        self.has_written |= writes;
        result.map_err(|error| {
            self.is_full |= error.kind() == ErrorKind::Full;
            error.at(sql)
        })
    }
}

/// The statement with its parameters bound.
fn prepare<'c>(
    connection: &'c Connection,
    numbers: &mut HashMap<(usize, usize), Box<[usize]>>,
    sql: &'static str,
    params: &[&dyn ToValue],
) -> Result<CachedStatement<'c>, Error> {
    let mut statement = connection.prepare_cached(sql)?;
    let numbers = match numbers.entry((sql.as_ptr().addr(), sql.len())) {
        Entry::Occupied(known) => known.into_mut(),
        Entry::Vacant(place) => place.insert(numbers_of(&statement)?),
    };
    let highest = numbers.iter().copied().max().unwrap_or_default();
    if highest != params.len() {
        return Err(wrong_params(format!("{} values for {highest} parameters", params.len())));
    }
    for (at, number) in numbers.iter().enumerate() {
        statement.raw_bind_parameter(at + 1, Bound(params[number - 1].to_value()?))?;
    }
    Ok(statement)
}

/// The number of each parameter. SQLite counts parameters by their first appearance, so `$2` may be its first.
fn numbers_of(statement: &CachedStatement<'_>) -> Result<Box<[usize]>, Error> {
    let number = |at| {
        let name = statement.parameter_name(at).unwrap_or("?");
        let number = name.strip_prefix('$').and_then(|number| number.parse::<usize>().ok());
        number.filter(|number| *number > 0).ok_or_else(|| wrong_params(format!("`{name}` is no number")))
    };
    (1..=statement.parameter_count()).map(number).collect()
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
