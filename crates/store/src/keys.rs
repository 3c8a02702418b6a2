//! Idempotency keys: which are known, which are being worked on, and what was answered under them.

mod claims;
mod filter;
#[cfg(feature = "postgres")]
mod indexed;
mod record;

use std::hash::Hasher;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use partie_contract::{Call, Fault, FaultKind, IdempotencyKey, Outcome, Platform, Problem, Render, Rendered};

pub use self::claims::Claim;
use self::claims::Claims;
pub(crate) use self::filter::Range;
use self::filter::{Filter, Reading};
use self::record::Entry;
pub(crate) use self::record::PRUNED_AT_ONCE;
use crate::error::Error;
use crate::tx::Tx;

/// What is known of a call's idempotency key before its handler runs.
#[derive(Debug)]
pub enum Replay {
    /// The key was used for this request, and this was the answer.
    Stored(Rendered),
    /// The key is new, or there is none. Run the handler, and hold the claim until its answer is known: a request with
    /// the same key waits for it.
    New(Claim),
}

/// The keys of one store.
pub(crate) struct Keys {
    claims: Claims,
    retention: Duration,
    lookup: Lookup,
}

/// How a key is looked up.
enum Lookup {
    /// One process writes: it knows in memory which keys may be there, and where.
    Filtered(Filtered),
    /// Several processes write: a unique index knows.
    #[cfg(feature = "postgres")]
    Indexed,
}

struct Filtered {
    filter: Filter,
    salt: [u64; 2],
    /// Ids are given out here and never again, so that they grow with time even when everything is pruned.
    next_id: AtomicI64,
}

/// What a database knows of its keys when it opens.
pub(crate) struct Beginning {
    /// Makes hashes unforeseeable for clients.
    pub(crate) salt: [u64; 2],
    pub(crate) ids: Option<Range>,
}

// === impl Keys ===

impl Keys {
    /// For a database that one process owns.
    pub(crate) fn filtered(retention: Duration, beginning: &Beginning) -> Self {
        let Beginning { salt, ids } = *beginning;
        let next_id = AtomicI64::new(ids.map_or(1, |ids| ids.last + 1));
        let filtered = Filtered { filter: Filter::new(retention, ids), salt, next_id };
        Self { claims: Claims::default(), retention, lookup: Lookup::Filtered(filtered) }
    }

    /// For a database that several processes write to.
    #[cfg(feature = "postgres")]
    pub(crate) fn indexed(retention: Duration) -> Self {
        Self { claims: Claims::default(), retention, lookup: Lookup::Indexed }
    }

    /// Waits until nobody works under the key.
    pub(crate) async fn claim(&self, call: &Call, key: &IdempotencyKey) -> Result<Claim, Platform> {
        self.claims.take(call.deadline(), key).await
    }

    /// Whether the database has to be asked for the key. Most keys are new, and most of those are known to be.
    pub(crate) fn may_know(&self, key: &IdempotencyKey) -> bool {
        match &self.lookup {
            Lookup::Filtered(filtered) => !filtered.filter.places(filtered.hash(key)).is_empty(),
            #[cfg(feature = "postgres")]
            Lookup::Indexed => true,
        }
    }

    /// Whether the filter knows less than the database.
    pub(crate) fn is_unread(&self) -> bool {
        match &self.lookup {
            Lookup::Filtered(filtered) => filtered.filter.unread().is_some(),
            #[cfg(feature = "postgres")]
            Lookup::Indexed => false,
        }
    }

    /// Takes in what the database holds from earlier. Until that is done, every key is looked for among those.
    pub(crate) fn read(&self, tx: &mut Tx) -> Result<(), Error> {
        match &self.lookup {
            Lookup::Filtered(filtered) => filtered.read(tx),
            #[cfg(feature = "postgres")]
            Lookup::Indexed => Ok(()),
        }
    }

    /// The stored answer of a key, if it was given to the same request.
    pub(crate) fn find(&self, tx: &mut Tx, key: &IdempotencyKey) -> Result<Option<Rendered>, Platform> {
        match &self.lookup {
            Lookup::Filtered(filtered) => filtered.find(tx, key, filtered.hash(key)),
            #[cfg(feature = "postgres")]
            Lookup::Indexed => indexed::find(tx, key)?.map(|stored| stored.answer(key)).transpose(),
        }
    }

