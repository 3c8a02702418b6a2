//! Tells drivers who wait that there is news for them.

use std::fmt;

use food_contracts::DriverId;
use partie::runtime::{Activity, Busy};
use partie::store::Tx;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

/// Wakes that may be unread; whoever misses some looks again, which is all a wake makes them do.
const UNREAD: usize = 1024;

/// Wakes long polls once a transaction has committed.
pub(crate) struct Wakes {
    wakes: broadcast::Sender<(DriverId, Busy)>,
    activity: Activity,
}

/// Somebody who waits. Subscribe first, then look, then wait: so nothing falls in between.
pub(crate) struct Waiter(broadcast::Receiver<(DriverId, Busy)>);

impl Wakes {
    pub(crate) fn new(activity: Activity) -> Self {
        Self { wakes: broadcast::channel(UNREAD).0, activity }
    }

    /// Wakes the driver after the commit. A wake that is on its way is something going on.
    pub(crate) fn wake(&self, tx: &mut Tx, driver: DriverId) {
        let (wakes, activity) = (self.wakes.clone(), self.activity.clone());
        // Without waiters there is nobody to tell.
        tx.after_commit(move || drop(wakes.send((driver, activity.begin()))));
    }

    pub(crate) fn waiter(&self) -> Waiter {
        Waiter(self.wakes.subscribe())
    }
}

impl Waiter {
    /// Waits for news of that driver. Hold what it gives back until there is an answer.
    pub(crate) async fn news_of(&mut self, driver: DriverId) -> Option<Busy> {
        loop {
            match self.0.recv().await {
                Ok((woken, busy)) if woken == driver => return Some(busy),
                Ok(_) => {}
                Err(RecvError::Lagged(_) | RecvError::Closed) => return None,
            }
        }
    }
}

impl fmt::Debug for Wakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wakes({} waiters)", self.wakes.receiver_count())
    }
}
