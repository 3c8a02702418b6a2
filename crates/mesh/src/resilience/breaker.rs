//! The breaker of one instance: how often it fails, and whether it is left alone for a while.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use super::policy::BreakerConfig;
use super::window::Window;
use crate::ticks::Ticks;

/// The state when calls go through.
const CLOSED: u64 = 0;
/// The state while one call finds out whether the instance is well again.
const PROBING: u64 = u64::MAX;

/// Counts failures in a row and their share over the last seconds. Whether it opens is for the balancer to decide, which
/// knows how many others are open.
#[derive(Debug)]
pub(crate) struct Breaker {
    in_a_row: AtomicU32,
    /// Calls that went well, and those that did not.
    window: Window<10>,
    /// [`CLOSED`], [`PROBING`], or the time until which it is open, in ticks.
    state: AtomicU64,
    /// When a probe that never comes back is given up.
    probe_until: AtomicU64,
    /// How often it opened since it was last well.
    openings: AtomicU32,
}

/// Whether a call may go to an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    /// Like any other.
    Open,
    /// One call may find out.
    Probe,
    /// Not now.
    Shut,
}

// === impl Breaker ===

impl Breaker {
    pub(crate) fn new(config: &BreakerConfig) -> Self {
        Self {
            in_a_row: AtomicU32::new(0),
            window: Window::new(config.window),
            state: AtomicU64::new(CLOSED),
            probe_until: AtomicU64::new(0),
            openings: AtomicU32::new(0),
        }
    }

    /// Whether a call may go there now.
    pub(crate) fn admission(&self, now: Ticks) -> Admission {
        match self.state.load(Ordering::Acquire) {
            CLOSED => Admission::Open,
            PROBING if now.as_nanos() < self.probe_until.load(Ordering::Relaxed) => Admission::Shut,
            until if until != PROBING && now.as_nanos() < until => Admission::Shut,
            _ => Admission::Probe,
        }
    }

    /// Whether it is shut, or not known to be well.
    pub(crate) fn is_closed(&self) -> bool {
        self.state.load(Ordering::Acquire) == CLOSED
    }

