//! A PostgreSQL server that goes away, comes back, or is full.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use partie_contract::{Call, Deadline, FaultKind, Outcome, Trace};
use partie_store::{Config, Handles, Health, Store};
use partie_testservers::Postgres;
use tokio::task::{JoinSet, block_in_place};

use crate::leases::within;
use crate::support::{Dir, ITEMS, ids, insert, keyed, open, plain, platform};

/// As a service has it.
fn config() -> Config {
    Config::default()
}

async fn becomes(store: &Store, wanted: fn(&Health) -> bool) {
    let turned = async {
        while !wanted(&store.health()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    within(turned).await;
}

/// Makes the server fail, or wait, whenever a row of the table is committed.
fn trigger(server: &Postgres, table: &str, body: &str) {
    let function = format!(
        "CREATE FUNCTION test.{table}_trouble() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body}; RETURN NULL; END $$"
    );
    let trigger = format!(
        "CREATE CONSTRAINT TRIGGER trouble AFTER INSERT ON test.{table} DEFERRABLE INITIALLY DEFERRED
         FOR EACH ROW EXECUTE FUNCTION test.{table}_trouble()"
    );
    block_in_place(|| server.sql("test_0", &format!("{function}; {trigger}")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_is_lost_is_of_unknown_outcome_and_not_run_again() {
    let server = Postgres::start(&[], &[]);
    let dir = Dir::at(server.database());
    let store = open(&dir, config());
    trigger(&server, "items", "PERFORM pg_sleep(60)");
    let runs = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&runs);
    let write = tokio::spawn(store.write(move |tx| {
        count.fetch_add(1, Ordering::SeqCst);
        Ok(tx.execute("INSERT INTO items (id) VALUES (1)", &[])?)
    }));
    let sleeping = "SELECT count(*) FROM pg_stat_activity WHERE query = 'COMMIT' AND wait_event = 'PgSleep'";
    within(async {
        while block_in_place(|| server.sql("test_0", sleeping)) != "1" {
            tokio::task::yield_now().await;
        }
    })
    .await;
    // Only the one session: the others go on.
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
    block_in_place(|| server.sql("test_0", end));
    let fault = platform(plain(within(write).await.unwrap()).unwrap_err());
    assert_eq!((fault.kind(), runs.load(Ordering::SeqCst)), (FaultKind::OutcomeUnknown, 1));
    assert_eq!(store.health(), Health::Ready);
    assert!(ids(&store).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_lost_before_the_commit_costs_a_run_and_nothing_else() {
    let server = Postgres::start(&[], &[]);
    let dir = Dir::at(server.database());
    let store = open(&dir, config());
    let runs = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&runs);
    let write = store.write(move |tx| {
        tx.execute("INSERT INTO items (id) VALUES (1)", &[])?;
        if count.fetch_add(1, Ordering::SeqCst) == 0 {
            let ended = tx.query("SELECT pg_terminate_backend(pg_backend_pid())", &[], |_| Ok(()));
            // What a closure makes of it does not count.
            return Ok(if ended.is_err() { 0 } else { 1 });
        }
        Ok(2)
    });
    assert_eq!(plain(within(write).await).unwrap(), 2);
    assert_eq!((ids(&store).await, runs.load(Ordering::SeqCst)), (vec![1], 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_told_and_found_to_have_space_again() {
    let server = Postgres::start(&[], &[]);
    let dir = Dir::at(server.database());
    let store = open(&dir, config());
    insert(&store, 1).await.unwrap();
    for table in ["items", "partie_meta"] {
        trigger(&server, table, "RAISE EXCEPTION 'no space left on device' USING ERRCODE = '53100'");
    }
    let fault = platform(insert(&store, 2).await.unwrap_err());
    assert_eq!(fault.kind(), FaultKind::Degraded);
    assert!(format!("{fault:?}").contains("the disk is full"), "{fault:?}");
    becomes(&store, |health| matches!(health, Health::Degraded(reason) if &**reason == "the disk is full"))
        .await;
    assert_eq!(ids(&store).await, [1], "it reads");
    for table in ["items", "partie_meta"] {
        block_in_place(|| server.sql("test_0", &format!("DROP TRIGGER trouble ON test.{table}")));
    }
    // Nobody writes: it finds out by itself.
    becomes(&store, |health| *health == Health::Ready).await;
    insert(&store, 3).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_under_load_has_lost_nothing_that_was_answered() {
    let server = Postgres::start(&[], &[]);
    let dir = Dir::at(server.database());
    let mut config = config();
    config.outage_patience = Duration::from_secs(60);
    let store = open(&dir, config);
    let (next, stop) = (Arc::new(AtomicI64::new(0)), Arc::new(AtomicBool::new(false)));
    let acks = Arc::new(Mutex::new(BTreeSet::new()));
    let mut writers = JoinSet::new();
    for _ in 0..16 {
        let (store, next, stop, acks) =
            (store.clone(), Arc::clone(&next), Arc::clone(&stop), Arc::clone(&acks));
        writers.spawn(async move {
            let mut unknown = 0;
            while !stop.load(Ordering::SeqCst) {
                let id = next.fetch_add(1, Ordering::SeqCst);
                // As a client does: with the same key until there is an answer.
                loop {
                    let made: Outcome<i64> = store
                        .once(&keyed(&format!("k{id}"), 1), move |tx| {
                            tx.execute("INSERT INTO items (id, at) VALUES ($1, $2)", &[&id, &tx.now()])?;
                            tx.execute("INSERT INTO parts (item) VALUES ($1)", &[&id])?;
                            Ok(id)
                        })
                        .await;
                    match plain(made) {
                        Ok(_) => break,
                        Err(fault) => {
                            let kind = platform(fault).kind();
                            assert!(
                                matches!(
                                    kind,
                                    FaultKind::OutcomeUnknown | FaultKind::Overloaded | FaultKind::Degraded
                                ),
                                "{kind:?}"
                            );
                            unknown += usize::from(kind == FaultKind::OutcomeUnknown);
                        }
                    }
                }
                acks.lock().unwrap().insert(id);
            }
            unknown
        });
    }
    let reached = |count: usize| {
        let acks = Arc::clone(&acks);
        async move {
            while acks.lock().unwrap().len() < count {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    };
    for round in 1..4 {
        let already = acks.lock().unwrap().len();
        within(reached(already + 100 * round)).await;
        block_in_place(|| {
            server.kill();
            server.restart();
        });
    }
    let already = acks.lock().unwrap().len();
    within(reached(already + 50)).await;
    stop.store(true, Ordering::SeqCst);
    while let Some(writer) = within(writers.join_next()).await {
        writer.unwrap();
    }
    let acks = acks.lock().unwrap().clone();
    let found: Vec<i64> = ids(&store).await;
    assert_eq!(found.iter().copied().collect::<BTreeSet<_>>(), acks);
    let parts: Outcome<Vec<i64>> =
        store.read(|tx| Ok(tx.query("SELECT item FROM parts ORDER BY item", &[], |row| row.get(0))?)).await;
    assert_eq!(plain(parts).unwrap(), found, "each once");
    assert_eq!(store.health(), Health::Ready);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_down_is_waited_for_within_bounds_and_found_again() {
    let server = Postgres::start(&[], &[]);
    let dir = Dir::at(server.database());
    let mut config = config();
    config.outage_patience = Duration::from_millis(300);
    let store = open(&dir, config);
    insert(&store, 1).await.unwrap();
    block_in_place(|| server.stop());
    let hurried = Call::new(Deadline::after(Duration::from_millis(100)), Trace::new(1, 2));
    let write = store.once(&hurried, |tx| Ok(tx.execute("INSERT INTO items (id) VALUES (2)", &[])?));
    assert_eq!(platform(plain(within(write).await).unwrap_err()).kind(), FaultKind::Degraded);
    let fault = platform(within(insert(&store, 3)).await.unwrap_err());
    assert_eq!(fault.kind(), FaultKind::Degraded);
    assert!(matches!(store.health(), Health::Degraded(_)), "{:?}", store.health());
    block_in_place(|| server.restart());
    // It finds out by itself.
    becomes(&store, |health| *health == Health::Ready).await;
    insert(&store, 4).await.unwrap();
    assert_eq!(ids(&store).await, [1, 4]);
}

#[test]
fn addresses_that_lead_nowhere_are_told_in_one_line_without_the_password() {
    let mut config = config();
    config.outage_patience = Duration::from_millis(200);
    let server = Postgres::shared();
    let wrong = server.url("postgres").replace("s3cret@", "wr0ng@");
    for (url, complaint) in [
        (wrong.as_str(), "password authentication failed"),
        (&server.url("nowhere"), "does not exist"),
        ("postgres://a:wr0ng@127.0.0.1:1/x", "cannot be reached"),
        (&format!("{}?sslmode=require", server.url("postgres")), "cannot be reached"),
    ] {
        let error =
            Store::connect(url, "test", &[ITEMS], Handles::system(), config.clone()).unwrap_err().to_string();
        assert!(error.contains(complaint) && !error.contains('\n'), "{error}");
        assert!(!error.contains("wr0ng") && !error.contains("s3cret"), "{error}");
    }
}
