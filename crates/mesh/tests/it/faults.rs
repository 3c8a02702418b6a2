//! What callers notice of failures: calls that come at their own pace, whatever becomes of those before them.
//!
//! A call is good if it is answered with 2xx inside its deadline. Nobody but the mesh tries again, and a third of the
//! calls are keyed writes. Each scenario has a bound that a mesh without the part that is meant does not keep.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::{Method, StatusCode};
use partie_mesh::MeshConfig;

use crate::fleet::{Fleet, Manner};

/// How long an instance that is well takes.
const WELL: Manner = Manner::After(Duration::from_millis(5));
/// So many calls a second.
const RATE: u32 = 200;
const DEADLINE: Duration = Duration::from_millis(600);

/// How many of the calls of that time were good, in percent. `during` is told how many have been made.
async fn goodput(fleet: &Arc<Fleet>, seconds: u32, mut during: impl FnMut(u32)) -> f64 {
    let good = Arc::new(AtomicUsize::new(0));
    let mut pace = tokio::time::interval(Duration::from_secs(1) / RATE);
    pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..RATE * seconds {
        pace.tick().await;
        during(number);
        let (fleet, good) = (Arc::clone(fleet), Arc::clone(&good));
        calls.spawn(async move {
            let key = format!("k-{number}");
            let keyed = [("idempotency-key", key.as_str())];
            let (method, headers) =
                if number % 10 < 3 { (Method::POST, &keyed[..]) } else { (Method::GET, &[][..]) };
            if fleet.send(method, headers, DEADLINE).await.is_ok() {
                good.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    while calls.join_next().await.is_some() {}
    good.load(Ordering::Relaxed) as f64 * 100.0 / f64::from(RATE * seconds)
}

fn of_three(first: Manner) -> Arc<Fleet> {
    Arc::new(Fleet::start(&[first, WELL, WELL]))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_three_is_slow() {
    let fleet = of_three(Manner::After(DEADLINE * 2));
    let good = goodput(&fleet, 4, |_| {}).await;
    assert!(good >= 99.5, "{good} %: {:?}", fleet.asked());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_three_fails_fast() {
    for status in [StatusCode::INTERNAL_SERVER_ERROR, StatusCode::SERVICE_UNAVAILABLE] {
        let fleet = of_three(Manner::Status(status));
        let good = goodput(&fleet, 3, |_| {}).await;
        // What failed with 500 is not tried again; but soon nobody asks there any more.
        let least = if status == StatusCode::INTERNAL_SERVER_ERROR { 98.0 } else { 99.5 };
        assert!(good >= least, "{status}: {good} %: {:?}", fleet.asked());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_three_is_a_black_hole() {
    let fleet = of_three(Manner::Never);
    let good = goodput(&fleet, 4, |_| {}).await;
    assert!(good >= 99.5, "{good} %: {:?}", fleet.asked());
    assert!(fleet.members[0].asked() < 60, "and it is soon left alone: {:?}", fleet.asked());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_three_is_well_and_unwell_in_turns() {
    let fleet = of_three(WELL);
    let good = goodput(&fleet, 6, |number| {
        if number % (RATE / 2) == 0 {
            let well = (number / (RATE / 2)).is_multiple_of(2);
            fleet.members[0].is(if well { WELL } else { Manner::Status(StatusCode::BAD_GATEWAY) });
        }
    });
    let good = good.await;
    assert!(good >= 99.5, "{good} %: {:?}", fleet.asked());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_three_is_killed() {
    let fleet = of_three(WELL);
    let good = goodput(&fleet, 4, |number| {
        if number == RATE * 2 {
            fleet.members[0].server.kill();
        }
    });
    let good = good.await;
    assert!(good >= 99.0, "{good} %: {:?}", fleet.asked());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_all_fail_the_load_is_not_multiplied() {
    let fleet = Arc::new(Fleet::start(&[Manner::Status(StatusCode::BAD_GATEWAY); 3]));
    let good = goodput(&fleet, 4, |_| {}).await;
    assert!(good < 1.0);
    let (asked, made) = (fleet.asked().iter().sum::<usize>(), RATE as usize * 4);
    assert!(asked <= made * 12 / 10, "{asked} of {made}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_retries_and_breakers_callers_would_notice() {
    let mut config = MeshConfig { retries: 0, ..MeshConfig::default() };
    config.breaker.failures = u32::MAX;
    config.breaker.least = u32::MAX;
    for bad in [Manner::Status(StatusCode::BAD_GATEWAY), Manner::Never] {
        let fleet = Arc::new(Fleet::with(&[bad, WELL, WELL], config.clone(), &[]));
        let good = goodput(&fleet, 3, |_| {}).await;
        assert!(good < 100.0, "{bad:?}: a mesh that never tries again hides no failure");
    }
}
