//! Connections that wait for their next request: a stack for each thread, so that threads never wait for each other.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hyper::client::conn::http1::SendRequest;
use partie_contract::Body;
use partie_runtime::monotonic;

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
struct Unused(Instant, SendRequest<Body>);

// === impl Pool ===

impl Pool {
    pub(super) fn new(idle: Duration) -> Self {
        Self { idle, stacks: std::array::from_fn(|_| Mutex::default()) }
    }

    /// The connection that came back last, if it is still good. The others get older and close when nobody needs them.
    pub(super) fn take(&self) -> Option<SendRequest<Body>> {
        let mut stack = self.stack();
        let oldest = monotonic().checked_sub(self.idle);
        while let Some(Unused(since, connection)) = stack.pop() {
            if oldest.is_some_and(|oldest| since < oldest) {
                // Those below have waited even longer.
                stack.clear();
                return None;
            }
            if connection.is_ready() {
                return Some(connection);
            }
        }
        None
    }

    /// Keeps a connection whose answer was read to its end.
    pub(super) fn put(&self, connection: SendRequest<Body>) {
        if connection.is_closed() {
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
