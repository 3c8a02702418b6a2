//! The steps a saga is made of.

use std::marker::PhantomData;
use std::sync::Arc;

use partie_contract::{Abort, BoxFuture, Call, Fault, Outcome, Problem, Timestamp};
use partie_store::Tx;
use serde::de::DeserializeOwned;

use super::names::{StepInfo, StepKind};
use super::{Next, SagaData};
use crate::failure;
use crate::method::Method;

/// One step of a [`Saga`](super::Saga), as methods of the service's state `S` on the saga's data `D`.
#[must_use = "a step does something when it is given to a saga"]
pub struct Step<S, D> {
    pub(super) erased: Erased<S>,
    data: PhantomData<fn() -> D>,
}

/// A step that has forgotten its data's type: data goes in and out as JSON.
pub(super) struct Erased<S> {
    pub(super) info: StepInfo,
    pub(super) work: Work<S>,
    pub(super) undo: Option<SendFn<S>>,
    /// Whether the step is for that data, if it is not for all.
    pub(super) when: Option<When<S>>,
}

pub(super) enum Work<S> {
    Command(SendFn<S>),
    Wait {
        deadline: Deadline<S>,
        /// Takes the message. A sleeping step has none.
        resume: Option<Resume<S>>,
        /// What follows the deadline, if it was said.
        timeout: Option<Change<S>>,
    },
    Local(Change<S>),
}

pub(super) type SendFn<S> = Box<dyn Fn(Arc<S>, Call, &str) -> BoxFuture<'static, Sent<S>> + Send + Sync>;
pub(super) type When<S> = Box<dyn Fn(&S, &str) -> Result<bool, Abort> + Send + Sync>;
pub(super) type Deadline<S> = Box<dyn Fn(&S, &str, Timestamp) -> Result<Timestamp, Abort> + Send + Sync>;
pub(super) type Resume<S> = Box<dyn Fn(&S, &mut Tx, &mut String, &str) -> Result<Next, Abort> + Send + Sync>;
pub(super) type Change<S> = Box<dyn Fn(&S, &mut Tx, &mut String) -> Result<Next, Abort> + Send + Sync>;

