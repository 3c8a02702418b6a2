//! What a cache answers, and for how long.

use std::sync::Arc;
use std::time::Duration;

use partie_cache::{Cache, Entry, MemoryEngine, Reach, Settings};
use partie_contract::{FaultKind, Platform};
use partie_runtime::Ids;
use tokio::time::advance;

use crate::support::{
    LIMIT, MINUTE, Moods, Moody, call, call_within, fill, lasting_a_minute, memory, on, peek, text, texts,
};

#[tokio::test(start_paused = true)]
async fn what_was_loaded_is_served_until_its_time_is_over() {
    let cache = texts(lasting_a_minute());
    fill(&cache, "a", 1).await;
    advance(MINUTE - Duration::from_millis(1)).await;
    assert_eq!(peek(&cache, "a").await, Some(Some("1".to_owned())));
    assert_eq!(peek(&cache, "b").await, None, "another key is another thing");
    advance(Duration::from_millis(1)).await;
    assert_eq!(peek(&cache, "a").await, None);
    fill(&cache, "a", 2).await;
}

#[tokio::test(start_paused = true)]
async fn what_does_not_exist_is_remembered_for_a_time_of_its_own() {
    let cache = texts(lasting_a_minute().negative(Duration::from_secs(5)));
    let nothing = cache.get(&call(), "a", || async { Ok(Entry::absent(0)) }).await.unwrap();
    assert_eq!(nothing, None);
    advance(Duration::from_millis(4_999)).await;
    assert_eq!(peek(&cache, "a").await, Some(None));
    advance(Duration::from_millis(1)).await;
    assert_eq!(peek(&cache, "a").await, None);

    cache.get(&call(), "a", || async { Ok(Entry::absent(0)) }).await.unwrap();
    cache.invalidate("a", 1).await.unwrap();
    assert_eq!(peek(&cache, "a").await, None, "an event tells of its coming");
    fill(&cache, "a", 1).await;
}

#[tokio::test(start_paused = true)]
async fn an_entry_is_as_old_as_the_beginning_of_its_load() {
    let cache = texts(lasting_a_minute().load(MINUTE * 2));
    let slow = |takes| {
        move || async move {
            tokio::time::sleep(takes).await;
            text(1, "slow")
        }
    };
    let cx = call_within(MINUTE * 10);
    cache.get(&cx, "a", slow(Duration::from_secs(20))).await.unwrap();
    advance(Duration::from_millis(39_999)).await;
    assert!(peek(&cache, "a").await.is_some());
    advance(Duration::from_millis(1)).await;
    assert!(peek(&cache, "a").await.is_none());
    cache.get(&cx, "a", slow(MINUTE)).await.unwrap();
    assert!(peek(&cache, "a").await.is_none(), "it was too old when it came");
}

#[tokio::test(start_paused = true)]
async fn jitter_shortens_and_never_lengthens() {
    let cache = texts(Settings::lasting(MINUTE).jitter(0.5));
    for key in 0..200 {
        fill(&cache, &key.to_string(), 1).await;
    }
    let mut left = Vec::new();
    for step in 0..=12 {
        let mut there = 0;
        for key in 0..200 {
            there += usize::from(peek(&cache, &key.to_string()).await.is_some());
        }
        left.push(there);
        if step < 12 {
            advance(Duration::from_secs(5)).await;
        }
    }
    assert_eq!((left[5], left[12]), (200, 0), "{left:?}");
    let spread = left.windows(2).filter(|pair| pair[0] > pair[1]).count();
    assert!(spread >= 5, "they end one after the other: {left:?}");
}

#[tokio::test]
async fn a_failed_load_is_not_remembered() {
    let cache = texts(lasting_a_minute());
    let failing = || async { Err(Platform::new(FaultKind::UpstreamUnavailable).with_detail("gone")) };
    let fault = cache.get(&call(), "a", failing).await.unwrap_err();
    assert_eq!((fault.kind(), fault.detail()), (FaultKind::UpstreamUnavailable, Some("gone")));
    fill(&cache, "a", 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_load_ends_with_the_deadline_of_the_call() {
    let cache = texts(lasting_a_minute());
    let fault =
        cache.get(&call_within(Duration::from_millis(200)), "a", std::future::pending).await.unwrap_err();
    assert_eq!(fault.kind(), FaultKind::UpstreamTimeout);
    fill(&cache, "a", 1).await;
}

#[tokio::test]
async fn there_is_room_for_so_many_and_no_more() {
    let cache = on(Arc::new(MemoryEngine::new(10, MINUTE)), lasting_a_minute());
    for key in 0..2_000 {
        fill(&cache, &key.to_string(), 1).await;
    }
    let mut there = 0;
    for key in 0..2_000 {
        there += usize::from(peek(&cache, &key.to_string()).await.is_some());
    }
    assert!(there <= 10, "{there} of 2000 are still there");
    // What is asked for again and again gets in.
    for _ in 0..100 {
        fill_again(&cache).await;
    }
    assert!(peek(&cache, "wanted").await.is_some());
}

async fn fill_again(cache: &Cache<str, String>) {
    cache.get(&call(), "wanted", || async { text(1, "1") }).await.unwrap();
}

#[tokio::test]
async fn what_happens_is_counted() {
    let (ids, reach) = (Ids::seeded(1), Reach::new(LIMIT, Ids::seeded(1)));
    let moods = Arc::<Moods>::default();
    let engine = Arc::new(Moody { engine: memory(), moods: Arc::clone(&moods) });
    let cache = Cache::<str, String>::over(engine, reach, "counted", "menus", lasting_a_minute(), ids);
    fill(&cache, "a", 1).await;
    fill(&cache, "a", 1).await;
    cache.get(&call(), "b", || async { Ok(Entry::absent(0)) }).await.unwrap();
    assert_eq!(peek(&cache, "b").await, Some(None));
    assert_eq!(peek(&cache, "c").await, None);
    cache.invalidate("a", 2).await.unwrap();
    fill(&cache, "a", 1).await;
    moods.fail(true);
    cache.invalidate("a", 3).await.unwrap_err();
    let text = partie_telemetry::Metrics::install().render();
    for (metric, labels, count) in [
        ("requests", "outcome=\"hit\"", 1),
        ("requests", "outcome=\"negative\"", 1),
        ("requests", "outcome=\"miss\"", 4),
        ("loads", "outcome=\"loaded\"", 3),
        ("loads", "outcome=\"failed\"", 1),
        ("loads", "outcome=\"stale\"", 1),
        ("invalidations", "outcome=\"done\"", 1),
        ("invalidations", "outcome=\"failed\"", 1),
        ("engine_errors", "cache=\"menus\"", 1),
    ] {
        let line = text.lines().find(|line| {
            line.starts_with(&format!("partie_cache_{metric}_total{{"))
                && line.contains("service=\"counted\"")
                && line.contains(labels)
        });
        assert_eq!(
            line.and_then(|line| line.rsplit(' ').next()),
            Some(&*count.to_string()),
            "{metric} {labels}"
        );
    }
}
