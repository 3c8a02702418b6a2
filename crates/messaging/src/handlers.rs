//! The handlers of a service: what it does on events, timers, jobs and sagas.

mod bind;
mod registered;

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use partie_contract::{Abort, Event};
use partie_store::Tx;

use crate::jobs::{AfterCrash, Ended, Found, Job, JobError};
use crate::method::{Method, Periodic};
use crate::saga::{Definition, Saga, SagaData};
use crate::timers::Timer;

pub(crate) use bind::{Bound, BoundEvent, BoundPeriodic};
pub(crate) use registered::Registry;
use registered::{AskFor, BeginFor, FailedFor, OnEvent, OnJob, OnPeriodic, OnTimer};

/// The handlers of a service with the state `S`, each given as the path of a method.
///
/// ```
/// # use partie_contract::Abort;
/// # use partie_messaging::{Handlers, Timer};
/// # use partie_store::Tx;
/// # #[derive(serde::Serialize, serde::Deserialize)]
/// # struct ExpireOrder;
/// # impl Timer for ExpireOrder { const KIND: &'static str = "expire-order"; fn key(&self) -> String { String::new() } }
/// struct OrderDesk;
///
/// impl OrderDesk {
///     fn expire(&self, tx: &mut Tx, due: &ExpireOrder) -> Result<(), Abort> {
///         Ok(())
///     }
/// }
///
/// let handlers = Handlers::new().timer(OrderDesk::expire);
/// # handlers.check("orders").unwrap();
/// ```
#[must_use = "handlers do something when a worker is started with them"]
pub struct Handlers<S>(Registry<S>);