/// What came of sending a command.
pub(super) enum Sent<S> {
    /// It was done; this is its effect on our own state.
    Done(Change<S>),
    /// The other side said no, by a problem of its contract. Nothing happened there.
    Refused { code: &'static str, detail: String },
    /// There is no answer. It may have happened.
    NoAnswer { detail: String, may_help: bool },
}

// === impl Step ===

impl<S: Send + Sync + 'static, D: SagaData> Step<S, D> {
    /// Calls somebody, and applies the answer in one transaction with the saga's progress.
    ///
    /// The call has the command's id as its key ([`CommandId`](super::CommandId)), the same through all attempts. A
    /// problem of the contract that `send` gives back is a no: before the pivot the saga fails with its code. A fault of
    /// the platform is no answer: the command is sent again.
    pub fn command<C, A, R, E>(name: &'static str, send: C, apply: A) -> Self
    where
        C: for<'a> Method<'a, S, D, Output = Outcome<R, E>>,
        A: Fn(&S, &mut Tx, &mut D, &R) -> Result<Next, Abort> + Send + Sync + 'static,
        R: Send + Sync + 'static,
        E: Problem,
    {
        let (send, apply) = (Arc::new(send), Arc::new(apply));
        let command = move |state: Arc<S>, cx: Call, data: &str| {
            let (send, apply, data) = (Arc::clone(&send), Arc::clone(&apply), decode::<D>(data));
            boxed(async move {
                let data = match data {
                    Ok(data) => data,
                    Err(abort) => return Sent::NoAnswer { detail: abort.to_string(), may_help: false },
                };
                match send.call(&state, &cx, &data).await {
                    Ok(answer) => Sent::Done(Box::new(move |state, tx, data| {
                        change::<D, _>(data, |data| apply(state, tx, data, &answer))
                    })),
                    Err(fault) => fault.into(),
                }
            })
        };
        Self::new(name, StepKind::Command, Work::Command(Box::new(command)))
    }

    /// Waits for a message ([`resume_saga`](super::Sagas::resume_saga)), until a deadline that is reckoned when the step
    /// is entered. When the deadline passes, the saga fails with the code `timeout`, unless
    /// [`on_timeout`](Self::on_timeout) says otherwise.
    pub fn wait<M, L, A>(name: &'static str, deadline: L, resume: A) -> Self
    where
        M: DeserializeOwned + 'static,
        L: Fn(&S, &D, Timestamp) -> Timestamp + Send + Sync + 'static,
        A: Fn(&S, &mut Tx, &mut D, &M) -> Result<Next, Abort> + Send + Sync + 'static,
    {
        let resume: Resume<S> = Box::new(move |state, tx, data, message| {
            let message: M = serde_json::from_str(message)
                .map_err(|error| Abort::because(format!("a message to the step {name}: {error}")))?;
            change::<D, _>(data, |data| resume(state, tx, data, &message))
        });
        let work =
            Work::Wait { deadline: deadline_of::<S, D, L>(deadline), resume: Some(resume), timeout: None };
        Self::new(name, StepKind::Wait, work)
    }

    /// Waits for a moment of business time, reckoned when the step is entered.
    pub fn sleep<L>(name: &'static str, until: L) -> Self
    where
        L: Fn(&S, &D, Timestamp) -> Timestamp + Send + Sync + 'static,
    {
        let timeout: Change<S> = Box::new(|_, _, _| Ok(Next::Step));
        let work =
            Work::Wait { deadline: deadline_of::<S, D, L>(until), resume: None, timeout: Some(timeout) };
        Self::new(name, StepKind::Sleep, work)
    }

    /// Changes the service's own state, in one transaction with the saga's progress.
    pub fn local<A>(name: &'static str, apply: A) -> Self
    where
        A: Fn(&S, &mut Tx, &mut D) -> Result<Next, Abort> + Send + Sync + 'static,
    {
        Self::new(name, StepKind::Local, Work::Local(change_of::<S, D, A>(apply)))
    }

    /// Says how to compensate the step. It is called with the id of the command it undoes, until it succeeds; it may find
    /// that the command never arrived ([`Participate`](super::Participate)).
    pub fn undo<C, E>(mut self, undo: C) -> Self
    where
        C: for<'a> Method<'a, S, D, Output = Outcome<(), E>>,
        E: Problem,
    {
        let undo = Arc::new(undo);
        let erased = move |state: Arc<S>, cx: Call, data: &str| {
            let (undo, data) = (Arc::clone(&undo), decode::<D>(data));
            boxed(async move {
                let data = match data {
                    Ok(data) => data,
                    Err(abort) => return Sent::NoAnswer { detail: abort.to_string(), may_help: false },
                };
                match undo.call(&state, &cx, &data).await {
                    Ok(()) => Sent::Done(Box::new(|_, _, _| Ok(Next::Step))),
                    Err(fault) => fault.into(),
                }
            })
        };
        self.erased.undo = Some(Box::new(erased));
        self.erased.info.has_undo = true;
        self
    }

    /// Has the step only sometimes: when it would be entered and this is not so, the one after it is. Not for the pivot.
    pub fn when<W>(mut self, when: W) -> Self
    where
        W: Fn(&S, &D) -> bool + Send + Sync + 'static,
    {
        self.erased.when = Some(Box::new(move |state, data| Ok(when(state, &decode::<D>(data)?))));
        self
    }

    /// Makes it the pivot: once it is done there is no way back, and what follows is tried until it succeeds. From the
    /// moment a command that is the pivot may have been sent, the saga can fail only by its refusal.
    pub fn pivot(mut self) -> Self {
        self.erased.info.is_pivot = true;
        self
    }

    /// Says what follows when the deadline of a waiting step passes. After the pivot that has to be said.
    pub fn on_timeout<A>(mut self, then: A) -> Self
    where
        A: Fn(&S, &mut Tx, &mut D) -> Result<Next, Abort> + Send + Sync + 'static,
    {
        if let Work::Wait { timeout, .. } = &mut self.erased.work {
            *timeout = Some(change_of::<S, D, A>(then));
        }
        self
    }

    fn new(name: &'static str, kind: StepKind, work: Work<S>) -> Self {
        let info = StepInfo { name, kind, is_pivot: false, has_undo: false };
        Self { erased: Erased { info, work, undo: None, when: None }, data: PhantomData }
    }
}

impl<S, D> std::fmt::Debug for Step<S, D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.erased.info.fmt(f)
    }
}

impl<S, E: Problem> From<Fault<E>> for Sent<S> {
    fn from(fault: Fault<E>) -> Self {
        match fault {
            Fault::Domain(error) => Self::Refused { code: error.kind().code, detail: format!("{error:?}") },
            Fault::Platform(fault) => Self::NoAnswer {
                detail: failure::describe(&fault),
                // What is wrong with our request stays wrong. An internal error of theirs may be gone next time.
                may_help: fault.outward_kind().status() >= 500 || fault.kind().is_transient(),
            },
        }
    }
}

// === data as JSON ===

pub(super) fn decode<D: DeserializeOwned>(text: &str) -> Result<D, Abort> {
    serde_json::from_str(text).map_err(|error| Abort::because(format!("the data of a saga: {error}")))
}

/// Lends the data to a change, and keeps what it made of it.
pub(super) fn change<D: SagaData, T>(
    text: &mut String,
    change: impl FnOnce(&mut D) -> Result<T, Abort>,
) -> Result<T, Abort> {
    let mut data = decode::<D>(text)?;
    let changed = change(&mut data)?;
    *text = serde_json::to_string(&data)
        .map_err(|error| Abort::because(format!("the data of a saga cannot be JSON: {error}")))?;
    Ok(changed)
}

fn change_of<S, D: SagaData, A>(apply: A) -> Change<S>
where
    A: Fn(&S, &mut Tx, &mut D) -> Result<Next, Abort> + Send + Sync + 'static,
{
    Box::new(move |state, tx, data| change::<D, _>(data, |data| apply(state, tx, data)))
}

fn deadline_of<S, D: SagaData, L>(deadline: L) -> Deadline<S>
where
    L: Fn(&S, &D, Timestamp) -> Timestamp + Send + Sync + 'static,
{
    Box::new(move |state, data, now| Ok(deadline(state, &decode::<D>(data)?, now)))
}

fn boxed<T>(future: impl Future<Output = T> + Send + 'static) -> BoxFuture<'static, T> {
    Box::pin(future)
}
