//! Replicas share the work.

use std::time::Duration;

use partie_testkit::cpu_time;

use super::company::Company;
use super::load::Load;

/// Enough work to be seen in a clock of hundredths of a second.
const MUCH: usize = 500;
/// How often so much is done at most until everybody has had a part. One that answered late is left alone for some time
/// constants of the estimate, 10 s each; who is never asked does not come back.
const ROUNDS: usize = 60;
/// What each of two has to have done at least in one of the rounds, of all both did in it. The one that answers faster
/// gets more; one that is never asked does next to nothing.
const PART: f64 = 0.05;

#[test]
fn both_replicas_of_a_service_work() {
    let company = Company::start(&[]);
    let pids: Vec<u32> =
        ["factorial", "calculator"].iter().flat_map(|part| company.processes().serving(part)).collect();
    assert_eq!(pids.len(), 4);
    let times = || -> Vec<Duration> { pids.iter().map(|pid| cpu_time(*pid).unwrap()).collect() };
    let mut parts = vec![0.0_f64; pids.len()];
    let (wrong, right) = Load::during(company.program.address, |load| {
        for _ in 0..ROUNDS {
            let before = times();
            load.goes_on(MUCH);
            let worked: Vec<f64> = times()
                .into_iter()
                .zip(before)
                .map(|(after, before)| (after - before).as_secs_f64())
                .collect();
            for (both, parts) in worked.chunks(2).zip(parts.chunks_mut(2)) {
                let all: f64 = both.iter().sum();
                parts.iter_mut().zip(both).for_each(|(part, worked)| *part = part.max(worked / all));
            }
            if parts.iter().all(|part| *part >= PART) {
                break;
            }
        }
    });
    assert!(wrong.is_empty(), "{} of {right}: {wrong:#?}\n{}", wrong.len(), company.last_words());
    assert!(parts.iter().all(|part| *part >= PART), "{parts:?}");
    assert_eq!(company.end(), Some(0));
}
