//! Copies a database whole, as it is at one moment, while others write to it; and looks into copies.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _};

use super::header::{Found, beside, inspect};
use crate::backup::{Contents, CopyError};

/// How long to wait for somebody who holds the database locked, in all: 5 s.
const PATIENCE: u32 = 100;
const A_MOMENT: Duration = Duration::from_millis(50);

/// The name under which a database remembers which epoch it is in.
pub(super) const EPOCH: &str = "SELECT value FROM partie_meta WHERE name = 'epoch'";

/// How a database is reached that is to be copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// This process has it open and writes to it.
    Open,
    /// Nobody has it open; it may have to be read out of its log after a crash.
    Idle,
}

/// Copies a database into a new file: one snapshot, checked, and on disk when this returns. The copy is one file, without
/// a log. What is left of a copy that failed is removed.
pub(crate) fn copy(from: &Path, source: Source, to: &Path) -> Result<(), CopyError> {
    // Nobody's file is written over.
    File::create_new(to).map_err(|source| CopyError::File { file: to.to_owned(), source })?;
    let copied = copy_into(from, source, to).and_then(|()| sync(to));
    if copied.is_err() {
        for file in [to.to_owned(), beside(to, "-journal")] {
            // The reason for the failure is what the caller wants to hear.
            drop(fs::remove_file(file));
        }
    }
    copied
}

fn copy_into(from: &Path, source: Source, to: &Path) -> Result<(), CopyError> {
    let broken = |file: &Path| {
        let file = file.to_owned();
        move |source| CopyError::Database { file, source: Box::new(source) }
    };
    let flags = match source {
        Source::Open => OpenFlags::SQLITE_OPEN_READ_ONLY,
        Source::Idle => OpenFlags::SQLITE_OPEN_READ_WRITE,
    };
    let original = || {
        let original = Connection::open_with_flags(from, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        original.busy_timeout(A_MOMENT)?;
        // A look changes nothing: what a crash left in the log stays there.
        original.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        Ok(original)
    };
    let original = original().map_err(broken(from))?;
    let mut copy =
        Connection::open_with_flags(to, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)
            .map_err(broken(to))?;
    // It is synced once, at the end.
    copy.pragma_update(None, "synchronous", "OFF").map_err(broken(to))?;
    {
        let backup = Backup::new(&original, &mut copy).map_err(broken(from))?;
        let mut tries = 0;
        loop {
            // All pages in one step: one snapshot, whoever writes meanwhile.
            match backup.step(-1).map_err(broken(to))? {
                StepResult::Done => break,
                _ if tries < PATIENCE => {
                    tries += 1;
                    std::thread::sleep(A_MOMENT);
                }
                _ => return Err(CopyError::Busy { file: from.to_owned() }),
            }
        }
    }
    // One file, for whoever takes it elsewhere.
    copy.pragma_update_and_check(None, "journal_mode", "DELETE", |row| row.get::<_, String>(0))
        .map_err(broken(to))?;
    let found: String =
        copy.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(broken(from))?;
    if found != "ok" {
        return Err(CopyError::Damaged { file: from.to_owned(), what: found });
    }
    copy.close().map_err(|(_, error)| broken(to)(error))
}

/// What a copy holds. Nothing appears beside it.
pub(crate) fn contents(file: &Path) -> Result<Contents, CopyError> {
    match inspect(file) {
        Ok(Found::Ours) => {}
        Ok(_) => return Err(CopyError::Damaged { file: file.to_owned(), what: "it is empty".to_owned() }),
        Err(error) => return Err(CopyError::Damaged { file: file.to_owned(), what: error.to_string() }),
    }
    let read = || -> rusqlite::Result<Contents> {
        let copy = Connection::open_with_flags(
            file,
            OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )?;
        let epoch = copy.query_row(EPOCH, [], |row| row.get(0)).optional()?.unwrap_or(0);
        let mut latest = copy.prepare("SELECT set_name, max(version) FROM partie_migrations GROUP BY 1")?;
        let migrations = latest.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let migrations = migrations.collect::<rusqlite::Result<BTreeMap<_, _>>>()?;
        Ok(Contents { epoch, migrations })
    };
    read().map_err(|source| CopyError::Database { file: file.to_owned(), source: Box::new(source) })
}

/// Begins a new epoch in a copy that nobody has open. It is on disk when this returns.
pub(crate) fn begin_epoch(file: &Path, epoch: i64) -> Result<(), CopyError> {
    let write = || -> rusqlite::Result<()> {
        let copy = Connection::open_with_flags(
            file,
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )?;
        copy.pragma_update(None, "synchronous", "FULL")?;
        copy.execute(
            "INSERT INTO partie_meta (name, value) VALUES ('epoch', ?1)
             ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            [epoch],
        )?;
        copy.close().map_err(|(_, error)| error)
    };
    write().map_err(|source| CopyError::Database { file: file.to_owned(), source: Box::new(source) })?;
    sync(file)
}

/// Forces a file and its name to disk.
fn sync(file: &Path) -> Result<(), CopyError> {
    let failed = |source| CopyError::File { file: file.to_owned(), source };
    File::open(file).and_then(|file| file.sync_all()).map_err(failed)?;
    match file.parent() {
        Some(dir) => File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed),
        None => Ok(()),
    }
}
