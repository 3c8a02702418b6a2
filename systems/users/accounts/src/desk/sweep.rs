//! Periodic work: what is over is thrown away in small transactions.

use std::time::Duration;

use partie::contract::{Abort, Call, NoProblem, Outcome};
use partie::runtime::trust_now;

use super::UserDesk;
use crate::rows;

/// How much is thrown away in one transaction.
const AT_ONCE: usize = 200;
/// How long sessions are shown that are over.
const KEPT: Duration = Duration::from_hours(24 * 30);
/// How long an account may wait for its address to be verified. Nobody can keep somebody else's address for longer.
const UNVERIFIED: Duration = Duration::from_hours(24 * 7);

impl UserDesk {
    /// Throws away what is over.
    pub(crate) async fn sweep(&self, _: &Call) -> Result<(), Abort> {
        let (lock, trusted) = (self.settings.lock, trust_now());
        loop {
            let swept: Outcome<usize, NoProblem> = self
                .store
                .write(move |tx| {
                    let now = tx.now();
                    rows::codes::prune(tx, now)?;
                    rows::attempts::prune(tx, now - lock, now)?;
                    rows::revocations::prune(tx, trusted)?;
                    let sessions = rows::sessions::over(tx, now - KEPT, AT_ONCE)?;
                    for id in &sessions {
                        rows::sessions::remove(tx, *id)?;
                    }
                    let accounts = rows::users::never_verified(tx, now - UNVERIFIED, AT_ONCE)?;
                    for id in &accounts {
                        rows::codes::forget(tx, *id)?;
                        rows::users::remove(tx, *id)?;
                    }
                    Ok(sessions.len().max(accounts.len()))
                })
                .await;
            if swept? < AT_ONCE {
                return Ok(());
            }
        }
    }
}
