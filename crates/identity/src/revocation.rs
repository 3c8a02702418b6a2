//! What was taken back before its time, as far as a process knows it.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use partie_contract::{FaultKind, Identity, Platform, Revocation, RevocationNews};
use partie_runtime::{monotonic, trust_now};
use tokio::sync::watch;

use crate::claims::{SKEW, unauthenticated};
use crate::hashed::ByHash;

/// Shards of what is known, so that readers of different tokens do not meet.
const SHARDS: usize = 16;
/// The most revocations that are remembered one by one.
const MOST: usize = 250_000;

/// What a process does when it hears no more of revocations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Silence {
    /// After how long tokens are refused that were issued before the last news.
    pub after: Duration,
    /// Whether they are taken all the same.
    pub fail_open: bool,
}

/// What a process knows of one issuer's revocations. Cheap to clone; clones know the same.
#[derive(Clone)]
pub struct Revocations(Arc<Inner>);

/// What is known by name.
type Sharded<T> = [RwLock<ByHash<(Box<str>, T)>>; SHARDS];

struct Inner {
    silence: Silence,
    hash: RandomState,
    /// Until when to remember each.
    sessions: Sharded<i64>,
    /// Up to when issued, and until when to remember that.
    subjects: Sharded<(i64, i64)>,
    /// How many are remembered, or were before the last look at what is over.
    known: AtomicUsize,
    /// Up to when all tokens are refused: where there were too many to remember one by one.
    floor: AtomicI64,
    /// The issuer's time of the last complete news, in milliseconds.
    heard_at: AtomicI64,
    /// When that was heard, in milliseconds since `begun`.
    heard: AtomicU64,
    begun: Instant,
    /// Whether the snapshot of the channel as it is now has come whole.
    current: AtomicBool,
    /// When what is over was last looked for, in seconds of the wall clock.
    swept: AtomicI64,
    /// Whether any snapshot has come whole, for those who ask and for those who wait.
    is_loaded: AtomicBool,
    loaded: watch::Sender<bool>,
}

// === impl Silence ===

impl Default for Silence {
    fn default() -> Self {
        Self { after: Duration::from_secs(10), fail_open: false }
    }
}

// === impl Revocations ===

impl Revocations {
    /// Nothing is known yet.
    pub fn new(silence: Silence) -> Self {
        Self(Arc::new(Inner {
            silence,
            hash: RandomState::new(),
            sessions: Default::default(),
            subjects: Default::default(),
            known: AtomicUsize::new(0),
            floor: AtomicI64::new(i64::MIN),
            heard_at: AtomicI64::new(i64::MIN),
            heard: AtomicU64::new(0),
            begun: monotonic(),
            current: AtomicBool::new(false),
            swept: AtomicI64::new(i64::MIN),
            is_loaded: AtomicBool::new(false),
            loaded: watch::Sender::new(false),
        }))
    }

    /// A channel begins: what comes next is a snapshot, and until it is whole nothing that comes says that all is known.
    pub fn connect(&self) {
        self.0.current.store(false, Ordering::Release);
    }

    /// Takes over what came on the channel. What was known stays known: nothing is ever taken back from being revoked.
    pub fn hear(&self, news: &RevocationNews) {
        self.hear_at(news, trust_now(), monotonic());
    }

    fn hear_at(&self, news: &RevocationNews, now: i64, heard: Instant) {
        let inner = &*self.0;
        self.sweep(now);
        for revocation in news.revocations.iter().filter(|revocation| !is_over(revocation.until, now)) {
            self.remember(revocation, now);
        }
        if news.complete {
            inner.current.store(true, Ordering::Release);
        }
        if inner.current.load(Ordering::Acquire) {
            inner.heard.store(self.since(heard), Ordering::Release);
            inner.heard_at.fetch_max(news.at, Ordering::AcqRel);
            inner.is_loaded.store(true, Ordering::Release);
            inner.loaded.send_if_modified(|loaded| !std::mem::replace(loaded, true));
        }
    }

    /// Whether a snapshot has come whole, so that a process may be told of tokens at all.
    pub fn is_loaded(&self) -> bool {
        self.0.is_loaded.load(Ordering::Acquire)
    }

    /// Waits until one has.
    pub async fn loaded(&self) {
        let mut loaded = self.0.loaded.subscribe();
        // The sender lives as long as we do.
        drop(loaded.wait_for(|loaded| *loaded).await);
    }

    /// Why a process that follows them is not ready, for people.
    pub fn problem(&self) -> Option<String> {
        (!self.is_loaded() && !self.0.silence.fail_open).then(|| "revocations are not loaded yet".to_owned())
    }

    /// For how long nothing was heard, if that is too long.
    pub fn silent_for(&self) -> Option<Duration> {
        self.silent_at(monotonic())
    }

    fn silent_at(&self, now: Instant) -> Option<Duration> {
        let silent =
            Duration::from_millis(self.since(now).saturating_sub(self.0.heard.load(Ordering::Acquire)));
        (self.is_loaded() && silent > self.0.silence.after).then_some(silent)
    }

