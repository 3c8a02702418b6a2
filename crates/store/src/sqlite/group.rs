//! Group commit: many closures in one commit, and each can be undone without the others.

use std::mem;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use partie_contract::{FaultKind, Platform};
use partie_runtime::{failpoint, monotonic};
use rusqlite::Connection;
use tracing::{error, info, warn};

use super::control::{Commit, Control};
use super::guard::Guard;
use super::log::Log;
use super::session::Session;
use crate::error::{Error, ErrorKind};
use crate::queue::{Popped, Queue};
use crate::shared::Shared;
use crate::status::{Health, bump};
use crate::task::{Task, Verdict};
use crate::tx::Tx;

/// How many closures get a savepoint each after one had to be undone.
///
/// A savepoint keeps a copy of every page that is changed after it, which costs about as much as a statement or two, and
/// hardly a closure is undone that has written: most refuse before they write. So there are none until one is; then the
/// group begins anew with them. Closures like it may follow, and should not make every group begin twice.
const CAREFUL_FOR: u32 = 1_000;
/// How often a store without space tries whether there is some again.
const PROBE_EVERY: Duration = Duration::from_secs(1);
/// What it tries: something that takes 16 pages, and gives them back.
const PROBES: [&str; 2] = [
    "INSERT INTO partie_meta (name, value) VALUES ('probe', zeroblob(65536))
     ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    "DELETE FROM partie_meta WHERE name = 'probe'",
];

/// Carries out groups of writes.
pub(super) struct Grouper<'c> {
    shared: &'c Shared,
    queue: &'c Queue<Task>,
    connection: &'c Connection,
    control: Control<'c>,
    log: Log,
    tx: Tx,
    /// The group in the making; kept for its allocation.
    group: Vec<Task>,
    mood: Mood,
    /// How many closures are still to get a savepoint.
    careful: u32,
    /// When the latest group began, if it was more than one closure.
    crowd: Option<Instant>,
    before_commit: String,
    after_commit: String,
}

/// What the writer thinks of its disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Well,
    /// The disk is full: probe it now and then, for nobody may dare to write.
    Full,
    /// A commit's outcome is unknown: never write again.
    Failed,
}

/// What came of a closure that was run without a savepoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tried {
    /// What it did is kept, or it did nothing.
    Kept,
    /// What it did has to be undone, and everything before it in the group goes with it.
    ToUndo,
}

// === impl Grouper ===

impl<'c> Grouper<'c> {
    pub(super) fn new(
        shared: &'c Shared,
        queue: &'c Queue<Task>,
        connection: &'c Rc<Connection>,
        guard: &Guard,
        log: Log,
    ) -> rusqlite::Result<Self> {
        let name = &shared.name;
        Ok(Self {
            shared,
            queue,
            connection,
            control: Control::prepare(connection, guard, "BEGIN IMMEDIATE")?,
            log,
            tx: Tx::sqlite(Session::new(Rc::clone(connection)), shared),
            group: Vec::with_capacity(shared.config.batch),
            mood: Mood::Well,
            careful: 0,
            crowd: None,
            before_commit: format!("store.{name}.before_commit"),
            after_commit: format!("store.{name}.after_commit"),
        })
    }

    pub(super) fn run(&mut self) {
        loop {
            let patience = (self.mood == Mood::Full).then_some(PROBE_EVERY);
            match self.queue.pop(patience) {
                Popped::Item(task) if self.mood == Mood::Failed => {
                    task.refuse(degraded("the store has failed"))
                }
                Popped::Item(task) => {
                    self.keep_pace();
                    self.gather(task);
                }
                Popped::Idle => self.probe(),
                Popped::Closed => return,
            }
        }
    }

    /// The turns of the thread until nobody waits.
    #[cfg(test)]
    pub(super) fn gather_all(&mut self) {
        while let Some(task) = self.queue.try_pop() {
            self.gather(task);
        }
    }

