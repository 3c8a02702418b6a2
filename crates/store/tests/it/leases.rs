//! Leases and bells: one holder at a time, and everybody hears.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use partie_contract::Outcome;
use partie_store::{Config, ErrorKind, Lease, Store};

use crate::support::{Dir, Engine, ids, open, plain, quick};

/// Fails a test rather than letting it hang.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), future).await.expect("it has not happened in 30 seconds")
}

/// As a replica has it: nothing is tested twice, since who holds a lease is no matter of one transaction.
pub(crate) fn hasty() -> Config {
    let mut config = quick();
    config.lease_time = Duration::from_millis(900);
    config
}

async fn insert_fenced(store: &Store, lease: &Lease, id: i64) -> Result<(), ErrorKind> {
    let lease = lease.clone();
    let write: Outcome<Result<(), ErrorKind>> = store
        .write(move |tx| {
            if let Err(error) = tx.fence(&lease) {
                return Ok(Err(error.kind()));
            }
            tx.execute("INSERT INTO items (id) VALUES ($1)", &[&id])?;
            Ok(Ok(()))
        })
        .await;
    plain(write).unwrap()
}

pub(crate) async fn one_holds_a_lease_at_a_time_and_its_epoch_is_the_greatest(engine: Engine) {
    let dir = Dir::of(engine);
    let store = open(&dir, hasty());
    let (holders, latest) = (Arc::new(AtomicI64::new(0)), Arc::new(AtomicI64::new(0)));
    let waiting: Vec<_> = (0..8)
        .map(|_| {
            let (store, holders, latest) = (store.clone(), Arc::clone(&holders), Arc::clone(&latest));
            tokio::spawn(async move {
                let lease = store.lease("work").await;
                assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0, "two hold it");
                assert!(latest.swap(lease.epoch(), Ordering::SeqCst) < lease.epoch());
                assert!(!lease.is_lost());
                insert_fenced(&store, &lease, lease.epoch()).await.unwrap();
                holders.fetch_sub(1, Ordering::SeqCst);
            })
        })
        .collect();
    for one in waiting {
        within(one).await.unwrap();
    }
    assert_eq!(ids(&store).await.len(), 8);
    // Another name is another lease.
    let (one, other) = (within(store.lease("work")).await, within(store.lease("other")).await);
    assert_eq!((one.name(), other.name()), ("work", "other"));
}

pub(crate) async fn an_epoch_grows_from_one_opening_to_the_next_and_an_old_one_is_fenced(engine: Engine) {
    let dir = Dir::of(engine);
    let store = open(&dir, hasty());
    let old = within(store.lease("work")).await;
    insert_fenced(&store, &old, 1).await.unwrap();
    store.close().await;
    let store = open(&dir, hasty());
    let new = within(store.lease("work")).await;
    assert!(new.epoch() > old.epoch(), "{new:?} {old:?}");
    assert_eq!(insert_fenced(&store, &old, 2).await, Err(ErrorKind::Fenced));
    insert_fenced(&store, &new, 3).await.unwrap();
    assert_eq!(ids(&store).await, [1, 3]);
}

pub(crate) async fn a_bell_is_heard_after_the_commit_and_a_ring_is_not_lost(engine: Engine) {
    let dir = Dir::of(engine);
    let store = open(&dir, quick());
    let (mut bell, mut silent) = (store.bell("work"), store.bell("other"));
    plain(
        store
            .write(|tx| {
                tx.ring("work");
                tx.execute("INSERT INTO items (id) VALUES (1)", &[]).map(drop)?;
                Ok(())
            })
            .await,
    )
    .unwrap();
    // It rang before anybody listened.
    within(bell.rung()).await;
    assert_eq!(ids(&store).await, [1]);
    let listening = tokio::spawn(async move { bell.rung().await });
    store.ring("work");
    within(listening).await.unwrap();
    if engine == Engine::Sqlite {
        assert!(tokio::time::timeout(Duration::from_millis(1), silent.rung()).await.is_err());
    } else {
        // Where a ring can be lost on its way, it looks by itself.
        within(silent.rung()).await;
    }
}
