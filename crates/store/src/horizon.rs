//! Reading a table in the order of its positions while others still write to it.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::Error;
use crate::tx::Tx;

/// How many looks are remembered. More only make the horizon move in smaller steps.
const LOOKS: usize = 64;

/// Up to where a growing table has all the rows it will ever have.
///
/// Rows get their positions when they are inserted, and become visible when their transactions commit. Where several
/// transactions write at a time, the row at 8 may be there before the one at 7; who reads on from 8 never sees it. A
/// reader who remembers how far it is keeps a horizon, and reads up to it only.
///
/// A position counts as taken from the moment that its transaction has written something *before* the row that takes
/// it; see to it that it does. A write transaction anywhere on the server that stays open holds the horizon back for
/// that long. Where one thread writes, all is settled at once.
#[derive(Clone, Default)]
pub struct Horizon(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// Of earlier moments: the first transaction that had not begun, and the last position that was taken.
    looks: VecDeque<(i64, i64)>,
    settled: i64,
}

/// What a [`Horizon`] says of this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settled {
    /// No row appears at or before this position any more.
    pub to: i64,
    /// Whether rows behind it may be there already. Then look again soon: nobody rings when they are settled.
    pub is_more: bool,
}

// === impl Horizon ===

impl Horizon {
    /// Knows nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Up to where the transaction may read. `last` reads the table's last position; it is only asked where that matters.
    ///
    /// # Errors
    /// Those of `last`, and of a statement.
    pub fn settled(
        &self,
        tx: &mut Tx,
        last: impl FnOnce(&mut Tx) -> Result<i64, Error>,
    ) -> Result<Settled, Error> {
        if !tx.is_shared() {
            return Ok(Settled { to: i64::MAX, is_more: false });
        }
        let last = last(tx)?;
        let known = self.lock().settled;
        if last <= known {
            return Ok(Settled { to: known, is_more: false });
        }
        let (oldest, next) = tx.running()?;
        Ok(self.lock().look(oldest, next, last))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// `oldest` is the first transaction that is still running, `next` the first that has not begun: whoever has taken a
    /// position up to `last` comes before that.
    fn look(&mut self, oldest: i64, next: i64, last: i64) -> Settled {
        if self.looks.back().map_or(self.settled, |(_, last)| *last) < last {
            if self.looks.len() == LOOKS {
                self.looks.pop_back();
            }
            self.looks.push_back((next, last));
        }
        while let Some((next, last)) = self.looks.front().copied()
            && next <= oldest
        {
            self.settled = self.settled.max(last);
            self.looks.pop_front();
        }
        Settled { to: self.settled, is_more: self.settled < last }
    }
}

impl fmt::Debug for Horizon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Horizon")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_settled_is_what_nobody_can_add_to() {
        let mut state = State::default();
        let settled = |to, is_more| Settled { to, is_more };
        assert_eq!(state.look(10, 10, 5), settled(5, false), "nobody is running");
        // 10 runs; 11 has committed position 7.
        assert_eq!(state.look(10, 12, 7), settled(5, true));
        assert_eq!(state.look(10, 14, 9), settled(5, true));
        // 10 has committed position 6. Of those that took up to 9, 13 may still run.
        assert_eq!(state.look(13, 15, 9), settled(7, true));
        assert_eq!(state.look(14, 15, 9), settled(9, false));
        assert_eq!(state.look(14, 15, 9), settled(9, false));
    }

    #[test]
    fn under_steady_load_it_moves_although_somebody_always_runs() {
        let mut state = State::default();
        let mut settled = 0;
        for now in 1..1000 {
            settled = state.look(now, now + 200, now).to;
        }
        assert!(settled > 500, "{settled}");
    }
}
