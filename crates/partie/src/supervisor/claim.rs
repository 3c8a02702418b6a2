//! One supervisor for one data directory, and the way to talk to it.

use std::fs::{File, OpenOptions, Permissions, TryLockError, set_permissions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

/// Held as long as the supervisor runs.
#[derive(Debug)]
pub(super) struct Claim {
    file: File,
    /// The one before this one was killed: what it started may still be draining.
    pub(super) after_death: bool,
}

/// Why a directory cannot be claimed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClaimError {
    #[error(
        "the processes of {dir} are under another supervisor{holder}: end that one first, or say --data DIR", dir = .dir.display()
    )]
    Taken { dir: PathBuf, holder: String },
    #[error("{} cannot be used: {source}", .file.display())]
    File { file: PathBuf, source: io::Error },
}

// === impl Claim ===

impl Claim {
    /// Claims the directory, which is there.
    pub(super) fn take(dir: &Path) -> Result<Self, ClaimError> {
        let path = dir.join("supervisor.lock");
        let failed = |source| ClaimError::File { file: path.clone(), source };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed)?;
        let taken = file.try_lock();
        let mut note = String::new();
        file.read_to_string(&mut note).map_err(failed)?;
        match taken {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = if note.is_empty() { note } else { format!(" (process {})", note.trim()) };
                return Err(ClaimError::Taken { dir: dir.to_owned(), holder });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let mut claim = Self { file, after_death: !note.is_empty() };
        claim.note(&format!("{}\n", std::process::id())).map_err(failed)?;
        Ok(claim)
    }

    /// Gives it back when everything that was started has ended.
    pub(super) fn release(mut self) {
        // Whoever comes next waits for nothing then; if it cannot be noted they look twice.
        self.note("").ok();
    }

    fn note(&mut self, text: &str) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(text.as_bytes())
    }
}

/// Whether a supervisor has a directory.
pub(crate) fn runs(dir: &Path) -> bool {
    let lock = File::open(dir.join("supervisor.lock"));
    lock.is_ok_and(|lock| matches!(lock.try_lock(), Err(TryLockError::WouldBlock)))
}

/// Where a supervisor takes requests.
pub(crate) fn door(dir: &Path) -> PathBuf {
    dir.join("supervisor.sock")
}

/// Opens that door, for its owner only. The claim is held, so what is there is left over.
pub(super) fn open_door(dir: &Path) -> io::Result<UnixListener> {
    let path = door(dir);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    set_permissions(&path, Permissions::from_mode(0o600))?;
    Ok(listener)
}
