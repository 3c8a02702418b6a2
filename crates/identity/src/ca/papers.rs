//! What a process was given that has joined, and where it keeps that.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::anchor::Anchor;
use super::authority::Certified;
use crate::keyfile::{self, KeyError};
use crate::service::GIVEN;

/// What a process has that joined a system without having its key: the key it made itself, and what it was given for it.
/// Enough to be that service, to come back after a restart, and to know the tokens of the system; not enough to make one.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Papers {
    /// The system.
    pub system: String,
    /// The service.
    pub service: String,
    /// The authority it knew before it joined, as base64url.
    pub anchor: String,
    /// Its key, as PEM.
    pub key: String,
    /// The certificate of that key.
    pub certified: Certified,
    /// The token to come back with.
    pub member: String,
    /// The token to show to other services.
    pub token: String,
    /// The public keys of the system, a JWK set.
    pub keys: Value,
}

/// Papers that cannot be read or kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PapersError {
    /// They cannot be read, or others can read them.
    #[error(transparent)]
    Read(#[from] KeyError),
    /// They are something else.
    #[error("{} is not what a process is given that joins: {reason}; remove it, and join again", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: serde_json::Error,
    },
    /// They cannot be written.
    #[error("{} cannot be written: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

// === impl Papers ===

impl Papers {
    /// Those in that file, if it is there. Others must not be able to read it.
    ///
    /// # Errors
    /// [`PapersError::Read`] and [`PapersError::Unreadable`].
    pub fn load(path: &Path) -> Result<Option<Self>, PapersError> {
        let text = match keyfile::load(path) {
            Err(KeyError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Ok(None);
            }
            loaded => loaded?,
        };
        let read = serde_json::from_slice(&text);
        read.map(Some).map_err(|reason| PapersError::Unreadable { path: path.to_owned(), reason })
    }

    /// Puts them there, readable by their owner only, in the place of any before. Nobody ever sees half of them.
    ///
    /// # Errors
    /// [`PapersError::Write`].
    pub fn save(&self, path: &Path) -> Result<(), PapersError> {
        let failed = |source| PapersError::Write { path: path.to_owned(), source };
        let text = serde_json::to_vec(self).map_err(|error| failed(error.into()))?;
        // Several processes of a service may share a directory.
        let draft = path.with_extension(format!("{}.tmp", std::process::id()));
        match fs::remove_file(&draft) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let kept = keyfile::write_private(&draft, &text).and_then(|()| fs::rename(&draft, path));
        kept.map_err(failed)
    }

    /// How long to wait, from then on, before asking for the next ones: half of what the shortest of them is good for.
    pub fn renew_in(&self, now: i64) -> Duration {
        let at = self.certified.issued.saturating_add_unsigned(GIVEN.as_secs() / 2);
        Duration::from_secs(u64::try_from(at.saturating_sub(now)).unwrap_or_default())
    }

    /// Whether they are those of that service, given by that authority, and still good then.
    pub fn are_good(&self, system: &str, service: &str, anchor: Option<&Anchor>, now: i64) -> bool {
        let named = (&*self.system, &*self.service) == (system, service);
        named && anchor.is_none_or(|anchor| anchor.to_string() == self.anchor) && now < self.certified.expires
    }
}

impl fmt::Debug for Papers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Papers({} of {}, until {})", self.service, self.system, self.certified.expires)
    }
}
