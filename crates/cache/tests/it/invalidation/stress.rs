//! The same promise with threads that really run at the same time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use partie_cache::{Cache, Engine, Entry};
use tokio::task::JoinSet;

use crate::support::{call, memory, patient, within};

/// One owner changes a thing so many times and tells of it in one process or the other; readers in both ask all the time.
async fn run(engines: [Arc<dyn Engine<i64>>; 2], changes: i64) {
    let caches: [Cache<str, i64>; 2] = engines.map(patient);
    let (source, told) = (Arc::<AtomicI64>::default(), Arc::<AtomicI64>::default());
    let is_over = Arc::<AtomicBool>::default();
    let mut readers = JoinSet::new();
    for cache in caches.iter().chain(&caches) {
        let cache = cache.clone();
        let (source, told, is_over) = (Arc::clone(&source), Arc::clone(&told), Arc::clone(&is_over));
        readers.spawn(async move {
            let mut asked = 0;
            while !is_over.load(Ordering::SeqCst) {
                let at_least = told.load(Ordering::SeqCst);
                let load = || async {
                    let version = source.load(Ordering::SeqCst);
                    tokio::task::yield_now().await;
                    Ok(Entry::new(version, version))
                };
                let version = *cache.get(&call(), "a", load).await.unwrap().unwrap();
                assert!(version >= at_least, "version {version} after an invalidation to {at_least}");
                asked += 1;
            }
            asked
        });
    }
    for change in 1..=changes {
        source.store(change, Ordering::SeqCst);
        caches[usize::from(change % 3 == 0)].invalidate("a", change).await.unwrap();
        told.store(change, Ordering::SeqCst);
        tokio::task::yield_now().await;
    }
    is_over.store(true, Ordering::SeqCst);
    let asked: i64 = within(readers.join_all()).await.into_iter().sum();
    assert!(asked > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn threads_in_memory() {
    let engine = memory();
    run([Arc::clone(&engine) as _, engine], 5_000).await;
}

#[cfg(feature = "redis")]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn threads_on_redis() {
    let server = crate::redis::Server::start().await;
    run([server.engine(), server.engine()], 500).await;
}
