//! A consumer group in memory: which message is whose turn. It reads no clock and touches no disk.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use partie_runtime::{Activity, Busy, Ids};

use super::lane::{LANE_LIMIT, Lane, LaneState, Op, Stall};
use crate::broker::{Group, Message, Verdict};

type Key = Arc<str>;

/// What one group has in hand. It exists while the group has a subscriber.
pub(super) struct GroupState {
    group: Group,
    /// How many messages are kept in memory, those of failing keys apart.
    limit: usize,
    lanes: HashMap<Key, Lane>,
    /// Whose turn it is, and since when.
    ready: VecDeque<(Key, Instant)>,
    /// Lanes that wait for the clock. The number makes the order total.
    waits: BinaryHeap<Reverse<(Instant, u64, Key)>>,
    waits_made: u64,
    /// Positions in memory that are neither settled nor held: they keep the group's position back.
    open: BTreeSet<i64>,
    /// Everything up to here has been looked at.
    scanned: i64,
    /// The end of the log.
    end: i64,
    /// Keys that failed, parked ones included.
    stalled: BTreeSet<Key>,
    /// The group's position and the changes, as last given to the disk.
    noted: i64,
    ops: Vec<Op>,
    activity: Activity,
    ids: Ids,
    /// Held while there is something to do.
    busy: Option<Busy>,
}

/// A message whose turn it is.
pub(super) struct Turn {
    pub(super) message: Arc<Message>,
    pub(super) attempt: u32,
    pub(super) since: Instant,
}

/// What the disk remembers of a group.
pub(super) struct Remembered {
    pub(super) settled: i64,
    /// Key, what is known of its failure, whether it is parked, and the last position held for it.
    pub(super) stalls: Vec<(Key, Stall, bool, i64)>,
}

/// What is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Changes {
    pub(super) settled: i64,
    pub(super) ops: Vec<Op>,
}

// === impl GroupState ===

impl GroupState {
    pub(super) fn new(
        group: Group,
        limit: usize,
        remembered: Remembered,
        end: i64,
        activity: Activity,
        ids: Ids,
    ) -> Self {
        let Remembered { settled, stalls } = remembered;
        let stalled = stalls.iter().map(|(key, ..)| Arc::clone(key)).collect();
        let lanes = stalls.into_iter().map(|(key, stall, parked, held_to)| {
            let state = if parked { LaneState::Parked } else { LaneState::Idle };
            (key, Lane { state, stall: Some(stall), held_to: Some(held_to), ..Lane::default() })
        });
        let mut state = Self {
            group,
            limit,
            lanes: lanes.collect(),
            ready: VecDeque::new(),
            waits: BinaryHeap::new(),
            waits_made: 0,
            open: BTreeSet::new(),
            scanned: settled,
            end: end.max(settled),
            stalled,
            noted: settled,
            ops: Vec::new(),
            activity,
            ids,
            busy: None,
        };
        state.update_busy();
        state
    }

    /// Hears of messages the log has just taken, in order.
    pub(super) fn offer(&mut self, rows: &[(i64, Arc<Message>)], now: Instant) {
        let mut in_step = self.scanned >= self.end;
        for (position, message) in rows {
            self.end = self.end.max(*position);
            in_step = in_step && self.open.len() < self.limit;
            if in_step {
                self.scan(*position, message, now);
            }
        }
        self.update_busy();
    }

    /// Where to read on in the log, if there is more of it and room for it.
    pub(super) fn lag(&self) -> Option<i64> {
        (self.scanned < self.end && self.open.len() < self.limit).then_some(self.scanned)
    }

    /// Everything up to here has been looked at.
    pub(super) fn scanned(&self) -> i64 {
        self.scanned
    }

    /// Whether there is room for more messages.
    pub(super) fn has_room(&self) -> bool {
        self.open.len() < self.limit
    }

    /// Takes messages read from the log after `from`; everything up to `to` has been read.
    pub(super) fn load(&mut self, from: i64, rows: &[(i64, Arc<Message>)], to: i64, now: Instant) {
        if from != self.scanned {
            return;
        }
        for (position, message) in rows {
            self.scan(*position, message, now);
        }
        self.scanned = self.scanned.max(to);
        self.end = self.end.max(to);
        self.update_busy();
    }

