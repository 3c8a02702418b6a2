//! What a closure can do with its transaction, and what it cannot.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use partie_contract::{Abort, Fault, FaultKind, IfMatch, Outcome, Timestamp, id};
use partie_runtime::{Activity, Clock, Ids};
use partie_store::{Config, Error, ErrorKind, Handles, Json, Row, Tx};
use uuid::Uuid;

use crate::support::{Dir, Engine, Refusal, call, ids, insert, open, open_with, plain, platform, quick};

id! {
    struct ItemId;
}

type Columns = (i64, Option<f64>, bool, String, Vec<u8>, Timestamp, ItemId, Json<Vec<u8>>);

pub(crate) async fn every_type_comes_back_as_it_was(engine: Engine) {
    let dir = Dir::of(engine);
    let store = open(&dir, quick());
    // PostgreSQL has no text with a NUL in it.
    let text = if engine == Engine::Sqlite { "naïve\0text" } else { "naïve text" };
    let wrote = store.write(move |tx| {
        tx.execute(
            "CREATE TABLE t (a BIGINT, b DOUBLE PRECISION, c BOOLEAN, d TEXT, e BLOB, f BIGINT, g BLOB, h TEXT)",
            &[],
        )?;
        let id: ItemId = tx.new_id();
        for (a, b) in [(i64::MIN, None), (i64::MAX, Some(0.1))] {
            tx.execute(
                "INSERT INTO t (h, g, f, e, d, c, b, a) VALUES ($8, $7, $6, $5, $4, $3, $2, $1)",
                &[&a, &b, &true, &text, &[0_u8, 255].as_slice(), &tx.now(), &id, &Json([1, 2])],
            )?;
        }
        Ok((id, tx.now()))
    });
    let (id, now) = plain(wrote.await).unwrap();
    let read = |row: &Row<'_>| -> Result<Columns, Error> {
        Ok((
            row.get(0)?,
            row.get(1)?,
            row.get(2)?,
            row.get(3)?,
            row.get(4)?,
            row.get(5)?,
            row.get(6)?,
            row.get(7)?,
        ))
    };
    let rows =
        plain(store.read(move |tx| Ok(tx.query("SELECT * FROM t ORDER BY a", &[], read)?)).await).unwrap();
    let rest = |a, b| (a, b, true, text.to_owned(), vec![0, 255], now, id, Json(vec![1, 2]));
    assert_eq!(rows, [rest(i64::MIN, None), rest(i64::MAX, Some(0.1))]);
}

pub(crate) async fn parameters_are_bound_by_name_and_counted(engine: Engine) {
    let dir = Dir::of(engine);
    let store = open(&dir, quick());
    // SQLite knows parameters of other names, PostgreSQL does not.
    let foreign = if engine == Engine::Sqlite { ErrorKind::Value } else { ErrorKind::Other };
    for (sql, params, expected) in [
        ("SELECT $2 || $1", 2, Ok("ba")),
        ("SELECT $2 || $1 || $2", 2, Ok("bab")),
        ("SELECT $1", 2, Err(ErrorKind::Value)),
        ("SELECT $1 || $2 || $3", 2, Err(ErrorKind::Value)),
        ("SELECT ?1", 1, Err(foreign)),
        ("SELECT :a", 1, Err(foreign)),
        ("SELECT $0", 1, Err(ErrorKind::Value)),
        ("SELECT 'a'; SELECT 'b'", 0, Err(ErrorKind::Other)),
        ("SELECT 'a' WHERE false", 0, Err(ErrorKind::NoRow)),
        ("SELECT 'a' UNION ALL SELECT 'b'", 0, Err(ErrorKind::MoreRows)),
        ("SELECT 7", 0, Err(ErrorKind::Value)),
        ("SELECT \"a\"", 0, Err(ErrorKind::Other)),
    ] {
        let read = store.read(move |tx| {
            let all: [&dyn partie_store::ToValue; 2] = [&"a", &"b"];
            Ok(tx.query_one(sql, &all[..params], |row| row.get::<String>(0)).map_err(|error| error.kind()))
        });
        assert_eq!(plain(read.await).unwrap(), expected.map(str::to_owned), "{sql}");
    }
}

