//! Rounds of a measurement, and the median of what they show.

use std::time::Duration;

use crate::{Error, Tally};

/// What one round has shown of one server.
#[derive(Debug, Clone, Copy)]
pub struct Round {
    /// CPU time of the server per request, in microseconds.
    pub cpu_us: f64,
    /// Requests a second.
    pub per_second: f64,
    /// How much of one core the server used, in percent.
    pub busy: f64,
}

/// The arguments `[ROUNDS] [SECONDS]` of a benchmark, with what holds without them.
///
/// # Errors
/// When they are others: how it is used, or which is no number.
pub fn rounds_and_time(
    name: &str,
    arguments: &[&str],
    (rounds, seconds): (usize, u64),
) -> Result<(usize, Duration), Error> {
    let (rounds, seconds) = match arguments {
        [] => (rounds, seconds),
        [rounds] => (rounds.parse()?, seconds),
        [rounds, seconds] => (rounds.parse()?, seconds.parse()?),
        _ => return Err(format!("usage: {name} [ROUNDS] [SECONDS]").into()),
    };
    Ok((rounds, Duration::from_secs(seconds)))
}

// === impl Round ===

impl Round {
    /// From the answers of a round and the CPU time the server took for them.
    pub fn new(tally: Tally, cpu: Duration) -> Self {
        let (answers, took) = (tally.answers.max(1) as f64, tally.took.as_secs_f64());
        Self {
            cpu_us: cpu.as_secs_f64() * 1e6 / answers,
            per_second: tally.answers as f64 / took,
            busy: cpu.as_secs_f64() / took * 100.0,
        }
    }
}

/// The middle value; of two, the mean. NaN of none.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => values[middle],
        _ => values[middle - 1].midpoint(values[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bad_round_does_not_move_the_median() {
        assert_eq!(median([1.0, 900.0, 2.0, 3.0, 1.5]), 2.0);
        assert_eq!(median([4.0, 1.0]), 2.5);
        assert!(median([]).is_nan());
    }

    #[test]
    fn a_round_counts_per_request_and_per_second() {
        let tally = Tally { answers: 50_000, took: Duration::from_secs(2) };
        let round = Round::new(tally, Duration::from_secs(1));
        assert_eq!((round.cpu_us, round.per_second, round.busy), (20.0, 25_000.0, 50.0));
    }
}
