//! The files private keys live in.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::Ed25519KeyPair;

use crate::algorithm::Algorithm;

/// Why there is no signing key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The file cannot be made or read.
    #[error("the private key {} cannot be {doing}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// `read` or `made`.
        doing: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// Others can read the file, so its key is no secret.
    #[error("others can read the private key {} (mode {mode:03o}); remove it, or chmod 600 if nobody has", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The file holds something else.
    #[error("{} is not a PKCS#8 Ed25519 key; remove it and a new one is made", path.display())]
    NotAKey {
        /// The file.
        path: PathBuf,
    },
    /// The bytes are something else.
    #[error("the signing key is not a PKCS#8 key on Ed25519 or P-256")]
    NotPkcs8,
    /// Nothing is signed here with that algorithm.
    #[error("{algorithm} is verified here, but tokens are signed with EdDSA or ES256")]
    VerifiedOnly {
        /// The algorithm.
        algorithm: Algorithm,
    },
    /// The operating system gives no random numbers.
    #[error("the operating system gives no random numbers for a signing key")]
    Random,
}

/// The content of the file. If there is none yet, a new key is put there.
pub(crate) fn load_or_create(path: &Path) -> Result<Vec<u8>, KeyError> {
    match load(path) {
        Err(KeyError::File { source, .. }) if source.kind() == ErrorKind::NotFound => {
            create(path)?;
            // Whoever came first, this is the one that counts.
            load(path)
        }
        loaded => loaded,
    }
}

/// The content of the file, if nobody else can read it.
pub(crate) fn load(path: &Path) -> Result<Vec<u8>, KeyError> {
    let failed = |source| KeyError::File { path: path.to_owned(), doing: "read", source };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(path).map_err(failed)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyError::Exposed { path: path.to_owned(), mode });
        }
    }
    fs::read(path).map_err(failed)
}

/// Puts a new key there unless somebody else does first. Nobody ever sees half a key.
fn create(path: &Path) -> Result<(), KeyError> {
    let random = SystemRandom::new();
    let document = Ed25519KeyPair::generate_pkcs8(&random).map_err(|_| KeyError::Random)?;
    let mut unique = [0; 8];
    random.fill(&mut unique).map_err(|_| KeyError::Random)?;
    let draft = path.with_extension(format!("{:016x}.tmp", u64::from_ne_bytes(unique)));
    let failed = |source| KeyError::File { path: path.to_owned(), doing: "made", source };

    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).map_err(failed)?;
    }
    let published = write_private(&draft, document.as_ref()).and_then(|()| {
        // A link and not a rename: a rename would replace the key of whoever came first, who already uses it.
        fs::hard_link(&draft, path)
    });
    let removed = fs::remove_file(&draft);
    match published {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        other => other.map_err(failed)?,
    }
    removed.map_err(failed)
}

/// A new file that only its owner can read, on disk.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

#[cfg(test)]
mod tests;
