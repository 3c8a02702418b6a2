//! Claims: who works under a key right now.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use partie_contract::{Deadline, FaultKind, IdempotencyKey, Platform};
use tokio::sync::Notify;

type Name = (Arc<str>, Arc<str>);

/// The keys that are being worked on. One process owns the store, so memory is the place for them.
#[derive(Clone, Default)]
pub(super) struct Claims(Arc<Mutex<Map>>);

/// Most keys have nobody waiting, and no `Notify`.
type Map = HashMap<Name, Option<Arc<Notify>>>;

/// The right to work under a key. Whoever else comes with the key waits until it is dropped.
#[must_use = "dropping the claim lets the next request with the key run"]
#[derive(Default)]
pub struct Claim(Option<(Claims, Name)>);

// === impl Claims ===

impl Claims {
    pub(super) async fn take(&self, deadline: Deadline, key: &IdempotencyKey) -> Result<Claim, Platform> {
        let name = (Arc::clone(&key.scope), Arc::clone(&key.key));
        loop {
            let ended = match self.lock().entry(name.clone()) {
                Entry::Vacant(free) => {
                    free.insert(None);
                    return Ok(Claim(Some((self.clone(), name))));
                }
                // Made under the lock, so that it hears of the end however soon that comes.
                Entry::Occupied(mut taken) => {
                    Arc::clone(taken.get_mut().get_or_insert_default()).notified_owned()
                }
            };
            if tokio::time::timeout(deadline.remaining(), ended).await.is_err() {
                return Err(Platform::new(FaultKind::IdempotencyInProgress));
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Map> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Claim ===

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some((claims, name)) = self.0.take() {
            let waiting = claims.lock().remove(&name).flatten();
            if let Some(waiting) = waiting {
                waiting.notify_waiters();
            }
        }
    }
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Claim").field(&self.0.as_ref().map(|(_, (_, key))| key)).finish()
    }
}
