//! Removes what nobody needs any more.

use std::time::Duration;

use partie_contract::{Outcome, OutcomeExt, Platform};
use partie_runtime::{Stop, trust_now};
use partie_store::{Store, Tx};
use tracing::warn;

use crate::config::Config;
use crate::{inbox, jobs, outbox, saga};

/// How often old rows are looked for.
const PRUNE_EVERY: Duration = Duration::from_secs(60);
/// How many are removed in one transaction.
const PRUNED_AT_ONCE: usize = 500;

/// What nobody needs any more.
#[derive(Clone)]
pub(super) struct Old {
    pub(super) store: Store,
    pub(super) config: Config,
    /// How long handled events are remembered.
    pub(super) remember: Duration,
}

// === impl Old ===

impl Old {
    /// Removes it every now and then.
    pub(super) async fn prune(self, stop: Stop) {
        let stopped = stop.stopped();
        tokio::pin!(stopped);
        loop {
            tokio::select! { () = tokio::time::sleep(PRUNE_EVERY) => {}, () = &mut stopped => return }
            if let Err(error) = self.remove(&stop).await {
                warn!(store = self.store.name(), %error, "old rows could not be removed");
            }
        }
    }

    /// A little at a time, so that nobody waits for it.
    pub(super) async fn remove(&self, stop: &Stop) -> Result<usize, Platform> {
        let (Config { relay, jobs, sagas, .. }, remember) = (&self.config, self.remember);
        let (sent, done, ended) = (relay.keep_sent, jobs.keep_done, sagas.keep_ended);
        let limit = i64::try_from(PRUNED_AT_ONCE).unwrap_or(i64::MAX);
        let mut total = 0;
        loop {
            let sent_before = trust_now().saturating_sub(i64::try_from(sent.as_secs()).unwrap_or(i64::MAX));
            let once = move |tx: &mut Tx| -> Outcome<[usize; 4]> {
                Ok([
                    outbox::prune(tx, sent_before, limit)?,
                    inbox::prune(tx, remember, limit)?,
                    jobs::prune(tx, done, limit)?,
                    saga::prune(tx, ended, limit)?,
                ])
            };
            let pruned = self.store.write(once).await.unexpected()?;
            total += pruned.iter().sum::<usize>();
            let there_is_more = pruned.into_iter().any(|pruned| pruned >= PRUNED_AT_ONCE);
            if !there_is_more || stop.is_stopped() {
                return Ok(total);
            }
        }
    }
}
