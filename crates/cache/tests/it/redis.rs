//! A real Redis that is killed, hangs, comes back empty, or holds what nobody can read.

mod server;

use std::sync::Arc;
use std::time::Duration;

use partie_cache::{Cache, CacheConfig, CacheError, Caches, Entry, Settings};
use partie_contract::{FaultKind, Platform};
use partie_runtime::Ids;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub(crate) use self::server::Server;
use crate::support::{call, fill, lasting_a_minute, peek, text, within};

fn caches(server: &Server) -> Caches {
    let mut config = CacheConfig::default().at(server.url());
    // A busy machine must not look like an outage.
    config.timeout = Duration::from_millis(400);
    Caches::open(&config, "food", "orders", Ids::from_entropy()).unwrap()
}

fn cache<V: Serialize + DeserializeOwned + Send + Sync + 'static>(
    server: &Server,
    settings: Settings,
) -> Cache<str, V> {
    caches(server).cache("menus", settings).unwrap()
}

/// Loads until the cache has it: an outage was noticed, and its end is not yet.
async fn until_it_is_kept(cache: &Cache<str, String>, key: &str, version: i64) {
    within(async {
        while peek(cache, key).await.is_none() {
            fill(cache, key, version).await;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn processes_share_what_one_of_them_loaded() {
    let server = Server::start().await;
    let (one, other) = (cache(&server, lasting_a_minute()), cache(&server, lasting_a_minute()));
    fill(&one, "bistro: lunch", 7).await;
    assert_eq!(peek(&other, "bistro: lunch").await, Some(Some("7".to_owned())));
    let data = server.ask(&["hget", "partie:food:orders:menus:1:bistro: lunch", "d"]).await;
    assert_eq!(data, "\"7\"");
    other.invalidate("bistro: lunch", 8).await.unwrap();
    assert_eq!(peek(&one, "bistro: lunch").await, None);
    let nothing: Result<_, Platform> = one.get(&call(), "none", || async { Ok(Entry::absent(0)) }).await;
    assert_eq!(nothing.unwrap(), None);
    assert_eq!(peek(&other, "none").await, Some(None));
}

#[tokio::test]
async fn what_is_kept_has_a_time_on_the_server_too() {
    let server = Server::start().await;
    let cache = cache::<String>(&server, lasting_a_minute().negative(Duration::from_secs(5)));
    fill(&cache, "a", 7).await;
    cache.get(&call(), "b", || async { Ok(Entry::absent(0)) }).await.unwrap();
    assert_eq!(peek(&cache, "c").await, None);
    cache.invalidate("d", 1).await.unwrap();
    for (key, most) in [("a", 60_000), ("b", 5_000), ("c", 10_000), ("d", 10_000)] {
        let left = server.ask(&["pttl", &format!("partie:food:orders:menus:1:{key}")]).await;
        let left: i64 = left.parse().unwrap();
        assert!(left > most / 2 && left <= most, "{key}: {left} ms");
    }
}

#[tokio::test]
async fn another_schema_and_another_service_have_other_entries() {
    let server = Server::start().await;
    fill(&cache(&server, lasting_a_minute()), "a", 1).await;
    assert_eq!(peek(&cache::<u64>(&server, lasting_a_minute().schema(2)), "a").await, None);
    let mut config = CacheConfig::default().at(server.url());
    config.timeout = Duration::from_secs(10);
    let others = Caches::open(&config, "food", "delivery", Ids::from_entropy()).unwrap();
    let other = others.cache::<str, String>("menus", lasting_a_minute()).unwrap();
    assert_eq!(peek(&other, "a").await, None);
}

#[tokio::test]
async fn what_cannot_be_read_is_loaded_and_replaced() {
    let server = Server::start().await;
    fill(&cache(&server, lasting_a_minute()), "a", 1).await;
    let numbers = cache::<u64>(&server, lasting_a_minute());
    assert_eq!(peek(&numbers, "a").await, None, "it is a text");
    numbers.get(&call(), "a", || async { Ok(Entry::new(1, 17)) }).await.unwrap();
    assert_eq!(peek(&numbers, "a").await, Some(Some(17)));
    // Not ours at all.
    server.ask(&["set", "partie:food:orders:menus:1:b", "x"]).await;
    server.ask(&["hset", "partie:food:orders:menus:1:c", "t", "x", "v", "y"]).await;
    for key in ["b", "c"] {
        let value = numbers.get(&call(), key, || async { Ok(Entry::new(1, 18)) }).await.unwrap();
        assert_eq!(value.as_deref(), Some(&18));
    }
    assert_eq!(peek(&numbers, "a").await, Some(Some(17)));
}

#[tokio::test]
async fn a_server_that_is_killed_costs_nothing_and_is_used_again_when_it_is_back() {
    let mut server = Server::start().await;
    let cache = cache(&server, lasting_a_minute());
    fill(&cache, "a", 1).await;
    server.kill().await;
    for _ in 0..50 {
        fill(&cache, "a", 1).await;
    }
    let fault = cache.invalidate("a", 2).await.unwrap_err();
    assert_eq!(fault.kind(), FaultKind::Degraded);
    server.start_again().await;
    until_it_is_kept(&cache, "a", 2).await;
    cache.invalidate("a", 3).await.unwrap();
    assert_eq!(peek(&cache, "a").await, None);
}

#[tokio::test]
async fn a_server_that_was_never_there_is_no_reason_not_to_start() {
    let mut server = Server::start().await;
    server.kill().await;
    let cache = cache(&server, lasting_a_minute());
    fill(&cache, "a", 1).await;
    server.start_again().await;
    until_it_is_kept(&cache, "a", 1).await;
}

#[tokio::test]
async fn a_server_that_hangs_costs_three_timeouts_and_brings_nothing_old_back() {
    let server = Server::start().await;
    let here = cache::<String>(&server, lasting_a_minute());
    let elsewhere = cache::<String>(&server, lasting_a_minute());
    fill(&here, "a", 1).await;
    server.hang().await;
    for key in 0..200 {
        // With a timeout each that would be 80 seconds.
        within(fill(&here, &key.to_string(), 1)).await;
    }
    let fault = here.invalidate("a", 2).await.unwrap_err();
    assert_eq!(fault.kind(), FaultKind::Degraded);
    server.go_on().await;
    // The server knows version 1 until the invalidation comes again; this process knows better.
    assert_eq!(peek(&here, "a").await, None);
    within(async { while here.invalidate("a", 2).await.is_err() {} }).await;
    assert_eq!(peek(&elsewhere, "a").await, None);
    until_it_is_kept(&here, "a", 2).await;
}

#[tokio::test]
async fn a_server_that_came_back_empty_takes_nothing_old() {
    let mut server = Server::start().await;
    let here = cache::<String>(&server, lasting_a_minute());
    let elsewhere = cache::<String>(&server, lasting_a_minute());
    let (begin, begun) = tokio::sync::oneshot::channel();
    let (answer, answered) = tokio::sync::oneshot::channel();
    let cache = here.clone();
    let late = tokio::spawn(async move {
        let load = || async {
            begin.send(()).unwrap();
            answered.await.unwrap()
        };
        cache.get(&call(), "a", load).await
    });
    within(begun).await.unwrap();
    elsewhere.invalidate("a", 2).await.unwrap();
    server.kill().await;
    server.start_again().await;
    // It has forgotten the floor. Somebody else opens the slot.
    assert_eq!(peek(&elsewhere, "a").await, None);
    answer.send(text(1, "1")).unwrap();
    within(late).await.unwrap().unwrap();
    until_it_is_kept(&here, "b", 1).await;
    assert_eq!(peek(&elsewhere, "a").await, None, "version 1 was read before");
    let value = elsewhere.get(&call(), "a", || async { text(2, "2") }).await.unwrap();
    assert_eq!(value, Some(Arc::new("2".to_owned())));
}

#[tokio::test]
async fn a_wrong_password_is_an_absence_and_stays_secret() {
    let server = Server::start().await;
    let url = server.url().to_string().replace("***", ":hunter2").parse().unwrap();
    let mut config = CacheConfig::default().at(url);
    config.timeout = Duration::from_secs(10);
    let caches = Caches::open(&config, "food", "orders", Ids::from_entropy()).unwrap();
    let cache = caches.cache::<str, String>("menus", lasting_a_minute()).unwrap();
    fill(&cache, "a", 1).await;
    let fault = cache.invalidate("a", 2).await.unwrap_err();
    let shown = format!("{fault:?} {cache:?} {caches:?}");
    assert!(!shown.contains("hunter2") && shown.contains("authentication failed"), "{shown}");
}

#[test]
fn a_server_needs_a_runtime() {
    let config = CacheConfig::default().at("redis://127.0.0.1:1".parse().unwrap());
    let error = Caches::open(&config, "food", "orders", Ids::seeded(1)).unwrap_err();
    assert_eq!(error, CacheError::NoRuntime);
}
