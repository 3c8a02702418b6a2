//! Keeps an engine that is down or hangs from costing anybody time.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use partie_runtime::{Backoff, Ids, monotonic};
use tracing::{info, warn};

use crate::engine::EngineError;

/// After so many failures in a row an engine is left alone for a while.
const PATIENCE: u32 = 3;

/// Between one question to an engine that does not answer and the next. It is asked in vain by one caller at a time.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));

/// Whether an engine can be reached, as seen by all caches that share it. Cheap to clone.
///
/// Every question has a limit. After three in a row without an answer nobody asks any more, but one caller now and then,
/// at intervals that grow to five seconds.
#[derive(Clone)]
pub struct Reach(Arc<Inner>);

struct Inner {
    limit: Duration,
    ids: Ids,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// In a row.
    failures: u32,
    /// Since when nobody asks, and until when.
    closed: Option<(Instant, Instant)>,
    /// Somebody tries whether it answers again.
    is_tried: bool,
}

/// A question under way. Dropped without a verdict it was given up by who asked.
struct Question<'r> {
    reach: &'r Reach,
    since: Instant,
    is_open: bool,
}

// === impl Reach ===

impl Reach {
    /// An engine whose every answer takes no longer than that, or is given up on.
    pub fn new(limit: Duration, ids: Ids) -> Self {
        Self(Arc::new(Inner { limit, ids, state: Mutex::default() }))
    }

    /// Asks, if that makes sense now. `None` if it does not.
    pub(crate) async fn ask<T>(
        &self,
        answer: impl Future<Output = Result<T, EngineError>>,
    ) -> Option<Result<T, EngineError>> {
        if !self.may_ask() {
            return None;
        }
        Some(self.insist(answer).await)
    }

    /// Asks, whether or not there is much hope.
    pub(crate) async fn insist<T>(
        &self,
        answer: impl Future<Output = Result<T, EngineError>>,
    ) -> Result<T, EngineError> {
        let mut question = Question { reach: self, since: monotonic(), is_open: true };
        let answer = match tokio::time::timeout(self.0.limit, answer).await {
            Ok(answer) => answer,
            Err(_) => Err(EngineError::new("a distance", format!("no answer within {:?}", self.0.limit))),
        };
        question.is_open = false;
        match &answer {
            Ok(_) => self.succeeded(),
            Err(error) => self.failed(error, question.since),
        }
        answer
    }

    /// Whether it is open, or it is time for one caller to try.
    fn may_ask(&self) -> bool {
        let mut state = self.lock();
        match state.closed {
            None => true,
            Some((_, until)) if state.is_tried || monotonic() < until => false,
            Some(_) => {
                state.is_tried = true;
                true
            }
        }
    }

    fn succeeded(&self) {
        let mut state = self.lock();
        if state.closed.is_some() {
            info!(failures = state.failures, "a cache's engine answers again");
        }
        *state = State::default();
    }

    /// A question that was put then has no answer.
    fn failed(&self, error: &EngineError, since: Instant) {
        let mut state = self.lock();
        if state.closed.is_some_and(|(at, _)| since <= at) {
            // One of a crowd that asked when it was still open: that says nothing about now.
            return;
        }
        state.is_tried = false;
        state.failures = state.failures.saturating_add(1);
        let Some(beyond) = state.failures.checked_sub(PATIENCE) else { return };
        if state.closed.is_none() {
            warn!(%error, failures = state.failures, "a cache's engine does not answer; the caches do without");
        }
        let now = monotonic();
        state.closed = Some((now, now + BACKOFF.after(beyond + 1, &self.0.ids)));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reach").field("is_open", &self.lock().closed.is_none()).finish()
    }
}

// === impl Question ===

/// Callers with little time could hide for ever that an engine hangs: who waited half of the limit in vain has seen enough.
impl Drop for Question<'_> {
    fn drop(&mut self) {
        if !self.is_open {
            return;
        }
        let waited = monotonic().saturating_duration_since(self.since);
        if waited * 2 >= self.reach.0.limit {
            let error = EngineError::new("a distance", format!("no answer within {waited:?}"));
            self.reach.failed(&error, self.since);
        } else {
            self.reach.lock().is_tried = false;
        }
    }
}