/// Why handlers cannot be used together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandlerError {
    /// Two handlers of one group would share their inbox.
    #[error(
        "there are two handlers of the group `{0}`: register one of them with `on_as` under a name of its own"
    )]
    Group(String),
    /// A timer's kind has two handlers.
    #[error("there are two handlers of timers of the kind `{0}`")]
    Timer(&'static str),
    /// A job's kind has two handlers.
    #[error("there are two handlers of jobs of the kind `{0}`")]
    Job(&'static str),
    /// A job's declaration and its registration do not go together.
    #[error("jobs of the kind `{kind}` declare AfterCrash::{declared:?}: register them with `{with}`")]
    AfterCrash {
        /// The job.
        kind: &'static str,
        /// What it declares.
        declared: AfterCrash,
        /// The method to use.
        with: &'static str,
    },
    /// A saga's kind and version has two definitions.
    #[error("there are two definitions of the saga `{kind}` version {version}")]
    Saga {
        /// The saga.
        kind: &'static str,
        /// Its version.
        version: u32,
    },
    /// A saga's definition is wrong.
    #[error("the saga `{kind}` version {version} is wrong: {reason}")]
    Definition {
        /// The saga.
        kind: &'static str,
        /// Its version.
        version: u32,
        /// What is wrong.
        reason: String,
    },
}

// === impl Handlers ===

impl<S: Send + Sync + 'static> Handlers<S> {
    /// No handlers.
    pub fn new() -> Self {
        Self(Registry::default())
    }

    /// Handles an event, in one commit with its row in the inbox: `fn(&self, &mut Tx, &E) -> Result<(), Abort>`. The group
    /// is `service/type`.
    ///
    /// A handler that gives an error back is run again, and after some attempts the event's key is parked for this
    /// group; other keys go on. Events of a group that is new to the broker begin with the oldest one kept there.
    pub fn on<E, H>(self, handler: H) -> Self
    where
        E: Event,
        H: Fn(&S, &mut Tx, &E) -> Result<(), Abort> + Send + Sync + 'static,
    {
        self.on_event(None, handler)
    }

    /// Handles an event in a group of its own, `service/type/name`: for a second handler of the same type. Each handler
    /// gets every event, and fails by itself.
    pub fn on_as<E, H>(self, name: &'static str, handler: H) -> Self
    where
        E: Event,
        H: Fn(&S, &mut Tx, &E) -> Result<(), Abort> + Send + Sync + 'static,
    {
        self.on_event(Some(name), handler)
    }

    /// Handles a timer, in one commit with its deletion: `fn(&self, &mut Tx, &T) -> Result<(), Abort>`.
    pub fn timer<T, H>(mut self, handler: H) -> Self
    where
        T: Timer,
        H: Fn(&S, &mut Tx, &T) -> Result<(), Abort> + Send + Sync + 'static,
    {
        let run = move |state: &S, tx: &mut Tx, data: &str| {
            let timer: T = serde_json::from_str(data).map_err(|error| undecodable(T::KIND, &error))?;
            handler(state, tx, &timer)
        };
        self.0.timers.push(OnTimer { kind: T::KIND, run: Arc::new(run) });
        self
    }

    /// Does a job: `async fn(&self, &Call, &J) -> Result<(), JobError>`. The call's key is the job's id, in every attempt.
    pub fn job<J, H>(self, handler: H) -> Self
    where
        J: Job,
        H: for<'a> Method<'a, S, J, Output = Result<(), JobError>>,
    {
        self.on_job::<J>(registered::plain(handler), None)
    }

    /// Does a job of which the service keeps a record of its own. What it writes down commits with our note of the
    /// attempt, so that the two always agree, and many attempts share one transaction:
    ///
    /// * `begin` when an attempt begins, by its number from 1: `fn(&self, &mut Tx, &J, u32) -> Result<Option<A>, Abort>`.
    ///   It says what to do, or `None` if there is nothing left to do and the job is done.
    /// * `run` does that: `async fn(&self, &Call, &A) -> Result<R, JobError>`.
    /// * `end` when the attempt has ended, even if its process died meanwhile:
    ///   `fn(&self, &mut Tx, &J, &Ended<R>) -> Result<(), Abort>`.
    ///
    /// A job whose `begin` or `end` fails is a dead letter. One that declares [`AfterCrash::Ask`] is not for this.
    pub fn job_on_record<J, A, R, B, H, E>(self, begin: B, run: H, end: E) -> Self
    where
        J: Job,
        A: Send + Sync + 'static,
        R: Send + Sync + 'static,
        B: Fn(&S, &mut Tx, &J, u32) -> Result<Option<A>, Abort> + Send + Sync + 'static,
        H: for<'a> Method<'a, S, A, Output = Result<R, JobError>>,
        E: Fn(&S, &mut Tx, &J, &Ended<R>) -> Result<(), Abort> + Send + Sync + 'static,
    {
        self.on_job::<J>(registered::on_record(begin, run, end), None)
    }

    /// Does a job that declares [`AfterCrash::Ask`]; `ask` finds out whether an attempt with the call's key had its
    /// effect: `async fn(&self, &Call, &J) -> Result<Found, JobError>`.
    pub fn job_asking<J, H, A>(self, handler: H, ask: A) -> Self
    where
        J: Job,
        H: for<'a> Method<'a, S, J, Output = Result<(), JobError>>,
        A: for<'a> Method<'a, S, J, Output = Result<Found, JobError>>,
    {
        self.on_job::<J>(registered::plain(handler), Some(registered::ask(ask)))
    }

    /// Does something periodically: `async fn(&self, &Call) -> Result<(), Abort>`, at every whole multiple of `interval`
    /// of business time since the Unix epoch, so that a restart does not shift it. Runs never overlap; what was missed
    /// is not made up for, and an error is logged.
    pub fn every<H>(mut self, interval: Duration, handler: H) -> Self
    where
        H: for<'a> Periodic<'a, S, Output = Result<(), Abort>>,
    {
        self.0.periodic.push(OnPeriodic {
            interval,
            name: std::any::type_name::<H>(),
            run: registered::run_periodic(handler),
        });
        self
    }

    /// Runs sagas of that definition. Several versions of one kind go side by side.
    pub fn saga<D: SagaData>(mut self, saga: Saga<S, D>) -> Self {
        self.0.sagas.push(saga.into_definition());
        self
    }

    /// Whether there is nothing to handle.
    pub fn is_empty(&self) -> bool {
        let Registry { events, timers, jobs, periodic, sagas } = &self.0;
        events.is_empty() && timers.is_empty() && jobs.is_empty() && periodic.is_empty() && sagas.is_empty()
    }

    /// The types of events that are handled, each once: what the service consumes.
    pub fn consumes(&self) -> Vec<&'static str> {
        let mut seen = HashSet::new();
        self.0.events.iter().map(|on| on.type_name).filter(|type_name| seen.insert(*type_name)).collect()
    }

    /// Whether the handlers go together.
    ///
    /// # Errors
    /// [`HandlerError`], the first there is.
    pub fn check(&self, service: &str) -> Result<(), HandlerError> {
        self.0.check(service)
    }

    pub(crate) fn into_registry(self, service: &str) -> Result<Registry<S>, HandlerError> {
        self.0.check(service)?;
        Ok(self.0)
    }

    fn on_job<J: Job>(
        mut self,
        (begin, failed): (BeginFor<S>, FailedFor<S>),
        ask: Option<AskFor<S>>,
    ) -> Self {
        self.0.jobs.push(OnJob { kind: J::KIND, after_crash: J::AFTER_CRASH, begin, failed, ask });
        self
    }

    fn on_event<E, H>(mut self, name: Option<&'static str>, handler: H) -> Self
    where
        E: Event,
        H: Fn(&S, &mut Tx, &E) -> Result<(), Abort> + Send + Sync + 'static,
    {
        self.0.events.push(OnEvent { type_name: E::TYPE, name, decode: registered::decode(handler) });
        self
    }
}

impl<S: Send + Sync + 'static> Default for Handlers<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> fmt::Debug for Handlers<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Registry { events, timers, jobs, periodic, sagas } = &self.0;
        f.debug_struct("Handlers")
            .field("events", &events.iter().map(|on| on.type_name).collect::<Vec<_>>())
            .field("timers", &timers.iter().map(|on| on.kind).collect::<Vec<_>>())
            .field("jobs", &jobs.iter().map(|on| on.kind).collect::<Vec<_>>())
            .field("periodic", &periodic.iter().map(|on| on.name).collect::<Vec<_>>())
            .field("sagas", &sagas.iter().map(|saga: &Definition<S>| saga.kind).collect::<Vec<_>>())
            .finish()
    }
}

/// What is stored does not fit the type any more.
fn undecodable(kind: &str, error: &serde_json::Error) -> Abort {
    Abort::because(format!("what is stored of {kind} cannot be read: {error}"))
}
