//! Which sagas wait for their turn, and since when: how far a service is behind with what it has begun.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use partie_runtime::monotonic;

/// Those who wait, in the order they came.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    since: BTreeMap<u64, Instant>,
    came: u64,
}

/// Somebody who waits, until this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    turns: Arc<Turns>,
    number: u64,
}

// === impl Turns ===

impl Turns {
    /// Begins to wait.
    pub(crate) fn wait(self: &Arc<Self>) -> Place {
        let mut waiting = self.lock();
        waiting.came += 1;
        let number = waiting.came;
        waiting.since.insert(number, monotonic());
        Place { turns: Arc::clone(self), number }
    }

    /// How long the first in the queue has waited.
    pub(crate) fn longest(&self) -> Option<Duration> {
        self.lock().since.first_key_value().map(|(_, since)| since.elapsed())
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.turns.lock().since.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_to_come_has_waited_longest_whoever_leaves_first() {
        let turns = Arc::new(Turns::default());
        assert_eq!(turns.longest(), None);
        let (first, second) = (turns.wait(), turns.wait());
        let both = turns.longest().unwrap();
        drop(second);
        assert!(turns.longest().unwrap() >= both);
        drop(first);
        assert_eq!(turns.longest(), None);
    }
}
