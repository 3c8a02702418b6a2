//! What opens, what does not, and what stays untouched when it does not.

use std::fs;
use std::path::Path;
use std::time::Duration;

use partie_contract::{Deadline, FaultKind, Outcome};
use partie_store::{Config, Handles, Health, Migration, MigrationSet, OpenError, Store};

use crate::support::{Dir, Engine, ITEMS, ids, insert, open, platform, quick};

fn try_open(dir: &Path, sets: &[MigrationSet]) -> Result<Store, OpenError> {
    Store::open(dir, "test", sets, Handles::system(), Config::default())
}

/// The one line that a person sees.
fn refusal(dir: &Path, sets: &[MigrationSet]) -> String {
    let error = try_open(dir, sets).unwrap_err();
    let text = error.to_string();
    assert!(!text.contains('\n'), "{text}");
    text
}

const fn set(migrations: &'static [Migration]) -> [MigrationSet; 1] {
    [MigrationSet { name: "service", migrations }]
}

#[tokio::test]
async fn what_was_written_is_there_after_closing_and_opening() {
    let dir = Dir::new();
    for round in 0..3 {
        let store = open(&dir, Config::default());
        assert_eq!(ids(&store).await, (0..round).collect::<Vec<_>>());
        insert(&store, round).await.unwrap();
        store.close().await;
        assert_eq!(dir.files(), ["test.db", "test.lock"], "closing leaves no log behind");
    }
}

#[tokio::test]
async fn one_opener_owns_a_store() {
    let dir = Dir::new();
    let store = open(&dir, quick());
    let error = try_open(dir.path(), &[ITEMS]).unwrap_err();
    assert!(matches!(&error, OpenError::Locked { holder: Some(pid), .. } if *pid == std::process::id()));
    assert!(error.to_string().contains("test.lock is locked by process "), "{error}");
    store.close().await;
    open(&dir, quick()).close().await;
}

pub(crate) async fn a_closed_store_takes_nothing_more(engine: Engine) {
    let dir = Dir::of(engine);
    let store = open(&dir, quick());
    let waiting: Vec<_> = (0..20)
        .map(|id| {
            tokio::spawn({
                let store = store.clone();
                async move { insert(&store, id).await }
            })
        })
        .collect();
    for one in waiting {
        one.await.unwrap().unwrap();
    }
    store.close().await;
    store.close().await;
    let fault = platform(insert(&store, 99).await.unwrap_err());
    assert_eq!(fault.kind(), FaultKind::Degraded);
    assert_eq!(store.health(), Health::Closed);
}

#[test]
fn dropping_the_last_handle_releases_the_store() {
    let dir = Dir::new();
    let deadline = Deadline::after(Duration::from_secs(10));
    for _ in 0..3 {
        // The one before may still be closing.
        while let Err(error) = try_open(dir.path(), &[ITEMS]).map(drop) {
            assert!(matches!(error, OpenError::Locked { .. }), "{error}");
            assert!(!deadline.has_passed(), "the lock was not released");
            std::thread::yield_now();
        }
    }
}

#[test]
fn files_of_somebody_else_are_refused_and_untouched() {
    for (name, content, complaint) in [
        (
            "text",
            b"not a database, but long enough to be looked at as if it were one.".repeat(3),
            "it is no SQLite file",
        ),
        ("short", b"x".to_vec(), "it is no SQLite file"),
        (
            "other id",
            sqlite("PRAGMA application_id = 7; CREATE TABLE theirs (x);"),
            "its application id is 0x00000007",
        ),
        ("no id", sqlite("CREATE TABLE theirs (x);"), "it has tables and no application id"),
        (
            "log",
            sqlite("PRAGMA journal_mode = WAL; CREATE TABLE theirs (x);"),
            "it has tables and no application id",
        ),
    ] {
        let dir = Dir::new();
        let file = dir.path().join("test.db");
        fs::write(&file, &content).unwrap();
        let text = refusal(dir.path(), &[ITEMS]);
        assert!(
            text.contains("test.db is not a database of Partie") && text.contains(complaint),
            "{name}: {text}"
        );
        assert_eq!(fs::read(&file).unwrap(), content, "{name}");
        assert_eq!(dir.files(), ["test.db"], "{name}");
    }
}

