//! Group commit: many writes in one commit, and nobody pays for a neighbour.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use partie_contract::{Abort, Call, Deadline, FaultKind, Outcome, Platform, Trace};
use partie_store::{Config, Handles, Store};
use tokio::task::JoinHandle;

use crate::support::{Dir, Engine, ids, insert, open, open_with, plain, platform, quick};

/// Holds the writer in a closure, so that what is queued meanwhile becomes one group. Send to let it go.
pub(crate) async fn hold(store: &Store) -> (SyncSender<()>, JoinHandle<Outcome<()>>) {
    let (release, gate) = sync_channel::<()>(0);
    let (started, running) = tokio::sync::oneshot::channel();
    let (gate, started) = (std::sync::Mutex::new(gate), std::sync::Mutex::new(Some(started)));
    let held = tokio::spawn(store.write(move |_| {
        if let Some(started) = started.lock().unwrap().take() {
            started.send(()).unwrap();
            gate.lock().unwrap().recv().unwrap();
        }
        Ok(())
    }));
    running.await.unwrap();
    (release, held)
}

/// Runs the futures and returns when all of them have been polled once: they are queued.
async fn queue<T: Send + 'static>(
    writes: Vec<impl Future<Output = T> + Send + 'static>,
) -> Vec<JoinHandle<T>> {
    let polled = Arc::new(AtomicUsize::new(0));
    let count = writes.len();
    let tasks: Vec<_> = writes
        .into_iter()
        .map(|write| {
            let polled = Arc::clone(&polled);
            tokio::spawn(async move {
                let mut write = Box::pin(write);
                let mut first = true;
                std::future::poll_fn(move |cx| {
                    let result = write.as_mut().poll(cx);
                    if std::mem::take(&mut first) {
                        polled.fetch_add(1, Ordering::SeqCst);
                    }
                    result
                })
                .await
            })
        })
        .collect();
    while polled.load(Ordering::SeqCst) < count {
        tokio::task::yield_now().await;
    }
    tasks
}

/// Closures run once, and nothing is waited for.
fn calm() -> Config {
    let mut config = quick();
    config.run_twice = false;
    // One thread writes, whatever the engine.
    config.connections = 1;
    // However slow the machine, a group is what was queued.
    config.batch_time = Duration::from_secs(60);
    config
}

fn insert_later(store: &Store, id: i64) -> impl Future<Output = Outcome<i64>> + Send + 'static {
    let store = store.clone();
    async move { insert(&store, id).await }
}

#[tokio::test]
async fn what_is_queued_together_commits_together() {
    let dir = Dir::new();
    let mut config = calm();
    config.batch = 100;
    let store = open(&dir, config);
    let before = store.stats();
    let (release, held) = hold(&store).await;
    let writes = queue((0..250).map(|id| insert_later(&store, id)).collect()).await;
    release.send(()).unwrap();
    held.await.unwrap().unwrap();
    for write in writes {
        write.await.unwrap().unwrap();
    }
    let after = store.stats();
    assert_eq!(after.writes - before.writes, 251);
    assert_eq!(after.commits - before.commits, 3, "99 with the one that held the writer, then 100, then 51");
    assert_eq!(ids(&store).await, (0..250).collect::<Vec<_>>());
}

pub(crate) async fn a_full_queue_rejects_at_once(engine: Engine) {
    let dir = Dir::of(engine);
    let mut config = calm();
    config.queue = 3;
    let store = open(&dir, config);
    let (release, held) = hold(&store).await;
    let queued = queue((0..3).map(|id| insert_later(&store, id)).collect()).await;
    for id in 3..6 {
        // The writer stands still: whoever answers now has not waited for it.
        let fault = platform(insert(&store, id).await.unwrap_err());
        assert_eq!(fault.kind(), FaultKind::Overloaded);
    }
    release.send(()).unwrap();
    held.await.unwrap().unwrap();
    for write in queued {
        write.await.unwrap().unwrap();
    }
    assert_eq!((ids(&store).await, store.stats().rejected), (vec![0, 1, 2], 3));
}

#[tokio::test]
async fn a_statement_that_ends_the_transaction_costs_only_its_own_write() {
    let dir = Dir::new();
    let store = open(&dir, calm());
    insert(&store, 0).await.unwrap();
    let (release, held) = hold(&store).await;
    let killer = |insists: bool| {
        store.write(move |tx| {
            tx.execute("INSERT INTO items (id) VALUES (100)", &[])?;
            let killed = tx.execute("INSERT OR ROLLBACK INTO items (id) VALUES (0)", &[]);
            assert!(killed.unwrap_err().is_unique_violation());
            if insists {
                // It would commit by itself, outside of any transaction.
                tx.execute("INSERT INTO items (id) VALUES (101)", &[]).unwrap_err();
                return Ok(());
            }
            Err(Abort::because("gave up").into())
        })
    };
    let first = queue(vec![insert_later(&store, 1), insert_later(&store, 2)]).await;
    let killers = queue(vec![killer(true), killer(false)]).await;
    let last = queue(vec![insert_later(&store, 3)]).await;
    release.send(()).unwrap();
    held.await.unwrap().unwrap();
    for write in first.into_iter().chain(last) {
        write.await.unwrap().unwrap();
    }
    for killer in killers {
        let fault = platform(plain(killer.await.unwrap()).unwrap_err());
        assert_eq!(fault.kind(), FaultKind::Internal);
    }
    assert_eq!(ids(&store).await, [0, 1, 2, 3]);
    assert!(store.stats().reruns > 0);
}