pub(crate) async fn an_error_a_problem_and_a_panic_undo_their_own_write_only(engine: Engine) {
    let dir = Dir::of(engine);
    let store = open(&dir, quick());
    insert(&store, 1).await.unwrap();
    let fail = |id: i64, how: fn(&mut Tx) -> Outcome<(), Refusal>| {
        store.write(move |tx| {
            tx.execute("INSERT INTO items (id) VALUES ($1)", &[&id])?;
            how(tx)
        })
    };
    assert!(matches!(fail(2, |_| Err(Refusal::Closed.into())).await, Err(Fault::Domain(Refusal::Closed))));
    assert!(fail(3, |_| Err(Abort::because("no").into())).await.is_err());
    let panicked = platform(fail(4, |_| panic!("on purpose")).await.unwrap_err());
    assert_eq!(panicked.kind(), FaultKind::Internal);
    assert!(format!("{panicked:?}").contains("on purpose"), "{panicked:?}");
    let unique = |tx: &mut Tx| {
        let error = tx.execute("INSERT INTO items (id) VALUES (1)", &[]).unwrap_err();
        assert!(error.is_unique_violation(), "{error}");
        Err(Refusal::Closed.into())
    };
    assert!(matches!(fail(5, unique).await, Err(Fault::Domain(_))));
    let stays = |tx: &mut Tx| {
        // The failed statement did nothing, and the transaction goes on.
        tx.execute("INSERT INTO items (id) VALUES (6), (1)", &[]).unwrap_err();
        Ok(())
    };
    fail(7, stays).await.unwrap();
    fail(8, |tx| Err(tx.commit_problem(Refusal::Closed))).await.unwrap_err();
    assert_eq!(ids(&store).await, [1, 7, 8]);
}

pub(crate) async fn transaction_control_and_pragmas_are_refused(engine: Engine) {
    let dir = Dir::of(engine);
    let store = open(&dir, quick());
    for sql in [
        "COMMIT",
        "BEGIN",
        "ROLLBACK",
        "BEGIN IMMEDIATE",
        "SAVEPOINT a",
        "RELEASE partie_job",
        "ROLLBACK TO partie_job",
        "SAVEPOINT partie_job",
        "PRAGMA synchronous = OFF",
        "PRAGMA foreign_keys",
        "ATTACH 'x.db' AS x",
        "DETACH main",
        "PRAGMA writable_schema = ON",
    ] {
        let write = plain(store.write(move |tx| Ok(tx.execute(sql, &[]).unwrap_err().kind())).await);
        assert_eq!(write.unwrap(), ErrorKind::Refused, "{sql}");
        let read = plain(store.read(move |tx| Ok(tx.query(sql, &[], |_| Ok(())).unwrap_err().kind())).await);
        assert_eq!(read.unwrap(), ErrorKind::Refused, "{sql}");
    }
    insert(&store, 1).await.unwrap();
    let vacuum = store.write(|tx| Ok(tx.execute("VACUUM", &[]).is_err()));
    assert!(plain(vacuum.await).unwrap());
}

pub(crate) async fn a_read_does_not_write_and_sees_one_moment(engine: Engine) {
    let dir = Dir::of(engine);
    let store = open(&dir, quick());
    insert(&store, 1).await.unwrap();
    let write = store.read(|tx| Ok(tx.execute("INSERT INTO items (id) VALUES (2)", &[])?));
    let fault = platform(plain(write.await).unwrap_err());
    assert_eq!(fault.kind(), FaultKind::Internal);
    assert!(format!("{fault:?}").contains("a read cannot write"), "{fault:?}");
    let (looked, has_looked) = std::sync::mpsc::sync_channel(1);
    let (go, gone) = std::sync::mpsc::sync_channel(1);
    let reading = tokio::spawn(store.read(move |tx| {
        let count = |tx: &mut Tx| tx.query_one("SELECT count(*) FROM items", &[], |row| row.get::<i64>(0));
        let before = count(tx)?;
        looked.send(()).unwrap();
        gone.recv().unwrap();
        Ok((before, count(tx)?))
    }));
    tokio::task::spawn_blocking(move || has_looked.recv().unwrap()).await.unwrap();
    insert(&store, 3).await.unwrap();
    go.send(()).unwrap();
    assert_eq!(plain(reading.await.unwrap()).unwrap(), (1, 1));
    assert_eq!(ids(&store).await, [1, 3], "an answered write is seen by the next read");
}

pub(crate) async fn time_and_ids_are_the_same_when_a_closure_runs_again(engine: Engine) {
    let dir = Dir::of(engine);
    let (clock, _stepper) = Clock::stepped(Timestamp::from_millis(7));
    let handles = Handles { clock, ids: Ids::seeded(1), activity: Activity::default() };
    let store = open_with(&dir, handles, quick());
    let runs = Arc::new(Mutex::new(Vec::<(Timestamp, Uuid, Uuid)>::new()));
    let seen = Arc::clone(&runs);
    let write = store.write(move |tx| {
        let (a, b) = (tx.new_id::<ItemId>(), tx.new_id::<ItemId>());
        seen.lock().unwrap().push((
            tx.now(),
            partie_contract::Id::as_uuid(&a),
            partie_contract::Id::as_uuid(&b),
        ));
        Ok(())
    });
    plain(write.await).unwrap();
    let runs = runs.lock().unwrap();
    assert_eq!((runs.len(), runs[0]), (2, runs[1]));
    assert_eq!(runs[0].0, Timestamp::from_millis(7));
    assert!(runs[0].1 < runs[0].2);
}

