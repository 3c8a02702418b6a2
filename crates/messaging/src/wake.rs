//! Wakes the parts of a worker without a moment in which the system looks quiet.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use partie_contract::Timestamp;
use partie_runtime::{Activity, Busy};
use partie_store::{Store, Tx};
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

/// What a ring is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Topic {
    /// There are events to send.
    Relay,
    /// A timer may be due earlier than was known.
    Timers,
    /// There are jobs to do.
    Jobs,
    /// A saga has begun, or was told something.
    Sagas,
}

/// The bells of one store. Transactions find them attached to it; without a worker there are none, and what a
/// transaction writes is found when a worker starts.
///
/// Where several processes share the store, a commit rings the store's own bells, which all of them hear; whoever is on
/// duty rings these for it.
pub(crate) struct Hub {
    activity: Activity,
    is_shared: bool,
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

// === impl Topic ===

impl Topic {
    pub(crate) const ALL: [Self; 4] = [Self::Relay, Self::Timers, Self::Jobs, Self::Sagas];

    /// The bell of the store that tells other processes.
    pub(crate) fn channel(self) -> &'static str {
        match self {
            Self::Relay => "relay",
            Self::Timers => "timers",
            Self::Jobs => "jobs",
            Self::Sagas => "sagas",
        }
    }
}

// === impl Hub ===

impl Hub {
    pub(crate) fn new(store: &Store) -> Self {
        Self {
            activity: store.activity().clone(),
            is_shared: store.is_shared(),
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
    pub(crate) fn ring_after_commit(tx: &mut Tx, topic: Topic) {
        Self::after_commit(tx, topic, move |hub| hub.ring(topic));
    }

    /// As [`ring_after_commit`](Self::ring_after_commit), for a timer. Most are due long after the next one, and nobody
    /// has to be woken for them.
    pub(crate) fn want_timer_after_commit(tx: &mut Tx, due: Timestamp) {
        Self::after_commit(tx, Topic::Timers, move |hub| {
            if due.as_millis() < hub.timers_next.load(Ordering::SeqCst) {
                hub.ring(Topic::Timers);
            }
        });
    }

    /// As [`ring_after_commit`](Self::ring_after_commit), for one saga.
    pub(crate) fn want_saga_after_commit(tx: &mut Tx, saga: Uuid) {
        Self::after_commit(tx, Topic::Sagas, move |hub| hub.want([saga]));
    }

    fn after_commit(tx: &mut Tx, topic: Topic, ring: impl FnOnce(&Self) + Send + 'static) {
        match tx.attached::<Self>() {
            Some(hub) if hub.is_shared => tx.ring(topic.channel()),
            Some(hub) => tx.after_commit(move || ring(&hub)),
            None => {}
        }
    }

    /// Rings in this process.
    pub(crate) fn ring(&self, topic: Topic) {
        let bell = match topic {
            Topic::Relay => &self.relay,
            Topic::Timers => &self.timers,
            Topic::Jobs => &self.jobs,
            Topic::Sagas => &self.sagas,
        };
        bell.ring(self.activity.begin());
    }

    /// Rings for sagas.
    pub(crate) fn want(&self, sagas: impl IntoIterator<Item = Uuid>) {
        let mut wanted = self.wanted();
        for saga in sagas {
            wanted.entry(saga).or_insert_with(|| self.turns.wait());
        }
        drop(wanted);
        self.ring(Topic::Sagas);
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

    /// The sagas that were wanted since this was last asked, with their places in the queue.
    pub(crate) fn take_wanted(&self) -> BTreeMap<Uuid, Place> {
        std::mem::take(&mut *self.wanted())
    }

    fn wanted(&self) -> MutexGuard<'_, BTreeMap<Uuid, Place>> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
