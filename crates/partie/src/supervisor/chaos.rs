//! Kills processes now and then, for `--chaos`.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::keeper::Order;
use crate::chaos::{Chaos, count};

/// The time from one death to the next.
const LEAST: Duration = Duration::from_secs(2);
const MORE_MS: u64 = 4_000;
/// How long a process may take to be in its place again; the next death waits for it.
const REVIVAL: Duration = Duration::from_secs(30);

/// Kills one process after another, until it is dropped. Each time it waits until the process answers again: a system is
/// to survive a death, not the lack of everybody.
pub(super) async fn kill_now_and_then(victims: Vec<mpsc::Sender<Order>>, chaos: Chaos) {
    let dice = chaos.dice("supervisor");
    loop {
        tokio::time::sleep(LEAST + Duration::from_millis(dice.below(MORE_MS))).await;
        let Some(victim) =
            usize::try_from(dice.below(victims.len() as u64)).ok().and_then(|at| victims.get(at))
        else {
            return;
        };
        let (back, revived) = oneshot::channel();
        if victim.send(Order::Crash(back)).await.is_err() {
            return;
        }
        count(&chaos.tally().killed);
        if matches!(tokio::time::timeout(REVIVAL, revived).await, Ok(Ok(()))) {
            count(&chaos.tally().revived);
        }
    }
}