pub(crate) async fn what_follows_a_commit_runs_once_after_it_and_never_after_a_rollback(engine: Engine) {
    let dir = Dir::of(engine);
    let store = open(&dir, quick());
    let told = Arc::new(AtomicUsize::new(0));
    for keep in [true, false, true] {
        let told = Arc::clone(&told);
        let outcome: Outcome<()> = store
            .write(move |tx| {
                let told = Arc::clone(&told);
                tx.after_commit(move || {
                    told.fetch_add(1, Ordering::SeqCst);
                });
                if keep { Ok(()) } else { Err(Abort::because("no").into()) }
            })
            .await;
        assert_eq!(outcome.is_ok(), keep);
    }
    assert_eq!(told.load(Ordering::SeqCst), 2);
    // One that panics harms neither its commit nor the store.
    let write = store.write(|tx| {
        tx.execute("INSERT INTO items (id) VALUES (1)", &[])?;
        tx.after_commit(|| panic!("on purpose"));
        Ok(())
    });
    plain(write.await).unwrap();
    assert_eq!(ids(&store).await, [1]);
}

pub(crate) async fn running_closures_twice_finds_those_that_are_not_repeatable(engine: Engine) {
    let dir = Dir::of(engine);
    let store = open(&dir, quick());
    let counter = Arc::new(AtomicI64::new(0));
    let count = Arc::clone(&counter);
    let impure = store.write(move |tx| {
        let id = count.fetch_add(1, Ordering::SeqCst);
        tx.execute("INSERT INTO items (id) VALUES ($1)", &[&id])?;
        Ok(())
    });
    let fault = platform(plain(impure.await).unwrap_err());
    assert!(format!("{fault:?}").contains("transaction.rs"), "it names the place: {fault:?}");
    let taken = Mutex::new(Some("moved out"));
    let emptied = store.write(move |_| match taken.lock().unwrap().take() {
        Some(text) => Ok(text),
        None => Err(Refusal::Closed.into()),
    });
    assert_eq!(platform(emptied.await.unwrap_err()).kind(), FaultKind::Internal);
    assert!(ids(&store).await.is_empty());
    // In production it runs once.
    let mut config = quick();
    config.run_twice = false;
    let other = Dir::new();
    let store = open(&other, config);
    let runs = Arc::new(AtomicI64::new(0));
    let count = Arc::clone(&runs);
    let write = store.write(move |_| Ok(count.fetch_add(1, Ordering::SeqCst)));
    assert_eq!(plain(write.await).unwrap(), 0);
    assert_eq!(runs.load(Ordering::SeqCst), 1);
}

pub(crate) async fn a_stale_version_is_refused_and_a_fitting_one_is_not(engine: Engine) {
    let dir = Dir::of(engine);
    let store = open(&dir, quick());
    for (precondition, fits) in [
        (None, true),
        (Some(IfMatch::Any), true),
        (Some(IfMatch::Version(7)), true),
        (Some(IfMatch::Version(6)), false),
    ] {
        let cx = precondition.map_or_else(call, |precondition| call().with_if_match(precondition));
        let write = store.once(&cx, |tx| {
            tx.check_version(7)?;
            Ok(1)
        });
        let kind = plain(write.await).map_err(|fault| platform(fault).kind());
        assert_eq!(kind, if fits { Ok(1) } else { Err(FaultKind::PreconditionFailed) });
    }
}

pub(crate) async fn slow_closures_are_counted(engine: Engine) {
    let dir = Dir::of(engine);
    let mut config = Config::default();
    config.slow_closure = std::time::Duration::ZERO;
    config.slow_remote_closure = std::time::Duration::ZERO;
    let store = open(&dir, config);
    insert(&store, 1).await.unwrap();
    assert_eq!(store.stats().slow, 1);
}

#[tokio::test]
async fn the_settings_are_those_that_hold() {
    let dir = Dir::new();
    let store = open(&dir, Config::default());
    for (name, value) in [("journal_mode", "wal"), ("synchronous", "2"), ("foreign_keys", "1")] {
        assert!(store.settings().contains(&(name, value.to_owned())), "{name}");
    }
}
