//! How a store is, and how much it has done.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

/// How a store is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Health {
    /// It reads and writes.
    Ready,
    /// It reads, and refuses writes until the disk has space again; or it does neither, until the database can be reached
    /// again. It tries every second, and is ready by itself.
    Degraded(Arc<str>),
    /// A commit failed on its way to the disk, and nobody knows whether it arrived. It writes nothing more: the
    /// process has to end, and to open the store again, which reads from the disk what did arrive.
    Failed(Arc<str>),
    /// It was closed.
    Closed,
}

/// What a store has done since it was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Commits that changed something: one sync of the disk each, under [`Durability::Full`](crate::Durability::Full).
    pub commits: u64,
    /// Writes that were carried out and answered, whatever the answer.
    pub writes: u64,
    /// Writes that were run again alone, because their group did not commit.
    pub reruns: u64,
    /// Reads that were answered.
    pub reads: u64,
    /// Writes and reads that were rejected because too many waited.
    pub rejected: u64,
    /// Closures that took longer than they should.
    pub slow: u64,
}

/// Shared by the threads of a store and its handles.
pub(crate) struct Status {
    health: watch::Sender<Health>,
    pub(crate) count: Counters,
}

#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) commits: AtomicU64,
    pub(crate) writes: AtomicU64,
    pub(crate) reruns: AtomicU64,
    pub(crate) reads: AtomicU64,
    pub(crate) rejected: AtomicU64,
    pub(crate) slow: AtomicU64,
}

// === impl Status ===

impl Status {
    pub(crate) fn new() -> Self {
        Self { health: watch::Sender::new(Health::Ready), count: Counters::default() }
    }

    pub(crate) fn health(&self) -> Health {
        self.health.borrow().clone()
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Health> {
        self.health.subscribe()
    }

    /// Changes the health. What has failed stays so.
    pub(crate) fn set(&self, health: Health) {
        self.health.send_if_modified(|current| {
            let changes = *current != health && !matches!(current, Health::Failed(_));
            if changes {
                *current = health;
            }
            changes
        });
    }

    pub(crate) fn stats(&self) -> Stats {
        let Counters { commits, writes, reruns, reads, rejected, slow } = &self.count;
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Stats {
            commits: read(commits),
            writes: read(writes),
            reruns: read(reruns),
            reads: read(reads),
            rejected: read(rejected),
            slow: read(slow),
        }
    }
}

/// Counts one more.
pub(crate) fn bump(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}