    /// Whether there is something for the subscriber to take, or to bring from the disk.
    pub(super) fn wants_subscriber(&self) -> bool {
        !self.ready.is_empty() || self.lag().is_some() || self.refill_wanted().is_some()
    }

    /// A lane whose next messages have to come from the disk, with the last position held for it.
    pub(super) fn refill_wanted(&self) -> Option<(Key, i64)> {
        self.stalled.iter().find_map(|key| {
            let lane = self.lanes.get(key).filter(|lane| lane.needs_refill())?;
            Some((Arc::clone(key), lane.held_to?))
        })
    }

    /// Takes a lane's next messages from the disk.
    pub(super) fn refill(&mut self, key: &Key, rows: Vec<(i64, Arc<Message>)>, asked_to: i64, now: Instant) {
        let Some(lane) = self.lanes.get_mut(key).filter(|lane| lane.needs_refill()) else { return };
        lane.refill(rows, LANE_LIMIT, asked_to);
        self.go_on(key, now);
        self.update_busy();
    }

    /// Gives out what is ready, at most that many messages.
    pub(super) fn take(&mut self, at_most: usize, now: Instant) -> Vec<Turn> {
        while self.waits.peek().is_some_and(|Reverse((due, ..))| *due <= now) {
            let Some(Reverse((_, _, key))) = self.waits.pop() else { break };
            if self.lanes.get(&key).is_some_and(|lane| lane.state == LaneState::Waiting) {
                self.set(&key, LaneState::Idle);
                self.go_on(&key, now);
            }
        }
        let mut turns = Vec::new();
        while turns.len() < at_most {
            let Some((key, since)) = self.ready.pop_front() else { break };
            let Some(lane) = self.lanes.get_mut(&key).filter(|lane| lane.state == LaneState::Ready) else {
                continue;
            };
            if let Some(entry) = lane.queue.front() {
                lane.state = LaneState::InFlight;
                let attempt = lane.stall.as_ref().map_or(0, |stall| stall.attempts) + 1;
                turns.push(Turn { message: Arc::clone(&entry.message), attempt, since });
            }
        }
        turns
    }

