//! Monotonic time as a number, for the atomics of the balancer.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use partie_contract::Deadline;
use partie_runtime::monotonic;

static START: OnceLock<Instant> = OnceLock::new();

/// Nanoseconds since the process first asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticks(u64);

// === impl Ticks ===

impl Ticks {
    pub(crate) fn now() -> Self {
        let now = monotonic();
        Self(nanos(now.saturating_duration_since(start(now))))
    }

    /// The same point of time, for those who count otherwise.
    pub(crate) fn instant(self) -> Instant {
        let now = Duration::from_nanos(self.0);
        START.get().map_or_else(monotonic, |start| *start + now)
    }

    /// What is left until the deadline.
    pub(crate) fn until(self, deadline: Deadline) -> Duration {
        deadline.instant().saturating_duration_since(self.instant())
    }

    /// The same in milliseconds, as calls say it.
    pub(crate) fn left(self, deadline: Deadline) -> u64 {
        u64::try_from(self.until(deadline).as_millis()).unwrap_or(u64::MAX)
    }

    pub(crate) const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    pub(crate) const fn as_nanos(self) -> u64 {
        self.0
    }

    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    pub(crate) fn after(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(nanos(wait)))
    }
}

fn start(now: Instant) -> Instant {
    *START.get_or_init(|| now)
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
