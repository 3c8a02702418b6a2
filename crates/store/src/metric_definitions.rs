//! The metrics of a store, each named once.

use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

/// Handles, registered when the store opens; they count for the recorder that is installed by then.
pub(crate) struct Metrics {
    /// Seconds from `COMMIT` to its return.
    pub(crate) commit_duration: Histogram,
    /// Writes that shared a commit.
    pub(crate) batch_size: Histogram,
    /// Writes that waited when a batch began.
    pub(crate) queue_length: Gauge,
    /// Pages of the write-ahead log.
    pub(crate) log_pages: Gauge,
    pub(crate) writes_kept: Counter,
    pub(crate) writes_undone: Counter,
    /// Writes that were run again alone.
    pub(crate) reruns: Counter,
    /// Closures that took longer than they should.
    pub(crate) slow: Counter,
    pub(crate) rejected: Counter,
    /// Seconds of a read on its thread.
    pub(crate) read_duration: Histogram,
}

// === impl Metrics ===

impl Metrics {
    pub(crate) fn of(store: &str) -> Self {
        let store = store.to_owned();
        Self {
            commit_duration: histogram!("store.commit.duration", "store" => store.clone()),
            batch_size: histogram!("store.batch.size", "store" => store.clone()),
            queue_length: gauge!("store.queue.length", "store" => store.clone()),
            log_pages: gauge!("store.log.pages", "store" => store.clone()),
            writes_kept: counter!("store.writes", "store" => store.clone(), "outcome" => "kept"),
            writes_undone: counter!("store.writes", "store" => store.clone(), "outcome" => "undone"),
            reruns: counter!("store.reruns", "store" => store.clone()),
            slow: counter!("store.closures.slow", "store" => store.clone()),
            rejected: counter!("store.rejected", "store" => store.clone()),
            read_duration: histogram!("store.read.duration", "store" => store),
        }
    }

    pub(crate) fn committed(&self, took: Duration, size: usize) {
        self.commit_duration.record(took);
        self.batch_size.record(size as f64);
    }
}
