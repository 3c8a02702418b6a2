//! What this process knows to be old while it cannot tell the engine.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use partie_runtime::monotonic;

/// So many are remembered. With more the engine is not believed at all.
const MOST: usize = 10_000;

/// Floors the engine may not have.
pub(super) struct Floors {
    /// After so long no engine has anything any more that was there when a floor was raised.
    keep: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    floors: HashMap<String, (i64, Instant)>,
    /// More was known to be old than could be remembered.
    blind_until: Option<Instant>,
}

// === impl Floors ===

impl Floors {
    pub(super) fn new(keep: Duration) -> Self {
        Self { keep, state: Mutex::default() }
    }

    /// The lowest version of that key that may be served.
    pub(super) fn of(&self, key: &str) -> i64 {
        let state = self.lock();
        match state.floors.get(key) {
            Some((floor, until)) if *until > monotonic() => *floor,
            _ => i64::MIN,
        }
    }

    /// Whether anything the engine has may be old, for all this process remembers.
    pub(super) fn are_lost(&self) -> bool {
        let mut state = self.lock();
        let is_over = state.blind_until.is_none_or(|until| until <= monotonic());
        if is_over {
            state.blind_until = None;
        }
        !is_over
    }

    pub(super) fn raise(&self, key: &str, version: i64) {
        let (mut state, now) = (self.lock(), monotonic());
        let until = now + self.keep;
        if let Some(known) = state.floors.get_mut(key) {
            *known = (known.0.max(version), until);
            return;
        }
        if state.floors.len() >= MOST {
            state.floors.retain(|_, (_, until)| *until > now);
        }
        if state.floors.len() >= MOST {
            state.blind_until = Some(until);
        } else {
            state.floors.insert(key.to_owned(), (version, until));
        }
    }

    /// The engine has it now.
    pub(super) fn settle(&self, key: &str, version: i64) {
        let mut state = self.lock();
        if state.floors.get(key).is_some_and(|(floor, _)| *floor <= version) {
            state.floors.remove(key);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_floor_is_known_until_the_engine_has_it_or_its_time_is_over() {
        let floors = Floors::new(Duration::from_secs(60));
        floors.raise("a", 3);
        floors.raise("a", 2);
        floors.settle("a", 2);
        assert_eq!((floors.of("a"), floors.of("b")), (3, i64::MIN));
        floors.settle("a", 3);
        assert_eq!(floors.of("a"), i64::MIN);
        floors.raise("a", 4);
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(floors.of("a"), i64::MIN);
    }

    #[tokio::test(start_paused = true)]
    async fn with_more_floors_than_can_be_remembered_the_engine_is_not_believed() {
        let floors = Floors::new(Duration::from_secs(60));
        for key in 0..MOST {
            floors.raise(&key.to_string(), 1);
        }
        assert!(!floors.are_lost());
        floors.raise("one more", 1);
        assert!(floors.are_lost());
        tokio::time::advance(Duration::from_secs(60)).await;
        assert!(!floors.are_lost());
        floors.raise("and one after", 1);
        assert_eq!((floors.of("and one after"), floors.are_lost()), (1, false));
    }
}
