//! How long to wait before the next attempt.

use std::time::Duration;

use crate::{Ids, duration};
use serde::{Deserialize, Serialize};

/// Exponential backoff in monotonic time, with jitter so that those who failed together do not come back together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Backoff {
    /// The wait after the first failure.
    #[serde(with = "duration")]
    pub first: Duration,
    /// The longest wait.
    #[serde(with = "duration")]
    pub most: Duration,
}

// === impl Backoff ===

impl Backoff {
    /// From `first`, doubling up to `most`.
    pub const fn new(first: Duration, most: Duration) -> Self {
        Self { first, most }
    }

    /// The wait after so many failures, from 1: between half and all of the doubled time.
    pub fn after(&self, failures: u32, ids: &Ids) -> Duration {
        let doublings = failures.saturating_sub(1).min(30);
        let whole = self.first.saturating_mul(1 << doublings).min(self.most);
        let half = whole / 2;
        let micros = u64::try_from(half.as_micros()).unwrap_or(u64::MAX);
        half + Duration::from_micros(ids.below(micros.saturating_add(1)))
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new(Duration::from_millis(100), Duration::from_secs(30))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let (backoff, ids) = (Backoff::default(), Ids::seeded(1));
        for (failures, whole) in [(1, 100), (2, 200), (5, 1600), (10, 30_000), (u32::MAX, 30_000)] {
            let whole = Duration::from_millis(whole);
            for _ in 0..100 {
                let wait = backoff.after(failures, &ids);
                assert!(wait >= whole / 2 && wait <= whole, "{failures}: {wait:?}");
            }
        }
    }
}
