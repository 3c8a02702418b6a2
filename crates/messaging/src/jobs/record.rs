//! What goes on record of an attempt, ours and the service's in one transaction.

use std::collections::HashMap;
use std::convert::Infallible;

use partie_contract::Abort;
use partie_store::Tx;
use tracing::error;

use super::rows::{self, Task};
use super::{Attempt, Ended, Handler, Note};

/// A job that is done.
#[derive(Clone)]
pub(super) struct Finished {
    pub(super) task: Task,
    pub(super) note: Note,
}

// === impl Finished ===

impl Finished {
    pub(super) fn note(&self, tx: &mut Tx) -> Result<(), Abort> {
        rows::note_done(tx, self.task.id)?;
        if let Some(note) = &self.note {
            self.task.govern(tx);
            note(tx)?;
        }
        Ok(())
    }
}

/// Begins an attempt that is recorded in this transaction, if there is anything to do.
pub(super) fn begin(
    handlers: &HashMap<&'static str, Handler>,
    tx: &mut Tx,
    task: Task,
) -> Result<Option<(Task, Attempt)>, Abort> {
    let Some(handler) = handlers.get(&*task.kind) else {
        let reason = format!("the service has no job of the kind {}", task.kind);
        rows::note_dead(tx, task.id, &reason)?;
        tx.after_commit(move || error!(kind = %task.kind, id = %task.id, reason, "a job is a dead letter"));
        return Ok(None);
    };
    task.govern(tx);
    match (handler.begin)(tx, &task.data, task.attempts)? {
        Some(attempt) => Ok(Some((task, attempt))),
        None => {
            rows::note_done(tx, task.id)?;
            Ok(None)
        }
    }
}

/// Records what the service has to say of an attempt that failed.
pub(super) fn note_failure(
    handlers: &HashMap<&'static str, Handler>,
    tx: &mut Tx,
    task: &Task,
    failure: Ended<Infallible>,
) -> Result<(), Abort> {
    task.govern(tx);
    handlers.get(&*task.kind).map_or(Ok(()), |handler| (handler.failed)(tx, &task.data, failure))
}
