//! The store's own statements: transactions and savepoints.

use rusqlite::{Connection, Statement};

use super::guard::{Guard, Speaker};
use crate::error::Error;

/// Transaction control, prepared once. It is not in the connection's cache of statements, where a closure could get
/// hold of it by writing the same text.
pub(super) struct Control<'c> {
    connection: &'c Connection,
    guard: Guard,
    begin: Statement<'c>,
    commit: Statement<'c>,
    rollback: Statement<'c>,
    savepoint: Statement<'c>,
    release: Statement<'c>,
    undo: Statement<'c>,
    total_changes: u64,
}

/// What became of a commit.
pub(super) enum Commit {
    Done,
    /// Nothing was committed.
    Refused(Error),
    /// The disk failed at a moment when the commit may or may not have reached it.
    Unknown(Error),
}

// === impl Control ===

impl<'c> Control<'c> {
    /// `begin` is how transactions begin: a writer's immediately, a reader's deferred.
    pub(super) fn prepare(connection: &'c Connection, guard: &Guard, begin: &str) -> rusqlite::Result<Self> {
        let prepare = |sql| guard.speak_as(Speaker::Store, || connection.prepare(sql));
        Ok(Self {
            connection,
            begin: prepare(begin)?,
            commit: prepare("COMMIT")?,
            rollback: prepare("ROLLBACK")?,
            savepoint: prepare("SAVEPOINT partie_job")?,
            release: prepare("RELEASE partie_job")?,
            undo: prepare("ROLLBACK TO partie_job")?,
            guard: guard.clone(),
            total_changes: connection.total_changes(),
        })
    }

    pub(super) fn begin(&mut self) -> Result<(), Error> {
        step(&self.guard, &mut self.begin)
    }

    pub(super) fn commit(&mut self) -> Commit {
        use rusqlite::ErrorCode as Code;
        match self.guard.speak_as(Speaker::Store, || self.commit.raw_execute()) {
            Ok(_) => Commit::Done,
            // SQLite says these before the commit record is written: no space for it, a lock it did not get, a
            // deferred foreign key that does not hold. What remains is a disk that failed.
            Err(error)
                if matches!(
                    error.sqlite_error_code(),
                    Some(
                        Code::DiskFull
                            | Code::DatabaseBusy
                            | Code::DatabaseLocked
                            | Code::ConstraintViolation
                    )
                ) =>
            {
                Commit::Refused(error.into())
            }
            Err(error) => Commit::Unknown(error.into()),
        }
    }

    /// Whether anything was written since this was last asked.
    pub(super) fn changes(&mut self) -> bool {
        let total = self.connection.total_changes();
        std::mem::replace(&mut self.total_changes, total) != total
    }

    /// One of the store's own statements.
    pub(super) fn run(&self, sql: &str) -> Result<(), Error> {
        self.guard.speak_as(Speaker::Store, || self.connection.execute(sql, []))?;
        Ok(())
    }

    /// Ends the transaction, if one is left.
    pub(super) fn rollback(&mut self) -> Result<(), Error> {
        if self.connection.is_autocommit() { Ok(()) } else { step(&self.guard, &mut self.rollback) }
    }

    pub(super) fn savepoint(&mut self) -> Result<(), Error> {
        step(&self.guard, &mut self.savepoint)
    }

    /// Keeps what happened since the savepoint.
    pub(super) fn keep(&mut self) -> Result<(), Error> {
        step(&self.guard, &mut self.release)
    }

    /// Undoes what happened since the savepoint.
    pub(super) fn undo(&mut self) -> Result<(), Error> {
        step(&self.guard, &mut self.undo)?;
        self.keep()
    }
}

fn step(guard: &Guard, statement: &mut Statement<'_>) -> Result<(), Error> {
    guard.speak_as(Speaker::Store, || statement.raw_execute())?;
    Ok(())
}