    /// When the next lane has waited long enough.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.waits.peek().map(|Reverse((due, ..))| *due)
    }

    /// Hears what became of the message a key has in flight.
    pub(super) fn settle(&mut self, key: &Key, verdict: Verdict, now: Instant) {
        let Some(lane) = self.lanes.get_mut(key).filter(|lane| lane.state == LaneState::InFlight) else {
            return;
        };
        lane.state = LaneState::Idle;
        match verdict {
            Verdict::Done => self.done(key, now),
            Verdict::Later(_) => {
                lane.postponed = lane.postponed.saturating_add(1);
                let wait = self.group.backoff.after(lane.postponed, &self.ids);
                self.wait(key, now + wait);
            }
            Verdict::Failed(error) => self.failed(key, error, false, now),
            Verdict::Poison(error) => self.failed(key, error, true, now),
        }
        self.update_busy();
    }

    /// Lets a parked key go on.
    pub(super) fn unpark(&mut self, key: &str) {
        if let Some(lane) = self.lanes.get_mut(key).filter(|lane| lane.state == LaneState::Parked) {
            lane.state = LaneState::Idle;
            if let Some(stall) = &mut lane.stall {
                stall.attempts = 0;
            }
        }
        self.update_busy();
    }

    /// The keys that are parked.
    pub(super) fn parked_keys(&self) -> impl Iterator<Item = &Key> {
        let is_parked = |key: &&Key| self.lanes.get(*key).is_some_and(|lane| lane.state == LaneState::Parked);
        self.stalled.iter().filter(is_parked)
    }

    /// Whether there is something to do.
    pub(super) fn is_active(&self) -> bool {
        self.busy.is_some()
    }

    /// Whether there is something for the disk.
    pub(super) fn is_dirty(&self) -> bool {
        !self.ops.is_empty() || self.settled() != self.noted
    }

    /// What there is for the disk, which is from now on somebody else's to write.
    pub(super) fn changes(&mut self) -> Option<Changes> {
        self.is_dirty().then(|| {
            self.noted = self.settled();
            Changes { settled: self.noted, ops: std::mem::take(&mut self.ops) }
        })
    }

    /// The position up to which everything is settled or held.
    fn settled(&self) -> i64 {
        self.open.first().map_or(self.scanned, |first| first - 1)
    }

    fn scan(&mut self, position: i64, message: &Arc<Message>, now: Instant) {
        self.scanned = position;
        if !self.group.types.iter().any(|wanted| **wanted == *message.type_name) {
            return;
        }
        let lane = self.lanes.entry(Arc::clone(&message.key)).or_default();
        let (op, in_memory) = lane.accept(position, Arc::clone(message));
        match op {
            Some(op) => self.ops.push(op),
            None => {
                self.open.insert(position);
            }
        }
        if in_memory {
            self.go_on(&message.key, now);
        }
    }

    fn done(&mut self, key: &Key, now: Instant) {
        let Some(lane) = self.lanes.get_mut(key) else { return };
        lane.postponed = 0;
        if let Some(entry) = lane.queue.pop_front() {
            if entry.held {
                self.ops.push(Op::Release { position: entry.position });
            } else {
                self.open.remove(&entry.position);
            }
        }
        if let Some(stall) = lane.stall.as_mut().filter(|stall| stall.attempts > 0) {
            stall.attempts = 0;
            self.ops.push(Op::Stall { key: Arc::clone(key), stall: stall.clone(), parked: false });
        }
        self.go_on(key, now);
    }

    fn failed(&mut self, key: &Key, error: String, at_once: bool, now: Instant) {
        let Some(lane) = self.lanes.get_mut(key) else { return };
        let attempts = lane.stall.as_ref().map_or(0, |stall| stall.attempts).saturating_add(1);
        let stall = Stall { attempts, error };
        lane.stall = Some(stall.clone());
        self.stalled.insert(Arc::clone(key));
        for (position, message) in lane.hold_all() {
            self.open.remove(&position);
            self.ops.push(Op::Hold { position, message });
        }
        let parked = at_once || attempts >= self.group.attempts;
        self.ops.push(Op::Stall { key: Arc::clone(key), stall, parked });
        if parked {
            lane.state = LaneState::Parked;
            lane.spill();
        } else {
            let wait = self.group.backoff.after(attempts, &self.ids);
            self.wait(key, now + wait);
        }
    }

    /// Makes an idle lane ready if it has a message, and forgets it if nothing is left of it.
    fn go_on(&mut self, key: &Key, now: Instant) {
        let Some(lane) = self.lanes.get_mut(key).filter(|lane| lane.state == LaneState::Idle) else { return };
        if !lane.queue.is_empty() {
            lane.state = LaneState::Ready;
            self.ready.push_back((Arc::clone(key), now));
        } else if lane.held_to.is_none() {
            if lane.stall.is_some() {
                self.stalled.remove(key);
                self.ops.push(Op::Unstall { key: Arc::clone(key) });
            }
            self.lanes.remove(key);
        }
    }

    fn wait(&mut self, key: &Key, due: Instant) {
        self.set(key, LaneState::Waiting);
        self.waits_made += 1;
        self.waits.push(Reverse((due, self.waits_made, Arc::clone(key))));
    }

    fn set(&mut self, key: &Key, state: LaneState) {
        if let Some(lane) = self.lanes.get_mut(key) {
            lane.state = state;
        }
    }

    /// Something is going on while a message is in memory, more is in the log, or a key that failed is not parked.
    fn update_busy(&mut self) {
        let waits = |key| self.lanes.get(key).is_some_and(|lane: &Lane| lane.state != LaneState::Parked);
        let active = !self.open.is_empty() || self.scanned < self.end || self.stalled.iter().any(waits);
        match (active, &self.busy) {
            (true, None) => self.busy = Some(self.activity.begin()),
            (false, Some(_)) => self.busy = None,
            _ => {}
        }
    }

    /// Something is going on as long as what is given back is there.
    pub(super) fn busy(&self) -> Busy {
        self.busy.clone().unwrap_or_else(|| self.activity.begin())
    }

    /// The longest anybody waits for the clock without asking again.
    pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(60);
}

#[cfg(test)]
mod tests;
