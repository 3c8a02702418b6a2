//! Leases: what only one replica of a service may do at a time, and how the others' writes are fenced off.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

#[cfg(feature = "postgres")]
use tokio::sync::oneshot;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// The right to be the one that does something: to relay events, fire timers, run sagas.
///
/// [`Store::lease`](crate::Store::lease) waits for it. It is renewed in the background for as long as it, or a clone of
/// it, is kept, and released when the last one is dropped. It ends by itself ([`lost`](Self::lost)) when it could not be
/// renewed in time: before anybody else can have it, by the monotonic clock of this process.
///
/// A process may stand still at any moment and go on after its lease is over, without knowing. So what it writes as
/// the holder, it writes in transactions that begin with [`Tx::fence`](crate::Tx::fence): they fail once somebody else
/// has become the holder, and whoever becomes the holder waits for those under way. The [`epoch`](Self::epoch) grows with
/// each holder; it fences what does not lie in the store.
///
/// ```
/// # use partie_contract::Outcome;
/// # use partie_store::{Lease, Store};
/// # async fn doc(store: Store) -> Outcome<()> {
/// let lease: Lease = store.lease("sweeper").await;
/// let fenced = lease.clone();
/// store
///     .write(move |tx| {
///         tx.fence(&fenced)?;
///         tx.execute("DELETE FROM baskets WHERE expires_at < $1", &[&tx.now()])?;
///         Ok(())
///     })
///     .await
/// # }
/// ```
#[derive(Clone)]
pub struct Lease(Arc<Held>);

struct Held {
    name: Arc<str>,
    granted: Granted,
    /// The turn among those in this process. Given on last.
    _turn: OwnedSemaphorePermit,
}

/// What the database gives the holder.
pub(crate) struct Granted {
    pub(crate) epoch: i64,
    pub(crate) lost: watch::Receiver<bool>,
    /// What is dropped when nobody holds it any more.
    pub(crate) _kept: Kept,
}

/// What a lease keeps.
pub(crate) enum Kept {
    /// Here nobody else ever says that it is lost.
    Here(#[expect(dead_code, reason = "it lives as long as the lease")] watch::Sender<bool>),
    /// Whoever renews it is told to release it.
    #[cfg(feature = "postgres")]
    There(#[expect(dead_code, reason = "dropping it is the message")] oneshot::Sender<()>),
}

/// Who in this process has its turn, and which epochs are current where only this process writes.
pub(crate) struct Leases {
    turns: Mutex<HashMap<Arc<str>, Turn>>,
    /// Epochs of this process are above it.
    first: i64,
}

struct Turn {
    places: Arc<Semaphore>,
    epoch: i64,
}

// === impl Lease ===

impl Lease {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Which holder this is: greater than that of every earlier one.
    pub fn epoch(&self) -> i64 {
        self.0.granted.epoch
    }

    /// Whether it has ended.
    pub fn is_lost(&self) -> bool {
        *self.0.granted.lost.borrow()
    }

    /// Ends when the lease has. Then stop, and ask for another one.
    pub fn lost(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut lost = self.0.granted.lost.clone();
        async move {
            // A store that is gone renews nothing.
            drop(lost.wait_for(|is_lost| *is_lost).await);
        }
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("name", &self.name())
            .field("epoch", &self.epoch())
            .finish_non_exhaustive()
    }
}

// === impl Leases ===

impl Leases {
    /// So many times the database was opened before: each has a million epochs of its own.
    pub(crate) fn new(openings: i64) -> Self {
        Self { turns: Mutex::default(), first: openings.saturating_mul(1_000_000) }
    }

    /// Waits for the turn among those in this process, then for `grant`.
    pub(crate) async fn take<F: Future<Output = Granted>>(
        &self,
        name: &str,
        grant: impl FnOnce(Arc<str>) -> F,
    ) -> Lease {
        let name: Arc<str> = name.into();
        let places = self.with(&name, |turn| Arc::clone(&turn.places));
        let Ok(turn) = places.acquire_owned().await else { return std::future::pending().await };
        let granted = grant(Arc::clone(&name)).await;
        Lease(Arc::new(Held { name, granted, _turn: turn }))
    }

    /// Grants it at once: nobody else writes to the database.
    pub(crate) fn grant(&self, name: &Arc<str>) -> Granted {
        let epoch = self.with(name, |turn| {
            turn.epoch += 1;
            turn.epoch
        });
        let (sender, lost) = watch::channel(false);
        Granted { epoch, lost, _kept: Kept::Here(sender) }
    }

    /// Whether it is the latest that was granted in this process.
    pub(crate) fn is_current(&self, lease: &Lease) -> bool {
        self.with(&lease.0.name, |turn| turn.epoch == lease.epoch())
    }

    fn with<T>(&self, name: &Arc<str>, f: impl FnOnce(&mut Turn) -> T) -> T {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Turn { places: Arc::new(Semaphore::new(1)), epoch: self.first };
        f(turns.entry(Arc::clone(name)).or_insert_with(new))
    }
}
