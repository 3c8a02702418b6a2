//! Deadlines: a point of monotonic time, carried between processes as remaining milliseconds.

use std::time::{Duration, Instant};

/// When an answer stops being useful. Copy it along; it only ever shrinks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

/// Beyond a day nobody waits; the cap also keeps the addition from overflowing.
const LONGEST: Duration = Duration::from_hours(24);

#[expect(
    clippy::disallowed_methods,
    reason = "a deadline is real monotonic time by definition, DESIGN invariant 7"
)]
fn now() -> Instant {
    Instant::now()
}

// === impl Deadline ===

impl Deadline {
    /// So far from now.
    pub fn after(wait: Duration) -> Self {
        Self::counted_from(now(), wait)
    }

    /// So far from a moment that was looked up already.
    pub fn counted_from(start: Instant, wait: Duration) -> Self {
        Self(start + wait.min(LONGEST))
    }

    /// The time left; zero when it has passed.
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(now())
    }

    /// Whether it has passed.
    pub fn has_passed(self) -> bool {
        self.remaining().is_zero()
    }

    /// The earlier of this and `limit` from now.
    #[must_use]
    pub fn within(self, limit: Duration) -> Self {
        self.min(Self::after(limit))
    }

    /// The point of monotonic time.
    pub fn instant(self) -> Instant {
        self.0
    }
}