#[test]
fn a_log_without_its_database_is_not_thrown_away() {
    let dir = Dir::new();
    fs::write(dir.path().join("test.db-wal"), b"somebody may still need this").unwrap();
    assert!(refusal(dir.path(), &[ITEMS]).contains("its write-ahead log is not"));
    assert_eq!(dir.files(), ["test.db-wal"]);
}

#[tokio::test]
async fn an_empty_file_and_a_blank_database_become_stores() {
    for content in [Vec::new(), sqlite("PRAGMA user_version = 1;")] {
        let dir = Dir::new();
        fs::write(dir.path().join("test.db"), content).unwrap();
        let store = open(&dir, quick());
        insert(&store, 1).await.unwrap();
        store.close().await;
    }
}

/// The bytes of a database made by somebody else.
fn sqlite(sql: &str) -> Vec<u8> {
    let dir = Dir::new();
    let file = dir.path().join("x.db");
    let connection = rusqlite::Connection::open(&file).unwrap();
    connection.execute_batch(sql).unwrap();
    connection.close().unwrap();
    fs::read(file).unwrap()
}

#[test]
fn names_and_directories() {
    let dir = Dir::new();
    for bad in ["", "../x", "a/b", "A", "a.db", "a b"] {
        let error = Store::open(dir.path(), bad, &[], Handles::system(), quick()).unwrap_err();
        assert!(matches!(error, OpenError::Name(_)), "{error}");
    }
    assert!(dir.files().is_empty());
    fs::write(dir.path().join("file"), "").unwrap();
    let error = try_open(&dir.path().join("file/inside"), &[]).unwrap_err();
    assert!(matches!(error, OpenError::Directory { .. }), "{error}");
    drop(try_open(&dir.path().join("made/on/the/way"), &[]).unwrap());
}

#[test]
#[cfg(target_os = "linux")]
fn a_directory_that_is_not_writable_is_an_error_of_its_own() {
    // Even root makes no files there.
    let error = try_open(Path::new("/proc/self/fd"), &[]).unwrap_err();
    assert!(matches!(error, OpenError::NotWritable { .. } | OpenError::Directory { .. }), "{error}");
    let dir = Dir::new();
    let mut rights = fs::metadata(dir.path()).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut rights, 0o555);
    fs::set_permissions(dir.path(), rights).unwrap();
    if fs::write(dir.path().join("probe"), "").is_err() {
        let error = try_open(dir.path(), &[]).unwrap_err();
        assert!(matches!(error, OpenError::NotWritable { .. }), "{error}");
        assert!(error.to_string().ends_with("is not writable for this process"), "{error}");
    }
}

#[tokio::test]
async fn a_set_of_migrations_is_applied_as_a_whole_or_not_at_all() {
    const GOOD: Migration = Migration::new("0001_good.sql", "CREATE TABLE good (x BIGINT);");
    const BAD: Migration =
        Migration::new("0002_bad.sql", "INSERT INTO good VALUES (1); INSERT INTO bad VALUES (1);");
    let dir = Dir::new();
    let text = refusal(dir.path(), &set(&[GOOD, BAD]));
    assert!(
        text.contains("migration 0002_bad.sql of `service` failed") && text.contains("no such table: bad"),
        "{text}"
    );
    let better: &'static [Migration] =
        const { &[GOOD, Migration::new("0002_better.sql", "CREATE TABLE bad (x BIGINT);")] };
    let store = try_open(dir.path(), &set(better)).unwrap();
    let count: Outcome<i64> =
        store.read(|tx| Ok(tx.query_one("SELECT count(*) FROM good", &[], |row| row.get(0))?)).await;
    assert_eq!(count.unwrap(), 0);
    store.close().await;
}

#[tokio::test]
async fn a_database_with_another_history_is_refused_and_opens_again_with_its_own() {
    let dir = Dir::new();
    open(&dir, quick()).close().await;
    for (sets, complaint) in [
        (
            set(const { &[Migration::new("0001_items.sql", "CREATE TABLE changed (x);")] }).to_vec(),
            "has changed since",
        ),
        (set(&[]).to_vec(), "is for newer programs"),
        (Vec::new(), "was applied by a program with more parts"),
    ] {
        let text = refusal(dir.path(), &sets);
        assert!(text.contains("test.db") && text.contains(complaint), "{text}");
    }
    open(&dir, quick()).close().await;
}

