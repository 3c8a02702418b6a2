//! Keeps calls away from a service that refuses most of them anyway.

use std::time::Duration;

use super::window::Window;
use crate::ticks::Ticks;

/// How far back it looks ("Handling Overload" in Google's SRE book).
const WINDOW: Duration = Duration::from_secs(120);
/// So many times what was accepted is still sent.
const FACTOR: u64 = 2;
/// At most so many of a hundred calls are kept back: some have to find out that the service is well again.
const MOST_PERCENT: u64 = 90;
/// With fewer calls in the window nothing is kept back: a handful says little.
const LEAST: u64 = 100;

/// Counts what was sent to a service and what was accepted; from there on the share that is rejected here grows.
#[derive(Debug)]
pub(crate) struct Throttle {
    /// Sent, and accepted.
    window: Window<12>,
}

// === impl Throttle ===

impl Throttle {
    pub(crate) fn new() -> Self {
        Self { window: Window::new(WINDOW) }
    }

    /// Counts a call that is about to be sent, and says whether it may be. `random` is any number.
    ///
    /// A call counts before it is sent, and those that end without an answer stay counted: they are the ones that matter
    /// most. Only of the `open` ones, which are under way, nothing is known yet.
    pub(crate) fn admit(&self, now: Ticks, open: usize, random: u64) -> bool {
        let (sent, accepted) = self.window.sum(now);
        self.window.add(now, 1, 0);
        let sent = sent.saturating_sub(open as u64);
        if sent < LEAST {
            return true;
        }
        let excess = sent.saturating_sub(FACTOR * accepted) * 100 / (sent + 1);
        random % 100 >= excess.min(MOST_PERCENT)
    }

    /// The service took the call, whatever it said about it.
    pub(crate) fn accepted(&self, now: Ticks) {
        self.window.add(now, 0, 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of a thousand calls are sent when the service accepts that many of a hundred.
    fn sent(accepts: u64) -> usize {
        let (throttle, now) = (Throttle::new(), Ticks::from_nanos(0));
        for call in 0..1_000 {
            if throttle.admit(now, 0, 99) && call % 100 < accepts {
                throttle.accepted(now);
            }
        }
        let mut random = fastrand_like();
        (0..1_000)
            .filter(|call| {
                let admitted = throttle.admit(now, 0, random());
                if admitted && call % 100 < accepts {
                    throttle.accepted(now);
                }
                admitted
            })
            .count()
    }

    /// Numbers in no order, the same every time.
    fn fastrand_like() -> impl FnMut() -> u64 {
        let mut state = 1_u64;
        move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state >> 33
        }
    }

    #[test]
    fn what_is_refused_anyway_is_kept_back() {
        assert_eq!(sent(100), 1_000);
        assert_eq!(sent(60), 1_000, "twice as much as is accepted goes through");
        let few = sent(10);
        assert!((100..400).contains(&few), "{few}");
        let none = sent(0);
        assert!((50..150).contains(&none), "some have to find out: {none}");
    }

    #[test]
    fn a_handful_says_nothing() {
        let (throttle, now) = (Throttle::new(), Ticks::from_nanos(0));
        assert!((0..LEAST).all(|_| throttle.admit(now, 0, 0)));
        assert!(!throttle.admit(now, 0, 0));
        assert!(throttle.admit(now.after(WINDOW * 2), 0, 0), "and it is forgotten");
    }
}
