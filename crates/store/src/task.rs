//! Tasks: closures on their way to a thread of the store, and their outcomes on the way back.

use std::any::Any;
use std::fmt;
use std::mem;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::time::Duration;

use partie_contract::{Call, Deadline, Fault, FaultKind, Outcome, Platform};
use partie_runtime::{Busy, monotonic};
use tokio::sync::oneshot;
use tracing::error;

use crate::tx::{Job, Tx};

/// A closure with everything it needs, whatever its types.
pub(crate) struct Task {
    work: Box<dyn Work>,
    job: Job,
    deadline: Option<Deadline>,
    /// Of the latest run.
    verdict: Verdict,
    is_detached: bool,
    is_read: bool,
    pub(crate) location: &'static Location<'static>,
}

/// Where the caller waits. Dropping it cancels nothing that has begun.
pub(crate) type Answer<T, E> = oneshot::Receiver<(Outcome<T, E>, Busy)>;

/// Whether what a closure did is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Keep,
    Undo,
}

trait Work: Send {
    /// Runs the closure and keeps its outcome.
    fn run(&mut self, tx: &mut Tx) -> Verdict;
    /// Puts a fault in the place of the outcome.
    fn fail(&mut self, fault: Platform);
    /// Whether nobody waits for the outcome any more.
    fn is_abandoned(&self) -> bool;
    /// Sends the outcome.
    fn answer(self: Box<Self>);
}

struct Typed<T, E, F> {
    closure: F,
    outcome: Option<Outcome<T, E>>,
    reply: oneshot::Sender<(Outcome<T, E>, Busy)>,
    /// Something is going on until the caller has the outcome; then it is the caller's turn.
    busy: Busy,
}

// === impl Task ===

impl Task {
    pub(crate) fn new<T, E, F>(
        closure: F,
        call: Option<Call>,
        busy: Busy,
        location: &'static Location<'static>,
    ) -> (Self, Answer<T, E>)
    where
        T: Send + 'static,
        E: Send + 'static,
        F: FnMut(&mut Tx) -> Outcome<T, E> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let deadline = call.as_ref().map(Call::deadline);
        let work = Box::new(Typed { closure, outcome: None, reply, busy });
        let (job, verdict) = (Job::of(call), Verdict::Undo);
        (Self { work, job, deadline, verdict, is_detached: false, is_read: false, location }, answer)
    }

    /// Runs the closure and says how long it took.
    pub(crate) fn run(&mut self, tx: &mut Tx, compared: bool) -> Duration {
        tx.enter(mem::take(&mut self.job), compared);
        let begun = monotonic();
        self.verdict = match catch_unwind(AssertUnwindSafe(|| self.work.run(tx))) {
            Ok(verdict) => verdict,
            Err(payload) => {
                let message = panic_message(&*payload);
                error!(at = %self.location, message, "a closure given to the store panicked and was rolled back");
                self.fail(Platform::internal(format!(
                    "the closure at {} panicked: {message}",
                    self.location
                )));
                Verdict::Undo
            }
        };
        let took = begun.elapsed();
        self.job = tx.leave();
        took
    }

    /// Whether what the latest run did is kept.
    pub(crate) fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// Whether the caller stopped waiting before the task began.
    pub(crate) fn is_late(&self) -> bool {
        self.deadline.is_some_and(Deadline::has_passed)
    }

    /// Runs even though nobody waits for it.
    pub(crate) fn detached(mut self) -> Self {
        self.is_detached = true;
        self
    }

    /// Only reads, where one queue has both.
    pub(crate) fn reading(mut self) -> Self {
        self.is_read = true;
        self
    }

    #[cfg(feature = "postgres")]
    pub(crate) fn is_read(&self) -> bool {
        self.is_read
    }

    #[cfg(feature = "postgres")]
    pub(crate) fn deadline(&self) -> Option<Deadline> {
        self.deadline
    }

    pub(crate) fn is_abandoned(&self) -> bool {
        !self.is_detached && self.work.is_abandoned()
    }

    /// What the latest run did, for comparison with another one.
    pub(crate) fn digest(&self) -> (u64, Verdict) {
        (self.job.digest(), self.verdict)
    }

    /// Puts a fault in the place of the outcome, and undoes.
    pub(crate) fn fail(&mut self, fault: Platform) {
        self.work.fail(fault);
        self.verdict = Verdict::Undo;
    }

    /// The transaction is lost. A closure that wanted to keep something learns why it is not; another one has its
    /// answer already.
    pub(crate) fn lose(&mut self, fault: Platform) {
        if self.verdict == Verdict::Keep {
            self.fail(fault);
        }
    }

    /// Runs what was to follow the commit, then answers.
    pub(crate) fn committed(mut self) {
        for hook in self.job.after_commit.drain(..) {
            if let Err(payload) = catch_unwind(AssertUnwindSafe(hook)) {
                let message = panic_message(&*payload);
                error!(at = %self.location, message, "what was to follow a commit panicked; the commit stands");
            }
        }
        self.work.answer();
    }

    /// Answers for a task that left nothing behind.
    pub(crate) fn undone(self) {
        self.work.answer();
    }

    pub(crate) fn refuse(mut self, fault: Platform) {
        self.fail(fault);
        self.undone();
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Task({})", self.location)
    }
}

// === impl Typed ===

impl<T, E, F> Work for Typed<T, E, F>
where
    T: Send,
    E: Send,
    F: FnMut(&mut Tx) -> Outcome<T, E> + Send,
{
    fn run(&mut self, tx: &mut Tx) -> Verdict {
        let outcome = (self.closure)(tx);
        let verdict = match &outcome {
            Ok(_) => Verdict::Keep,
            Err(Fault::Domain(_)) if tx.job().keeps_problem() => Verdict::Keep,
            Err(_) => Verdict::Undo,
        };
        self.outcome = Some(outcome);
        verdict
    }

    fn fail(&mut self, fault: Platform) {
        self.outcome = Some(Err(Fault::Platform(fault)));
    }

    fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    fn answer(self: Box<Self>) {
        let Self { outcome, reply, busy, .. } = *self;
        let outcome = outcome.unwrap_or_else(|| Err(Platform::internal("the store gave no outcome").into()));
        // Nobody may be waiting any more.
        drop(reply.send((outcome, busy)));
    }
}

/// What an outcome is when it can no longer be learned: the store's thread is gone.
pub(crate) fn lost<T, E>(_: oneshot::error::RecvError) -> Outcome<T, E> {
    Err(Platform::new(FaultKind::OutcomeUnknown).caused_by("a thread of the store has ended").into())
}

fn panic_message(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}
