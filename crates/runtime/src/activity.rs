//! Whether anything is going on.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use partie_contract::Presence;
use tokio::sync::Notify;

/// Counts everything that is going on: requests, queued writes, undelivered messages, running jobs.
///
/// Work hands over without a gap: the next piece begins before the last one ends, so a count of zero means that
/// nothing will happen until time moves or somebody calls.
#[derive(Clone, Default)]
pub struct Activity(Arc<State>);

#[derive(Default)]
struct State {
    busy: AtomicI64,
    /// What stepped aside: it is not over, but only waits for news.
    parked: AtomicI64,
    quiet: Notify,
}

/// One thing that is going on, until it is dropped. A clone is another thing.
pub struct Busy(Arc<State>);

// === impl Activity ===

impl Activity {
    /// Something begins.
    pub fn begin(&self) -> Busy {
        self.0.busy.fetch_add(1, Ordering::AcqRel);
        Busy(Arc::clone(&self.0))
    }

    /// Whether nothing is going on.
    pub fn is_quiet(&self) -> bool {
        self.0.busy.load(Ordering::Acquire) == 0
    }

    /// Waits until nothing is going on.
    pub async fn quiet(&self) {
        self.0.until(|_| true).await;
    }

    /// Waits until nothing is going on and exactly that many pieces of work wait for news.
    ///
    /// Who has that many long polls under way learns from it that none of them is on the wire, neither the question
    /// nor the answer: on the wire nothing counts as going on.
    pub async fn quiet_but(&self, parked: usize) {
        self.0.until(|now| usize::try_from(now) == Ok(parked)).await;
    }
}

impl fmt::Debug for Activity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Activity({})", self.0.busy.load(Ordering::Relaxed))
    }
}

// === impl Busy ===

impl State {
    /// Waits for a quiet moment in which so much is parked as is wanted.
    async fn until(&self, is_wanted: impl Fn(i64) -> bool) {
        loop {
            let notified = self.quiet.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            // In this order: what is parked after a quiet moment has seen everything there was to see in it.
            if self.busy.load(Ordering::Acquire) == 0 && is_wanted(self.parked.load(Ordering::Acquire)) {
                return;
            }
            notified.await;
        }
    }

    fn end(&self) {
        if self.busy.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.quiet.notify_waiters();
        }
    }
}

impl Clone for Busy {
    fn clone(&self) -> Self {
        self.0.busy.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(&self.0))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// A call that only waits for news is nothing going on.
impl Presence for Busy {
    fn park(&self) {
        self.0.parked.fetch_add(1, Ordering::AcqRel);
        self.0.end();
    }

    fn resume(&self) {
        self.0.busy.fetch_add(1, Ordering::AcqRel);
        self.0.parked.fetch_sub(1, Ordering::AcqRel);
    }
}

impl fmt::Debug for Busy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Busy")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn quiet_waits_for_the_last_piece_of_work() {
        let activity = Activity::default();
        activity.quiet().await;
        let first = activity.begin();
        let second = first.clone();
        let waiting = tokio::spawn({
            let activity = activity.clone();
            async move { activity.quiet().await }
        });
        drop(first);
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        second.park();
        waiting.await.unwrap();
        second.resume();
        assert!(!activity.is_quiet());
    }

    #[tokio::test]
    async fn what_is_parked_can_be_waited_for() {
        let activity = Activity::default();
        activity.quiet_but(0).await;
        let poll = activity.begin();
        poll.park();
        activity.quiet().await;
        let waiting = tokio::spawn({
            let activity = activity.clone();
            async move { activity.quiet_but(2).await }
        });
        let other = activity.begin();
        drop(activity.begin());
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished(), "one is parked, one is under way");
        other.park();
        waiting.await.unwrap();
        poll.resume();
        drop(poll);
        activity.quiet_but(1).await;
    }
}