    /// Removes a batch of keys whose time is over, and says how many.
    pub(crate) fn prune(&self, tx: &mut Tx) -> Result<usize, Error> {
        match &self.lookup {
            Lookup::Filtered(filtered) => {
                filtered.filter.forget(tx.now());
                record::prune(tx, self.retention)
            }
            #[cfg(feature = "postgres")]
            Lookup::Indexed => indexed::prune(tx, self.retention),
        }
    }

    /// Runs the closure under the call's key: a known key is answered from the record, a new one is recorded together
    /// with what the closure does.
    pub(crate) fn run<T: Render, E: Problem>(
        &self,
        tx: &mut Tx,
        call: &Call,
        closure: impl FnOnce(&mut Tx) -> Outcome<T, E>,
    ) -> Outcome<T, E> {
        let Some(key) = call.key() else { return closure(tx) };
        let hash = match &self.lookup {
            Lookup::Filtered(filtered) => filtered.hash(key),
            #[cfg(feature = "postgres")]
            Lookup::Indexed => 0,
        };
        let stored = match &self.lookup {
            Lookup::Filtered(filtered) => filtered.find(tx, key, hash)?,
            #[cfg(feature = "postgres")]
            Lookup::Indexed => match indexed::claim(tx, key)? {
                Some(stored) => Some(stored.answer(key)?),
                None => None,
            },
        };
        if let Some(stored) = stored {
            let call = call.clone();
            tx.after_commit(move || call.mark_replayed());
            return replayed(tx, &stored);
        }
        let outcome = closure(tx);
        let answer = match &outcome {
            Ok(value) => value.render()?,
            Err(Fault::Domain(problem)) if tx.job().keeps_problem() => record::problem(problem)?,
            Err(_) => return outcome,
        };
        match &self.lookup {
            Lookup::Filtered(filtered) => filtered.insert(tx, key, hash, &answer)?,
            #[cfg(feature = "postgres")]
            Lookup::Indexed => indexed::answer(tx, key, &answer)?,
        }
        let call = call.clone();
        tx.after_commit(move || call.mark_recorded());
        outcome
    }
}

// === impl Filtered ===

impl Filtered {
    fn read(&self, tx: &mut Tx) -> Result<(), Error> {
        if let Some(ids) = self.filter.unread() {
            let mut reading = Reading::new();
            record::each(tx, ids.last, |entry| reading.add(entry))?;
            self.filter.take_in(reading);
        }
        Ok(())
    }

    fn find(&self, tx: &mut Tx, key: &IdempotencyKey, hash: u64) -> Result<Option<Rendered>, Platform> {
        for ids in self.filter.places(hash) {
            if let Some(stored) = record::find(tx, key, hash, ids)? {
                return stored.answer(key).map(Some);
            }
        }
        Ok(None)
    }

    fn insert(&self, tx: &mut Tx, key: &IdempotencyKey, hash: u64, answer: &Rendered) -> Result<(), Error> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let entry = Entry { id, hash, created_at: tx.now() };
        record::insert(tx, entry, key, answer)?;
        // Before the commit, so that the next write of the same group finds it. Should it be undone, a look into the
        // database is all it costs.
        self.filter.insert(entry);
        Ok(())
    }

    /// SipHash: stored with the key, so it may change neither with the process nor with the compiler.
    #[expect(deprecated, reason = "the one hasher of the standard library whose algorithm is promised")]
    fn hash(&self, key: &IdempotencyKey) -> u64 {
        let mut hasher = std::hash::SipHasher::new_with_keys(self.salt[0], self.salt[1]);
        hasher.write(key.scope.as_bytes());
        // A byte that is in neither of them.
        hasher.write(&[0xff]);
        hasher.write(key.key.as_bytes());
        hasher.finish()
    }
}

/// A stored answer as the closure's own.
fn replayed<T: Render, E: Problem>(tx: &mut Tx, stored: &Rendered) -> Outcome<T, E> {
    if stored.status < 400 {
        return Ok(T::parse(stored).map_err(Platform::internal)?);
    }
    match record::decode_problem(stored) {
        Some(problem) => Err(tx.commit_problem(problem)),
        None => Err(Platform::new(FaultKind::Internal)
            .caused_by(format!("the stored problem is none of this contract: {:?}", stored.body))
            .into()),
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys")
    }
}
