//! Looks at a file before SQLite does, so that a file of somebody else stays as it is.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use crate::error::OpenError;

/// What `PRAGMA application_id` says of our databases: `Prti`.
pub(super) const APPLICATION_ID: i32 = 0x5072_7469;

/// The first bytes of every SQLite database, and where the application id stands (sqlite.org/fileformat2.html).
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
const APPLICATION_ID_AT: usize = 68;
const HEADER: usize = 100;

/// What lies where the database belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing, or an empty file.
    Nothing,
    /// A database of SQLite without tables or an owner.
    Blank,
    /// A database of ours.
    Ours,
}

/// Reads the header and touches nothing: no lock file, no log, no journal comes into being.
pub(super) fn inspect(file: &Path) -> Result<Found, OpenError> {
    let not_ours = |reason: &str| OpenError::NotOurs { file: file.to_owned(), reason: reason.to_owned() };
    let header = match read_header(file) {
        Ok(header) => header,
        Err(source) => {
            return Err(OpenError::Database { file: file.to_owned(), source: source.into() });
        }
    };
    if header.is_empty() {
        // SQLite would throw such a log away, and with it whatever somebody may still want to restore.
        return match has_log(file) {
            false => Ok(Found::Nothing),
            true => Err(not_ours("it is empty or missing, but its write-ahead log is not")),
        };
    }
    if header.len() < HEADER || !header.starts_with(MAGIC) {
        return Err(not_ours("it is no SQLite file"));
    }
    let id = header[APPLICATION_ID_AT..].first_chunk().map_or(0, |bytes| i32::from_be_bytes(*bytes));
    match id {
        APPLICATION_ID => Ok(Found::Ours),
        0 if !has_log(file) && !has_tables(file)? => Ok(Found::Blank),
        0 => Err(not_ours("it has tables and no application id")),
        other => Err(not_ours(&format!("its application id is {other:#010x}"))),
    }
}

/// The first bytes, none if there is no file.
fn read_header(file: &Path) -> io::Result<Vec<u8>> {
    let mut header = Vec::with_capacity(HEADER);
    match File::open(file) {
        Ok(file) => file.take(HEADER as u64).read_to_end(&mut header)?,
        // A parent that is no directory is found out when the lock is taken.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => 0,
        Err(error) => return Err(error),
    };
    Ok(header)
}

fn has_log(file: &Path) -> bool {
    beside(file, "-wal").metadata().is_ok_and(|log| log.len() > 0)
}

/// `immutable` keeps SQLite from making a log or a lock beside a file that may not be ours.
fn has_tables(file: &Path) -> Result<bool, OpenError> {
    let ask = || -> rusqlite::Result<bool> {
        let flags =
            OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let path = file.display().to_string().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
        let connection = Connection::open_with_flags(format!("file:{path}?immutable=1"), flags)?;
        connection.query_row("SELECT EXISTS (SELECT 1 FROM sqlite_schema)", [], |row| row.get(0))
    };
    ask().map_err(|source| OpenError::Database { file: file.to_owned(), source: source.into() })
}

/// A file of SQLite's beside the database.
pub(crate) fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut path = file.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}
