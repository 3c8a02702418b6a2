//! Connections that wait for their next request: a stack for each thread, so that threads never wait for each other.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use partie_runtime::monotonic;
use tokio::runtime::Handle;

use super::http1::Connection;

/// Enough stacks that each worker of a usual machine has its own.
pub(super) const STACKS: usize = 16;
/// How many connections a stack keeps. More are closed when they come back.
const KEPT: usize = 64;

/// The unused connections to one instance.
pub(super) struct Pool {
    idle: Duration,
    stacks: [Mutex<Vec<Unused>>; STACKS],
}

/// Since when, and what.
struct Unused(Instant, Box<Connection>);

// === impl Pool ===

impl Pool {
    pub(super) fn new(idle: Duration) -> Self {
        Self { idle, stacks: std::array::from_fn(|_| Mutex::default()) }
    }

    /// The connection that came back last, if it is still good. The others get older and close when nobody needs them.
    pub(super) fn take(&self, now: Instant) -> Option<Box<Connection>> {
        let mut stack = self.stack();
        let oldest = now.checked_sub(self.idle);
        while let Some(Unused(since, connection)) = stack.pop() {
            if oldest.is_some_and(|oldest| since < oldest) {
                // Those below have waited even longer.
                stack.clear();
                return None;
            }
            if connection.rouse() {
                return Some(connection);
            }
        }
        None
    }

    /// Keeps a connection whose answer was read to its end.
    pub(super) fn put(&self, mut connection: Box<Connection>) {
        if !connection.rest() {
            return;
        }
        let now = monotonic();
        let mut stack = self.stack();
        if let Some(oldest) = now.checked_sub(self.idle) {
            let stale = stack.partition_point(|Unused(since, _)| *since < oldest);
            stack.drain(..stale);
        }
        if stack.len() < KEPT {
            stack.push(Unused(now, connection));
        }
    }

    /// What a new connection tells of what happens to it while it is here: it is most likely over, and is dropped.
    pub(super) fn watch(self: &Arc<Self>) -> impl Fn() + Send + Sync + 'static {
        let pool = Arc::downgrade(self);
        move || {
            // Not at once: this is called from within the work of the runtime, and perhaps of the pool.
            if let (Some(pool), Ok(runtime)) = (pool.upgrade(), Handle::try_current()) {
                runtime.spawn(async move { pool.sweep() });
            }
        }
    }

    fn sweep(&self) {
        for stack in &self.stacks {
            let mut stack = stack.lock().unwrap_or_else(PoisonError::into_inner);
            stack.retain(|Unused(_, connection)| !connection.is_disturbed());
        }
    }

    fn stack(&self) -> MutexGuard<'_, Vec<Unused>> {
        self.stacks[thread_number() % STACKS].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Numbers threads in the order in which they first ask.
pub(super) fn thread_number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static NUMBER: usize = NEXT.fetch_add(1, Ordering::Relaxed);
    }
    NUMBER.with(|number| *number)
}
