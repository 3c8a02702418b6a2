//! One key of one group: what waits, in order, and why it waits.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::broker::Message;

/// How many messages of one failing key are kept in memory.
pub(super) const LANE_LIMIT: usize = 32;

/// The messages of one key that are in memory, and what is known of the rest.
#[derive(Default)]
pub(super) struct Lane {
    pub(super) queue: VecDeque<Entry>,
    pub(super) state: LaneState,
    pub(super) stall: Option<Stall>,
    /// How often in a row the first message could not even be tried.
    pub(super) postponed: u32,
    /// The last position that is held on disk only; positions up to the last of the queue are in memory.
    pub(super) held_to: Option<i64>,
}

/// Whose turn it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum LaneState {
    /// Nobody's: there is nothing to do.
    #[default]
    Idle,
    /// The group's.
    Ready,
    /// The handler's.
    InFlight,
    /// The clock's.
    Waiting,
    /// Somebody's who looks after it.
    Parked,
}

pub(super) struct Entry {
    pub(super) position: i64,
    pub(super) message: Arc<Message>,
    /// Whether it stands in `partie_held` instead of keeping the group's position back.
    pub(super) held: bool,
}

/// What is remembered of a key that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stall {
    /// Failures of the first message.
    pub(super) attempts: u32,
    pub(super) error: String,
}

/// A change for the disk, in the order they were made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Op {
    Hold { position: i64, message: Arc<Message> },
    Release { position: i64 },
    Stall { key: Arc<str>, stall: Stall, parked: bool },
    Unstall { key: Arc<str> },
}

// === impl Lane ===

impl Lane {
    /// Takes a message from the log. Gives back what has to be noted, and whether the message is in memory now.
    pub(super) fn accept(&mut self, position: i64, message: Arc<Message>) -> (Option<Op>, bool) {
        if self.stall.is_none() {
            self.queue.push_back(Entry { position, message, held: false });
            return (None, true);
        }
        let hold = Op::Hold { position, message: Arc::clone(&message) };
        let fits = self.state != LaneState::Parked && self.held_to.is_none() && self.queue.len() < LANE_LIMIT;
        if fits {
            self.queue.push_back(Entry { position, message, held: true });
        } else {
            self.held_to = Some(position);
        }
        (Some(hold), fits)
    }

    /// Turns everything in memory into held messages. Gives back those that were none, with their positions.
    pub(super) fn hold_all(&mut self) -> Vec<(i64, Arc<Message>)> {
        let mut held = Vec::new();
        for entry in self.queue.iter_mut().filter(|entry| !entry.held) {
            entry.held = true;
            held.push((entry.position, Arc::clone(&entry.message)));
        }
        held
    }

    /// Empties the memory; everything is held on disk.
    pub(super) fn spill(&mut self) {
        if let Some(last) = self.queue.back() {
            self.held_to = Some(self.held_to.unwrap_or(i64::MIN).max(last.position));
        }
        self.queue.clear();
    }

    /// Whether messages have to come from the disk before the lane can go on.
    pub(super) fn needs_refill(&self) -> bool {
        self.queue.is_empty() && self.held_to.is_some() && self.state != LaneState::Parked
    }

    /// Takes held messages from the disk: the next ones in order, asked for when `asked_to` was the last one held.
    pub(super) fn refill(&mut self, rows: Vec<(i64, Arc<Message>)>, limit: usize, asked_to: i64) {
        let read_to = rows.last().map_or(asked_to, |(last, _)| *last);
        let known_to = if rows.len() < limit { read_to.max(asked_to) } else { read_to };
        self.queue.extend(rows.into_iter().map(|(position, message)| Entry {
            position,
            message,
            held: true,
        }));
        // What was held while the rows were read comes with the next refill.
        if self.held_to.is_some_and(|held_to| held_to <= known_to) {
            self.held_to = None;
        }
    }
}
