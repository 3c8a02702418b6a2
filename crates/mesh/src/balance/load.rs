//! How long an instance takes to answer: a peak, and an average that follows it down.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::ticks::Ticks;

/// How fast the estimate follows better news (linkerd's and Finagle's decay).
const DECAY: f32 = 10.0;
/// How fast a failure is forgiven. It counts as a very slow answer, and a single one must not shut an instance out for
/// as long as that would take to decay.
const FORGIVENESS: f32 = 1.0;

/// What a failure counts as (linkerd's load biaser).
pub(crate) const PENALTY: Duration = Duration::from_secs(5);
/// The most a server can ask for with `Retry-After`.
const LONGEST_PENALTY: Duration = Duration::from_secs(60);

/// An estimate in nanoseconds with the time of its last change, in one word: a worse answer is believed at once, better
/// ones with time. An average alone would go on sending calls to an instance that has just become slow.
///
/// The time counts milliseconds and goes round after 49 days. The sign of the estimate says that the last answer was
/// none, so that it is forgiven faster.
#[derive(Debug, Default)]
pub(super) struct PeakEwma(AtomicU64);

// === impl PeakEwma ===

impl PeakEwma {
    /// The estimate now, in nanoseconds; `None` before the first answer. It sinks while nobody asks, so that whoever was
    /// slow once gets another chance.
    pub(super) fn get(&self, now: Ticks) -> Option<f32> {
        let word = self.0.load(Ordering::Relaxed);
        if word == 0 {
            return None;
        }
        let (estimate, at) = unpack(word);
        Some(projected(estimate, elapsed(at, now)))
    }

    /// An answer came after that time.
    pub(super) fn answered(&self, now: Ticks, took: Duration) {
        self.record(now, |before, elapsed| {
            let took = (took.as_nanos() as f32).max(1.0);
            let Some(before) = before else { return took };
            let old = projected(before, elapsed);
            if took > old { took } else { took + (old - took) * (-elapsed / DECAY).exp() }
        });
    }

    /// No answer came for that time, and nobody waits for it any more. That is news only if it is bad.
    pub(super) fn abandoned(&self, now: Ticks, waited: Duration) {
        if self.get(now).is_some_and(|estimate| waited.as_nanos() as f32 > estimate) {
            self.answered(now, waited);
        }
    }

    /// There was no answer, or none of use; the server may have said when to come back.
    pub(super) fn failed(&self, now: Ticks, retry_after: Option<Duration>) {
        let penalty = retry_after.unwrap_or(PENALTY).clamp(PENALTY, LONGEST_PENALTY).as_nanos() as f32;
        self.record(now, |before, elapsed| {
            -before.map_or(penalty, |before| projected(before, elapsed).max(penalty))
        });
    }

    fn record(&self, now: Ticks, next: impl Fn(Option<f32>, f32) -> f32) {
        let change = |word: u64| {
            let (estimate, at) = unpack(word);
            let estimate = next((word != 0).then_some(estimate), elapsed(at, now));
            Some(pack(estimate, now))
        };
        // It cannot fail: there is always something to write.
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, change).ok();
    }
}

fn projected(estimate: f32, elapsed: f32) -> f32 {
    // Within a few milliseconds nothing changes that matters.
    if elapsed < 0.01 {
        return estimate.abs();
    }
    let decay = if estimate < 0.0 { FORGIVENESS } else { DECAY };
    (estimate.abs() * (-elapsed / decay).exp()).max(1.0)
}

/// Seconds since then.
fn elapsed(at: u32, now: Ticks) -> f32 {
    // Threads may look at the clock in another order than they write.
    let millis = millis(now).wrapping_sub(at).cast_signed().max(0);
    millis as f32 / 1_000.0
}

#[expect(clippy::cast_possible_truncation, reason = "it goes round")]
fn millis(now: Ticks) -> u32 {
    (now.as_nanos() / 1_000_000) as u32
}

fn pack(estimate: f32, now: Ticks) -> u64 {
    u64::from(estimate.to_bits()) << 32 | u64::from(millis(now))
}

#[expect(clippy::cast_possible_truncation, reason = "two halves of a word")]
fn unpack(word: u64) -> (f32, u32) {
    (f32::from_bits((word >> 32) as u32), word as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn millis_of(load: &PeakEwma, now: Ticks) -> u64 {
        (load.get(now).unwrap() / 1e6).round() as u64
    }

    #[test]
    fn worse_news_counts_at_once_and_better_news_with_time() {
        let load = PeakEwma::default();
        let now = Ticks::from_nanos(1_000_000_000);
        assert_eq!(load.get(now), None);
        load.answered(now, MS * 10);
        assert_eq!(millis_of(&load, now), 10);
        load.answered(now, MS * 100);
        assert_eq!(millis_of(&load, now), 100);
        load.answered(now, MS * 10);
        assert_eq!(millis_of(&load, now), 100, "one quick answer proves little");
        let mut later = now;
        for _ in 0..400 {
            later = later.after(MS * 100);
            load.answered(later, MS * 10);
        }
        assert!(millis_of(&load, later) <= 12, "forty seconds of them do");
    }

    #[test]
    fn whoever_is_not_asked_gets_another_chance() {
        let load = PeakEwma::default();
        let now = Ticks::from_nanos(1);
        load.answered(now, MS * 1_000);
        assert_eq!(millis_of(&load, now.after(MS * 10_000)), 368);
        load.failed(now, None);
        assert_eq!(millis_of(&load, now), 5_000);
        assert_eq!(millis_of(&load, now.after(MS * 1_000)), 1_839, "failures are forgiven faster");
        assert!(load.get(now.after(MS * 1_000_000)).unwrap() >= 1.0);
    }

    #[test]
    fn servers_may_ask_for_more_but_not_for_ever() {
        for (asked, millis) in [(None, 5_000), (Some(1), 5_000), (Some(20), 20_000), (Some(9_999), 60_000)] {
            let (load, now) = (PeakEwma::default(), Ticks::from_nanos(1));
            load.failed(now, asked.map(Duration::from_secs));
            assert_eq!(millis_of(&load, now), millis, "{asked:?}");
        }
    }
}
