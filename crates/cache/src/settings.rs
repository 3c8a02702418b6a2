//! What the program says of one cache.

use std::time::Duration;

/// How long a cache keeps what, and how much of it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Settings {
    /// How long after it was read a thing may be served. This bounds how old an answer can be if no event tells of a change.
    pub ttl: Duration,
    /// The same for what does not exist.
    pub negative: Duration,
    /// The share of either time, from 0 to 1, by which it is shortened at random, so that what was loaded together does not
    /// have to be loaded again together.
    pub jitter: f64,
    /// How long a load may take, if what it gives is to be kept, and how long a floor outlives the entry it put an end to.
    /// A load that takes longer is answered all the same.
    pub load: Duration,
    /// How many keys are kept, where the process keeps them itself.
    pub capacity: u64,
    /// Counted up with every change of the values' type that makes old entries unreadable or, worse, readable as something
    /// else. Processes with another number have other entries.
    pub schema: u32,
}

// === impl Settings ===

impl Settings {
    /// Things may be served for so long. What does not exist is remembered a tenth of that, times are up to a tenth shorter,
    /// loads take up to ten seconds, and there is room for 10,000 keys.
    pub fn lasting(ttl: Duration) -> Self {
        Self {
            ttl,
            negative: ttl / 10,
            jitter: 0.1,
            load: Duration::from_secs(10),
            capacity: 10_000,
            schema: 1,
        }
    }

    /// What does not exist is remembered for so long.
    #[must_use]
    pub fn negative(mut self, ttl: Duration) -> Self {
        self.negative = ttl;
        self
    }

    /// Times are shortened by up to that share, from 0 to 1.
    #[must_use]
    pub fn jitter(mut self, share: f64) -> Self {
        self.jitter = share;
        self
    }

    /// Loads take up to so long.
    #[must_use]
    pub fn load(mut self, longest: Duration) -> Self {
        self.load = longest;
        self
    }

    /// There is room for so many keys.
    #[must_use]
    pub fn capacity(mut self, keys: u64) -> Self {
        self.capacity = keys;
        self
    }

    /// The values' type has changed so often.
    #[must_use]
    pub fn schema(mut self, number: u32) -> Self {
        self.schema = number;
        self
    }

    /// The longest an engine holds anything.
    pub(crate) fn longest(&self) -> Duration {
        self.ttl.max(self.negative).saturating_add(self.load)
    }
}
