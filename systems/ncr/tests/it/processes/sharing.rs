//! Replicas share the work.

use std::time::Duration;

use partie_testkit::cpu_time;

use super::company::Company;
use super::load::Load;

/// Enough work to be seen in a clock of hundredths of a second.
const MUCH: usize = 1_500;
/// What each of two has to have done at least, of all both did. The one that answers faster gets more, so that a busy
/// machine parts them unevenly; one that is never asked does next to nothing.
const PART: f64 = 0.05;

#[test]
fn both_replicas_of_a_service_work() {
    let company = Company::start(&[]);
    let replicas = ["factorial", "calculator"].map(|part| company.processes().serving(part));
    let times = || replicas.clone().map(|pids| pids.into_iter().map(|pid| cpu_time(pid).unwrap()).collect());
    let before: [Vec<Duration>; 2] = times();
    let (wrong, right) = Load::during(company.program.address, |load| load.goes_on(MUCH));
    assert!(wrong.is_empty(), "{} of {right}: {wrong:#?}\n{}", wrong.len(), company.last_words());
    for (before, after) in before.into_iter().zip(times()) {
        let worked: Vec<_> =
            after.into_iter().zip(before).map(|(after, before): (Duration, _)| after - before).collect();
        let all: Duration = worked.iter().sum();
        assert_eq!(worked.len(), 2);
        assert!(worked.iter().all(|worked| worked.as_secs_f64() >= all.as_secs_f64() * PART), "{worked:?}");
    }
    assert_eq!(company.end(), Some(0));
}
