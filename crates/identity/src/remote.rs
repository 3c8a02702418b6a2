//! Keys that somebody else publishes: fetched in the background, kept when their publisher is away, and looked for again
//! when a token names one that is not known.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use partie_contract::{BoxError, BoxFuture};
use partie_runtime::{Backoff, Ids, Stop, monotonic};
use serde_json::Value;
use tokio::sync::{Notify, watch};

use crate::algorithm::Algorithm;
use crate::keys::{JwksError, Key, Keys};

/// The largest document that is read to learn keys, in bytes.
pub const LARGEST_DOCUMENT: usize = 256 << 10;
/// How long one attempt may take, name lookup and connection included.
const ATTEMPT: Duration = Duration::from_secs(5);
/// How long a request waits for keys that are being fetched.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long to wait before a publisher that is away is asked again.
const AGAIN: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(60));

/// Where the keys of an issuer come from.
pub trait KeySource: Send + Sync + 'static {
    /// The key set as it is now. It is given up after five seconds.
    fn fetch(&self) -> BoxFuture<'_, Result<Value, FetchError>>;

    /// Where that is, for people.
    fn place(&self) -> String;
}

/// Keys that were not fetched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// It was not reached, or broke off.
    #[error("{place} cannot be asked: {reason}")]
    Unreachable {
        /// Where.
        place: String,
        /// Why.
        reason: BoxError,
    },
    /// It did not answer within five seconds.
    #[error("{place} has not answered in time")]
    Late {
        /// Where.
        place: String,
    },
    /// It answered something else, a redirection included: nobody but the place that was named is believed.
    #[error("{place} answered {status}")]
    Status {
        /// Where.
        place: String,
        /// The status.
        status: u16,
    },
    /// The document is too large.
    #[error("what {place} answers is larger than 256 KiB")]
    TooLarge {
        /// Where.
        place: String,
    },
    /// The document cannot be used.
    #[error("what {place} answers cannot be used: {reason}")]
    Unusable {
        /// Where.
        place: String,
        /// Why.
        reason: BoxError,
    },
}

/// How often keys are fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refresh {
    /// As a rule, give or take a tenth.
    pub every: Duration,
    /// At most, when tokens name keys that are not known.
    pub at_most_every: Duration,
}

/// The published keys of one issuer. Cheap to clone; clones know the same.
#[derive(Clone)]
pub struct RemoteKeys(Arc<Inner>);

struct Inner {
    source: Arc<dyn KeySource>,
    refresh: Refresh,
    ids: Ids,
    keys: ArcSwap<Keys>,
    /// Told that a key is wanted which is not known.
    wanted: Notify,
    attempts: Mutex<Attempts>,
    /// How many attempts have ended, and whether any has brought keys.
    ended: watch::Sender<(u64, bool)>,
    /// Why the last attempt brought none.
    failure: Mutex<Option<String>>,
}

/// What is known of attempts to fetch the keys. One at a time is under way.
#[derive(Default)]
struct Attempts {
    begun: u64,
    ended: u64,
    /// When a token last was the reason for one.
    asked: Option<Instant>,
    /// Whether that one has still to begin.
    pending: bool,
}

// === impl Refresh ===

impl Default for Refresh {
    fn default() -> Self {
        Self { every: Duration::from_secs(600), at_most_every: Duration::from_secs(5) }
    }
}

// === impl RemoteKeys ===

impl RemoteKeys {
    /// The keys of that source. Nothing is fetched before [`run`](Self::run).
    pub fn new(source: Arc<dyn KeySource>, refresh: Refresh, ids: Ids) -> Self {
        Self(Arc::new(Inner {
            source,
            refresh,
            ids,
            keys: ArcSwap::default(),
            wanted: Notify::new(),
            attempts: Mutex::default(),
            ended: watch::Sender::new((0, false)),
            failure: Mutex::default(),
        }))
    }

    /// Fetches keys now and again until it is stopped.
    pub async fn run(self, stop: Stop) {
        let stopped = stop.stopped();
        tokio::pin!(stopped);
        let mut failures = 0_u32;
        loop {
            let fetched = tokio::select! { fetched = self.attempt() => fetched, () = &mut stopped => return };
            failures = if fetched { 0 } else { failures.saturating_add(1) };
            let wait = match failures {
                0 => self.jittered(),
                failures => AGAIN.after(failures, &self.0.ids),
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.0.wanted.notified() => {}
                () = &mut stopped => return,
            }
        }
    }

