//! The three clocks: business time, which may be stepped, and monotonic and trust time, which may not.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use partie_contract::Timestamp;
use tokio::sync::oneshot;

use crate::activity::Busy;

/// Real sleeps are cut into pieces of this length, so that a corrected wall clock is noticed.
const LONGEST_NAP: Duration = Duration::from_secs(5);

/// Business time: persisted timestamps, durable timers, opening hours. Never goes backwards within a process.
#[derive(Clone)]
pub struct Clock(Source);

#[derive(Clone)]
enum Source {
    /// The wall clock; the cell holds the latest time given out.
    Wall(Arc<AtomicI64>),
    Stepped(Arc<Mutex<Stepped>>),
}

struct Stepped {
    now: Timestamp,
    /// Sleepers by the time they want to wake, in order of arrival. A dropped sleeper leaves a closed sender.
    sleepers: BTreeMap<(Timestamp, u64), oneshot::Sender<Option<Busy>>>,
    arrivals: u64,
}

/// Moves a stepped clock.
pub struct Stepper(Arc<Mutex<Stepped>>);

/// Monotonic time: timeouts, backoff, load averages, leases. It is the clock timers run by, so a test that pauses them
/// pauses it too.
#[expect(clippy::disallowed_methods, reason = "this is the one door to it")]
pub fn monotonic() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Trust time, in seconds since the Unix epoch: tokens and certificates are judged by the wall clock, always.
pub fn trust_now() -> i64 {
    wall_millis() / 1000
}

#[expect(clippy::disallowed_methods, reason = "this is the one door to it")]
fn wall_millis() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

// === impl Clock ===

impl Clock {
    /// The wall clock.
    pub fn wall() -> Self {
        Self(Source::Wall(Arc::default()))
    }

    /// A clock that stands until it is stepped.
    pub fn stepped(start: Timestamp) -> (Self, Stepper) {
        let state = Arc::new(Mutex::new(Stepped { now: start, sleepers: BTreeMap::new(), arrivals: 0 }));
        (Self(Source::Stepped(Arc::clone(&state))), Stepper(state))
    }

    /// Business time now.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::Wall(latest) => {
                let now = wall_millis();
                Timestamp::from_millis(latest.fetch_max(now, Ordering::Relaxed).max(now))
            }
            Source::Stepped(state) => lock(state).now,
        }
    }

    /// Sleeps until business time is at least `wake`.
    ///
    /// Under a stepped clock the sleeper is woken holding a [`Busy`]: there is no moment between the step and the
    /// sleeper's work in which the system looks quiet. Hold it until that work has its own.
    pub async fn sleep_until(&self, wake: Timestamp) -> Option<Busy> {
        match &self.0 {
            Source::Wall(_) => loop {
                let left = wake.since(self.now());
                if left.is_zero() {
                    return None;
                }
                tokio::time::sleep(left.min(LONGEST_NAP)).await;
            },
            Source::Stepped(state) => {
                let woken = {
                    let mut state = lock(state);
                    if state.now >= wake {
                        return None;
                    }
                    let (waker, woken) = oneshot::channel();
                    state.arrivals += 1;
                    let key = (wake, state.arrivals);
                    state.sleepers.insert(key, waker);
                    woken
                };
                match woken.await {
                    Ok(busy) => busy,
                    // The stepper is gone: time stands still for good.
                    Err(_) => std::future::pending().await,
                }
            }
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}

// === impl Stepper ===

impl Stepper {
    /// When the next sleeper wants to wake.
    pub fn next_wake(&self) -> Option<Timestamp> {
        let mut state = lock(&self.0);
        state.sleepers.retain(|_, waker| !waker.is_closed());
        state.sleepers.first_key_value().map(|((wake, _), _)| *wake)
    }

    /// Moves time to `now` (never back) and wakes everybody who is due, each holding a clone of `busy`.
    pub fn step_to(&self, now: Timestamp, busy: &Busy) {
        let mut state = lock(&self.0);
        state.now = state.now.max(now);
        let later = (state.now, u64::MAX);
        while let Some(entry) = state.sleepers.first_entry().filter(|entry| *entry.key() <= later) {
            // A sleeper that was dropped meanwhile has nothing to do.
            drop(entry.remove().send(Some(busy.clone())));
        }
    }
}

impl fmt::Debug for Stepper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stepper({})", lock(&self.0).now)
    }
}

fn lock(state: &Mutex<Stepped>) -> std::sync::MutexGuard<'_, Stepped> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activity::Activity;

    #[tokio::test]
    async fn a_stepped_clock_wakes_those_who_are_due_and_keeps_the_system_busy() {
        let activity = Activity::default();
        let (clock, stepper) = Clock::stepped(Timestamp::EPOCH);
        let at = |ms| Timestamp::from_millis(ms);
        let (soon, late) = (clock.clone(), clock.clone());
        let soon = tokio::spawn(async move { soon.sleep_until(at(10)).await });
        let late = tokio::spawn(async move { late.sleep_until(at(20)).await });
        while stepper.next_wake() != Some(at(10)) || lock(&stepper.0).sleepers.len() < 2 {
            tokio::task::yield_now().await;
        }
        stepper.step_to(at(10), &activity.begin());
        let held = soon.await.unwrap();
        assert!(!activity.is_quiet());
        drop(held);
        assert!(activity.is_quiet());
        assert_eq!((clock.now(), stepper.next_wake()), (at(10), Some(at(20))));
        late.abort();
        late.await.unwrap_err();
        assert_eq!(stepper.next_wake(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_wall_clock_never_goes_back() {
        let clock = Clock::wall();
        let before = clock.now();
        assert!(clock.now() >= before);
        assert!(clock.sleep_until(before).await.is_none());
    }
}
