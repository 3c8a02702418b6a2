//! What goes wrong in a store: a statement, or opening it.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use partie_contract::{Abort, BoxError, Fault, FaultKind, InvalidValue, Platform};

/// Why a statement failed.
///
/// `?` turns it into a fault: a full disk is [`FaultKind::Degraded`], a locked database [`FaultKind::Overloaded`],
/// everything else [`FaultKind::Internal`] with the statement in the log. What the service wants to answer itself, it
/// asks for first: [`is_unique_violation`](Self::is_unique_violation).
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    sql: Option<&'static str>,
    source: Option<BoxError>,
}

/// The kinds of [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A unique index or primary key has the value already.
    UniqueViolation,
    /// Another constraint: a check, a missing value, a foreign key.
    ConstraintViolation,
    /// One row was asked for and there is none.
    NoRow,
    /// One row was asked for and there are more.
    MoreRows,
    /// A column or parameter holds, or cannot hold, a value of that type.
    Value,
    /// Transaction control, PRAGMA, ATTACH and DETACH are the store's own business.
    Refused,
    /// A write in a read.
    ReadOnly,
    /// An earlier statement ended the transaction; nothing of the closure is kept.
    Ended,
    /// The disk, or the space the database may take, is full.
    Full,
    /// Somebody outside this process holds the database locked.
    Busy,
    /// Another transaction came between. The store runs the closure again; what this run gives back does not count.
    Conflict,
    /// The lease that the transaction was fenced with is not the latest one: another replica has taken over.
    Fenced,
    /// The database cannot be reached, or has just been lost.
    Unavailable,
    /// Wrong SQL, a damaged file, a failing disk.
    Other,
}