#[tokio::test]
async fn a_write_that_is_undone_has_its_neighbours_run_again_and_a_refusal_does_not() {
    let dir = Dir::new();
    let store = open(&dir, calm());
    insert(&store, 0).await.unwrap();
    let runs = Arc::new(AtomicUsize::new(0));
    let neighbour = |id: i64| {
        let runs = Arc::clone(&runs);
        store.write(move |tx| {
            runs.fetch_add(1, Ordering::SeqCst);
            Ok(tx.execute("INSERT INTO items (id) VALUES ($1)", &[&id])?)
        })
    };
    let fails = |writes: bool| {
        store.write(move |tx| {
            // A look that finds what it should not is how most closures refuse.
            tx.query_one("SELECT count(*) FROM items", &[], |row| row.get::<i64>(0))?;
            if writes {
                tx.execute("DELETE FROM items", &[])?;
            }
            Err::<usize, _>(Abort::because("no").into())
        })
    };
    // The third group meets a store that has learned from the second.
    for (first, writes, expected) in [(1, false, 2), (3, true, 3), (5, true, 2)] {
        runs.store(0, Ordering::SeqCst);
        let (release, held) = hold(&store).await;
        let mut writes_queued = queue(vec![neighbour(first)]).await;
        writes_queued.extend(queue(vec![fails(writes)]).await);
        writes_queued.extend(queue(vec![neighbour(first + 1)]).await);
        release.send(()).unwrap();
        held.await.unwrap().unwrap();
        let mut kept = 0;
        for write in writes_queued {
            kept += usize::from(plain(write.await.unwrap()).is_ok());
        }
        assert_eq!((kept, runs.load(Ordering::SeqCst)), (2, expected), "{first}");
    }
    assert_eq!(ids(&store).await, [0, 1, 2, 3, 4, 5, 6]);
}

pub(crate) async fn a_constraint_that_fails_at_the_commit_costs_only_its_own_write(engine: Engine) {
    let dir = Dir::of(engine);
    let store = open(&dir, calm());
    let (release, held) = hold(&store).await;
    let good = queue(vec![insert_later(&store, 1), insert_later(&store, 2)]).await;
    let orphan = store.write(|tx| Ok(tx.execute("INSERT INTO parts (item) VALUES (77)", &[])?));
    let orphan = queue(vec![orphan]).await;
    release.send(()).unwrap();
    held.await.unwrap().unwrap();
    for write in good {
        write.await.unwrap().unwrap();
    }
    for write in orphan {
        let fault = platform(plain(write.await.unwrap()).unwrap_err());
        assert!(format!("{fault:?}").contains("a constraint is violated"), "{fault:?}");
    }
    assert_eq!(ids(&store).await, [1, 2]);
}

pub(crate) async fn a_write_whose_deadline_passed_in_the_queue_is_not_begun(engine: Engine) {
    let dir = Dir::of(engine);
    let store = open(&dir, calm());
    let (release, held) = hold(&store).await;
    let call = Call::new(Deadline::after(Duration::ZERO), Trace::new(1, 2));
    let late = store.once(&call, |tx| -> Outcome<u64> {
        tx.execute("INSERT INTO items (id) VALUES (1)", &[])?;
        Ok(1)
    });
    let late = queue(vec![late]).await;
    release.send(()).unwrap();
    held.await.unwrap().unwrap();
    for write in late {
        let fault = platform(write.await.unwrap().unwrap_err());
        assert_eq!(fault.kind(), FaultKind::UpstreamTimeout);
    }
    assert!(ids(&store).await.is_empty());
}

pub(crate) async fn a_write_goes_on_without_its_caller_and_a_read_does_not_begin(engine: Engine) {
    let dir = Dir::of(engine);
    let mut config = calm();
    config.readers = 1;
    let store = open(&dir, config);
    let (release, held) = hold(&store).await;
    for write in queue(vec![insert_later(&store, 1)]).await {
        write.abort();
        assert!(write.await.is_err());
    }
    release.send(()).unwrap();
    held.await.unwrap().unwrap();
    assert_eq!(ids(&store).await, [1]);

    let (go, gone) = sync_channel::<()>(0);
    let reading = queue(vec![store.read(move |_| {
        gone.recv().unwrap();
        Ok(())
    })])
    .await;
    let abandoned = queue(vec![store.read(|_| -> Outcome<()> { panic!("nobody waits for it") })]).await;
    let before = store.stats().reads;
    for read in abandoned {
        read.abort();
        assert!(read.await.is_err());
    }
    go.send(()).unwrap();
    for read in reading {
        plain(read.await.unwrap()).unwrap();
    }
    assert_eq!(ids(&store).await, [1]);
    assert_eq!(store.stats().reads - before, 2, "the one that was held, and the last");
}

#[tokio::test]
async fn something_is_going_on_until_the_answer_is_there() {
    let dir = Dir::new();
    let handles = Handles::system();
    let activity = handles.activity.clone();
    let store = open_with(&dir, handles, calm());
    activity.quiet().await;
    let (release, held) = hold(&store).await;
    for write in queue(vec![insert_later(&store, 1)]).await {
        // Nobody waits for it any more, and still it is going on.
        write.abort();
    }
    assert!(!activity.is_quiet());
    release.send(()).unwrap();
    activity.quiet().await;
    assert_eq!(store.stats().writes, 2);
    held.await.unwrap().unwrap();
    let seen = activity.clone();
    let write = store.write(move |tx| {
        let seen = seen.clone();
        tx.after_commit(move || assert!(!seen.is_quiet()));
        Err::<(), _>(Platform::new(FaultKind::Forbidden).into())
    });
    plain(write.await).unwrap_err();
    activity.quiet().await;
}
