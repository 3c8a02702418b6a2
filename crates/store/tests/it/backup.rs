//! Copies of a store that is written to, and a copy in the place of a store.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use partie_contract::Outcome;
use partie_store::{Config, CopyError, IdleStore, OpenError, Store, contents};

use crate::support::{Dir, ids, insert, open, quick};

/// Has a copy stand where the store stood.
fn restore(copy: &Path, dir: &Dir, epoch: i64) -> Result<(), CopyError> {
    let beside = dir.path().join("test.db.restoring");
    fs::copy(copy, &beside).unwrap();
    IdleStore::take(dir.path(), "test").unwrap().replace(&beside, epoch)
}

/// Two rows a transaction, so that half of one would be seen.
async fn pair(store: &Store, id: i64) -> Outcome<()> {
    store
        .write(move |tx| {
            for id in [2 * id, 2 * id + 1] {
                tx.execute("INSERT INTO items (id) VALUES ($1)", &[&id])?;
            }
            Ok(())
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_a_store_that_is_written_to_is_whole_and_has_what_was_answered() {
    let (dir, away) = (Dir::new(), Dir::new());
    let store = open(&dir, quick());
    let stop = Arc::new(AtomicBool::new(false));
    let writing = tokio::spawn({
        let (store, stop) = (store.clone(), Arc::clone(&stop));
        async move {
            let mut id = 1_000;
            while !stop.load(Ordering::Relaxed) {
                pair(&store, id).await.unwrap();
                id += 1;
            }
            id
        }
    });
    for round in 0..5 {
        pair(&store, round).await.unwrap();
        let copy = away.path().join(format!("{round}.db"));
        store.backup(&copy).await.unwrap();
        let found = contents(&copy).unwrap();
        assert_eq!((found.epoch, found.migrations["service"]), (0, 1));

        let place = Dir::new();
        restore(&copy, &place, 7).unwrap();
        let again = open(&place, quick());
        let ids = ids(&again).await;
        assert!(ids.contains(&(2 * round + 1)), "what was answered before the copy is in it");
        assert_eq!(ids.len() % 2, 0, "half of a transaction");
        assert_eq!(again.epoch(), 7);
        again.close().await;
    }
    stop.store(true, Ordering::Relaxed);
    assert!(writing.await.unwrap() > 1_000);
    assert_eq!(away.files(), ["0.db", "1.db", "2.db", "3.db", "4.db"], "a copy is one file");
    store.close().await;
}

#[tokio::test]
async fn nothing_is_written_over_by_a_copy() {
    let dir = Dir::new();
    let store = open(&dir, quick());
    let there = dir.path().join("there");
    fs::write(&there, "mine").unwrap();
    assert!(matches!(store.backup(&there).await, Err(CopyError::File { .. })));
    assert_eq!(fs::read_to_string(&there).unwrap(), "mine");
    assert!(store.backup(&dir.path().join("no/such/place")).await.is_err());
    store.close().await;
}

#[tokio::test]
async fn a_store_that_nobody_has_open_is_copied_out_of_its_log() {
    let (dir, crashed, away) = (Dir::new(), Dir::new(), Dir::new());
    let store = open(&dir, Config::default());
    insert(&store, 1).await.unwrap();
    assert!(matches!(IdleStore::take(dir.path(), "test"), Err(OpenError::Locked { .. })));
    // As a crash leaves it: everything is in the log.
    for file in ["test.db", "test.db-wal"] {
        fs::copy(dir.path().join(file), crashed.path().join(file)).unwrap();
    }
    let idle = IdleStore::take(crashed.path(), "test").unwrap();
    let log = fs::read(crashed.path().join("test.db-wal")).unwrap();
    idle.backup(&away.path().join("copy.db")).unwrap();
    assert_eq!(fs::read(crashed.path().join("test.db-wal")).unwrap(), log, "a look changes nothing");
    drop(idle);
    restore(&away.path().join("copy.db"), &crashed, 3).unwrap();
    let again = open(&crashed, Config::default());
    assert_eq!((ids(&again).await, again.epoch()), (vec![1], 3));
    again.close().await;
    store.close().await;
}

#[tokio::test]
async fn what_is_restored_replaces_everything_even_what_stands_in_a_log() {
    let (dir, away) = (Dir::new(), Dir::new());
    let store = open(&dir, Config::default());
    insert(&store, 1).await.unwrap();
    let copy = away.path().join("copy.db");
    store.backup(&copy).await.unwrap();
    insert(&store, 2).await.unwrap();
    let log = fs::read(dir.path().join("test.db-wal")).unwrap();
    store.close().await;
    fs::write(dir.path().join("test.db-wal"), log).unwrap();
    restore(&copy, &dir, 1).unwrap();
    let again = open(&dir, Config::default());
    assert_eq!(ids(&again).await, [1]);
    again.close().await;
}

#[tokio::test]
async fn what_is_no_copy_is_told_from_one() {
    let dir = Dir::new();
    for (name, bytes) in [("empty", &b""[..]), ("text", b"soup".repeat(100).as_slice())] {
        let file = dir.path().join(name);
        fs::write(&file, bytes).unwrap();
        assert!(matches!(contents(&file), Err(CopyError::Damaged { .. })), "{name}");
    }
    // A page of the original that is not what it was is not handed on.
    let store = open(&dir, Config::default());
    for id in 0..2_000 {
        insert(&store, id).await.unwrap();
    }
    store.close().await;
    let file = dir.path().join("test.db");
    let mut bytes = fs::read(&file).unwrap();
    let at = bytes.len() - 4096;
    bytes[at..at + 512].fill(0xff);
    fs::write(&file, bytes).unwrap();
    let idle = IdleStore::take(dir.path(), "test").unwrap();
    let copy = dir.path().join("copy.db");
    let refused = idle.backup(&copy).unwrap_err();
    assert!(matches!(refused, CopyError::Damaged { .. } | CopyError::Database { .. }), "{refused}");
    assert!(!copy.exists(), "nothing is left of it");
}
