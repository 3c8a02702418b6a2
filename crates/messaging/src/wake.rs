//! Wakes the parts of a worker without a moment in which the system looks quiet.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use partie_runtime::{Activity, Busy};
use partie_store::Tx;
use tokio::sync::Notify;
use uuid::Uuid;

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
    pub(crate) timers: Bell,
    pub(crate) jobs: Bell,
    pub(crate) sagas: Bell,
    /// Which sagas the bell was rung for.
    wanted: Mutex<BTreeSet<Uuid>>,
}

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
            jobs: Bell::default(),
            sagas: Bell::default(),
            wanted: Mutex::default(),
        }
    }

    /// Rings after the commit, before the store itself is done with the transaction.
    pub(crate) fn ring_after_commit(tx: &mut Tx, bell: fn(&Self) -> &Bell) {
        if let Some(hub) = tx.attached::<Self>() {
            tx.after_commit(move || bell(&hub).ring(hub.activity.begin()));
        }
    }

    /// As [`ring_after_commit`](Self::ring_after_commit), for one saga.
    pub(crate) fn want_saga_after_commit(tx: &mut Tx, saga: Uuid) {
        if let Some(hub) = tx.attached::<Self>() {
            tx.after_commit(move || {
                hub.wanted().insert(saga);
                hub.sagas.ring(hub.activity.begin());
            });
        }
    }

    /// The sagas that were wanted since this was last asked.
    pub(crate) fn take_wanted(&self) -> BTreeSet<Uuid> {
        std::mem::take(&mut *self.wanted())
    }

    fn wanted(&self) -> MutexGuard<'_, BTreeSet<Uuid>> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