/// Why a store does not open. Each says in one line what is wrong and where.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The name is not lower-case letters, digits, `-` and `_`.
    #[error("`{0}` cannot name a store: use lower-case letters, digits, `-` and `_`")]
    Name(String),
    /// The store is to be on PostgreSQL, which this program cannot reach.
    #[error(
        "the store {name} is to be on PostgreSQL: build the program with the feature `postgres` of partie"
    )]
    NotBuilt {
        /// Which store.
        name: String,
    },
    /// The directory cannot be made or used.
    #[error("{} cannot be used as a directory for stores: {source}", .dir.display())]
    Directory {
        /// The directory.
        dir: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The directory cannot be written to.
    #[error("{} is not writable for this process", .dir.display())]
    NotWritable {
        /// The directory.
        dir: PathBuf,
    },
    /// Another opener holds the lock. It is free when that one has closed the store or ended.
    #[error("{} is locked{}: one process owns a store", .lock.display(), by(.holder.as_ref()))]
    Locked {
        /// The lock file.
        lock: PathBuf,
        /// The process that holds it, as it noted itself.
        holder: Option<u32>,
    },
    /// The file is something else. It was not touched.
    #[error("{} is not a database of Partie ({reason}); it was not touched", .file.display())]
    NotOurs {
        /// The file.
        file: PathBuf,
        /// How one can tell.
        reason: String,
    },
    /// The list of migrations in the program is wrong.
    #[error("the program's migrations `{set}` are wrong: {reason}")]
    Program {
        /// The migration set.
        set: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// A newer program has changed the database so that this one must not read it.
    #[error("{} is for newer programs: `{set}` is at {found} and may be read from {readable_from} on, this program knows {known}", .file.display())]
    Newer {
        /// The database.
        file: PathBuf,
        /// The migration set.
        set: String,
        /// The latest version in the database.
        found: u32,
        /// The lowest version that may read it.
        readable_from: u32,
        /// The latest version in the program.
        known: u32,
    },
    /// An applied migration is not what it was, or is gone.
    #[error("{}: migration {version:04} of `{set}` {reason}", .file.display())]
    History {
        /// The database.
        file: PathBuf,
        /// The migration set.
        set: String,
        /// The migration.
        version: u32,
        /// What is wrong with it.
        reason: String,
    },
    /// A migration failed. Its whole set was rolled back.
    #[error("{}: migration {name} of `{set}` failed, nothing of `{set}` was applied: {source}", .file.display())]
    Migration {
        /// The database.
        file: PathBuf,
        /// The migration set.
        set: &'static str,
        /// The migration.
        name: &'static str,
        /// Why.
        source: BoxError,
    },
    /// The database cannot be read or written.
    #[error("{}: {source}", .file.display())]
    Database {
        /// The file.
        file: PathBuf,
        /// Why.
        source: BoxError,
    },
    /// The address of the database is wrong. Shows no password.
    #[error("the address of the database is wrong: {0}")]
    Address(String),
    /// The database cannot be reached, or lets nobody in.
    #[error("{} cannot be reached: {source}", .server.display())]
    Unreachable {
        /// The server, its database and the schema.
        server: PathBuf,
        /// Why.
        source: BoxError,
    },
    /// The system gives no thread.
    #[error("the store gets no thread: {0}")]
    Thread(io::Error),
}

fn by(holder: Option<&u32>) -> String {
    holder.map_or_else(String::new, |pid| format!(" by process {pid}"))
}

// === impl Error ===

impl Error {
    pub(crate) fn new(kind: ErrorKind) -> Self {
        Self(Box::new(Inner { kind, sql: None, source: None }))
    }

    pub(crate) fn caused_by(mut self, source: impl Into<BoxError>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    pub(crate) fn at(mut self, sql: &'static str) -> Self {
        self.0.sql.get_or_insert(sql);
        self
    }

    /// The same error once more, its cause as text.
    pub(crate) fn again(&self) -> Self {
        let again = Self::new(self.kind());
        match &self.0.source {
            Some(source) => again.caused_by(source.to_string()),
            None => again,
        }
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether a unique index or primary key has the value already. The statement did nothing and the transaction goes
    /// on, so that the closure can answer with a problem of its contract.
    pub fn is_unique_violation(&self) -> bool {
        self.0.kind == ErrorKind::UniqueViolation
    }
}

impl ErrorKind {
    fn title(self) -> &'static str {
        match self {
            Self::UniqueViolation => "the value exists already",
            Self::ConstraintViolation => "a constraint is violated",
            Self::NoRow => "there is no such row",
            Self::MoreRows => "there is more than one such row",
            Self::Value => "a value does not fit",
            Self::Refused => "transaction control, PRAGMA, ATTACH and DETACH are refused",
            Self::ReadOnly => "a read cannot write",
            Self::Ended => "an earlier statement ended the transaction",
            Self::Full => "the disk is full",
            Self::Busy => "the database is locked from outside",
            Self::Conflict => "another transaction came between",
            Self::Fenced => "another replica has taken over",
            Self::Unavailable => "the database cannot be reached",
            Self::Other => "the statement failed",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.kind.title())?;
        if let Some(source) = &self.0.source {
            write!(f, ": {source}")?;
        }
        if let Some(sql) = self.0.sql {
            write!(f, " in `{sql}`")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({self})", self.0.kind)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

impl From<InvalidValue> for Error {
    fn from(invalid: InvalidValue) -> Self {
        Self::new(ErrorKind::Value).caused_by(invalid)
    }
}

// === into the contract's faults ===

impl From<Error> for Platform {
    fn from(error: Error) -> Self {
        match error.kind() {
            ErrorKind::Full => Self::new(FaultKind::Degraded)
                .with_detail("the disk is full")
                .retry_after(Duration::from_secs(5))
                .caused_by(error),
            ErrorKind::Busy | ErrorKind::Conflict | ErrorKind::Fenced => {
                Self::new(FaultKind::Overloaded).caused_by(error)
            }
            ErrorKind::Unavailable => Self::new(FaultKind::Degraded)
                .with_detail("the database cannot be reached")
                .retry_after(Duration::from_secs(1))
                .caused_by(error),
            _ => Self::internal(error),
        }
    }
}

impl<E> From<Error> for Fault<E> {
    fn from(error: Error) -> Self {
        Self::Platform(error.into())
    }
}

impl From<Error> for Abort {
    fn from(error: Error) -> Self {
        Platform::from(error).into()
    }
}
