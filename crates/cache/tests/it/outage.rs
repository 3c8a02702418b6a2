//! An engine that is down or hangs costs hardly anything, and nothing that is known to be old is served.

use std::sync::Arc;
use std::time::Duration;

use partie_cache::{Cache, MemoryEngine};
use partie_contract::{FaultKind, Origin};
use tokio::task::JoinSet;
use tokio::time::{Instant, advance};

use crate::support::{LIMIT, MINUTE, Moods, Moody, call, fill, lasting_a_minute, memory, on, peek, text};

/// An engine far away, and how it does.
fn far() -> (Arc<MemoryEngine<String>>, Arc<Moods>) {
    (memory(), Arc::default())
}

/// A process that uses it.
fn process(engine: &Arc<MemoryEngine<String>>, moods: &Arc<Moods>) -> Cache<str, String> {
    let moody = Moody { engine: Arc::clone(engine), moods: Arc::clone(moods) };
    on(Arc::new(moody), lasting_a_minute())
}

#[expect(clippy::disallowed_methods, reason = "the paused clock of this test")]
fn now() -> Instant {
    Instant::now()
}

#[tokio::test(start_paused = true)]
async fn a_hung_engine_costs_three_timeouts_and_not_one_per_call() {
    let (engine, moods) = far();
    let cache = process(&engine, &moods);
    moods.hang(true);
    let begun = now();
    for key in 0..200 {
        fill(&cache, &key.to_string(), 1).await;
    }
    assert_eq!(moods.asked(), 3);
    assert_eq!(begun.elapsed().as_millis(), (LIMIT * 3).as_millis());
}

#[tokio::test(start_paused = true)]
async fn a_hung_engine_costs_one_timeout_for_all_who_ask_at_once() {
    let (engine, moods) = far();
    let cache = process(&engine, &moods);
    moods.hang(true);
    let begun = now();
    let mut callers = JoinSet::new();
    for key in 0..200 {
        let cache = cache.clone();
        callers.spawn(async move { fill(&cache, &key.to_string(), 1).await });
    }
    callers.join_all().await;
    assert_eq!(begun.elapsed().as_millis(), LIMIT.as_millis());
    fill(&cache, "a", 1).await;
    assert_eq!(moods.asked(), 200);
    // It was one failure, however many saw it.
    moods.hang(false);
    advance(Duration::from_millis(101)).await;
    fill(&cache, "a", 1).await;
    assert!(peek(&cache, "a").await.is_some());
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_hangs_while_it_keeps_costs_no_more() {
    let (engine, moods) = far();
    let cache = process(&engine, &moods);
    let hanging = Arc::clone(&moods);
    let begun = now();
    let cx = call();
    let value = cache.get(&cx, "a", || async {
        hanging.hang(true);
        text(1, "1")
    });
    assert!(value.await.unwrap().is_some());
    assert_eq!(begun.elapsed().as_millis(), LIMIT.as_millis());
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_is_down_is_hardly_asked_and_is_used_again_when_it_is_up() {
    let (engine, moods) = far();
    let cache = process(&engine, &moods);
    fill(&cache, "a", 1).await;
    let before = moods.asked();
    moods.fail(true);
    for _ in 0..6_000 {
        fill(&cache, "a", 1).await;
        advance(Duration::from_millis(10)).await;
    }
    let asked = moods.asked() - before;
    assert!((10..40).contains(&asked), "{asked} questions in a minute");
    moods.fail(false);
    let again = now();
    fill(&cache, "a", 2).await;
    while peek(&cache, "a").await.is_none() {
        fill(&cache, "a", 2).await;
        advance(Duration::from_millis(10)).await;
    }
    assert!(again.elapsed() <= Duration::from_secs(6), "{:?}", again.elapsed());
    assert_eq!(peek(&cache, "a").await, Some(Some("2".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn callers_who_give_up_early_do_not_hide_that_an_engine_hangs() {
    let (engine, moods) = far();
    let cache = process(&engine, &moods);
    moods.hang(true);
    for _ in 0..100 {
        let cx = call();
        let caller = cache.get(&cx, "a", || async { text(1, "1") });
        // Cancelled, as by a client that goes away.
        drop(tokio::time::timeout(LIMIT * 3 / 4, caller).await);
    }
    assert_eq!(moods.asked(), 3);
    moods.hang(false);
    advance(Duration::from_secs(1)).await;
    for _ in 0..100 {
        drop(tokio::time::timeout(Duration::ZERO, cache.get(&call(), "a", std::future::pending)).await);
    }
    fill(&cache, "a", 1).await;
    assert!(peek(&cache, "a").await.is_some(), "who gave up at once did not leave it closed");
}

#[tokio::test(start_paused = true)]
async fn an_invalidation_that_does_not_arrive_says_so_and_this_process_serves_nothing_old() {
    for is_hung in [false, true] {
        let (engine, moods) = far();
        let (here, elsewhere) = (process(&engine, &moods), process(&engine, &Arc::default()));
        fill(&here, "a", 1).await;
        moods.hang(is_hung);
        moods.fail(!is_hung);
        let fault = here.invalidate("a", 2).await.unwrap_err();
        // Consumers of events take this kind as "later", which parks nothing.
        assert_eq!((fault.kind(), fault.origin()), (FaultKind::Degraded, Origin::Local));
        moods.hang(false);
        moods.fail(false);
        assert_eq!(peek(&elsewhere, "a").await, Some(Some("1".to_owned())), "nobody could tell it");
        assert_eq!(peek(&here, "a").await, None, "it is there, and known to be old");
        // The event comes again.
        here.invalidate("a", 2).await.unwrap();
        assert_eq!(peek(&elsewhere, "a").await, None);
        fill(&elsewhere, "a", 2).await;
        assert_eq!(peek(&here, "a").await, Some(Some("2".to_owned())));
    }
}

#[tokio::test(start_paused = true)]
async fn a_load_here_heals_what_an_invalidation_could_not_reach() {
    let (engine, moods) = far();
    let (here, elsewhere) = (process(&engine, &moods), process(&engine, &Arc::default()));
    fill(&here, "a", 1).await;
    moods.fail(true);
    here.invalidate("a", 2).await.unwrap_err();
    moods.fail(false);
    fill(&here, "a", 2).await;
    assert_eq!(peek(&elsewhere, "a").await, Some(Some("2".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn without_the_engine_nobody_is_served_longer_than_the_time_of_an_entry() {
    let (engine, moods) = far();
    let (here, elsewhere) = (process(&engine, &moods), process(&engine, &Arc::default()));
    fill(&elsewhere, "a", 1).await;
    moods.fail(true);
    here.invalidate("a", 2).await.unwrap_err();
    advance(MINUTE - Duration::from_millis(1)).await;
    assert!(peek(&elsewhere, "a").await.is_some());
    advance(Duration::from_millis(1)).await;
    assert!(peek(&elsewhere, "a").await.is_none(), "the bound when no invalidation ever arrives");
    moods.fail(false);
    assert!(peek(&here, "a").await.is_none());
}

#[tokio::test(start_paused = true)]
async fn an_invalidation_asks_an_engine_nobody_else_asks_any_more() {
    let (engine, moods) = far();
    let cache = process(&engine, &moods);
    moods.fail(true);
    for _ in 0..10 {
        fill(&cache, "a", 1).await;
    }
    assert_eq!(moods.asked(), 3);
    moods.fail(false);
    cache.invalidate("b", 1).await.unwrap();
    fill(&cache, "a", 1).await;
    assert!(peek(&cache, "a").await.is_some(), "whoever is told first that it answers tells the others");
}
