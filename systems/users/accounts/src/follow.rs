//! What each process knows of the latest revocations and keys, and the stream that tells those who verify tokens.
//!
//! One task a process reads the store: when a bell rings, and each second. Whatever it finds goes to all streams at once,
//! together with the time from before the reading: up to then nobody has been revoked of whom they have not heard. A
//! store that cannot be read gives no sign of life, and verifiers draw their own conclusions.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::stream;
use partie::Start;
use partie::contract::{EventStream, NoProblem, Outcome, Platform, StreamItem};
use partie::runtime::trust_now;
use partie::store::Store;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tracing::warn;
use users_contracts::{Revocation, RevocationNews};
use uuid::Uuid;

use crate::keyring::{self, Keyring};
use crate::rows;

/// Rung when somebody was revoked.
pub(crate) const BELL: &str = "users-revocations";
/// How often there is a sign of life.
const BEAT: Duration = Duration::from_secs(1);
/// So much later than others a transaction may become visible that began at the same time, in seconds.
const LATE: i64 = 30;
/// News that a slow reader may not have read. Beyond that it is told to begin again.
const UNREAD: usize = 256;

/// The revocations, as far as this process knows them. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Follower(Arc<Inner>);

struct Inner {
    /// What still means something, by id. A stream subscribes while it holds this, so that it misses nothing.
    known: Mutex<Known>,
    news: broadcast::Sender<RevocationNews>,
}

#[derive(Default)]
struct Known {
    revocations: HashMap<Uuid, Revocation>,
    /// Up to when nobody was revoked who is not among them, in seconds of the wall clock.
    at: i64,
}

// === impl Follower ===

impl Follower {
    /// Begins to follow, until the system drains. What there is, is known when this returns.
    pub(crate) async fn begin(s: &Start, keyring: Arc<Keyring>) -> Self {
        let follower = Self(Arc::new(Inner { known: Mutex::default(), news: broadcast::channel(UNREAD).0 }));
        let (own, store, stop) = (follower.clone(), s.store(), s.work().clone());
        // Listen first, then look.
        let (mut revoked, mut keys) = (store.bell(BELL), store.bell(keyring::BELL));
        own.look(&store, &keyring).await;
        s.work().spawn(async move {
            loop {
                tokio::select! {
                    () = stop.stopped() => return,
                    () = revoked.rung() => {}
                    () = keys.rung() => {}
                    () = tokio::time::sleep(BEAT) => {}
                }
                own.look(&store, &keyring).await;
            }
        });
        follower
    }

    /// Looks once and tells what is new.
    async fn look(&self, store: &Store, keyring: &Keyring) {
        if let Err(error) = keyring.look().await {
            warn!(error, "the signing keys cannot be looked after");
        }
        let now = trust_now();
        let since = if self.known().at == 0 { 0 } else { now - LATE };
        let found: Outcome<Vec<(Uuid, Revocation)>, NoProblem> =
            store.read(move |tx| Ok(rows::revocations::since(tx, since, now)?)).await;
        match found {
            Ok(found) => self.learn(found, now),
            Err(error) => warn!(%error, "the revocations cannot be read"),
        }
    }

    fn learn(&self, found: Vec<(Uuid, Revocation)>, now: i64) {
        let mut known = self.known();
        known.revocations.retain(|_, revocation| revocation.until > now);
        known.at = now;
        let mut revocations = Vec::new();
        for (id, revocation) in found {
            if known.revocations.insert(id, revocation.clone()).is_none() {
                revocations.push(revocation);
            }
        }
        // Nobody may be listening.
        drop(self.0.news.send(RevocationNews { at: now * 1000, complete: true, revocations }));
    }

    /// All there are, then news.
    pub(crate) fn stream(&self) -> EventStream<RevocationNews> {
        let (first, news) = {
            let known = self.known();
            let revocations = known.revocations.values().cloned().collect();
            (RevocationNews { at: known.at * 1000, complete: true, revocations }, self.0.news.subscribe())
        };
        EventStream::new(stream::unfold((Some(first), news), |(first, mut news)| async move {
            let item = match first {
                Some(first) => Ok(first),
                None => match news.recv().await {
                    Ok(news) => Ok(news),
                    Err(RecvError::Closed) => return None,
                    Err(RecvError::Lagged(_)) => {
                        let slow = Platform::new(partie::contract::FaultKind::Overloaded);
                        Err(slow.with_detail("the reader could not keep up: begin again"))
                    }
                },
            };
            let item = item.map(|data| StreamItem { id: None, event: "revocations".into(), data });
            Some((item, (None, news)))
        }))
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Follower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Follower({} revocations)", self.known().revocations.len())
    }
}
