//! The directory a system keeps its data in.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// A directory that is removed at the end if it is temporary.
#[derive(Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
    temporary: bool,
}

/// The directory cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot keep data in {}: {source}", path.display())]
pub struct DataDirError {
    path: PathBuf,
    source: io::Error,
}

/// A mark in a data directory: stores in it are being restored, and nobody may start from some of them.
#[derive(Debug)]
pub(crate) struct UnfinishedRestore(PathBuf);

// === impl UnfinishedRestore ===

impl UnfinishedRestore {
    /// Whether a restore has not come to its end.
    pub(crate) fn is_in(dir: &Path) -> bool {
        Self::mark(dir).exists()
    }

    /// Notes that one begins.
    pub(crate) fn note(dir: &Path) -> io::Result<Self> {
        let mark = Self::mark(dir);
        File::create(&mark)?.sync_all()?;
        File::open(dir)?.sync_all()?;
        Ok(Self(mark))
    }

    /// Notes that it has come to its end.
    pub(crate) fn finished(self) -> io::Result<()> {
        std::fs::remove_file(self.0)
    }

    fn mark(dir: &Path) -> PathBuf {
        dir.join("restore.unfinished")
    }
}

// === impl DataDir ===

impl DataDir {
    /// That directory, made if it is not there. Whether it can be written to is found out with a file of ours.
    pub(crate) fn keep(path: &Path) -> Result<Self, DataDirError> {
        let attempt = || {
            if UnfinishedRestore::is_in(path) {
                return Err(io::Error::other("a restore into it was not finished; run it again"));
            }
            std::fs::create_dir_all(path)?;
            let probe = path.join(format!(".writable-{}", std::process::id()));
            std::fs::write(&probe, b"")?;
            std::fs::remove_file(&probe)
        };
        attempt().map_err(|source| DataDirError { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), temporary: false })
    }

    /// A directory of its own, gone when this is dropped.
    pub(crate) fn temporary(name: &str, unique: u64) -> Result<Self, DataDirError> {
        let path = std::env::temp_dir().join(format!("partie-{name}-{}-{unique:016x}", std::process::id()));
        std::fs::create_dir_all(&path).map_err(|source| DataDirError { path: path.clone(), source })?;
        Ok(Self { path, temporary: true })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for DataDir {
    fn drop(&mut self) {
        if self.temporary {
            // What cannot be removed is in the system's own place for such files.
            std::fs::remove_dir_all(&self.path).ok();
        }
    }
}
