//! What the errors of the driver mean for a transaction.

use tokio_postgres::error::{DbError, Severity, SqlState};

use crate::error::{Error, ErrorKind};

/// What went wrong, as far as the transaction is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The connection is gone, or not to be trusted any more.
    Lost,
    /// Another transaction came between; the same again may well succeed.
    Conflict,
    /// What the server has prepared is out of date: a newer program has changed the schema.
    Stale,
    /// The statement alone.
    Statement,
}

pub(super) fn trouble(error: &tokio_postgres::Error) -> Trouble {
    let Some(db) = error.as_db_error() else { return Trouble::Lost };
    match db.code() {
        _ if is_fatal(db) => Trouble::Lost,
        &SqlState::T_R_SERIALIZATION_FAILURE | &SqlState::T_R_DEADLOCK_DETECTED => Trouble::Conflict,
        &SqlState::INVALID_SQL_STATEMENT_NAME => Trouble::Stale,
        &SqlState::FEATURE_NOT_SUPPORTED if db.message().contains("cached plan") => Trouble::Stale,
        _ => Trouble::Statement,
    }
}

/// Whether the server ends the connection with it, or has come to harm.
pub(super) fn is_fatal(db: &DbError) -> bool {
    match db.parsed_severity() {
        Some(severity) => matches!(severity, Severity::Fatal | Severity::Panic),
        None => db.severity() != "ERROR",
    }
}

/// The error as closures see it. What the server says is for the log.
pub(super) fn error(error: &tokio_postgres::Error) -> Error {
    let Some(db) = error.as_db_error() else {
        return Error::new(ErrorKind::Unavailable).caused_by(whole(error));
    };
    let kind = match db.code() {
        _ if is_fatal(db) => ErrorKind::Unavailable,
        &SqlState::UNIQUE_VIOLATION => ErrorKind::UniqueViolation,
        &SqlState::READ_ONLY_SQL_TRANSACTION => ErrorKind::ReadOnly,
        &SqlState::DISK_FULL => ErrorKind::Full,
        &SqlState::T_R_SERIALIZATION_FAILURE | &SqlState::T_R_DEADLOCK_DETECTED => ErrorKind::Conflict,
        &SqlState::QUERY_CANCELED | &SqlState::LOCK_NOT_AVAILABLE => ErrorKind::Busy,
        // Resources that others take: memory for locks, connections.
        code if code.code().starts_with("53") => ErrorKind::Busy,
        code if code.code().starts_with("23") => ErrorKind::ConstraintViolation,
        &SqlState::UNDEFINED_PARAMETER => ErrorKind::Value,
        // Data exceptions: a number out of range, text that is none.
        code if code.code().starts_with("22") => ErrorKind::Value,
        _ => ErrorKind::Other,
    };
    // Without the detail, which quotes the row.
    let text = format!("{} ({})", db.message(), db.code().code());
    Error::new(kind).caused_by(text)
}

/// With its causes, which the driver's errors do not show.
pub(super) fn whole(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(one) = cause {
        text = format!("{text}: {one}");
        cause = one.source();
    }
    text
}
