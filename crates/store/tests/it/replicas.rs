//! Several processes on one PostgreSQL schema.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Barrier, Mutex};
use std::time::Duration;

use partie_contract::Outcome;
use partie_store::{Config, Handles, Horizon, Migration, MigrationSet, OpenError, Store};
use partie_testservers::Postgres;
use tokio::task::JoinSet;

use crate::leases::{hasty, within};
use crate::support::{Dir, Engine, ITEMS, ids, insert, keyed, open, plain, platform, try_open};

/// As a service has it.
fn config() -> Config {
    Config::default()
}

const GROWING: MigrationSet = MigrationSet {
    name: "service",
    migrations: &[Migration::new(
        "0001_growing.sql",
        "CREATE TABLE growing (position INTEGER PRIMARY KEY, writer BIGINT NOT NULL);
         CREATE TABLE writers (writer BIGINT PRIMARY KEY);",
    )],
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn decisions_of_two_replicas_hold_together() {
    let dir = Dir::of(Engine::Postgres);
    let replicas = [open(&dir, config()), open(&dir, config())];
    // Ten places. Each write looks how many are taken, and takes one if there is one: no constraint would notice.
    let take = |id: i64, together: Option<Arc<Barrier>>| {
        let runs = AtomicI64::new(0);
        let write = replicas[id as usize % 2].write(move |tx| {
            let taken: i64 = tx.query_one("SELECT count(*) FROM items", &[], |row| row.get(0))?;
            if runs.fetch_add(1, Ordering::SeqCst) == 0
                && let Some(together) = &together
            {
                together.wait();
            }
            if taken < 10 {
                tx.execute("INSERT INTO items (id) VALUES ($1)", &[&id])?;
            }
            Ok(taken < 10)
        });
        async move { plain(write.await).unwrap() }
    };
    // Two decide at the same time for certain, the others as it happens.
    let together = Arc::new(Barrier::new(2));
    let mut taken = 0;
    for some in [0..2, 2..40] {
        let together = (some.start == 0).then_some(&together);
        let mut writers: JoinSet<bool> = some.map(|id| take(id, together.cloned())).collect();
        while let Some(has_place) = within(writers.join_next()).await {
            taken += usize::from(has_place.unwrap());
        }
    }
    assert_eq!((taken, ids(&replicas[0]).await.len()), (10, 10));
    assert!(
        replicas.iter().map(|store| store.stats().reruns).sum::<u64>() > 0,
        "nobody was in anybody's way"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_used_at_two_replicas_has_one_effect_and_one_answer() {
    let dir = Dir::of(Engine::Postgres);
    let replicas = [open(&dir, config()), open(&dir, config())];
    let mut callers = JoinSet::new();
    for caller in 0..64 {
        let store = replicas[caller % 2].clone();
        callers.spawn(async move {
            let cx = keyed("k", 1);
            let made: Outcome<i64> = store
                .once(&cx, |tx| {
                    // A retry that runs beside the first attempt would find this in its way.
                    tx.execute("INSERT INTO items (id) VALUES (7)", &[])?;
                    Ok(tx.query_one("SELECT count(*) FROM items", &[], |row| row.get(0))?)
                })
                .await;
            (plain(made).unwrap(), cx.is_replayed())
        });
    }
    let mut replayed = 0;
    while let Some(answer) = within(callers.join_next()).await {
        let (count, is_replayed) = answer.unwrap();
        assert_eq!(count, 1);
        replayed += usize::from(is_replayed);
    }
    assert_eq!((replayed, ids(&replicas[1]).await), (63, vec![7]));
}

#[test]
fn replicas_that_start_together_migrate_once() {
    let dir = Dir::of(Engine::Postgres);
    let stores: Vec<_> = std::thread::scope(|scope| {
        let starting: Vec<_> = (0..6).map(|_| scope.spawn(|| open(&dir, config()))).collect();
        starting.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(stores.len(), 6);
    drop(stores);
    let newer = [MigrationSet { name: "service", migrations: &[] }];
    let refused = try_open(&dir, &newer, Handles::system(), config()).unwrap_err();
    assert!(matches!(refused, OpenError::Newer { known: 0, found: 1, .. }), "{refused}");
    assert!(!refused.to_string().contains("s3cret"), "{refused}");
}

#[tokio::test]
async fn schemas_are_apart() {
    let url = Postgres::shared().database();
    let connect = |name: &str| Store::connect(&url, name, &[ITEMS], Handles::system(), config()).unwrap();
    let (orders, kitchen) = (connect("orders"), connect("kitchen-2"));
    insert(&orders, 1).await.unwrap();
    assert_eq!((ids(&orders).await, ids(&kitchen).await), (vec![1], vec![]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closure_goes_on_after_a_statement_that_failed() {
    let dir = Dir::of(Engine::Postgres);
    let store = open(&dir, config());
    insert(&store, 1).await.unwrap();
    let before = store.stats().reruns;
    let next = store.write(|tx| {
        let mut id = 1;
        tx.execute("INSERT INTO items (id) VALUES (100)", &[])?;
        while let Err(error) = tx.execute("INSERT INTO items (id) VALUES ($1)", &[&id]) {
            assert!(error.is_unique_violation(), "{error}");
            id += 1;
        }
        Ok(id)
    });
    assert_eq!(plain(next.await).unwrap(), 2);
    assert_eq!(store.stats().reruns - before, 1, "the second run was careful");
    // A closure that only looks at its failure pays for nothing.
    let refused = store.write(|tx| {
        let failed = tx.execute("INSERT INTO items (id) VALUES (1)", &[]).unwrap_err();
        assert!(failed.is_unique_violation());
        Err::<(), _>(partie_contract::Abort::because("it is there").into())
    });
    assert!(plain(refused.await).is_err());
    assert_eq!(store.stats().reruns - before, 1);
    let read = store.read(|tx| {
        tx.query("SELECT nonsense FROM items", &[], |_| Ok(())).unwrap_err();
        let first: i64 = tx.query_one("SELECT count(*) FROM items", &[], |row| row.get(0))?;
        tx.query("SELECT 1 / (count(*) - count(*)) FROM items", &[], |_| Ok(())).unwrap_err();
        Ok((first, tx.query_one("SELECT count(*) FROM items", &[], |row| row.get::<i64>(0))?))
    });
    assert_eq!(plain(read.await).unwrap(), (3, 3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_reader_behind_the_horizon_misses_nothing_that_is_written_beside_it() {
    let dir = Dir::of(Engine::Postgres);
    let mut config = config();
    config.connections = 12;
    let store = try_open(&dir, &[GROWING], Handles::system(), config).unwrap();
    let (next, done) = (Arc::new(AtomicI64::new(0)), Arc::new(AtomicBool::new(false)));
    let mut writers = JoinSet::new();
    for _ in 0..12 {
        let (store, next) = (store.clone(), Arc::clone(&next));
        writers.spawn(async move {
            for _ in 0..60 {
                let writer = next.fetch_add(1, Ordering::SeqCst);
                let write: Outcome<()> = store
                    .write(move |tx| {
                        tx.execute("INSERT INTO writers (writer) VALUES ($1)", &[&writer])?;
                        tx.execute("INSERT INTO growing (writer) VALUES ($1)", &[&writer])?;
                        // More or less of it, so that commits overtake one another.
                        let wait = "SELECT count(*) FROM generate_series(1, $1)";
                        tx.query_one(wait, &[&(writer % 7 * 3000)], |row| row.get::<i64>(0))?;
                        Ok(())
                    })
                    .await;
                plain(write).unwrap();
            }
        });
    }
    let reader = tokio::spawn({
        let (store, done, horizon) = (store.clone(), Arc::clone(&done), Horizon::new());
        async move {
            let mut seen = Vec::new();
            loop {
                let (from, is_over) = (seen.last().copied().unwrap_or(0), done.load(Ordering::SeqCst));
                let (rows, is_more) = read_on(&store, &horizon, from).await;
                if is_over && !is_more && rows.is_empty() {
                    return seen.len();
                }
                seen.extend(rows);
            }
        }
    });
    while let Some(writer) = within(writers.join_next()).await {
        writer.unwrap();
    }
    done.store(true, Ordering::SeqCst);
    assert_eq!(within(reader).await.unwrap(), 720);
}

/// The positions behind one, up to the horizon, and whether there are more.
async fn read_on(store: &Store, horizon: &Horizon, from: i64) -> (Vec<i64>, bool) {
    let horizon = horizon.clone();
    let read: Outcome<_> = store
        .read(move |tx| {
            let last = "SELECT coalesce(max(position), 0) FROM growing";
            let settled = horizon.settled(tx, |tx| tx.query_one(last, &[], |row| row.get(0)))?;
            let sql = "SELECT position FROM growing WHERE position > $1 AND position <= $2 ORDER BY position";
            Ok((tx.query(sql, &[&from, &settled.to], |row| row.get(0))?, settled.is_more))
        })
        .await;
    plain(read).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_horizon_stands_before_a_commit_that_was_overtaken() {
    let dir = Dir::of(Engine::Postgres);
    let store = try_open(&dir, &[GROWING], Handles::system(), config()).unwrap();
    let begin = "INSERT INTO writers (writer) VALUES ($1)";
    let take = "INSERT INTO growing (writer) VALUES ($1)";
    // The second begins later, takes its position earlier, and commits last. Each step follows the one before.
    let [(go1, step1), (go2, step2), (go3, step3)] = [(); 3].map(|()| {
        let (go, step) = sync_channel::<()>(1);
        (go, Mutex::new(step))
    });
    let first = tokio::spawn(store.write(move |tx| {
        tx.execute(begin, &[&1])?;
        go1.send(()).unwrap();
        step2.lock().unwrap().recv().unwrap();
        Ok(tx.execute(take, &[&1])?)
    }));
    let second = tokio::spawn(store.write(move |tx| {
        step1.lock().unwrap().recv().unwrap();
        tx.execute(begin, &[&2])?;
        tx.execute(take, &[&2])?;
        go2.send(()).unwrap();
        step3.lock().unwrap().recv().unwrap();
        Ok(2)
    }));
    plain(within(first).await.unwrap()).unwrap();
    let horizon = Horizon::new();
    assert_eq!(read_on(&store, &horizon, 0).await, (vec![], true), "2 is there, and 1 is not yet");
    go3.send(()).unwrap();
    plain(within(second).await.unwrap()).unwrap();
    let settled = async {
        loop {
            // A look of the reader's own may still be ending.
            if let (rows, false) = read_on(&store, &horizon, 0).await {
                return rows;
            }
        }
    };
    assert_eq!(within(settled).await, [1, 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_goes_to_another_replica_when_its_holder_is_gone_and_the_old_one_is_fenced() {
    let server = Postgres::start(&[], &[]);
    let dir = Dir::at(server.database());
    let (first, second) = (open(&dir, hasty()), open(&dir, hasty()));
    let old = within(first.lease("work")).await;
    let mut waiting = tokio::spawn(second.lease("work"));
    // Renewed, it is kept well beyond its time.
    assert!(tokio::time::timeout(Duration::from_millis(2500), &mut waiting).await.is_err());
    assert!(!old.is_lost());
    // The holder cannot renew: somebody has locked its row.
    let locked = "BEGIN; SELECT 1 FROM test.partie_leases FOR UPDATE; SELECT pg_sleep(2); COMMIT";
    tokio::task::block_in_place(|| server.sql("test_0", locked));
    within(old.lost()).await;
    let new = within(waiting).await.unwrap();
    assert!(new.epoch() > old.epoch());
    let fenced = old.clone();
    let late = first.write(move |tx| {
        tx.fence(&fenced)?;
        tx.execute("INSERT INTO items (id) VALUES (1)", &[])?;
        Ok(())
    });
    let fault = platform(plain(late.await).unwrap_err());
    assert!(format!("{fault:?}").contains("another replica has taken over"), "{fault:?}");
    // Given back, it is there for the next one at once; without it a third would wait for its time to end.
    drop(new);
    within(second.lease("work")).await;
    assert!(ids(&first).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_gets_a_lease_waits_for_what_the_holder_before_has_under_way() {
    let dir = Dir::of(Engine::Postgres);
    let (first, second) = (open(&dir, hasty()), open(&dir, hasty()));
    let lease = within(first.lease("work")).await;
    let (go, step) = sync_channel::<()>(1);
    let (fenced, step) = (lease.clone(), Mutex::new(step));
    let (begun, begins) = tokio::sync::oneshot::channel();
    let begun = Mutex::new(Some(begun));
    let write = tokio::spawn(first.write(move |tx| {
        tx.fence(&fenced)?;
        tx.execute("INSERT INTO items (id) VALUES (1)", &[])?;
        if let Some(begun) = begun.lock().unwrap().take() {
            begun.send(()).unwrap();
            step.lock().unwrap().recv().unwrap();
        }
        Ok(())
    }));
    within(begins).await.unwrap();
    // The closure keeps a clone: only the end of the process, or of the store, takes it from it.
    drop(lease);
    let sql = "UPDATE test.partie_leases SET expires_at = '-infinity'";
    tokio::task::block_in_place(|| Postgres::shared().sql(dir.database().unwrap(), sql));
    let mut waiting = tokio::spawn(second.lease("work"));
    assert!(tokio::time::timeout(Duration::from_millis(1500), &mut waiting).await.is_err());
    go.send(()).unwrap();
    plain(within(write).await.unwrap()).unwrap();
    within(waiting).await.unwrap();
    assert_eq!(ids(&second).await, [1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ring_is_heard_in_the_other_replica() {
    let dir = Dir::of(Engine::Postgres);
    let (first, second) = (open(&dir, config()), open(&dir, config()));
    let mut heard = 0;
    for _ in 0..20 {
        let mut bell = second.bell("work");
        // The first ring may come before the other one listens.
        let begun = tokio::time::Instant::from_std(partie_runtime::monotonic());
        first.ring("work");
        within(bell.rung()).await;
        heard += i32::from(begun.elapsed() < Duration::from_millis(500));
    }
    assert!(heard > 10, "only {heard} of 20 rings were heard before the second was over");
}