/// A schema of one column, the same with one more, and without the first.
const ONE: Migration = Migration::new("0001_seats.sql", "CREATE TABLE seats (n BIGINT NOT NULL);\n");
const EXPAND: Migration = Migration::new(
    "0002_window.sql",
    "-- partie: readable-from 0001\nALTER TABLE seats ADD COLUMN by_window BOOLEAN NOT NULL DEFAULT FALSE;\n",
);
const CONTRACT: Migration = Migration::new("0003_no_n.sql", "ALTER TABLE seats DROP COLUMN n;\n");
const OLD: [MigrationSet; 1] = set(&[ONE]);
const EXPANDED: [MigrationSet; 1] = set(&[ONE, EXPAND]);
const CONTRACTED: [MigrationSet; 1] = set(&[ONE, EXPAND, CONTRACT]);

async fn seats(store: &Store) -> i64 {
    let count: Outcome<i64> =
        store.read(|tx| Ok(tx.query_one("SELECT count(*) FROM seats", &[], |row| row.get(0))?)).await;
    count.unwrap()
}

async fn sit(store: &Store, sql: &'static str) {
    let done: Outcome<usize> = store.write(move |tx| Ok(tx.execute(sql, &[])?)).await;
    assert_eq!(done.unwrap(), 1);
}

#[tokio::test]
async fn an_older_program_reads_and_writes_an_expanded_database() {
    let dir = Dir::new();
    for (round, sets) in (0..).zip([&OLD, &EXPANDED, &OLD, &EXPANDED]) {
        let store = try_open(dir.path(), sets).unwrap();
        assert_eq!(seats(&store).await, round);
        sit(&store, "INSERT INTO seats (n) VALUES (1)").await;
        store.close().await;
    }
    let store = try_open(dir.path(), &EXPANDED).unwrap();
    sit(&store, "DELETE FROM seats WHERE rowid = 3 AND NOT by_window").await;
    store.close().await;
}

#[tokio::test]
async fn an_older_program_is_refused_by_a_contracted_database_and_touches_nothing() {
    let dir = Dir::new();
    try_open(dir.path(), &CONTRACTED).unwrap().close().await;
    let file = dir.path().join("test.db");
    let before = fs::read(&file).unwrap();
    for (older, knows) in [(&OLD, 1), (&EXPANDED, 2)] {
        let error = try_open(dir.path(), older).unwrap_err();
        assert!(
            matches!(&error, OpenError::Newer { found: 3, readable_from: 3, known, .. } if *known == knows),
            "{error}"
        );
        assert_eq!(fs::read(&file).unwrap(), before, "{knows}");
    }
    assert!(!dir.path().join("test.db-wal").metadata().is_ok_and(|log| log.len() > 0));
    try_open(dir.path(), &CONTRACTED).unwrap().close().await;
}

#[tokio::test]
async fn a_database_from_before_there_was_a_lowest_version_gets_one() {
    let dir = Dir::new();
    try_open(dir.path(), &OLD).unwrap().close().await;
    let connection = rusqlite::Connection::open(dir.path().join("test.db")).unwrap();
    connection.execute_batch("DROP TABLE partie_readable").unwrap();
    connection.close().unwrap();
    try_open(dir.path(), &EXPANDED).unwrap().close().await;
    try_open(dir.path(), &OLD).unwrap().close().await;
}

#[test]
fn a_migration_controls_no_transaction() {
    for sql in ["COMMIT;", "PRAGMA journal_mode = DELETE;", "ATTACH 'x.db' AS x;", "BEGIN;"] {
        let dir = Dir::new();
        let sql: &'static str = sql;
        let migrations = Box::leak(Box::new([Migration { version: 1, name: "0001_x.sql", sql }]));
        assert!(refusal(dir.path(), &set(migrations)).contains("not authorized"), "{sql}");
    }
    let dir = Dir::new();
    drop(
        try_open(
            dir.path(),
            &set(const { &[Migration::new("0001_x.sql", "PRAGMA defer_foreign_keys = ON;")] }),
        )
        .unwrap(),
    );
}
