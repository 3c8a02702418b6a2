//! Notices polls that hold up the worker they run on.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use metrics::{Counter, Unit};

use crate::metrics::Definition;

/// A poll longer than this keeps every other request of the worker waiting.
const SLOW: Duration = Duration::from_millis(10);

/// A poll longer than this is no accident of a busy machine.
const STALL: Duration = Duration::from_millis(100);
/// How long an operation is remembered for it.
const REMEMBERED: Duration = Duration::from_secs(60);

/// Whether any operation of this process has ever stalled: nearly always the answer, and cheap.
static EVER: AtomicBool = AtomicBool::new(false);

const POLLS: Definition =
    Definition::new("partie.polls.slow", Unit::Count, "Polls that held up their worker for over 10 ms");

/// The slow polls of one operation of one version of one service: those of over 10 ms, counted by
/// [`ActiveRequest::watch`](crate::ActiveRequest::watch). The 1st, 2nd, 4th, 8th and so on are logged as well: enough
/// to be noticed, too few to flood the log.
///
/// Cheap to clone; make it once and keep it.
#[derive(Clone)]
pub struct SlowPolls(Arc<Handles>);

struct Handles {
    name: Box<str>,
    counter: Counter,
    seen: AtomicU64,
    /// When a poll last took very long.
    stalled: Mutex<Option<Instant>>,
}

/// What is measured here is this thread's real time, under a virtual clock too.
#[expect(
    clippy::disallowed_methods,
    reason = "telemetry lies below runtime, and simulation must not bend it"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

// === impl SlowPolls ===

impl SlowPolls {
    /// The counter of an operation, labelled `service`, `version` and `operation`.
    pub fn for_operation(service: &str, version: u16, operation: &str) -> Self {
        let version = version.to_string();
        let counter = POLLS.counter(&[("service", service), ("version", &version), ("operation", operation)]);
        let name = format!("{service}.{operation} v{version}").into();
        Self(Arc::new(Handles { name, counter, seen: AtomicU64::new(0), stalled: Mutex::default() }))
    }

    /// How many there were in this process.
    pub fn seen(&self) -> u64 {
        self.0.seen.load(Ordering::Relaxed)
    }

    /// Whether any operation of this process has held up its worker for over 100 ms.
    pub fn any_stalls() -> bool {
        EVER.load(Ordering::Relaxed)
    }

    /// Whether this operation has, in the last minute.
    pub fn stalls(&self) -> bool {
        let stalled = self.0.stalled.lock().unwrap_or_else(PoisonError::into_inner);
        stalled.is_some_and(|at| now().duration_since(at) < REMEMBERED)
    }

    /// Counts a poll if it was slow.
    pub(crate) fn check(&self, before: Instant, after: Instant) {
        let took = after.duration_since(before);
        if took > SLOW {
            self.note(took);
        }
    }

    #[cold]
    fn note(&self, took: Duration) {
        self.0.counter.increment(1);
        if took > STALL {
            *self.0.stalled.lock().unwrap_or_else(PoisonError::into_inner) = Some(now());
            EVER.store(true, Ordering::Relaxed);
        }
        let seen = self.0.seen.fetch_add(1, Ordering::Relaxed) + 1;
        if seen.is_power_of_two() {
            tracing::warn!(
                operation = &*self.0.name,
                took_ms = took.as_millis() as u64,
                seen,
                "a poll held up its worker; move the work to the compute pool"
            );
        }
    }
}

impl fmt::Debug for SlowPolls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SlowPolls({}: {})", self.0.name, self.seen())
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;
    use crate::HttpServerMetrics;

    fn run<F: Future>(slow: &SlowPolls, future: F) -> F::Output {
        let mut request = HttpServerMetrics::for_operation("slow-test", 1, "run").begin();
        let mut future = pin!(request.watch(slow, future));
        let mut context = Context::from_waker(Waker::noop());
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                return output;
            }
        }
    }

    fn busy(duration: Duration) {
        let until = now() + duration;
        while now() < until {
            std::hint::spin_loop();
        }
    }

    #[test]
    fn only_polls_over_the_limit_count_not_long_waits_of_short_polls() {
        let slow = SlowPolls::for_operation("slow-test", 1, "waits");
        let mut polls = 0;
        let waits = poll_fn(|_| {
            polls += 1;
            busy(Duration::from_millis(1));
            if polls < 15 { Poll::Pending } else { Poll::Ready(7) }
        });
        assert_eq!(run(&slow, waits), 7);
        // A machine under load may stretch a poll, but not most of them.
        assert!(slow.seen() < 8, "{slow:?}");

        let blocks = SlowPolls::for_operation("slow-test", 1, "blocks");
        run(&blocks, async { busy(Duration::from_millis(11)) });
        assert_eq!(blocks.seen(), 1);
        let text = crate::Metrics::install().render();
        let line = "partie_polls_slow_total{service=\"slow-test\",version=\"1\",operation=\"blocks\"} 1";
        assert!(text.contains(line), "{text}");
    }
}
