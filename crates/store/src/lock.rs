//! The lock file: one process owns a store.

use std::fs::{File, OpenOptions, TryLockError, create_dir_all};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use crate::error::OpenError;

/// Held for as long as the store is open. The system releases it when the process ends, however it ends.
///
/// It is a file of its own, never a lock on the database file: closing any handle to that one would release SQLite's
/// own locks (POSIX), and a backup tool may open it.
#[derive(Debug)]
pub(crate) struct Lock {
    /// The file stays: removing it would let two processes lock two files of one name.
    file: File,
}

// === impl Lock ===

impl Lock {
    /// Takes the lock `dir/name.lock`, making the directory if needed.
    pub(crate) fn take(dir: &Path, name: &str) -> Result<Self, OpenError> {
        let path = dir.join(format!("{name}.lock"));
        let refused = |source: io::Error| match source.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                OpenError::NotWritable { dir: dir.to_owned() }
            }
            _ => OpenError::Directory { dir: dir.to_owned(), source },
        };
        create_dir_all(dir).map_err(refused)?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(refused)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(OpenError::Locked { holder: holder(&mut file), lock: path });
            }
            Err(TryLockError::Error(source)) => return Err(refused(source)),
        }
        note_holder(&mut file).map_err(refused)?;
        Ok(Self { file })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing alone would not do it at once while a child process has a copy of the handle, which each has for a
        // moment between its fork and its exec. If this fails, closing still does it.
        drop(self.file.unlock());
    }
}

/// For the message of whoever comes second; nothing depends on it.
fn note_holder(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(16).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// Where the database lies.
pub(crate) fn database_path(dir: &Path, name: &str) -> Result<PathBuf, OpenError> {
    check_name(name)?;
    Ok(dir.join(format!("{name}.db")))
}

/// A name that is good for a file, and for a schema.
pub(crate) fn check_name(name: &str) -> Result<(), OpenError> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    if name.is_empty() || name.len() > 64 || !name.bytes().all(plain) {
        return Err(OpenError::Name(name.to_owned()));
    }
    Ok(())
}
