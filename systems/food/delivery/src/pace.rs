//! When dispatch works: at its rounds, when something runs out, and not at all while nothing waits.

use std::fmt;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use partie::contract::{Outcome, Platform, Timestamp};
use partie::runtime::{Activity, Busy};
use partie::store::{Health, Tx};
use tokio::sync::Notify;
use tracing::warn;

use crate::desk::DeliveryDesk;
use crate::round::plain;
use crate::rows;
use crate::settings::{Settings, millis};

/// How soon a beat that failed is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// Rung by transactions whose commit may give dispatch something to do.
#[derive(Clone)]
pub(crate) struct Bell(Arc<Rung>);

struct Rung {
    notify: Notify,
    /// A ring that nobody has heard yet is something going on.
    busy: Mutex<Option<Busy>>,
    activity: Activity,
}

// === impl Bell ===

impl Bell {
    pub(crate) fn new(activity: Activity) -> Self {
        Self(Arc::new(Rung { notify: Notify::new(), busy: Mutex::new(None), activity }))
    }

    /// Rings after the commit.
    pub(crate) fn ring(&self, tx: &mut Tx) {
        let bell = self.clone();
        tx.after_commit(move || bell.sound());
    }

    fn sound(&self) {
        self.busy().get_or_insert_with(|| self.0.activity.begin());
        self.0.notify.notify_one();
    }

    /// Waits for a ring. One that came while the one before it was being heard was heard with it: to answer it once more,
    /// with nothing going on, would leave a moment in which dispatch works and all looks quiet.
    async fn heard(&self) -> Busy {
        loop {
            self.0.notify.notified().await;
            if let Some(busy) = self.busy().take() {
                return busy;
            }
        }
    }

    fn busy(&self) -> MutexGuard<'_, Option<Busy>> {
        self.0.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Bell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bell")
    }
}

// === impl DeliveryDesk ===

impl DeliveryDesk {
    /// Works until the store is closed.
    pub(crate) async fn keep_pace(self, begun: Busy) {
        let mut busy = Some(begun);
        // When the next round is, while somebody waits and somebody could be asked.
        let mut round = None;
        loop {
            let next = match self.beat(&mut round).await {
                Ok(next) => next,
                Err(_) if self.store.health() == Health::Closed => return,
                Err(fault) => {
                    warn!(error = %fault, cause = ?fault, "dispatch could not work; it tries again");
                    Some(self.store.clock().now() + AGAIN)
                }
            };
            let clock = self.store.clock().clone();
            let mut sleep = pin!(async move {
                match next {
                    Some(next) => clock.sleep_until(next).await,
                    None => std::future::pending().await,
                }
            });
            // The sleeper is known to the clock before this beat ends, or a stepped clock could pass it by.
            let early = tokio::select! {
                biased;
                woken = &mut sleep => Some(woken),
                () = std::future::ready(()) => None,
            };
            if let Some(woken) = early {
                busy = woken.or(busy);
                continue;
            }
            drop(busy.take());
            busy = tokio::select! { woken = sleep => woken, rung = self.board.bell.heard() => Some(rung) };
        }
    }

    /// Ends what is due, plays the round if it is time for one, and says when there is something to do again.
    async fn beat(&self, round: &mut Option<Timestamp>) -> Result<Option<Timestamp>, Platform> {
        let mut due = self.due().await?;
        if due.end.is_some_and(|end| end <= due.now) {
            let board = self.board.clone();
            let swept: Outcome<()> = self.store.write(move |tx| Ok(board.sweep(tx)?)).await;
            plain(swept)?;
            due = self.due().await?;
        }
        if due.can_offer && round.is_some_and(|round| round <= due.now) {
            *round = None;
            self.round().await?;
            due = self.due().await?;
        }
        // What comes together is planned together: a round waits for the full interval, also after a quiet hour.
        *round = due.can_offer.then(|| round.unwrap_or_else(|| round_after(&self.board.settings, due.now)));
        Ok([due.end, *round].into_iter().flatten().min())
    }

    async fn due(&self) -> Result<Due, Platform> {
        let board = self.board.clone();
        let due: Outcome<Due> = self
            .store
            .read(move |tx| {
                let can_offer = rows::deliveries::any_searching(tx)? && rows::drivers::any_available(tx)?;
                Ok(Due { now: tx.now(), end: board.next_end(tx)?, can_offer })
            })
            .await;
        plain(due)
    }
}

/// What there is to do.
struct Due {
    now: Timestamp,
    /// When the next thing runs out.
    end: Option<Timestamp>,
    /// Whether somebody waits and somebody could be asked.
    can_offer: bool,
}

/// When the next round is.
fn round_after(settings: &Settings, now: Timestamp) -> Timestamp {
    let (interval, offset) = (millis(settings.dispatch_interval).max(1), millis(settings.dispatch_offset));
    let number = now.as_millis().saturating_sub(offset).div_euclid(interval);
    Timestamp::from_millis(number.saturating_add(1).saturating_mul(interval).saturating_add(offset))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_ring_is_heard_once_and_is_something_going_on_until_then() {
        let activity = Activity::default();
        let bell = Bell::new(activity.clone());
        bell.sound();
        assert!(!activity.is_quiet());
        let busy = bell.heard().await;
        // A ring between the two halves of hearing: its busy went with the first one, its wake is left over.
        bell.0.notify.notify_one();
        drop(busy);
        tokio::select! {
            biased;
            _ = bell.heard() => panic!("was heard already"),
            () = std::future::ready(()) => {}
        }
        assert!(activity.is_quiet());
        bell.sound();
        drop(bell.heard().await);
    }

    #[test]
    fn rounds_are_on_the_interval_and_later_by_the_offset() {
        let settings = Settings {
            dispatch_interval: Duration::from_secs(60),
            dispatch_offset: Duration::from_secs(1),
            ..Settings::default()
        };
        for (now, next) in [(0, 1_000), (999, 1_000), (1_000, 61_000), (60_999, 61_000), (61_000, 121_000)] {
            let round = round_after(&settings, Timestamp::from_millis(now));
            assert_eq!(round, Timestamp::from_millis(next), "{now}");
        }
    }
}