    /// Whether any keys have come.
    pub fn is_loaded(&self) -> bool {
        self.0.ended.borrow().1
    }

    /// Waits until some have.
    pub async fn loaded(&self) {
        let mut ended = self.0.ended.subscribe();
        // The sender lives as long as we do.
        drop(ended.wait_for(|(_, loaded)| *loaded).await);
    }

    /// Why nothing can be verified with them yet, for people.
    pub fn problem(&self) -> Option<String> {
        if self.is_loaded() {
            return None;
        }
        let failure = self.0.failure.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Some(failure.unwrap_or_else(|| "its keys are not fetched yet".to_owned()))
    }

    /// The keys as they are known, as JWKs.
    pub fn jwks(&self) -> Vec<Value> {
        self.0.keys.load().iter().filter_map(|key| key.jwk()).collect()
    }

    pub(crate) fn get(&self, algorithm: Algorithm, kid: &str) -> Option<Arc<Key>> {
        self.0.keys.load().get(algorithm, kid).cloned()
    }

    /// A key is wanted that is not known. Waits for the attempt that may bring it, which all who wait share, and says
    /// whether there was one. Whoever asks again and again gets none: made-up names must not become requests.
    pub(crate) async fn sought(&self) -> bool {
        let mut ended = self.0.ended.subscribe();
        let Some(awaited) = self.ask() else { return false };
        let waited = ended.wait_for(|(done, _)| *done >= awaited);
        tokio::time::timeout(PATIENCE, waited).await.is_ok_and(|ended| ended.is_ok())
    }

    /// The number of the attempt to wait for.
    fn ask(&self) -> Option<u64> {
        let mut attempts = self.0.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        if attempts.begun > attempts.ended {
            return Some(attempts.begun);
        }
        if !attempts.pending {
            let now = monotonic();
            let early = |asked: Instant| now.saturating_duration_since(asked) < self.0.refresh.at_most_every;
            if attempts.asked.is_some_and(early) {
                return None;
            }
            attempts.asked = Some(now);
            attempts.pending = true;
            self.0.wanted.notify_one();
        }
        Some(attempts.begun + 1)
    }

    async fn attempt(&self) -> bool {
        let inner = &*self.0;
        {
            let mut attempts = inner.attempts.lock().unwrap_or_else(PoisonError::into_inner);
            attempts.begun += 1;
            attempts.pending = false;
        }
        let fetched = tokio::time::timeout(ATTEMPT, inner.source.fetch()).await;
        let fetched = fetched.unwrap_or_else(|_| Err(FetchError::Late { place: inner.source.place() }));
        let keys = fetched.and_then(|jwks| Keys::from_jwks(&jwks).map_err(|error| self.unusable(error)));
        let good = keys.is_ok();
        self.take(keys);
        let ended = {
            let mut attempts = inner.attempts.lock().unwrap_or_else(PoisonError::into_inner);
            attempts.ended += 1;
            attempts.ended
        };
        inner.ended.send_modify(|(known, loaded)| {
            *known = ended;
            *loaded |= good;
        });
        good
    }

    fn take(&self, keys: Result<Keys, FetchError>) {
        let mut failure = self.0.failure.lock().unwrap_or_else(PoisonError::into_inner);
        match keys {
            Ok(keys) => {
                if failure.take().is_some() {
                    tracing::info!(from = self.0.source.place(), "keys are fetched again");
                }
                // One task fetches, so nobody else stores meanwhile.
                let before = self.0.keys.load_full();
                self.0.keys.store(Arc::new(keys.in_place_of(&before)));
            }
            Err(error) => {
                let told = failure.replace(error.to_string());
                if told.as_deref() != failure.as_deref() {
                    tracing::warn!(%error, "the keys that are known stay");
                }
            }
        }
    }

    fn unusable(&self, error: JwksError) -> FetchError {
        FetchError::Unusable { place: self.0.source.place(), reason: error.into() }
    }

    /// The usual wait, give or take a tenth, so that those who started together do not ask together.
    fn jittered(&self) -> Duration {
        let tenth = self.0.refresh.every / 10;
        let micros = u64::try_from(tenth.as_micros()).unwrap_or(u64::MAX / 2);
        let more = Duration::from_micros(self.0.ids.below(2 * micros + 1));
        self.0.refresh.every.saturating_sub(tenth).saturating_add(more)
    }
}

impl fmt::Debug for RemoteKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RemoteKeys({})", self.0.source.place())
    }
}

#[cfg(test)]
pub(crate) mod tests;
