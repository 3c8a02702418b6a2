//! Idempotency keys: which are known, which are being worked on, and what was answered under them.

mod claims;
mod filter;
mod record;

use std::time::Duration;

use partie_contract::{Call, Fault, FaultKind, IdempotencyKey, Outcome, Platform, Problem, Render, Rendered};

pub use self::claims::Claim;
use self::claims::Claims;
use self::filter::Filter;
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

/// How many keys one transaction prunes.
pub(crate) use self::record::PRUNED_AT_ONCE;

/// The keys of one store.
pub(crate) struct Keys {
    claims: Claims,
    filter: Filter,
    retention: Duration,
}

// === impl Keys ===

impl Keys {
    pub(crate) fn new(retention: Duration) -> Self {
        Self { claims: Claims::default(), filter: Filter::new(retention), retention }
    }

    /// Waits until nobody works under the key.
    pub(crate) async fn claim(&self, call: &Call, key: &IdempotencyKey) -> Result<Claim, Platform> {
        self.claims.take(call.deadline(), key).await
    }

    /// Whether the database has to be asked for the key. Most keys are new, and most of those are known to be.
    pub(crate) fn may_know(&self, key: &IdempotencyKey) -> bool {
        self.filter.may_hold(&key.scope, &key.key)
    }

    /// Takes in what the database holds from earlier. Until it has, every key has to be looked up.
    pub(crate) fn load(&self, tx: &mut Tx) -> Result<(), Error> {
        record::each(tx, |scope, key, created_at| self.filter.insert(scope, key, created_at))?;
        self.filter.loaded();
        Ok(())
    }

    /// Removes a batch of keys whose time is over, and says how many.
    pub(crate) fn prune(&self, tx: &mut Tx) -> Result<usize, Error> {
        self.filter.forget(tx.now());
        record::prune(tx, self.retention)
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
        if self.may_know(key)
            && let Some(stored) = record::find(tx, key)?
        {
            let stored = stored.answer(key)?;
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
        record::insert(tx, key, &answer, self.retention)?;
        // Before the commit, so that the next write of the same group finds it. Should it be undone, a look into the
        // database is all it costs.
        self.filter.insert(&key.scope, &key.key, tx.now());
        let call = call.clone();
        tx.after_commit(move || call.mark_recorded());
        outcome
    }
}

/// The stored answer of a key, if it was given to the same request.
pub(crate) fn find(tx: &mut Tx, key: &IdempotencyKey) -> Outcome<Option<Rendered>> {
    match record::find(tx, key)? {
        Some(stored) => Ok(Some(stored.answer(key)?)),
        None => Ok(None),
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
