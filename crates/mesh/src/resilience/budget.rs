//! How many retries all calls together may make.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::policy::BudgetConfig;
use super::window::Window;
use crate::ticks::Ticks;

/// The time over which calls pay for retries (Finagle's `RetryBudget` and linkerd have the same).
const WINDOW: Duration = Duration::from_secs(10);

/// Retries of one caller to one service, as a share of its calls. When everything fails, this is what keeps the load
/// from being multiplied.
#[derive(Debug)]
pub(crate) struct Budget {
    config: BudgetConfig,
    /// Calls, and retries.
    window: Window<10>,
    /// Looking and taking is one step, so that many who look at once do not all take the last one.
    taking: Mutex<()>,
}

// === impl Budget ===

impl Budget {
    pub(crate) fn new(config: BudgetConfig) -> Self {
        Self { config, window: Window::new(WINDOW), taking: Mutex::default() }
    }

    /// A call begins.
    pub(crate) fn deposit(&self, now: Ticks) {
        self.window.add(now, 1, 0);
    }

    /// Whether it may be tried once more.
    pub(crate) fn withdraw(&self, now: Ticks) -> bool {
        let BudgetConfig { percent, per_second } = self.config;
        let _taking = self.taking.lock().unwrap_or_else(PoisonError::into_inner);
        let (calls, retries) = self.window.sum(now);
        let share = calls * u64::from(percent) / 100;
        let allowed = retries < share.max(u64::from(per_second) * WINDOW.as_secs());
        if allowed {
            self.window.add(now, 0, 1);
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_are_a_share_of_the_calls_but_a_few_are_always_allowed() {
        for (calls, allowed) in [(0, 30), (100, 30), (1_000, 200), (10_000, 2_000)] {
            let budget = Budget::new(BudgetConfig::default());
            let now = Ticks::from_nanos(0);
            (0..calls).for_each(|_| budget.deposit(now));
            assert_eq!((0..10_000).filter(|_| budget.withdraw(now)).count(), allowed, "{calls}");
            assert!(budget.withdraw(now.after(WINDOW)), "later there is more");
        }
    }

    #[test]
    fn the_last_one_is_given_once() {
        let budget = Budget::new(BudgetConfig { percent: 0, per_second: 10 });
        let now = Ticks::from_nanos(0);
        let taken: usize = std::thread::scope(|scope| {
            let workers: Vec<_> =
                (0..4).map(|_| scope.spawn(|| (0..1_000).filter(|_| budget.withdraw(now)).count())).collect();
            workers.into_iter().map(|worker| worker.join().unwrap()).sum()
        });
        assert_eq!(taken, 100);
    }
}
