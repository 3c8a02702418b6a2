//! Bells: a commit in one process wakes whoever waits for it in all of them.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};

/// How soon a listener looks by itself where a ring can be lost on its way.
const POLL: Duration = Duration::from_secs(1);

/// Hears the rings of one channel, from the moment it was made.
///
/// A ring says that there may be something to do, no more. Several may be heard as one, and where the store is shared
/// by several processes [`rung`](Self::rung) also returns each second, since a ring between processes may be lost: look,
/// and listen again.
pub struct Bell {
    rings: watch::Receiver<u64>,
    poll: Option<Duration>,
}

/// The bells of one store.
#[derive(Default)]
pub(crate) struct Rings {
    channels: Mutex<HashMap<Arc<str>, watch::Sender<u64>>>,
    /// Where other processes listen too: what they have not been told yet.
    outgoing: Option<Outgoing>,
}

#[derive(Default)]
pub(crate) struct Outgoing {
    names: Mutex<BTreeSet<Arc<str>>>,
    filled: Notify,
}

// === impl Bell ===

impl Bell {
    /// Waits for the next ring.
    pub async fn rung(&mut self) {
        let poll = async {
            match self.poll {
                Some(poll) => tokio::time::sleep(poll).await,
                None => pending().await,
            }
        };
        let ring = async {
            if self.rings.changed().await.is_err() {
                // The store is gone.
                pending::<()>().await;
            }
        };
        tokio::select! {
            () = ring => {}
            () = poll => {}
        }
    }
}

impl fmt::Debug for Bell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bell")
    }
}

// === impl Rings ===

impl Rings {
    /// Between processes.
    #[cfg(feature = "postgres")]
    pub(crate) fn shared() -> Self {
        Self { outgoing: Some(Outgoing::default()), ..Self::default() }
    }

    pub(crate) fn are_shared(&self) -> bool {
        self.outgoing.is_some()
    }

    pub(crate) fn bell(&self, channel: &str) -> Bell {
        let poll = self.outgoing.is_some().then_some(POLL);
        let mut channels = lock(&self.channels);
        let sender = channels.entry(channel.into()).or_insert_with(|| watch::Sender::new(0));
        Bell { rings: sender.subscribe(), poll }
    }

    /// Rings here and, soon, everywhere else.
    pub(crate) fn ring(&self, channel: &str) {
        self.ring_here(channel);
        if let Some(outgoing) = &self.outgoing {
            lock(&outgoing.names).insert(channel.into());
            outgoing.filled.notify_one();
        }
    }

    pub(crate) fn ring_here(&self, channel: &str) {
        if let Some(sender) = lock(&self.channels).get(channel) {
            sender.send_modify(|count| *count += 1);
        }
    }

    /// Rings may have been lost.
    #[cfg(feature = "postgres")]
    pub(crate) fn ring_all_here(&self) {
        lock(&self.channels).values().for_each(|sender| sender.send_modify(|count| *count += 1));
    }

    /// Waits until there is something to tell other processes, and takes it.
    #[cfg(feature = "postgres")]
    pub(crate) async fn outgoing(&self) -> BTreeSet<Arc<str>> {
        let Some(outgoing) = &self.outgoing else { return pending().await };
        loop {
            let names = std::mem::take(&mut *lock(&outgoing.names));
            if !names.is_empty() {
                return names;
            }
            outgoing.filled.notified().await;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Rings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rings")
    }
}
