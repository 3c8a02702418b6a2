//! When something last went through: what may take as long as it moves is judged by that.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::ticks::Ticks;

/// When something last went through.
#[derive(Debug)]
pub(crate) struct Moved(AtomicU64);

// === impl Moved ===

impl Moved {
    pub(crate) fn now() -> Self {
        Self(AtomicU64::new(Ticks::now().as_nanos()))
    }

    /// Something goes through.
    pub(crate) fn mark(&self) {
        self.0.store(Ticks::now().as_nanos(), Ordering::Relaxed);
    }

    /// What is left of that time without anything; nothing once it is over.
    pub(crate) fn left(&self, limit: Duration) -> Option<Duration> {
        let quiet = Ticks::now().since(Ticks::from_nanos(self.0.load(Ordering::Relaxed)));
        limit.checked_sub(quiet).filter(|left| !left.is_zero())
    }

    /// Ends when nothing has gone through for so long.
    pub(crate) async fn silent(&self, limit: Duration) {
        while let Some(left) = self.left(limit) {
            tokio::time::sleep(left).await;
        }
    }
}
