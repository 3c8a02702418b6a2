//! Copies of stores, and putting a copy in the place of a store.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use partie_contract::BoxError;

use crate::error::OpenError;
use crate::lock::{Lock, database_path};
use crate::sqlite::copying::{self, Source};

/// What a copy of a store holds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Contents {
    /// The epoch it is in: 0 if it was never restored ([`Store::epoch`](crate::Store::epoch)).
    pub epoch: i64,
    /// The latest migration of each set.
    pub migrations: BTreeMap<String, u32>,
}

/// A store that no process has open, and that none can open as long as this is there.
#[derive(Debug)]
pub struct IdleStore {
    file: PathBuf,
    _lock: Lock,
}

/// Why a store was not copied, or not put back.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CopyError {
    /// A file cannot be read or written.
    #[error("{}: {source}", .file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The database cannot be read or written.
    #[error("{}: {source}", .file.display())]
    Database {
        /// The file.
        file: PathBuf,
        /// Why.
        source: BoxError,
    },
    /// Somebody outside this process holds the database locked.
    #[error("{} is locked by somebody who is no program of ours", .file.display())]
    Busy {
        /// The file.
        file: PathBuf,
    },
    /// The store is on a server, which has backups of its own.
    #[error("the store {name} is on PostgreSQL: back it up there, with pg_dump or the server's archive")]
    Server {
        /// The store.
        name: String,
    },
    /// What is in the file is not whole.
    #[error("{} is damaged: {what}", .file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What was found.
        what: String,
    },
}

/// What a copy of a store holds. The copy stays as it is.
///
/// # Errors
/// [`CopyError`] when it is no copy of a store.
pub fn contents(copy: &Path) -> Result<Contents, CopyError> {
    copying::contents(copy)
}

// === impl IdleStore ===

impl IdleStore {
    /// Takes the store `name` in `dir`. There need not be one yet.
    ///
    /// # Errors
    /// [`OpenError::Locked`] while a process has it open; as [`Store::open`](crate::Store::open).
    pub fn take(dir: &Path, name: &str) -> Result<Self, OpenError> {
        let file = database_path(dir, name)?;
        Ok(Self { file, _lock: Lock::take(dir, name)? })
    }

    /// Whether there is a database.
    pub fn exists(&self) -> bool {
        self.file.exists()
    }

    /// Copies it into a new file, as [`Store::backup`](crate::Store::backup) does.
    ///
    /// # Errors
    /// [`CopyError`]; nothing is left of the copy then.
    pub fn backup(&self, to: &Path) -> Result<(), CopyError> {
        copying::copy(&self.file, Source::Idle, to)
    }

    /// Puts a copy in the place of the database, in a new epoch. `copy` lies in the same directory, is used up by this, and
    /// what was there before is gone.
    ///
    /// # Errors
    /// [`CopyError`]. The place may be empty, or hold what was there before without what stood in its log: whoever does
    /// this sees to it that nobody opens the store then.
    pub fn replace(&self, copy: &Path, epoch: i64) -> Result<(), CopyError> {
        copying::begin_epoch(copy, epoch)?;
        let failed = |source| CopyError::File { file: self.file.clone(), source };
        // A log would be taken for that of the copy.
        for suffix in ["-wal", "-shm"] {
            match fs::remove_file(copying::beside(&self.file, suffix)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
                _ => {}
            }
        }
        fs::rename(copy, &self.file).map_err(failed)?;
        let dir = self.file.parent().unwrap_or_else(|| Path::new("."));
        fs::File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed)
    }
}
