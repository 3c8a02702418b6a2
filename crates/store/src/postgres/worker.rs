//! A thread with a connection: it carries out one closure after the other.

use std::cell::RefCell;
use std::collections::HashMap;
use std::panic::Location;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use partie_contract::{FaultKind, Platform};
use partie_runtime::{Backoff, failpoint, monotonic};
use tracing::warn;

use super::error::Trouble;
use super::link::{Care, End, Link, READ, WRITE};
use super::outage::{Outage, Turn};
use super::session::Session;
use super::turns::{ALONE_AFTER, Turns};
use crate::error::Error;
use crate::queue::{Popped, Queue};
use crate::shared::Shared;
use crate::status::bump;
use crate::task::{Task, Verdict};
use crate::tx::Tx;

/// Between two runs of a closure that others came in between of.
const RERUN: Backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(100));
/// How often a store that cannot write tries whether it can again.
const PROBE_EVERY: Duration = Duration::from_secs(1);
/// How many closures from one place run with care after one of them needed it.
const CAREFUL_FOR: u32 = 100;
/// Something that takes a few pages, and gives them back.
const PROBE: &str =
    "INSERT INTO partie_meta (name, value) VALUES ('probe', convert_to(repeat('x', 65536), 'UTF8'))
     ON CONFLICT (name) DO UPDATE SET value = excluded.value;
     DELETE FROM partie_meta WHERE name = 'probe'";

pub(super) struct Worker {
    shared: Arc<Shared>,
    queue: Arc<Queue<Task>>,
    outage: Arc<Outage>,
    turns: Arc<Turns>,
    link: Rc<RefCell<Link>>,
    tx: Tx,
    /// One of the threads looks after the server when nobody else does.
    is_first: bool,
    /// Places whose closures go on after a failed statement, and how many more of them are expected to.
    careful: HashMap<&'static Location<'static>, u32>,
    before_commit: String,
    after_commit: String,
}

// === impl Worker ===

impl Worker {
    pub(super) fn new(
        shared: Arc<Shared>,
        queue: Arc<Queue<Task>>,
        outage: Arc<Outage>,
        turns: Arc<Turns>,
        link: Link,
        is_first: bool,
    ) -> Self {
        let link = Rc::new(RefCell::new(link));
        let tx = Tx::postgres(Session::new(Rc::clone(&link)), &shared);
        let (before_commit, after_commit) =
            (format!("store.{}.before_commit", shared.name), format!("store.{}.after_commit", shared.name));
        Self {
            shared,
            queue,
            outage,
            turns,
            link,
            tx,
            is_first,
            careful: HashMap::new(),
            before_commit,
            after_commit,
        }
    }

    /// Ends when the queue is closed and empty.
    pub(super) fn run(&mut self) {
        loop {
            match self.queue.pop(self.is_first.then_some(PROBE_EVERY)) {
                Popped::Item(task) if task.is_read() => self.read(task),
                Popped::Item(task) => self.write(task),
                Popped::Idle => self.probe(),
                Popped::Closed => return,
            }
        }
    }

    fn write(&mut self, mut task: Task) {
        self.shared.metrics.queue_length.set(self.queue.len() as f64);
        if task.is_late() {
            return task.refuse(
                Platform::new(FaultKind::UpstreamTimeout)
                    .with_detail("the deadline passed before the write began; nothing was done"),
            );
        }
        let limit = monotonic() + self.shared.config.rerun_limit;
        let until = task.deadline().map_or(limit, |deadline| deadline.instant());
        let mut is_careful = self.expects_care(task.location);
        let mut failures = 0;
        loop {
            if let Err(fault) = self.reach(until) {
                return task.refuse(fault);
            }
            let turns = Arc::clone(&self.turns);
            let turn = turns.take(failures);
            self.carry_out(&mut task, is_careful);
            let end = self.conclude(task.verdict());
            drop(turn);
            if self.link.borrow_mut().take_full() {
                self.outage.full(&self.shared, true);
            }
            let why = match end {
                End::Done => return self.answer(task),
                End::Refused(error) => {
                    task.lose(error.into());
                    return self.answer(task);
                }
                End::Unknown(error) => {
                    warn!(store = %self.shared.name, %error, at = %task.location, "the outcome of a commit is unknown");
                    task.refuse(Platform::new(FaultKind::OutcomeUnknown).caused_by(error));
                    return self.link.borrow_mut().clear();
                }
                End::Void => {
                    is_careful = true;
                    self.careful.insert(task.location, CAREFUL_FOR);
                    None
                }
                End::Again(trouble) => Some(trouble),
            };
            self.link.borrow_mut().clear();
            bump(&self.shared.status.count.reruns);
            self.shared.metrics.reruns.increment(1);
            failures += 1;
            if why == Some(Trouble::Conflict) {
                turns.conflict();
            }
            if !self.rest(why, failures, until) {
                return task.refuse(
                    Platform::new(FaultKind::Overloaded)
                        .with_detail("others kept coming in between; nothing was done")
                        .retry_after(Duration::from_secs(1)),
                );
            }
        }
    }

