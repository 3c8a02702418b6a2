//! Wakes the parts of a worker without a moment in which the system looks quiet.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use partie_contract::Timestamp;
use partie_runtime::{Activity, Busy};
use partie_store::Tx;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::saga::{Place, Turns};

/// Tells one loop that there is something to do. Rings while nobody listens are not lost.
#[derive(Default)]
pub(crate) struct Bell {
    /// Held from the ring until the loop has taken it over.
    busy: Mutex<Option<Busy>>,
    notify: Notify,
}

/// The bells of one store. Transactions find them attached to it; without a worker there are none, and what a
/// transaction writes is found when a worker starts.
pub(crate) struct Hub {
    activity: Activity,
    pub(crate) relay: Bell,
    timers: Bell,
    /// When the timers are looked at next without a ring, in milliseconds of business time: an earlier one needs a ring.
    timers_next: AtomicI64,
    pub(crate) jobs: Bell,
    pub(crate) sagas: Bell,
    /// Which sagas the bell was rung for. They wait from the commit on, however busy their runner is.
    wanted: Mutex<BTreeMap<Uuid, Place>>,
    pub(crate) turns: Arc<Turns>,
}

/// Later than every timer.
const ANY: i64 = i64::MAX;

// === impl Bell ===

impl Bell {
    pub(crate) fn ring(&self, busy: Busy) {
        self.lock().get_or_insert(busy);
        self.notify.notify_one();
    }

    /// Waits for a ring. Something is going on from the ring on, until what is given back is dropped.
    pub(crate) async fn rung(&self) -> Busy {
        loop {
            if let Some(busy) = self.taken() {
                return busy;
            }
            self.notify.notified().await;
        }
    }

    /// What was rung meanwhile.
    pub(crate) fn taken(&self) -> Option<Busy> {
        self.lock().take()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Busy>> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Hub ===

impl Hub {
    pub(crate) fn new(activity: Activity) -> Self {
        Self {
            activity,
            relay: Bell::default(),
            timers: Bell::default(),
            timers_next: AtomicI64::new(ANY),
            jobs: Bell::default(),
            sagas: Bell::default(),
            wanted: Mutex::default(),
            turns: Arc::default(),
        }
    }

    /// Rings after the commit, before the store itself is done with the transaction.
    pub(crate) fn ring_after_commit(tx: &mut Tx, bell: fn(&Self) -> &Bell) {
        if let Some(hub) = tx.attached::<Self>() {
            tx.after_commit(move || bell(&hub).ring(hub.activity.begin()));
        }
    }

    /// As [`ring_after_commit`](Self::ring_after_commit), for a timer. Most are due long after the next one, and nobody
    /// has to be woken for them.
    pub(crate) fn want_timer_after_commit(tx: &mut Tx, due: Timestamp) {
        if let Some(hub) = tx.attached::<Self>() {
            tx.after_commit(move || {
                if due.as_millis() < hub.timers_next.load(Ordering::SeqCst) {
                    hub.timers.ring(hub.activity.begin());
                }
            });
        }
    }

    /// From here on every timer rings: it is not known yet which one is next.
    pub(crate) fn expect_any_timer(&self) {
        self.timers_next.store(ANY, Ordering::SeqCst);
    }

    /// From here on only timers before that one ring. What has rung since [`expect_any_timer`](Self::expect_any_timer)
    /// stays rung.
    pub(crate) fn expect_timer(&self, next: Option<Timestamp>) {
        self.timers_next.store(next.map_or(ANY, Timestamp::as_millis), Ordering::SeqCst);
    }

    /// Waits for a timer that rings.
    pub(crate) async fn timer_rung(&self) -> Busy {
        self.timers.rung().await
    }

    /// As [`ring_after_commit`](Self::ring_after_commit), for one saga.
    pub(crate) fn want_saga_after_commit(tx: &mut Tx, saga: Uuid) {
        if let Some(hub) = tx.attached::<Self>() {
            tx.after_commit(move || {
                hub.wanted().entry(saga).or_insert_with(|| hub.turns.wait());
                hub.sagas.ring(hub.activity.begin());
            });
        }
    }

    /// The sagas that were wanted since this was last asked, with their places in the queue.
    pub(crate) fn take_wanted(&self) -> BTreeMap<Uuid, Place> {
        std::mem::take(&mut *self.wanted())
    }

    fn wanted(&self) -> MutexGuard<'_, BTreeMap<Uuid, Place>> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
