//! Sagas: a piece of business that takes several services and some time, and that is undone if it cannot be finished.

mod command;
mod definition;
mod engine;
mod names;
mod rows;
mod runner;
mod step;
mod turns;
mod view;

use std::time::Duration;

use partie_contract::{Id, Timestamp};
use partie_store::{Error, Json, Tx};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::cause::Cause;
use crate::wake::Hub;

pub use command::{Accepted, CommandId, Compensation, Participate};
pub use definition::Saga;
pub use names::{StepInfo, StepKind};
pub use step::Step;
pub use view::{EntryState, Phase, SagaEntry, SagaView};

pub(crate) use definition::Definition;
pub(crate) use engine::Engine;
pub(crate) use rows::{WaitTimer, with_news};
pub(crate) use runner::SagaRunner;
pub(crate) use turns::{Place, Turns};
pub(crate) use view::view;

/// What a saga knows: the input it was started with and what its steps have learned. Stored after each step.
///
/// ```
/// # use partie_contract::id;
/// # use partie_messaging::SagaData;
/// # use serde::{Deserialize, Serialize};
/// # id! { pub struct OrderId; }
/// #[derive(Serialize, Deserialize)]
/// pub struct PlaceOrder {
///     pub order: OrderId,
///     pub authorisation: Option<String>,
/// }
///
/// impl SagaData for PlaceOrder {
///     const KIND: &'static str = "place-order";
///     const VERSION: u32 = 1;
/// }
/// ```
///
/// Changing the steps of a saga that is in production takes a new version. The old one stays registered, with its own
/// data type of the same kind, until no saga of it is left.
pub trait SagaData: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Its name among the service's sagas. It is stored: it never changes.
    const KIND: &'static str;
    /// The version of its definition.
    const VERSION: u32;
}

/// Where a saga goes after a step.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Next {
    /// To the next step; after the last one it is done.
    Step,
    /// Nowhere: it goes on waiting. Only after a message to a waiting step.
    Stay,
    /// To another step, or to the same one again: a new iteration with new command ids.
    To(&'static str),
    /// Back: everything done so far is compensated. Not after the pivot.
    Fail(String),
}

/// Why a saga did not reach its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "SagaFailure")]
pub struct Failure {
    /// The step it was at.
    pub step: String,
    /// The reason as a stable code: that of the problem that was answered, or what [`Next::Fail`] or
    /// [`Sagas::fail_saga`] said; `timeout`, or `no-answer`.
    pub code: String,
    /// What happened, for people.
    pub detail: String,
}

/// What became of a message to a saga.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signalled {
    /// It is on record and will be acted upon; early ones wait for their step.
    Accepted,
    /// Too late: the saga has passed its pivot, or its end.
    TooLate,
    /// There is no such saga.
    Unknown,
}

/// A saga that stands still until somebody helps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedSaga {
    /// Its id.
    pub id: Uuid,
    /// Its kind.
    pub kind: String,
    /// The step it is at, or that is being undone.
    pub step: String,
    /// How often that failed.
    pub attempts: u32,
    /// Why it stands still.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}

/// The sagas that stand still, the longest first.
pub(crate) fn parked(tx: &mut Tx) -> Result<Vec<ParkedSaga>, Error> {
    rows::parked(tx)
}

/// Has a parked saga go on from where it stands, and says whether it was one.
pub(crate) fn requeue(tx: &mut Tx, id: Uuid) -> Result<bool, Error> {
    let released = rows::release(tx, id)?;
    if released {
        Hub::want_saga_after_commit(tx, id);
    }
    Ok(released)
}

/// Removes some of what ended long ago, and says how many.
pub(crate) fn prune(tx: &mut Tx, keep: Duration, limit: i64) -> Result<usize, Error> {
    rows::prune(tx, keep, limit)
}

/// Starting sagas, and telling them what happened. Implemented by the transaction; it all happens after the commit.
pub trait Sagas {
    /// Starts a saga under an id of the service's choice, often that of the aggregate it is about.
    ///
    /// # Errors
    /// As [`Tx::execute`]; [`Error::is_unique_violation`] when there was a saga of that id.
    fn start_saga<D: SagaData>(&mut self, id: impl Id, data: &D) -> Result<(), Error>;

    /// Tells a saga what one of its waiting steps waits for. A message that comes before its step is kept.
    ///
    /// # Errors
    /// As [`Tx::execute`].
    fn resume_saga<M: Serialize>(&mut self, id: impl Id, step: &str, message: &M)
    -> Result<Signalled, Error>;

    /// Asks a saga to give up and compensate, with a reason code. After [`Signalled::Accepted`] it does, unless its
    /// pivot wins a race; then its `on_too_late` is told.
    ///
    /// # Errors
    /// As [`Tx::execute`].
    fn fail_saga(&mut self, id: impl Id, code: &str) -> Result<Signalled, Error>;
}

impl Sagas for Tx {
    fn start_saga<D: SagaData>(&mut self, id: impl Id, data: &D) -> Result<(), Error> {
        rows::insert(self, id.as_uuid(), D::KIND, D::VERSION, &Json(data))?;
        Hub::want_saga_after_commit(self, id.as_uuid());
        Ok(())
    }

    fn resume_saga<M: Serialize>(
        &mut self,
        id: impl Id,
        step: &str,
        message: &M,
    ) -> Result<Signalled, Error> {
        let id = id.as_uuid();
        match rows::standing(self, id)? {
            None => Ok(Signalled::Unknown),
            Some((Phase::Starting | Phase::Running | Phase::Waiting, _)) => {
                signal(self, id, Some(step), &Json(message))
            }
            Some((Phase::Compensating | Phase::Done | Phase::Failed, _)) => Ok(Signalled::TooLate),
        }
    }

    fn fail_saga(&mut self, id: impl Id, code: &str) -> Result<Signalled, Error> {
        let id = id.as_uuid();
        match rows::standing(self, id)? {
            None => Ok(Signalled::Unknown),
            Some((Phase::Compensating | Phase::Failed, _)) => Ok(Signalled::Accepted),
            Some((Phase::Done, _) | (_, true)) => Ok(Signalled::TooLate),
            Some((Phase::Starting | Phase::Running | Phase::Waiting, false)) => {
                signal(self, id, None, &Json(code))
            }
        }
    }
}

fn signal(
    tx: &mut Tx,
    id: Uuid,
    step: Option<&str>,
    body: &dyn partie_store::ToValue,
) -> Result<Signalled, Error> {
    let cause = Cause::of(tx);
    tx.execute(
        "INSERT INTO partie_saga_signals (saga, step, body, cause) VALUES ($1, $2, $3, $4)",
        &[&id, &step, body, &cause.to_column()],
    )?;
    Hub::want_saga_after_commit(tx, id);
    Ok(Signalled::Accepted)
}

// === impl Next ===

impl Next {
    /// Back, for that reason.
    pub fn fail(code: impl Into<String>) -> Self {
        Self::Fail(code.into())
    }
}
