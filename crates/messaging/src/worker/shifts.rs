//! Taking turns: of the processes that share a store, one is on duty.

use std::time::Duration;

use partie_contract::Outcome;
use partie_store::{Lease, Store};
use tracing::{info, warn};

use super::Stages;
use super::duty::Duty;
use crate::saga;
use crate::wake::Topic;

/// The lease of whoever is on duty.
const DUTY: &str = "worker";
/// How often whoever stands by looks how far the one on duty is behind.
const LOOK: Duration = Duration::from_secs(1);

/// Stands by, is on duty once nobody else is, and stands by again when its lease is over, until the stages stop.
///
/// What is done on duty is done under the lease: whoever is taken for dead and is not writes nothing more. The lease goes
/// on to the next one as soon as the last task that writes under it has ended.
pub(super) async fn shifts<S: Send + Sync + 'static>(duty: Duty<S>, store: Store, stages: Stages) {
    let stopped = stages.consumers.stopped();
    tokio::pin!(stopped);
    loop {
        let lease = tokio::select! {
            lease = store.lease(DUTY) => lease,
            () = stand_by(&duty, &store) => return,
            () = &mut stopped => return,
        };
        info!(store = store.name(), epoch = lease.epoch(), "on duty");
        let shift = stages.part();
        begin(&duty, &store, &lease, &shift);
        let lost = lease.lost();
        // Those who do the work keep it from here on.
        drop(lease);
        tokio::select! {
            () = lost => warn!(store = store.name(), "the lease is over: another process may be on duty"),
            () = &mut stopped => return,
        }
        shift.stop();
    }
}

fn begin<S: Send + Sync + 'static>(duty: &Duty<S>, store: &Store, lease: &Lease, shift: &Stages) {
    let store = store.under(lease);
    for topic in Topic::ALL {
        let (mut bell, hub) = (store.bell(topic.channel()), duty.hub());
        let (store, stopped) = (store.clone(), shift.work.stopped());
        shift.work.spawn(async move {
            tokio::pin!(stopped);
            loop {
                tokio::select! { () = bell.rung() => {}, () = &mut stopped => return }
                if topic != Topic::Sagas {
                    hub.ring(topic);
                    continue;
                }
                // Which ones it was is in the store.
                let news: Outcome<_> = store.read(|tx| Ok(saga::with_news(tx)?)).await;
                match news {
                    Ok(news) if news.is_empty() => {}
                    Ok(news) => hub.want(news),
                    Err(error) => {
                        warn!(store = store.name(), %error, "sagas that have news are looked for again")
                    }
                }
            }
        });
    }
    duty.begin(&store, shift);
}

/// Knows how far events are behind, although somebody else sends them.
async fn stand_by<S: Send + Sync + 'static>(duty: &Duty<S>, store: &Store) {
    loop {
        duty.look_at_backlog(store).await;
        tokio::time::sleep(LOOK).await;
    }
}
