//! How sagas move: every transition is one transaction, and this is what happens in it.

mod moves;

use std::collections::HashMap;
use std::sync::Arc;

use partie_contract::Abort;
use partie_store::Tx;
use uuid::Uuid;

use self::moves::Move;
use super::Phase;
use super::command::CommandId;
use super::definition::Definition;
use super::rows::{self, Row, WaitTimer};
use super::step::Change;
use crate::cause::Cause;
use crate::wake::Hub;

/// The definitions of a service, with its state.
pub(crate) struct Engine<S> {
    pub(crate) state: Arc<S>,
    pub(crate) definitions: HashMap<(&'static str, u32), Definition<S>>,
}

/// What came of the call a saga was waiting for.
pub(super) enum Answer<'a, S> {
    Done(&'a Change<S>),
    Refused {
        code: &'a str,
        detail: &'a str,
    },
    /// There will not be one.
    GivenUp {
        detail: &'a str,
    },
}

/// What a saga needs next.
#[derive(Debug, Clone)]
pub(super) enum Wanted {
    /// A call of a step, or its compensation.
    Call(Errand),
    /// Nothing; somebody will tell it.
    Nothing,
}

/// A call a saga needs made.
#[derive(Debug, Clone)]
pub(super) struct Errand {
    pub(super) saga: Uuid,
    pub(super) kind: (&'static str, u32),
    /// The step's place in the definition.
    pub(super) index: usize,
    pub(super) undo: bool,
    pub(super) command: CommandId,
    pub(super) revision: i64,
    pub(super) attempts: u32,
    /// Whether a refusal turns the saga back.
    pub(super) may_be_refused: bool,
    /// Whether the lack of an answer does, after enough attempts.
    pub(super) may_give_up: bool,
    pub(super) data: String,
    pub(super) cause: Arc<Cause>,
}

// === impl Engine ===

impl<S: Send + Sync + 'static> Engine<S> {
    /// Moves a saga as far as it can without a call.
    pub(super) fn look(&self, tx: &mut Tx, id: Uuid) -> Result<Wanted, Abort> {
        let Some((saga, definition)) = self.load(tx, id)? else { return Ok(Wanted::Nothing) };
        Move { state: &*self.state, definition, saga, tx }.look()
    }

    /// Takes in the answer to an errand. One meant for an earlier revision changes nothing.
    pub(super) fn answer(
        &self,
        tx: &mut Tx,
        errand: &Errand,
        answer: &Answer<'_, S>,
    ) -> Result<Wanted, Abort> {
        let Some((saga, definition)) = self.load(tx, errand.saga)? else { return Ok(Wanted::Nothing) };
        let stale = saga.revision != errand.revision;
        let mut on = Move { state: &*self.state, definition, saga, tx };
        match (stale, errand.undo) {
            (true, _) => on.look(),
            (false, true) => on.undone(),
            (false, false) => on.answered(answer),
        }
    }

    /// The deadline of a waiting step has passed. A timer set for an earlier revision does nothing.
    pub(crate) fn timeout(&self, tx: &mut Tx, timer: &WaitTimer) -> Result<(), Abort> {
        let Some((saga, definition)) = self.load(tx, timer.saga)? else { return Ok(()) };
        if saga.revision != timer.revision || saga.phase != Phase::Waiting {
            return Ok(());
        }
        Move { state: &*self.state, definition, saga, tx: &mut *tx }.timed_out()?;
        Hub::want_saga_after_commit(tx, timer.saga);
        Ok(())
    }

    pub(super) fn definition(&self, kind: (&'static str, u32)) -> Option<&Definition<S>> {
        self.definitions.get(&kind)
    }

    /// The saga with its definition. One without is parked.
    fn load(&self, tx: &mut Tx, id: Uuid) -> Result<Option<(Row, &Definition<S>)>, Abort> {
        let Some(saga) = rows::load(tx, id)? else {
            rows::forget_signals(tx, id)?;
            return Ok(None);
        };
        let known = self
            .definitions
            .iter()
            .find(|((kind, version), _)| *kind == saga.kind && *version == saga.version);
        let problem = match known {
            None => format!("the service has no saga {} of version {}", saga.kind, saga.version),
            Some((_, definition))
                if saga.phase != Phase::Starting && definition.index(&saga.step).is_none() =>
            {
                format!("the saga {} of version {} has no step {}", saga.kind, saga.version, saga.step)
            }
            Some((_, definition)) => {
                if saga.is_parked {
                    rows::unpark(tx, id)?;
                }
                tx.set_local(Arc::new(Cause::clone(&saga.cause)));
                tx.not_before(saga.updated_at);
                return Ok(Some((saga, definition)));
            }
        };
        if !saga.is_parked {
            rows::park(tx, id, &problem)?;
            tx.after_commit(move || {
                super::runner::alert(id, &problem);
            });
        }
        Ok(None)
    }
}
