//! Versions: what is served after an event told of a new one, whatever is under way.

mod property;
mod stress;

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::support::{call, fill, lasting_a_minute, memory, on, peek, text, texts, within};

#[tokio::test]
async fn an_entry_below_is_not_served_any_more_and_one_above_is() {
    let cache = texts(lasting_a_minute());
    fill(&cache, "a", 7).await;
    cache.invalidate("a", 7).await.unwrap();
    assert_eq!(peek(&cache, "a").await, Some(Some("7".to_owned())));
    cache.invalidate("b", 9).await.unwrap();
    assert_eq!(peek(&cache, "a").await, Some(Some("7".to_owned())));
    cache.invalidate("a", 8).await.unwrap();
    assert_eq!(peek(&cache, "a").await, None);
    fill(&cache, "a", 9).await;
    for version in [8, 3, 9] {
        cache.invalidate("a", version).await.unwrap();
        assert_eq!(peek(&cache, "a").await, Some(Some("9".to_owned())), "late and again");
    }
}

#[tokio::test]
async fn a_load_that_read_before_the_change_cannot_put_it_back() {
    for is_told_here in [true, false] {
        let engine = memory();
        let here = on(Arc::clone(&engine) as _, lasting_a_minute());
        let elsewhere = on(engine, lasting_a_minute());
        let (answer, answered) = oneshot::channel();
        let (begin, begun) = oneshot::channel();
        let cache = here.clone();
        let late = tokio::spawn(async move {
            let load = || async {
                begin.send(()).unwrap();
                answered.await.unwrap()
            };
            cache.get(&call(), "a", load).await
        });
        within(begun).await.unwrap();
        let told = if is_told_here { &here } else { &elsewhere };
        told.invalidate("a", 2).await.unwrap();
        // Who asks from now on does not wait for the load that began before.
        within(fill(&here, "a", 2)).await;
        answer.send(text(1, "1")).unwrap();
        assert_eq!(within(late).await.unwrap().unwrap().unwrap().as_str(), "1", "it asked before");
        for cache in [&here, &elsewhere] {
            assert_eq!(peek(cache, "a").await, Some(Some("2".to_owned())));
        }
    }
}

#[tokio::test]
async fn a_source_that_is_behind_is_served_and_not_kept() {
    let cache = texts(lasting_a_minute());
    cache.invalidate("a", 5).await.unwrap();
    // A replica of a database that has not heard of it: no cache is better than what it asks.
    fill(&cache, "a", 4).await;
    assert_eq!(peek(&cache, "a").await, None);
    fill(&cache, "a", 5).await;
    assert_eq!(peek(&cache, "a").await, Some(Some("5".to_owned())));
}
