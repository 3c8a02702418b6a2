//! Whether nothing happens any more in a system whose stores and broker are elsewhere.
//!
//! In one process everything that goes on hands over without a gap, and can be counted. What has left for a server is on
//! its way without anybody here knowing, so that the stores are asked what is still to be done.

use std::collections::BTreeSet;
use std::time::Duration;

use partie::Running;
use partie::store::{Store, Tx};
use partie_contract::{Outcome, Timestamp};
use partie_runtime::monotonic;

/// How often somebody looks.
const A_MOMENT: Duration = Duration::from_millis(5);
/// How long the services may take until they consume, and how long nothing has to change for that.
const BEGIN: Duration = Duration::from_secs(20);
const SETTLED: Duration = Duration::from_millis(500);
/// The same where nobody has begun: perhaps nobody handles anything.
const NOBODY: Duration = Duration::from_secs(5);

/// What a store says of the work that is under way.
struct Look {
    /// What is to be done now, in pieces.
    due: i64,
    /// Events that were sent, and their types.
    sent: Vec<(Vec<u8>, String)>,
    /// How many events there ever were.
    events: i64,
}

/// What it says of the events of others.
struct Heard {
    groups: Vec<String>,
    /// Group and event: what was handled, and what waits for somebody's help or for its next attempt.
    handled: BTreeSet<(String, Vec<u8>)>,
}

/// The stores of a system that are on servers.
fn shared(running: &Running) -> Vec<&Store> {
    let services: BTreeSet<_> = running.contracts().iter().map(|contract| contract.service).collect();
    services
        .into_iter()
        .filter_map(|service| running.store(service))
        .filter(|store| store.is_shared())
        .collect()
}

/// Waits until nothing is going on, here and there.
pub(crate) async fn quiet(running: &Running) {
    let (activity, stores) = (running.activity(), shared(running));
    let mut before = None;
    loop {
        activity.quiet().await;
        if stores.is_empty() {
            return;
        }
        let now = look(&stores, running.clock().now()).await;
        // What was seen in one store may have gone on to another that had been looked at already.
        if now.is_some() && now == before && activity.is_quiet() {
            return;
        }
        before = now;
        tokio::time::sleep(A_MOMENT).await;
    }
}

/// Waits until the services read what others say: who joins a log later would be missed.
pub(crate) async fn begun(running: &Running) {
    let stores = shared(running);
    let until = monotonic() + BEGIN;
    let (mut before, mut since) = (0, monotonic());
    while !stores.is_empty() && since.elapsed() < if before == 0 { NOBODY } else { SETTLED } {
        assert!(monotonic() < until, "the services do not consume");
        let mut groups = 0;
        for store in &stores {
            groups += heard(store).await.map_or(0, |heard| heard.groups.len());
        }
        if groups != before {
            (before, since) = (groups, monotonic());
        }
        tokio::time::sleep(A_MOMENT).await;
    }
}

/// How many events there were, if nothing is left to be done.
async fn look(stores: &[&Store], now: Timestamp) -> Option<i64> {
    let (mut events, mut sent) = (0, Vec::new());
    for store in stores {
        let found: Outcome<Look> = store.read(move |tx| Ok(under_way(tx, now)?)).await;
        let found = found.ok().filter(|found| found.due == 0)?;
        events += found.events;
        sent.extend(found.sent);
    }
    for store in stores {
        let heard = heard(store).await?;
        for (id, type_name) in &sent {
            let suffix = format!("/{type_name}");
            let mut groups = heard.groups.iter().filter(|group| group.ends_with(&suffix));
            if !groups.all(|group| heard.handled.contains(&(group.clone(), id.clone()))) {
                return None;
            }
        }
    }
    Some(events)
}

fn under_way(tx: &mut Tx, now: Timestamp) -> Result<Look, partie::store::Error> {
    let due = tx.query_one(
        "SELECT (SELECT COUNT(*) FROM partie_outbox WHERE position > (SELECT sent_to FROM partie_relay))
              + (SELECT COUNT(*) FROM partie_timers WHERE parked_at IS NULL AND due_at <= $1)
              + (SELECT COUNT(*) FROM partie_jobs WHERE state IN ('queued', 'running'))
              + (SELECT COUNT(*) FROM partie_sagas WHERE phase = 'starting' AND parked IS NULL)",
        &[&now],
        |row| row.get(0),
    )?;
    let sent = tx.query("SELECT id, type FROM partie_outbox", &[], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let events =
        tx.query_one("SELECT COALESCE(MAX(position), 0) FROM partie_outbox", &[], |row| row.get(0))?;
    Ok(Look { due, sent, events })
}

async fn heard(store: &Store) -> Option<Heard> {
    let heard: Outcome<Heard> = store
        .read(|tx| {
            let groups =
                tx.query("SELECT name FROM partie_log_groups WHERE is_read", &[], |row| row.get(0))?;
            let handled = tx.query(
                "SELECT group_name, event FROM partie_inbox UNION SELECT group_name, id FROM partie_log_held",
                &[],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )?;
            Ok(Heard { groups, handled: handled.into_iter().collect() })
        })
        .await;
    heard.ok()
}
