//! A process that is killed at any moment has lost nothing that it answered, and kept nothing by halves.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use partie_contract::Outcome;
use partie_store::{Config, Handles, Store};

use crate::support::{Dir, ITEMS, keyed, open, plain};

/// Where the child works. Its presence makes `child` the child.
const DIR: &str = "PARTIE_TEST_CRASH_DIR";

/// Not a test of its own: the process that is killed. It writes as fast as it can and says what was answered.
#[test]
fn child() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let store =
            Store::open(Path::new(&dir), "test", &[ITEMS], Handles::system(), Config::default()).unwrap();
        let first = plain(
            store
                .read(|tx| {
                    Ok(tx.query_one("SELECT coalesce(max(id) + 1, 0) FROM items", &[], |row| row.get(0))?)
                })
                .await,
        );
        let next = Arc::new(AtomicI64::new(first.unwrap()));
        let mut writers = tokio::task::JoinSet::new();
        for _ in 0..32 {
            let (store, next) = (store.clone(), Arc::clone(&next));
            writers.spawn(async move {
                loop {
                    let id = next.fetch_add(1, Ordering::Relaxed);
                    write(&store, id).await.unwrap();
                    std::io::stdout().write_all(format!("\nack {id}\n").as_bytes()).unwrap();
                }
            });
        }
        writers.join_next().await;
    });
}

/// Two rows and a key, or nothing.
async fn write(store: &Store, id: i64) -> Outcome<i64> {
    store
        .once(&keyed(&format!("k{id}"), 1), move |tx| {
            tx.execute("INSERT INTO items (id, at) VALUES ($1, $2)", &[&id, &tx.now()])?;
            tx.execute("INSERT INTO parts (item) VALUES ($1)", &[&id])?;
            Ok(id)
        })
        .await
}

fn start(dir: &Dir, failpoint: Option<&str>) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "crash::child", "--nocapture"]).env(DIR, dir.path());
    if let Some(failpoint) = failpoint {
        command.env("PARTIE_FAILPOINT", failpoint);
    }
    command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

/// What the child said was answered; it is killed after that many answers, unless it dies by itself.
fn answered(mut child: Child, kill_after: usize) -> BTreeSet<i64> {
    let mut acks = BTreeSet::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        if let Some(id) = line.unwrap().strip_prefix("ack ") {
            acks.extend(id.parse::<i64>());
        }
        if acks.len() == kill_after {
            // SIGKILL on Unix. What it still says on the way counts as well.
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    acks
}

async fn check(dir: &Dir, acks: &BTreeSet<i64>) {
    let store = open(dir, Config::default());
    let found = plain(
        store
            .read(|tx| {
                let items: Vec<i64> = tx.query("SELECT id FROM items", &[], |row| row.get(0))?;
                let parts: Vec<i64> = tx.query("SELECT item FROM parts", &[], |row| row.get(0))?;
                let keys: Vec<String> = tx.query("SELECT key FROM partie_keys", &[], |row| row.get(0))?;
                Ok((items, parts, keys))
            })
            .await,
    );
    let (items, parts, keys) = found.unwrap();
    let count = items.len();
    let items: BTreeSet<i64> = items.into_iter().collect();
    assert!(acks.is_subset(&items), "lost: {:?}", acks.difference(&items).collect::<Vec<_>>());
    assert_eq!((parts.len(), keys.len()), (count, count));
    assert_eq!(parts.into_iter().collect::<BTreeSet<_>>(), items);
    assert_eq!(keys.iter().map(|key| key[1..].parse().unwrap()).collect::<BTreeSet<i64>>(), items);
    store.close().await;
}

#[tokio::test]
async fn a_process_killed_under_load_has_lost_nothing_that_it_answered() {
    let dir = Dir::new();
    let mut all = BTreeSet::new();
    // The moment is as random as the load; the first one meets a store that is hardly there.
    for kill_after in [1, 40, 333, 1000] {
        let acks = answered(start(&dir, None), kill_after);
        assert!(acks.len() >= kill_after);
        all.extend(acks);
        check(&dir, &all).await;
    }
}

#[tokio::test]
async fn a_process_that_dies_before_or_after_a_commit_keeps_all_of_it_or_nothing() {
    for (failpoint, commits) in [
        ("store.test.before_commit@1", 0),
        ("store.test.after_commit@1", 1),
        ("store.test.before_commit@9", 8),
        ("store.test.after_commit@9", 9),
    ] {
        let dir = Dir::new();
        let acks = answered(start(&dir, Some(failpoint)), usize::MAX);
        assert_eq!(acks.is_empty(), commits < 2, "{failpoint}: {acks:?}");
        check(&dir, &acks).await;
    }
}
