//! Who may write when: all at once, one after the other, or one alone.
//!
//! PostgreSQL finds conflicts by the pages of indexes, and new rows stand side by side in them. So writes that have
//! nothing to do with each other get in each other's way while a table is small or its keys follow time, and each costs
//! the other a run. While that happens often, the writes of a process take turns.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// So many writes take turns after each conflict..
const AFTER_ONE: u32 = 32;
/// ..and at most so many after many.
const AFTER_MANY: u32 = 1024;
/// After so many failures a closure runs while no other write of this process does, so that those who have just come
/// do not win against it again and again.
pub(super) const ALONE_AFTER: u32 = 2;

/// The turns of the threads of a store.
#[derive(Debug, Default)]
pub(super) struct Turns {
    writers: RwLock<()>,
    one: Mutex<()>,
    /// How many writes take turns from now on.
    crowd: AtomicU32,
}

/// Leave to write, until it is dropped.
pub(super) enum Turn<'t> {
    Beside { _writers: RwLockReadGuard<'t, ()> },
    Next { _one: MutexGuard<'t, ()>, _writers: RwLockReadGuard<'t, ()> },
    Alone { _writers: RwLockWriteGuard<'t, ()> },
}

// === impl Turns ===

impl Turns {
    /// Waits for leave no longer than the transactions before it take.
    pub(super) fn take(&self, failures: u32) -> Turn<'_> {
        if failures >= ALONE_AFTER {
            return Turn::Alone { _writers: self.writers.write().unwrap_or_else(PoisonError::into_inner) };
        }
        let left =
            self.crowd.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |crowd| crowd.checked_sub(1));
        let one = left.is_ok().then(|| self.one.lock().unwrap_or_else(PoisonError::into_inner));
        let writers = self.writers.read().unwrap_or_else(PoisonError::into_inner);
        match one {
            Some(one) => Turn::Next { _one: one, _writers: writers },
            None => Turn::Beside { _writers: writers },
        }
    }

    /// Two writes got in each other's way.
    pub(super) fn conflict(&self) {
        let more = |crowd: u32| Some((crowd + AFTER_ONE).min(AFTER_MANY));
        // It cannot fail: there is always more.
        _ = self.crowd.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_take_turns_for_a_while_after_a_conflict() {
        let turns = Turns::default();
        assert!(matches!(turns.take(0), Turn::Beside { .. }));
        turns.conflict();
        for _ in 0..AFTER_ONE {
            assert!(matches!(turns.take(1), Turn::Next { .. }));
        }
        assert!(matches!(turns.take(0), Turn::Beside { .. }));
        (0..AFTER_MANY).for_each(|_| turns.conflict());
        for _ in 0..AFTER_MANY {
            assert!(matches!(turns.take(0), Turn::Next { .. }));
        }
        assert!(matches!(turns.take(0), Turn::Beside { .. }));
        assert!(matches!(turns.take(ALONE_AFTER), Turn::Alone { .. }));
    }

    #[test]
    fn only_one_has_the_turn_and_who_is_alone_has_everything() {
        let turns = Turns::default();
        turns.conflict();
        let turn = turns.take(0);
        assert!(turns.one.try_lock().is_err());
        assert!(turns.writers.try_read().is_ok());
        drop(turn);
        let alone = turns.take(ALONE_AFTER);
        assert!(turns.writers.try_read().is_err());
        drop(alone);
        assert!(turns.one.try_lock().is_ok());
    }
}
