//! A subscriber's place: what its group has in hand while it reads.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use partie_contract::Outcome;
use partie_runtime::monotonic;
use partie_store::Store;
use tokio::sync::Notify;

use super::ByBroker;
use super::tables;
use crate::broker::BrokerError;
use crate::broker::group::{Changes, GroupState};
use crate::broker::rows::Rows;

/// A group by name. One subscriber of this process reads for it at a time.
#[derive(Default)]
pub(super) struct Cell {
    /// Held by the one that reads, or is about to.
    pub(super) turn: Arc<tokio::sync::Mutex<()>>,
    seat: Mutex<Option<Arc<Seat>>>,
}

/// What a subscriber, its deliveries and its task share.
pub(super) struct Seat {
    inside: Mutex<Inside>,
    /// Told when there may be something to take.
    pub(super) news: Notify,
    /// Told when there may be something to note, or to bring from the disk.
    pub(super) work: Notify,
    /// One at a time writes, so that it is written in order.
    flushing: tokio::sync::Mutex<()>,
}

#[derive(Default)]
pub(super) struct Inside {
    /// There while this subscriber reads.
    pub(super) active: Option<Active>,
    /// Nothing comes any more.
    pub(super) over: bool,
}

pub(super) struct Active {
    pub(super) epoch: i64,
    pub(super) parts: Vec<Part>,
    /// Which part is asked first next time.
    turn: usize,
}

/// One part of the log.
pub(super) struct Part {
    pub(super) state: GroupState,
    pub(super) base: i64,
    /// Told when there may be room for more of it.
    pub(super) room: Arc<Notify>,
    /// For the disk, from writes that failed; oldest first.
    left: Vec<Changes>,
}

// === impl Cell ===

impl Cell {
    /// Who reads now.
    pub(super) fn seat(&self) -> Option<Arc<Seat>> {
        self.lock().clone()
    }

    pub(super) fn set_seat(&self, seat: Option<Arc<Seat>>) {
        *self.lock() = seat;
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Seat>>> {
        self.seat.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Seat ===

impl Seat {
    pub(super) fn new() -> Self {
        Self {
            inside: Mutex::default(),
            news: Notify::new(),
            work: Notify::new(),
            flushing: tokio::sync::Mutex::new(()),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with a part, while this subscriber reads.
    pub(super) fn with<T>(&self, part: usize, f: impl FnOnce(&mut Part) -> T) -> Option<T> {
        self.lock().active.as_mut()?.parts.get_mut(part).map(f)
    }

    /// Nothing comes any more; whoever waits learns so.
    pub(super) fn end(&self) {
        let gone = {
            let mut inside = self.lock();
            inside.over = true;
            inside.active.take()
        };
        drop(gone);
        self.news.notify_one();
    }

    pub(super) fn unpark(&self, key: &str) {
        if let Some(active) = &mut self.lock().active {
            active.parts.iter_mut().for_each(|part| part.state.unpark(key));
        }
        self.work.notify_one();
    }

    /// Brings messages of one part, by the log's positions.
    pub(super) fn load(&self, part: usize, rows: Rows, to: i64) {
        self.with(part, |part| {
            let base = part.base;
            let rows: Rows = rows.into_iter().map(|(position, message)| (position + base, message)).collect();
            part.state.load(part.state.scanned(), &rows, to + base, monotonic());
        });
        self.news.notify_one();
        self.work.notify_one();
    }

    /// Whether there is something for the disk, and whether there will be more of it soon.
    pub(super) fn is_dirty(&self) -> (bool, bool) {
        let inside = self.lock();
        let parts = || inside.active.iter().flat_map(|active| &active.parts);
        let dirty = parts().any(|part| !part.left.is_empty() || part.state.is_dirty());
        (dirty, parts().any(|part| part.state.is_active()))
    }

    /// Notes what was settled, and that the reader is alive if `beats`. When this is done, everything settled before it
    /// began is on disk. Says whether this subscriber still reads; if not, it is over for it.
    pub(super) async fn flush(&self, store: &Store, group: &str, beats: bool) -> Result<bool, BrokerError> {
        let _one_at_a_time = self.flushing.lock().await;
        let (epoch, changes) = {
            let mut inside = self.lock();
            let Some(active) = &mut inside.active else { return Ok(false) };
            let changes = active.parts.iter_mut().map(Part::take_changes);
            (active.epoch, Arc::new(changes.collect::<Vec<_>>()))
        };
        if !beats && changes.iter().all(Vec::is_empty) {
            return Ok(true);
        }
        let (to_write, group) = (Arc::clone(&changes), group.to_owned());
        let written: Outcome<bool> = store
            .write(move |tx| {
                if !tables::beat(tx, &group, epoch)? {
                    return Ok(false);
                }
                for (part, changes) in (0..).zip(to_write.iter()) {
                    changes.iter().try_for_each(|changes| tables::note(tx, &group, part, changes))?;
                }
                Ok(true)
            })
            .await;
        match written.by_broker() {
            Ok(true) => Ok(true),
            Ok(false) => {
                self.end();
                Ok(false)
            }
            Err(error) => {
                if let Some(active) = &mut self.lock().active {
                    for (part, changes) in active.parts.iter_mut().zip(changes.iter()) {
                        part.left.splice(..0, changes.iter().cloned());
                    }
                }
                Err(error)
            }
        }
    }
}

// === impl Active ===

impl Active {
    pub(super) fn new(epoch: i64, parts: Vec<Part>) -> Self {
        Self { epoch, parts, turn: 0 }
    }

    /// The parts by number, another one first each time.
    pub(super) fn in_turn(&mut self) -> impl Iterator<Item = (usize, &mut Part)> {
        self.turn = (self.turn + 1) % self.parts.len().max(1);
        let (before, after) = self.parts.split_at_mut(self.turn);
        let split = before.len();
        let after = after.iter_mut().enumerate().map(move |(i, part)| (split + i, part));
        after.chain(before.iter_mut().enumerate())
    }
}

// === impl Part ===

impl Part {
    pub(super) fn new(state: GroupState, base: i64) -> Self {
        Self { state, base, room: Arc::default(), left: Vec::new() }
    }

    fn take_changes(&mut self) -> Vec<Changes> {
        let mut changes = std::mem::take(&mut self.left);
        changes.extend(self.state.changes());
        changes
    }
}
