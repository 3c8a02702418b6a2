//! Jobs: effects outside the store, enqueued in the transaction of the state that wants them.

mod record;
mod rows;
mod runner;

use std::convert::Infallible;
use std::sync::Arc;

use partie_contract::{Abort, BoxError, BoxFuture, Call, Fault, FaultKind, Platform, Problem, Timestamp};
use partie_store::{Error, Tx};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::failure;
use crate::ids::JobId;

pub(crate) use rows::{dead, prune, requeue};
pub(crate) use runner::JobRunner;

/// Work whose effect is outside the store: a mail, a webhook, a payment.
///
/// ```
/// # use partie_contract::id;
/// # use partie_messaging::{AfterCrash, Job};
/// # use serde::{Deserialize, Serialize};
/// # id! { pub struct OrderId; }
/// #[derive(Serialize, Deserialize)]
/// pub struct SendReceipt {
///     pub order: OrderId,
/// }
///
/// impl Job for SendReceipt {
///     const KIND: &'static str = "send-receipt";
///     // A second receipt is better than none.
///     const AFTER_CRASH: AfterCrash = AfterCrash::Retry;
/// }
/// ```
pub trait Job: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Its name among the service's jobs. It is stored: it never changes.
    const KIND: &'static str;
    /// What follows when nobody knows whether an attempt had its effect.
    const AFTER_CRASH: AfterCrash;
}

/// What follows an attempt of which nobody knows whether it had its effect: the process died, the time was over, the
/// handler panicked or said so ([`JobError::Unknown`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterCrash {
    /// Another attempt. The effect may happen twice, unless the provider knows the job's id as a key.
    Retry,
    /// The provider is asked first; the job is registered together with a method that does so.
    Ask,
    /// None: the job becomes a dead letter, and somebody decides.
    GiveUp,
}

/// What the provider says of an attempt nobody knows the outcome of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// It had its effect.
    Done,
    /// It had none, and will have none.
    NotDone,
}

/// Why an attempt failed.
#[derive(Debug)]
pub enum JobError {
    /// It had no effect, and another attempt may have.
    Retry(BoxError),
    /// It had no effect, and no attempt will: a dead letter at once.
    Failed(BoxError),
    /// It may have had its effect. What follows is the kind's [`Job::AFTER_CRASH`].
    Unknown(BoxError),
}

/// What came of an attempt, when it goes on record ([`Handlers::job_on_record`](crate::Handlers::job_on_record)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended<R> {
    /// It gave this back.
    Done(R),
    /// It failed, for that reason, and another attempt follows. It may have had its effect if nobody knows.
    Again(String),
    /// It failed, for that reason, and none follows: the job is a dead letter.
    Dead(String),
}

/// Enqueueing jobs. Implemented by the transaction: a job commits with the state that wants it.
pub trait Enqueue {
    /// Has a job done after the commit. The id it gets is the key of all its calls: `cx.key()`.
    ///
    /// # Errors
    /// As [`Tx::execute`].
    fn enqueue<J: Job>(&mut self, job: &J) -> Result<JobId, Error>;
}

impl Enqueue for Tx {
    fn enqueue<J: Job>(&mut self, job: &J) -> Result<JobId, Error> {
        rows::insert(self, job)
    }
}

/// A dead letter: a job that is not tried any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadJob {
    /// Its id.
    pub id: JobId,
    /// Its kind.
    pub kind: String,
    /// The job itself, as JSON.
    pub data: String,
    /// How many attempts there were.
    pub attempts: u32,
    /// Why the last one failed.
    pub error: String,
    /// When it was enqueued.
    pub enqueued_at: Timestamp,
    /// Since when it is dead.
    pub since: Timestamp,
}

/// A kind of job with its service's state.
pub(crate) struct Handler {
    pub(crate) after_crash: AfterCrash,
    pub(crate) begin: Begin,
    pub(crate) failed: Failed,
    /// There if `after_crash` is to ask.
    pub(crate) ask: Option<Ask>,
    pub(crate) names: Failpoints,
}

/// Begins an attempt, by its number, in the transaction that records it. `None` if there is nothing left to do.
pub(crate) type Begin = Arc<dyn Fn(&mut Tx, &Arc<str>, u32) -> Result<Option<Attempt>, Abort> + Send + Sync>;
/// An attempt that is on record and waits to be made.
pub(crate) type Attempt = Box<dyn FnOnce(Call) -> BoxFuture<'static, Result<Note, JobError>> + Send>;
/// What the service writes down of an attempt that succeeded, in the transaction that records it.
pub(crate) type Note = Option<Arc<dyn Fn(&mut Tx) -> Result<(), Abort> + Send + Sync>>;
/// What the service writes down of one that did not, given the job as JSON.
pub(crate) type Failed = Arc<dyn Fn(&mut Tx, &str, Ended<Infallible>) -> Result<(), Abort> + Send + Sync>;
/// Asks about an attempt, given the call and the job as JSON.
pub(crate) type Ask =
    Arc<dyn Fn(Call, Arc<str>) -> BoxFuture<'static, Result<Found, JobError>> + Send + Sync>;

/// The places around an attempt where a test may let the process die.
pub(crate) struct Failpoints {
    pub(crate) before_call: String,
    pub(crate) after_call: String,
}

// === impl JobError ===

impl JobError {
    /// The provider or the network said no for now.
    pub fn retry(reason: impl Into<BoxError>) -> Self {
        Self::Retry(reason.into())
    }

    /// The provider will never say yes.
    pub fn failed(reason: impl Into<BoxError>) -> Self {
        Self::Failed(reason.into())
    }

    /// Nobody knows what the provider did.
    pub fn unknown(reason: impl Into<BoxError>) -> Self {
        Self::Unknown(reason.into())
    }
}

/// A fault that another attempt may overcome is a reason to retry, one without an answer leaves the outcome unknown, and
/// every other one is final.
impl From<Platform> for JobError {
    fn from(fault: Platform) -> Self {
        let kind = fault.kind();
        let reason = failure::describe(&fault).into();
        match kind {
            FaultKind::UpstreamTimeout | FaultKind::OutcomeUnknown | FaultKind::UpstreamFailed => {
                Self::Unknown(reason)
            }
            kind if kind.is_transient() => Self::Retry(reason),
            _ => Self::Failed(reason),
        }
    }
}

/// As a fault of the platform; a problem of the called contract is final. Match on those that are not.
impl<E: Problem> From<Fault<E>> for JobError {
    fn from(fault: Fault<E>) -> Self {
        match fault {
            Fault::Domain(error) => Self::Failed(format!("{}: {error:?}", error.kind().code).into()),
            Fault::Platform(fault) => fault.into(),
        }
    }
}

// === impl Ended ===

impl Ended<Infallible> {
    /// A failure, as one of an attempt that might have given something back.
    pub(crate) fn of<R>(self) -> Ended<R> {
        match self {
            Self::Done(never) => match never {},
            Self::Again(reason) => Ended::Again(reason),
            Self::Dead(reason) => Ended::Dead(reason),
        }
    }
}

// === impl Failpoints ===

impl Failpoints {
    pub(crate) fn of(kind: &str) -> Self {
        Self { before_call: format!("job.{kind}.before_call"), after_call: format!("job.{kind}.after_call") }
    }
}