    /// Takes the one probe, which has to come back within that time. Says whether nobody else has it.
    pub(crate) fn probe(&self, now: Ticks, within: Duration) -> bool {
        let state = self.state.load(Ordering::Acquire);
        if state == CLOSED || self.admission(now) != Admission::Probe {
            return false;
        }
        let before = self.probe_until.load(Ordering::Relaxed);
        // Two who look at the same moment see the same end of the last probe, and one of them changes it.
        let until = now.after(within).as_nanos().max(before + 1);
        let taken = self.probe_until.compare_exchange(before, until, Ordering::AcqRel, Ordering::Relaxed);
        taken.is_ok()
            && self.state.compare_exchange(state, PROBING, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// A call went well.
    pub(crate) fn succeeded(&self, now: Ticks) {
        if self.in_a_row.load(Ordering::Relaxed) != 0 {
            self.in_a_row.store(0, Ordering::Relaxed);
        }
        self.window.add(now, 1, 0);
        let state = self.state.load(Ordering::Acquire);
        // Calls that were under way when it opened prove nothing.
        if state == PROBING
            && self.state.compare_exchange(PROBING, CLOSED, Ordering::AcqRel, Ordering::Relaxed).is_ok()
        {
            self.openings.store(0, Ordering::Relaxed);
            self.window.clear();
        }
    }

    /// A call failed, hard or because the instance had too much to do. Says whether the breaker should open.
    pub(crate) fn failed(&self, now: Ticks, hard: bool, config: &BreakerConfig) -> bool {
        let in_a_row = if hard { self.in_a_row.fetch_add(1, Ordering::Relaxed) + 1 } else { 0 };
        self.window.add(now, 0, 1);
        match self.state.load(Ordering::Acquire) {
            // The probe failed.
            PROBING => true,
            CLOSED => {
                let (well, failed) = self.window.sum(now);
                let calls = well + failed;
                in_a_row >= config.failures
                    || (calls >= u64::from(config.least)
                        && well * 100 < calls * u64::from(config.success_percent))
            }
            _ => false,
        }
    }

    /// Opens: for a while that doubles with every time in a row, with jitter from `random`.
    pub(crate) fn open(&self, now: Ticks, config: &BreakerConfig, random: u64) {
        let openings = self.openings.fetch_add(1, Ordering::AcqRel).min(20);
        let whole = config.first.saturating_mul(1 << openings).min(config.most);
        // Between half of it and all of it, so that those who opened together do not probe together.
        let wait = whole / 2 + (whole / 2).mul_f64((random % 1_000) as f64 / 1_000.0);
        self.in_a_row.store(0, Ordering::Relaxed);
        // 0 and the highest number mean something else.
        let until = now.after(wait).as_nanos().clamp(1, PROBING - 1);
        self.state.store(until, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn breaker() -> (Breaker, BreakerConfig, Ticks) {
        let config = BreakerConfig::default();
        (Breaker::new(&config), config, Ticks::from_nanos(0))
    }

    #[test]
    fn it_opens_after_failures_in_a_row() {
        let (breaker, config, now) = breaker();
        for _ in 0..3 {
            let fails = |_| breaker.failed(now, true, &config);
            assert!(!(0..4).any(fails), "fewer are not enough");
            (0..100).for_each(|_| breaker.succeeded(now));
        }
        assert_eq!((0..5).filter(|_| breaker.failed(now, true, &config)).count(), 1);
    }

    #[test]
    fn it_opens_when_too_few_go_well() {
        let (breaker, config, now) = breaker();
        let mut opened = None;
        for call in 0..100 {
            if call % 4 == 3 {
                if breaker.failed(now, false, &config) {
                    opened.get_or_insert(call);
                }
            } else {
                breaker.succeeded(now);
            }
        }
        assert_eq!(opened, Some(11), "three of four in at least ten");
        let (healthy, config, now) = self::breaker();
        for call in 0..100 {
            if call % 10 == 9 {
                assert!(!healthy.failed(now, true, &config), "nine of ten are enough");
            } else {
                healthy.succeeded(now);
            }
        }
    }

    #[test]
    fn one_probe_decides_and_waits_double() {
        let (breaker, config, mut now) = breaker();
        let mut waits = Vec::new();
        for _ in 0..8 {
            breaker.open(now, &config, 0);
            assert_eq!(breaker.admission(now), Admission::Shut);
            let begun = now;
            while breaker.admission(now) == Admission::Shut {
                now = now.after(Duration::from_millis(100));
            }
            waits.push(now.since(begun).as_millis());
            assert!(breaker.probe(now, SECOND));
            assert!(!breaker.probe(now, SECOND), "only one");
            assert_eq!(breaker.admission(now), Admission::Shut);
            assert!(breaker.failed(now, true, &config), "the probe failed");
        }
        assert_eq!(waits, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
        breaker.open(now, &config, 0);
        now = now.after(SECOND * 60);
        assert!(breaker.probe(now, SECOND));
        breaker.succeeded(now);
        assert_eq!(breaker.admission(now), Admission::Open);
        breaker.open(now, &config, 999);
        assert_eq!(
            breaker.admission(now.after(SECOND)),
            Admission::Probe,
            "it begins with the first wait again"
        );
    }

    #[test]
    fn a_probe_that_never_comes_back_is_given_up() {
        let (breaker, config, now) = breaker();
        breaker.open(now, &config, 0);
        let now = now.after(SECOND);
        assert!(breaker.probe(now, SECOND));
        assert_eq!(breaker.admission(now), Admission::Shut);
        let later = now.after(SECOND * 2);
        assert!(breaker.probe(later, SECOND));
        assert_eq!(breaker.admission(later), Admission::Shut);
    }

    #[test]
    fn calls_that_were_under_way_when_it_opened_prove_nothing() {
        let (breaker, config, now) = breaker();
        breaker.open(now, &config, 0);
        breaker.succeeded(now);
        assert_eq!(breaker.admission(now), Admission::Shut);
        assert!(!breaker.failed(now, true, &config));
    }

    #[test]
    fn many_who_ask_at_once_make_one_probe() {
        let (breaker, config, now) = breaker();
        breaker.open(now, &config, 0);
        let now = now.after(SECOND);
        let probes: usize = std::thread::scope(|scope| {
            let workers: Vec<_> =
                (0..8).map(|_| scope.spawn(|| usize::from(breaker.probe(now, SECOND)))).collect();
            workers.into_iter().map(|worker| worker.join().unwrap()).sum()
        });
        assert_eq!(probes, 1);
    }
}
