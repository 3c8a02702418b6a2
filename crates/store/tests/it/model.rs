//! Any interleaving of writes that succeed, fail, panic and break the transaction ends like the same writes one by one.

use std::collections::BTreeMap;

use partie_contract::{Abort, FaultKind, Outcome};
use partie_store::{Config, Store, Tx};
use proptest::prelude::*;

use crate::group::hold;
use crate::support::{Dir, open, plain, quick};

/// What one write does. Items are numbered 0 to 7, so that writes meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    /// Inserts; fails if the item is there.
    Insert(i64),
    /// Counts the item up, if it is there.
    Add(i64),
    Delete(i64),
    /// Inserts one that is new, then meets a unique violation that ends the whole transaction.
    Kill(i64),
    /// The same, and says that all is well.
    KillInSilence(i64),
    /// Deletes, then fails.
    Fail(i64),
    /// Deletes, then panics.
    Panic(i64),
    /// Refers to an item that is not there, which shows at the commit.
    Orphan(i64),
}

fn act() -> impl Strategy<Value = Act> {
    let item = 0..8_i64;
    prop_oneof![
        4 => item.clone().prop_map(Act::Insert),
        4 => item.clone().prop_map(Act::Add),
        2 => item.clone().prop_map(Act::Delete),
        1 => item.clone().prop_map(Act::Kill),
        1 => item.clone().prop_map(Act::KillInSilence),
        1 => item.clone().prop_map(Act::Fail),
        1 => item.clone().prop_map(Act::Panic),
        1 => item.prop_map(Act::Orphan),
    ]
}

/// The closure of a write. It gives back how many items there are then.
fn perform(tx: &mut Tx, act: Act) -> Outcome<i64> {
    match act {
        Act::Insert(id) => tx.execute("INSERT INTO items (id, at) VALUES ($1, 0)", &[&id])?,
        Act::Add(id) => tx.execute("UPDATE items SET at = at + 1 WHERE id = $1", &[&id])?,
        Act::Delete(id) => tx.execute("DELETE FROM items WHERE id = $1", &[&id])?,
        Act::Kill(id) | Act::KillInSilence(id) => {
            tx.execute("DELETE FROM items WHERE id = $1", &[&id])?;
            tx.execute("INSERT INTO items (id, at) VALUES ($1, 9)", &[&id])?;
            let killed = tx.execute("INSERT OR ROLLBACK INTO items (id, at) VALUES ($1, 9)", &[&id]);
            match act {
                Act::Kill(_) => killed?,
                _ => return Ok(-1),
            }
        }
        Act::Fail(id) => {
            tx.execute("DELETE FROM items WHERE id = $1", &[&id])?;
            return Err(Abort::because("on purpose").into());
        }
        Act::Panic(id) => {
            tx.execute("DELETE FROM items WHERE id = $1", &[&id])?;
            panic!("on purpose");
        }
        Act::Orphan(id) => tx.execute("INSERT INTO parts (item) VALUES ($1 + 100)", &[&id])?,
    };
    Ok(tx.query_one("SELECT count(*) FROM items", &[], |row| row.get(0))?)
}

/// What the same writes do one by one, in memory.
fn model(acts: &[Act]) -> (BTreeMap<i64, i64>, Vec<Result<i64, FaultKind>>) {
    let mut items = BTreeMap::new();
    let answers = acts
        .iter()
        .map(|act| {
            match *act {
                Act::Insert(id) if items.contains_key(&id) => return Err(FaultKind::Internal),
                Act::Insert(id) => drop(items.insert(id, 0)),
                Act::Add(id) => {
                    items.entry(id).and_modify(|at| *at += 1);
                }
                Act::Delete(id) => drop(items.remove(&id)),
                Act::Kill(_) | Act::KillInSilence(_) | Act::Fail(_) | Act::Panic(_) | Act::Orphan(_) => {
                    return Err(FaultKind::Internal);
                }
            }
            Ok(items.len() as i64)
        })
        .collect();
    (items, answers)
}

/// The same writes queued behind one another, in groups of any size.
async fn store_says(store: &Store, acts: &[Act]) -> (BTreeMap<i64, i64>, Vec<Result<i64, FaultKind>>) {
    plain(store.write(|tx| Ok(tx.execute("DELETE FROM items", &[])?)).await).unwrap();
    let (release, held) = hold(store).await;
    let mut writes = Vec::new();
    for act in acts.iter().copied() {
        let mut write = Box::pin(store.write(move |tx| perform(tx, act)));
        // Polled once each, in order: that is the order of the queue.
        std::future::poll_fn(|cx| {
            assert!(write.as_mut().poll(cx).is_pending());
            std::task::Poll::Ready(())
        })
        .await;
        writes.push(write);
    }
    release.send(()).unwrap();
    held.await.unwrap().unwrap();
    let mut answers = Vec::new();
    for write in writes {
        answers.push(plain(write.await).map_err(|fault| crate::support::platform(fault).kind()));
    }
    let items = plain(
        store
            .read(|tx| Ok(tx.query("SELECT id, at FROM items", &[], |row| Ok((row.get(0)?, row.get(1)?)))?))
            .await,
    );
    (items.unwrap().into_iter().collect(), answers)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn writes_in_groups_end_like_writes_one_by_one(
        acts in proptest::collection::vec(act(), 1..60),
        batch in 1..20_usize,
        run_twice: bool,
    ) {
        let dir = Dir::new();
        let mut config: Config = quick();
        (config.batch, config.run_twice) = (batch, run_twice);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
        let said = runtime.block_on(async {
            let store = open(&dir, config);
            let said = store_says(&store, &acts).await;
            store.close().await;
            said
        });
        prop_assert_eq!(said, model(&acts));
    }
}