    /// Lets others go first for a moment. Says whether there is time to run again.
    fn rest(&self, why: Option<Trouble>, failures: u32, until: Instant) -> bool {
        let wait = match why {
            // Once it ran alone it is other processes that came in between.
            Some(Trouble::Conflict) => {
                RERUN.after(failures.saturating_sub(ALONE_AFTER).max(1), &self.shared.handles.ids)
            }
            _ => Duration::ZERO,
        };
        let is_time_left = monotonic() + wait < until;
        if is_time_left && !wait.is_zero() {
            thread::sleep(wait);
        }
        is_time_left
    }

    fn expects_care(&mut self, location: &'static Location<'static>) -> bool {
        let Some(left) = self.careful.get_mut(&location) else { return false };
        *left -= 1;
        if *left == 0 {
            self.careful.remove(&location);
        }
        true
    }

    fn carry_out(&mut self, task: &mut Task, is_careful: bool) {
        let compared = self.shared.config.run_twice;
        let care = if is_careful || compared { Care::All } else { Care::None };
        self.link.borrow_mut().begin(WRITE, care);
        if !compared {
            let took = task.run(&mut self.tx, false);
            return self.shared.note_slow(task, took);
        }
        // What goes wrong on the way shows at the end of the transaction.
        drop(self.link.borrow_mut().mark());
        task.run(&mut self.tx, true);
        let rehearsed = task.digest();
        if self.link.borrow_mut().back().is_err() || !self.link.borrow().goes_on() {
            return;
        }
        let took = task.run(&mut self.tx, true);
        self.shared.note_slow(task, took);
        if rehearsed != task.digest() && self.link.borrow().goes_on() {
            self.shared.impure(task);
        }
    }

    fn conclude(&mut self, verdict: Verdict) -> End {
        let keep = verdict == Verdict::Keep;
        if keep {
            failpoint(&self.before_commit);
        }
        let begun = monotonic();
        let end = self.link.borrow_mut().end(keep);
        if keep && matches!(end, End::Done) {
            failpoint(&self.after_commit);
            if self.link.borrow().has_written() {
                self.shared.metrics.committed(begun.elapsed(), 1);
                bump(&self.shared.status.count.commits);
                self.outage.full(&self.shared, false);
            }
        }
        end
    }

    fn answer(&self, task: Task) {
        bump(&self.shared.status.count.writes);
        match task.verdict() {
            Verdict::Keep => {
                self.shared.metrics.writes_kept.increment(1);
                task.committed();
            }
            Verdict::Undo => {
                self.shared.metrics.writes_undone.increment(1);
                task.undone();
            }
        }
        // Nobody has to wait for a rollback.
        self.link.borrow_mut().clear();
    }

    fn read(&mut self, mut task: Task) {
        // Reads are cancelled when nobody waits for them.
        if task.is_abandoned() {
            return;
        }
        if let Err(fault) = self.reach(monotonic() + self.shared.config.rerun_limit) {
            return task.refuse(fault);
        }
        self.link.borrow_mut().begin(READ, Care::AfterFirst);
        let took = task.run(&mut self.tx, false);
        self.shared.note_slow(&task, took);
        self.shared.metrics.read_duration.record(took);
        bump(&self.shared.status.count.reads);
        match task.verdict() {
            Verdict::Keep => task.committed(),
            Verdict::Undo => task.undone(),
        }
        // There is nothing to keep; this only gives the snapshot back.
        self.link.borrow_mut().clear();
    }

    /// Makes sure of a connection, waiting for the server if it is not down for long.
    fn reach(&self, until: Instant) -> Result<(), Platform> {
        let unavailable = |detail: String| {
            Platform::new(FaultKind::Degraded)
                .with_detail("the database cannot be reached; nothing was done")
                .retry_after(Duration::from_secs(1))
                .caused_by(detail)
        };
        loop {
            if self.link.borrow().is_connected() {
                return Ok(());
            }
            match self.outage.turn(self.shared.config.outage_patience, &self.shared.handles.ids) {
                Turn::Now => match self.connect() {
                    Ok(()) => return Ok(()),
                    Err(error) if monotonic() >= until => return Err(unavailable(error.to_string())),
                    Err(_) => {}
                },
                Turn::Wait(wait) if monotonic() + wait < until => thread::sleep(wait),
                Turn::Wait(_) => return Err(unavailable("there was no time to wait for it".to_owned())),
                Turn::GiveUp(reason) => return Err(unavailable(reason)),
            }
        }
    }

    fn connect(&self) -> Result<(), Error> {
        let connected = self.link.borrow_mut().connect();
        match &connected {
            Ok(()) => self.outage.up(&self.shared),
            Err(error) => self.outage.down(&self.shared, error),
        }
        connected
    }

    /// Looks whether the server is there again, or has space again, when nobody else does.
    fn probe(&self) {
        if self.outage.is_down()
            && matches!(self.outage.turn(Duration::ZERO, &self.shared.handles.ids), Turn::Now)
        {
            drop(self.connect());
        }
        // This thread may have had nothing to do so far, and no connection.
        let is_connected = || self.link.borrow().is_connected();
        if self.outage.is_full() && (is_connected() || self.connect().is_ok()) {
            let mut link = self.link.borrow_mut();
            if link.control(PROBE).is_ok() {
                self.outage.full(&self.shared, false);
            }
        }
    }
}
