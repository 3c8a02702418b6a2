//! Passwords: which ones are taken, and their Argon2id hashes, computed in a pool of their own that says no when it is full.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use partie_identity::passwords::{Config, Passwords, check};
//!
//! let passwords = Passwords::start(&Config { memory_kib: 64, ..Config::default() })?; // far too cheap: for this page only
//! check("correct horse battery staple", "ada@example.org")?;
//! let hash = passwords.hash("correct horse battery staple").await?;
//! assert!(passwords.verify("correct horse battery staple", Some(&hash)).await?.matches);
//! assert!(!passwords.verify("correct horse battery staple", None).await?.matches);
//! # Ok(()) }
//! ```
//!
//! A hash costs 19 MiB and tens of milliseconds by design, so it is what a flood of logins would be aimed at. The pool
//! has few threads, which give way to those that answer requests, and a short queue: beyond it callers hear
//! [`Saturated`] at once. Tokens are verified elsewhere and never wait for it.

mod hash;
mod rules;

use std::cell::RefCell;
use std::fmt;
use std::hint::black_box;
use std::num::NonZeroUsize;
use std::sync::Arc;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use partie_runtime::Compute;
pub use partie_runtime::Saturated;
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::{Deserialize, Serialize};

use self::hash::Hash;
pub use self::rules::{LONGEST, Rejection, SHORTEST, check};

/// A salt, in bytes (RFC 9106 section 4).
const SALT: usize = 16;
/// What is kept of a hash, in bytes.
const TAG: usize = 32;
/// The most memory a stored hash may ask for, in KiB: it may be anybody's who could write to the database.
const MOST_MEMORY: u32 = 1 << 20;

/// What a hash costs, and how many are computed at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// Memory of a hash, in KiB. 19 MiB and two passes are OWASP's minimum for Argon2id.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
    /// Hashes computed at a time. One for each core if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<usize>,
    /// Hashes that may wait for a thread.
    pub queue: usize,
}

/// Hashes and verifies passwords. Cheap to clone; the threads end with the last clone.
#[derive(Clone)]
pub struct Passwords(Arc<Inner>);

struct Inner {
    pool: Compute,
    params: Params,
    /// The hash of nobody's password, for those whom nobody knows.
    dummy: Hash,
    random: SystemRandom,
}

/// What a password was found to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it is the password of the hash.
    pub matches: bool,
    /// Whether the hash was made with other parameters than those of now: hash the password again while it is known.
    pub is_outdated: bool,
}

/// Why passwords cannot be hashed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PasswordError {
    /// Argon2 does not take these parameters.
    #[error("Argon2id does not take these parameters: {0}")]
    Parameters(String),
    /// The system gives no thread.
    #[error("the system gives no thread to hash passwords on: {0}")]
    Thread(String),
    /// The operating system gives no random numbers.
    #[error("the operating system gives no random numbers")]
    Random,
}

thread_local! {
    /// The memory of the last hash of this thread: to be given 19 MiB by the system takes a fifth of a hash's time.
    static BLOCKS: RefCell<Vec<Block>> = const { RefCell::new(Vec::new()) };
}

impl Default for Config {
    fn default() -> Self {
        Self { memory_kib: 19 * 1024, passes: 2, threads: None, queue: 64 }
    }
}

// === impl Passwords ===

impl Passwords {
    /// Starts the threads.
    ///
    /// # Errors
    /// [`PasswordError`].
    pub fn start(config: &Config) -> Result<Self, PasswordError> {
        let params = Params::new(config.memory_kib, config.passes, 1, Some(TAG))
            .map_err(|error| PasswordError::Parameters(error.to_string()))?;
        if config.memory_kib > MOST_MEMORY {
            return Err(PasswordError::Parameters("more than 1 GiB of memory".to_owned()));
        }
        let cores = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let threads = config.threads.unwrap_or_else(cores);
        let pool = Compute::start(threads, config.queue)
            .map_err(|error| PasswordError::Thread(error.to_string()))?;
        let random = SystemRandom::new();
        let (mut salt, mut tag) = ([0; SALT], [0; TAG]);
        for bytes in [&mut salt[..], &mut tag[..]] {
            random.fill(bytes).map_err(|_| PasswordError::Random)?;
        }
        let dummy = Hash::new(&params, &salt, &tag);
        Ok(Self(Arc::new(Inner { pool, params, dummy, random })))
    }

    /// The hash of a password, as a PHC string, salted at random.
    ///
    /// # Errors
    /// [`Saturated`] at once when too many wait already.
    pub async fn hash(&self, password: &str) -> Result<String, Saturated> {
        let mut salt = [0; SALT];
        self.0.random.fill(&mut salt).map_err(|_| Saturated)?;
        let (password, params) = (password.as_bytes().to_vec(), self.0.params.clone());
        let made = self.0.pool.run(move || {
            let tag = compute(&params, &password, &salt)?;
            Some(Hash::new(&params, &salt, &tag).to_string())
        });
        made.await?.ok_or(Saturated)
    }

    /// Whether a password is that of a hash. Without a hash, or with one that cannot be read, it is not, and finding
    /// that out takes as long as if there were one.
    ///
    /// # Errors
    /// [`Saturated`] at once when too many wait already.
    pub async fn verify(&self, password: &str, hash: Option<&str>) -> Result<Verdict, Saturated> {
        let known = hash.and_then(Hash::read);
        let is_known = known.is_some();
        let hash = known.unwrap_or_else(|| self.0.dummy.clone());
        let is_outdated = is_known && !hash.is_of(&self.0.params);
        // What is longer than any password is not hashed as it is; the time it takes tells nothing all the same.
        let fits = password.len() <= LONGEST;
        let password = if fits { password } else { "" }.as_bytes().to_vec();
        let verified = self.0.pool.run(move || {
            let tag = hash.params().and_then(|params| compute(&params, &password, hash.salt()));
            tag.is_some_and(|tag| same(&tag, hash.tag()))
        });
        Ok(Verdict { matches: verified.await? && is_known && fits, is_outdated })
    }
}

/// Whether they are the same, in a time that does not say where they differ.
fn same(one: &[u8], other: &[u8]) -> bool {
    let difference = one.iter().zip(other).fold(0, |all, (a, b)| black_box(all | (a ^ b)));
    one.len() == other.len() && difference == 0
}

/// A hash, in the memory this thread keeps for it.
fn compute(params: &Params, password: &[u8], salt: &[u8]) -> Option<[u8; TAG]> {
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
    let mut tag = [0; TAG];
    BLOCKS.with_borrow_mut(|blocks| {
        blocks.resize(params.block_count(), Block::new());
        argon.hash_password_into_with_memory(password, salt, &mut tag, &mut blocks[..]).ok()
    })?;
    Some(tag)
}

impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passwords").field("params", &self.0.params).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
