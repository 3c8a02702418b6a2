//! What a transaction knows of the job it is lent to.

use std::cell::{Cell, RefCell};
use std::collections::hash_map::DefaultHasher;
use std::hash::Hasher;

use partie_contract::{Call, Timestamp};
use partie_runtime::Clock;
use uuid::Uuid;

use crate::attached::Local;

/// What one job has been given. It keeps it through all runs of its closure.
#[derive(Default)]
pub(crate) struct Job {
    /// Set when the closure runs for the first time.
    begun_at: Option<Timestamp>,
    /// Of this run; later than that only after [`Tx::not_before`](super::Tx::not_before).
    pub(super) now: Option<Timestamp>,
    /// The ids given out, and how many of them in this run.
    pub(super) ids: RefCell<Vec<Uuid>>,
    pub(super) used: Cell<usize>,
    pub(super) call: Option<Call>,
    /// Of this run.
    pub(crate) after_commit: Vec<AfterCommit>,
    /// Of this run: whether a problem of the contract commits.
    pub(super) keeps_problem: bool,
    /// Of this run.
    pub(super) local: Local,
    /// Of this run, if runs are compared: a digest of all statements and their parameters.
    pub(super) digest: Option<DefaultHasher>,
}

/// Work for after the commit.
pub(crate) type AfterCommit = Box<dyn FnOnce() + Send>;

// === impl Job ===

impl Job {
    pub(crate) fn of(call: Option<Call>) -> Self {
        Self { call, ..Self::default() }
    }

    /// Begins a run: everything of an earlier run is forgotten, except what has to be the same again.
    pub(super) fn begin_run(&mut self, clock: &Clock, compared: bool) {
        self.now = Some(*self.begun_at.get_or_insert_with(|| clock.now()));
        self.used.set(0);
        self.after_commit.clear();
        self.keeps_problem = false;
        self.local.clear();
        self.digest = compared.then(DefaultHasher::new);
    }

    pub(crate) fn keeps_problem(&self) -> bool {
        self.keeps_problem
    }

    /// What this run did, as a number.
    pub(crate) fn digest(&self) -> u64 {
        self.digest.as_ref().map_or(0, DefaultHasher::finish)
    }
}
