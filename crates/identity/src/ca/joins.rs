//! Join tokens that have been used: each lets one key in.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use partie_runtime::trust_now;
use ring::digest::{SHA256, digest};

/// So many may be remembered. They live for minutes.
const MOST: usize = 10_000;

/// What is known of join tokens, kept in a file so that a restart does not let a token in again.
#[derive(Debug)]
pub struct Joins {
    path: PathBuf,
    used: Mutex<Used>,
}

#[derive(Debug)]
struct Used {
    file: File,
    /// By token: until when it is good, and whom it has let in.
    by_token: HashMap<String, (i64, String)>,
}

/// Why a token lets nobody in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// Somebody has used it.
    #[error("the join token has been used")]
    Used,
    /// More are remembered than can be.
    #[error("too many join tokens have been used lately")]
    TooMany,
    /// It cannot be written down that it was used, so it is not.
    #[error("{} cannot be used: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

// === impl Joins ===

impl Joins {
    /// Those in that file, which is made if it is not there.
    ///
    /// # Errors
    /// [`JoinError::File`].
    pub fn open(path: &Path) -> Result<Self, JoinError> {
        Self::open_at(path, trust_now())
    }

    pub(super) fn open_at(path: &Path, now: i64) -> Result<Self, JoinError> {
        let failed = |source| JoinError::File { path: path.to_owned(), source };
        let text = match std::fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            read => read.map_err(failed)?,
        };
        // A line that was cut off by a crash was answered to nobody.
        let mut by_token: HashMap<_, _> = text.lines().filter_map(read_line).collect();
        by_token.retain(|_, (until, _)| *until >= now);
        // What is over is forgotten with every start.
        let draft = path.with_extension("tmp");
        let mut file = File::create(&draft).map_err(failed)?;
        for (token, (until, key)) in &by_token {
            file.write_all(line(token, *until, key).as_bytes()).map_err(failed)?;
        }
        file.sync_all().and_then(|()| std::fs::rename(&draft, path)).map_err(failed)?;
        let file = OpenOptions::new().append(true).open(path).map_err(failed)?;
        Ok(Self { path: path.to_owned(), used: Mutex::new(Used { file, by_token }) })
    }

    /// Lets that key in with a verified token that is good until then. The same key may come again with the same token: an
    /// answer can be lost.
    ///
    /// # Errors
    /// [`JoinError::Used`] for any other key.
    pub fn spend(&self, token: &str, until: i64, key: &str) -> Result<(), JoinError> {
        self.spend_at(token, until, key, trust_now())
    }

    pub(super) fn spend_at(&self, token: &str, until: i64, key: &str, now: i64) -> Result<(), JoinError> {
        // What is signed tells tokens apart. A signature could be written in more ways than one.
        let signed = token.rsplit_once('.').map_or(token, |(signed, _)| signed);
        let token = URL_SAFE_NO_PAD.encode(digest(&SHA256, signed.as_bytes()));
        let key = URL_SAFE_NO_PAD.encode(digest(&SHA256, key.as_bytes()));
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, before)) = used.by_token.get(&token) {
            return if *before == key { Ok(()) } else { Err(JoinError::Used) };
        }
        if used.by_token.len() >= MOST {
            used.by_token.retain(|_, (until, _)| *until >= now);
            if used.by_token.len() >= MOST {
                return Err(JoinError::TooMany);
            }
        }
        let written = used.file.write_all(line(&token, until, &key).as_bytes());
        let written = written.and_then(|()| used.file.sync_data());
        written.map_err(|source| JoinError::File { path: self.path.clone(), source })?;
        used.by_token.insert(token, (until, key));
        Ok(())
    }
}

fn line(token: &str, until: i64, key: &str) -> String {
    format!("{until} {token} {key} .\n")
}

fn read_line(line: &str) -> Option<(String, (i64, String))> {
    let mut parts = line.split(' ');
    let (until, token, key, ".") = (parts.next()?, parts.next()?, parts.next()?, parts.next()?) else {
        return None;
    };
    Some((token.to_owned(), (until.parse().ok()?, key.to_owned())))
}
