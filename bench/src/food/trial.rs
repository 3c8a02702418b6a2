//! What one round of orders has shown.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::customers::{Placed, Takings};
use super::meter::Reading;

/// Who is further behind than this gives up: the limit of the relay's backlog, after which orders are refused.
const BOUND: Duration = Duration::from_secs(5);
/// Who trails by more cannot keep the rate up.
const STEADY: Duration = Duration::from_secs(1);
/// Nor can who takes less than this part of the orders in the time in which they are due.
const KEPT: f64 = 0.97;

/// One round: so many orders a second for so long, and then the time until all were confirmed.
#[derive(Debug, Clone)]
pub struct Trial {
    /// Orders due a second.
    pub rate: f64,
    /// Orders that were due.
    pub due: u64,
    /// Accepted a second, from the first due to the last answer.
    pub accepted: f64,
    /// Confirmed a second, from the first due until all were.
    pub confirmed: f64,
    /// Answers with 503.
    pub refused: u64,
    /// Orders given up after that.
    pub given_up: u64,
    /// Other answers, with the first of them.
    pub failed: u64,
    /// The first of the other answers.
    pub failure: Option<String>,
    /// Latency, counted from when the order was due.
    pub p50: Duration,
    /// As `p50`.
    pub p99: Duration,
    /// The most orders accepted and not yet confirmed.
    pub ahead: u64,
    /// The longest the confirmations trailed.
    pub lag: Duration,
    /// From the last answer until all were confirmed.
    pub rest: Duration,
    /// From the last answer until nothing was left to do, notifications included.
    pub quiet: Duration,
    /// The age of the oldest unsent event when the last order was answered.
    pub outbox_age: f64,
    /// CPU time of the system an order, in microseconds.
    pub cpu_us: f64,
    /// How much of one core the load generator used, kitchens included.
    pub load_busy: f64,
    /// Transactions, commits and reads an order, by store.
    pub stores: BTreeMap<String, [f64; 3]>,
}

/// A look during a round: when, how many were confirmed by then, and how many accepted just after.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    pub(super) at: Duration,
    pub(super) confirmed: u64,
    pub(super) accepted: u64,
}

/// All that was seen of a round.
pub(super) struct Seen {
    pub(super) rate: f64,
    pub(super) takings: Takings,
    pub(super) samples: Vec<Sample>,
    /// Before, when the last order was answered, and when all were confirmed.
    pub(super) readings: [Reading; 3],
    pub(super) cpu: Duration,
    pub(super) load_cpu: Duration,
    /// When all were confirmed.
    pub(super) ended: Duration,
    /// When nothing was left to do, notifications included.
    pub(super) quiet: Duration,
}

// === impl Trial ===

impl Trial {
    pub(super) fn of(seen: Seen) -> Self {
        let Seen { rate, takings, samples, readings: [before, last, after], cpu, load_cpu, ended, quiet } =
            seen;
        let Takings { due, mut placed, refused, given_up, failed, failure } = takings;
        placed.sort_by_key(|one| one.at);
        let answered = placed.last().map_or(Duration::ZERO, |one| one.at);
        let count = (placed.len() as f64).max(1.0);
        let lag = samples.iter().map(|sample| lag(&placed, sample)).max().unwrap_or_default();
        let mut latencies: Vec<_> = placed.iter().map(|one| one.latency).collect();
        latencies.sort_unstable();
        let per_order = |of: fn(&Reading) -> BTreeMap<String, f64>| {
            let (before, after) = (of(&before), of(&after));
            move |store: &str| (after.get(store).unwrap_or(&0.0) - before.get(store).unwrap_or(&0.0)) / count
        };
        let (writes, commits, reads) =
            (per_order(Reading::writes), per_order(Reading::commits), per_order(Reading::reads));
        let names = after.writes().into_keys();
        Self {
            rate,
            due,
            accepted: count / answered.as_secs_f64(),
            confirmed: count / ended.as_secs_f64(),
            refused,
            given_up,
            failed,
            failure,
            p50: percentile(&latencies, 50),
            p99: percentile(&latencies, 99),
            ahead: samples.iter().map(|one| one.accepted.saturating_sub(one.confirmed)).max().unwrap_or(0),
            lag,
            rest: ended.saturating_sub(answered),
            quiet: quiet.saturating_sub(answered),
            outbox_age: last.outbox_age(),
            cpu_us: cpu.as_secs_f64() * 1e6 / count,
            load_busy: load_cpu.as_secs_f64() / ended.as_secs_f64() * 100.0,
            stores: names
                .map(|name| {
                    let figures = [writes(&name), commits(&name), reads(&name)];
                    (name, figures)
                })
                .collect(),
        }
    }

    /// Whether the system could go on like this for ever: nobody was sent away, and all that follows an order kept up.
    pub fn is_steady(&self) -> bool {
        let is_served = self.refused == 0 && self.failed == 0;
        let is_kept = self.accepted >= KEPT * self.rate;
        is_served && is_kept && [self.lag, self.p99, self.quiet].into_iter().all(|behind| behind < STEADY)
    }

    /// Whether no accepted order was ever further ahead of its confirmation than the backlog may be.
    pub fn is_bounded(&self) -> bool {
        self.lag <= BOUND
    }
}

impl fmt::Display for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rate, accepted, confirmed, p50, p99, lag, refused, cpu_us, .. } = self;
        let (p50, p99) = (p50.as_secs_f64() * 1e3, p99.as_secs_f64() * 1e3);
        let (lag, word) = (lag.as_secs_f64(), if self.is_steady() { "steady" } else { "too much" });
        write!(
            f,
            "{rate:>6.0}/s {word:<8} {accepted:>6.0} accepted/s {confirmed:>6.0} confirmed/s  p50 {p50:>6.1} ms  \
             p99 {p99:>7.1} ms  lag {lag:>5.2} s  {refused} x 503  {cpu_us:>5.0} us CPU an order"
        )
    }
}

/// How long ago the order was accepted that is the next to be confirmed.
fn lag(placed: &[Placed], sample: &Sample) -> Duration {
    let next = usize::try_from(sample.confirmed).ok().and_then(|confirmed| placed.get(confirmed));
    next.map_or(Duration::ZERO, |next| sample.at.saturating_sub(next.at))
}

fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let place = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(place).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn confirmations_trail_by_the_age_of_the_next_one() {
        let placed: Vec<_> = (0..10).map(|n| Placed { at: ms(100 * n), latency: ms(1) }).collect();
        for (at, confirmed, expected) in [(950, 8, 150), (2_000, 0, 2_000), (950, 10, 0), (10, 1, 0)] {
            let sample = Sample { at: ms(at), confirmed, accepted: 10 };
            assert_eq!(lag(&placed, &sample), ms(expected), "{at} {confirmed}");
        }
    }

    #[test]
    fn percentiles_are_values_that_were_seen() {
        let sorted: Vec<_> = (1..=200).map(ms).collect();
        assert_eq!((percentile(&sorted, 50), percentile(&sorted, 99)), (ms(101), ms(199)));
        assert_eq!((percentile(&sorted[..1], 99), percentile(&[], 50)), (ms(1), ms(0)));
    }
}