    /// Lets others join the next group, if there are others.
    fn keep_pace(&mut self) {
        let Some(begun) = self.crowd.take() else { return };
        let left = self.shared.config.pace.saturating_sub(begun.elapsed());
        if !left.is_zero() {
            thread::sleep(left);
        }
    }

    /// Carries out the first task and those that are queued behind it, and commits them together.
    fn gather(&mut self, first: Task) {
        let config = &self.shared.config;
        self.shared.metrics.queue_length.set(self.queue.len() as f64);
        let begun = monotonic();
        let mut group = mem::take(&mut self.group);
        let mut carried_out = Ok(());
        let mut time = Duration::ZERO;
        let mut next = Some(first);
        while let Some(mut task) = next {
            if task.is_late() {
                task.refuse(
                    Platform::new(FaultKind::UpstreamTimeout)
                        .with_detail("the deadline passed before the write began; nothing was done"),
                );
            } else {
                if group.is_empty()
                    && let Err(error) = self.control.begin()
                {
                    task.refuse(error.into());
                    break;
                }
                carried_out = match self.try_out(&mut task, &mut time) {
                    Ok(Tried::Kept) => Ok(()),
                    Ok(Tried::ToUndo) => self.begin_anew(&mut group, &mut time),
                    Err(error) => Err(error),
                };
                group.push(task);
            }
            let goes_on = carried_out.is_ok() && group.len() < config.batch && time < config.batch_time;
            next = if goes_on { self.queue.try_pop() } else { None };
        }
        self.crowd = (group.len() > 1).then_some(begun);
        if !group.is_empty() {
            self.conclude(&mut group, carried_out);
        }
        self.group = group;
        // Everybody has an answer; now there is time.
        if self.mood != Mood::Failed {
            let pages = self.log.tend(self.connection, &self.shared.name);
            self.shared.metrics.log_pages.set(f64::from(pages));
        }
    }

    /// Runs one closure, without a savepoint if it may be kept anyway. An error says that the transaction is lost.
    fn try_out(&mut self, task: &mut Task, time: &mut Duration) -> Result<Tried, Error> {
        if self.careful > 0 || self.shared.config.run_twice {
            self.careful = self.careful.saturating_sub(1);
            return self.carry_out(task, time).map(|()| Tried::Kept);
        }
        self.tx.take_written();
        self.attempt(task, false, time)?;
        let is_undone = task.verdict() == Verdict::Undo && self.tx.take_written();
        Ok(if is_undone { Tried::ToUndo } else { Tried::Kept })
    }

    /// Undoes the latest closure, and with it the whole group: the closures before it run again, in savepoints.
    fn begin_anew(&mut self, before: &mut [Task], time: &mut Duration) -> Result<(), Error> {
        self.control.rollback()?;
        self.control.begin()?;
        if !before.is_empty() {
            self.careful = CAREFUL_FOR;
        }
        before.iter_mut().try_for_each(|task| self.carry_out(task, time))
    }

    /// Runs one closure in a savepoint. An error says that the transaction around it is lost.
    fn carry_out(&mut self, task: &mut Task, time: &mut Duration) -> Result<(), Error> {
        let compared = self.shared.config.run_twice;
        let mut rehearsed = None;
        self.control.savepoint()?;
        if compared {
            self.attempt(task, compared, time)?;
            self.control.undo()?;
            self.control.savepoint()?;
            rehearsed = Some(task.digest());
        }
        self.attempt(task, compared, time)?;
        if rehearsed.is_some_and(|rehearsed| rehearsed != task.digest()) {
            self.shared.impure(task);
        }
        match task.verdict() {
            Verdict::Keep => self.control.keep(),
            Verdict::Undo => self.control.undo(),
        }
    }

    fn attempt(&mut self, task: &mut Task, compared: bool, time: &mut Duration) -> Result<(), Error> {
        let took = task.run(&mut self.tx, compared);
        *time += took;
        self.shared.note_slow(task, took);
        let is_full = self.tx.take_full();
        if is_full {
            self.degrade();
        }
        match self.tx.is_alive() {
            true => Ok(()),
            false => Err(Error::new(if is_full { ErrorKind::Full } else { ErrorKind::Ended })),
        }
    }