    /// Whether the token is still good, by what is known.
    ///
    /// # Errors
    /// [`FaultKind::Unauthenticated`] when it is revoked, or may be: nothing was heard for too long and it was issued before
    /// that. [`FaultKind::UpstreamUnavailable`] when nothing is known yet.
    pub fn check(&self, identity: &Identity) -> Result<(), Platform> {
        self.check_at(identity, monotonic())
    }

    fn check_at(&self, identity: &Identity, now: Instant) -> Result<(), Platform> {
        if self.is_revoked(identity) {
            return Err(unauthenticated("the token was revoked"));
        }
        if self.0.silence.fail_open {
            return Ok(());
        }
        if !self.is_loaded() {
            return Err(Platform::new(FaultKind::UpstreamUnavailable)
                .with_detail("it is not known yet which tokens were revoked"));
        }
        // A token that was issued later was given out by somebody who knew better than we do. Within one second nobody can
        // tell.
        let heard_at = self.0.heard_at.load(Ordering::Acquire);
        if identity.issued.saturating_mul(1000) <= heard_at && self.silent_at(now).is_some() {
            return Err(unauthenticated("it is not known whether the token was revoked meanwhile: renew it"));
        }
        Ok(())
    }

    fn is_revoked(&self, identity: &Identity) -> bool {
        let inner = &*self.0;
        if identity.issued < inner.floor.load(Ordering::Acquire) {
            return true;
        }
        if inner.known.load(Ordering::Acquire) == 0 {
            return false;
        }
        let ended = |session: &String| {
            let hash = inner.hash.hash_one(session);
            let sessions = inner.sessions[shard(hash)].read().unwrap_or_else(PoisonError::into_inner);
            sessions.get(&hash).is_some_and(|(name, _)| **name == **session)
        };
        if identity.session.as_ref().is_some_and(ended) {
            return true;
        }
        let hash = inner.hash.hash_one(&identity.subject);
        let subjects = inner.subjects[shard(hash)].read().unwrap_or_else(PoisonError::into_inner);
        let known = subjects.get(&hash).filter(|(name, _)| **name == *identity.subject);
        known.is_some_and(|(_, (before, _))| identity.issued < *before)
    }

    fn remember(&self, revocation: &Revocation, now: i64) {
        let inner = &*self.0;
        if inner.known.load(Ordering::Acquire) >= MOST {
            // Everybody has to renew their token once, which is better than to forget one that was revoked.
            tracing::warn!(known = MOST, "too many revocations: all tokens issued until now are refused");
            inner.floor.fetch_max(now.saturating_add(1), Ordering::AcqRel);
            self.retain(|_| false);
            return;
        }
        let Revocation { session, subject, issued_before, until } = revocation;
        if let Some(session) = session {
            let hash = inner.hash.hash_one(session);
            let mut sessions = inner.sessions[shard(hash)].write().unwrap_or_else(PoisonError::into_inner);
            match sessions.get_mut(&hash) {
                Some((name, known)) if **name == **session => *known = (*known).max(*until),
                _ => {
                    sessions.insert(hash, (session.as_str().into(), *until));
                    inner.known.fetch_add(1, Ordering::AcqRel);
                }
            }
        } else if let Some(subject) = subject {
            let hash = inner.hash.hash_one(subject);
            let mut subjects = inner.subjects[shard(hash)].write().unwrap_or_else(PoisonError::into_inner);
            match subjects.get_mut(&hash) {
                Some((name, (before, known))) if **name == **subject => {
                    *before = (*before).max(*issued_before);
                    *known = (*known).max(*until);
                }
                _ => {
                    subjects.insert(hash, (subject.as_str().into(), (*issued_before, *until)));
                    inner.known.fetch_add(1, Ordering::AcqRel);
                }
            }
        }
    }

    /// Forgets what is over, once a minute.
    fn sweep(&self, now: i64) {
        let swept = self.0.swept.load(Ordering::Acquire);
        if now.saturating_sub(swept) >= SKEW {
            self.0.swept.store(now, Ordering::Release);
            self.retain(|until| !is_over(until, now));
        }
    }

    fn retain(&self, keep: impl Fn(i64) -> bool) {
        let mut known = 0;
        for shard in &self.0.sessions {
            let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
            shard.retain(|_, (_, until)| keep(*until));
            known += shard.len();
        }
        for shard in &self.0.subjects {
            let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
            shard.retain(|_, (_, (_, until))| keep(*until));
            known += shard.len();
        }
        self.0.known.store(known, Ordering::Release);
    }

    /// Milliseconds since this object was made.
    fn since(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.0.begun).as_millis()).unwrap_or(u64::MAX)
    }
}

impl fmt::Debug for Revocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = self.0.known.load(Ordering::Relaxed);
        f.debug_struct("Revocations").field("known", &known).field("loaded", &self.is_loaded()).finish()
    }
}

/// Where a name belongs. The map takes the low bits of its hash.
fn shard(hash: u64) -> usize {
    (hash >> 32) as usize % SHARDS
}

/// Tokens are taken for a minute beyond their end, so revocations are remembered for as long.
fn is_over(until: i64, now: i64) -> bool {
    crate::claims::is_over(until, now)
}

#[cfg(test)]
mod tests;