    /// Commits the group and answers. If that cannot be, each of its tasks is run again alone.
    fn conclude(&mut self, group: &mut Vec<Task>, carried_out: Result<(), Error>) {
        let end = match carried_out {
            Ok(()) => self.commit(group),
            Err(error) => Commit::Refused(error),
        };
        match end {
            Commit::Done => group.drain(..).for_each(|task| self.answer(task)),
            Commit::Unknown(error) => self.give_up(group, &error),
            Commit::Refused(error) => {
                if error.kind() == ErrorKind::Full {
                    self.degrade();
                }
                match self.control.rollback() {
                    Err(error) => self.give_up(group, &error),
                    Ok(()) if group.len() > 1 => self.run_alone(group, &error),
                    Ok(()) => group.drain(..).for_each(|mut task| {
                        task.lose(error.again().into());
                        self.answer(task);
                    }),
                }
            }
        }
    }

    fn commit(&mut self, group: &[Task]) -> Commit {
        let changes = self.control.changes();
        failpoint(&self.before_commit);
        let begun = monotonic();
        let end = self.control.commit();
        if matches!(end, Commit::Done) {
            failpoint(&self.after_commit);
            self.shared.metrics.committed(begun.elapsed(), group.len());
            if changes {
                bump(&self.shared.status.count.commits);
                self.recover();
            }
        }
        end
    }

    /// One of the tasks broke the transaction of all, and which one it was is not known: SQLite may notice only at the
    /// commit. Alone, each gets what it deserves.
    fn run_alone(&mut self, group: &mut Vec<Task>, reason: &Error) {
        warn!(store = %self.shared.name, tasks = group.len(), %reason, "a group of writes is run again one by one");
        for mut task in group.drain(..) {
            if self.mood == Mood::Failed {
                task.refuse(degraded("the store has failed"));
                continue;
            }
            bump(&self.shared.status.count.reruns);
            self.shared.metrics.reruns.increment(1);
            if let Err(error) = self.control.begin() {
                task.refuse(error.into());
                continue;
            }
            let carried_out = self.carry_out(&mut task, &mut Duration::default());
            self.conclude(&mut vec![task], carried_out);
        }
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
    }

    /// Nobody knows what reached the disk. Only a new process, reading it back, will.
    pub(super) fn give_up(&mut self, group: &mut Vec<Task>, error: &Error) {
        self.mood = Mood::Failed;
        self.shared.fail(&format!("a commit failed on its way to the disk: {error}"));
        for task in group.drain(..) {
            task.refuse(
                Platform::new(FaultKind::OutcomeUnknown)
                    .caused_by(format!("the commit failed on its way to the disk: {error}")),
            );
        }
    }

    fn degrade(&mut self) {
        if self.mood == Mood::Well {
            self.mood = Mood::Full;
            error!(store = %self.shared.name, "the disk is full: writes are refused until there is space");
            self.shared.status.set(Health::Degraded("the disk is full".into()));
        }
    }

    fn recover(&mut self) {
        if self.mood == Mood::Full {
            self.mood = Mood::Well;
            info!(store = %self.shared.name, "there is space again: writes are accepted");
            self.shared.status.set(Health::Ready);
        }
    }

    /// Writes something that needs space, as nobody else may dare to.
    pub(super) fn probe(&mut self) {
        for sql in PROBES {
            let written = self.control.begin().and_then(|()| self.control.run(sql));
            match written.map(|()| self.control.commit()) {
                Ok(Commit::Done) => {}
                Ok(Commit::Unknown(error)) => return self.give_up(&mut Vec::new(), &error),
                Ok(Commit::Refused(_)) | Err(_) => {
                    if let Err(error) = self.control.rollback() {
                        self.give_up(&mut Vec::new(), &error);
                    }
                    return;
                }
            }
        }
        self.recover();
    }
}

fn degraded(detail: &'static str) -> Platform {
    Platform::new(FaultKind::Degraded).with_detail(detail)
}
