//! The people on the stage. They go on as if nothing had happened, whatever happens to the program.

mod customer;
mod driver;
mod kitchen;
mod town;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use food_contracts::OrderId;
use partie::contract::Timestamp;
use partie::runtime::Clock;

pub(crate) use self::customer::Customer;
pub(crate) use self::driver::{Driver, Habit};
pub(crate) use self::kitchen::Kitchen;
pub(crate) use self::town::Town;
use super::stage::Stage;

/// What the people tell each other.
pub(crate) struct Play<'s> {
    pub(crate) stage: &'s Stage,
    /// How long people wait before they look again.
    glance: Duration,
    clock: Clock,
    is_over: AtomicBool,
    said: Mutex<BTreeSet<(Word, OrderId)>>,
}

/// Something said about an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Word {
    /// It was answered with 201.
    Placed,
    /// Its customer has asked to cancel it.
    Cancel,
    /// A driver has the food.
    PickedUp,
    /// A driver would not have it, or would not answer.
    LeftToOthers,
}

// === impl Play ===

impl<'s> Play<'s> {
    pub(crate) fn new(stage: &'s Stage, glance: Duration) -> Self {
        Self { stage, glance, clock: Clock::wall(), is_over: AtomicBool::new(false), said: Mutex::default() }
    }

    /// Says something. Gives back whether nobody had said it before.
    pub(crate) fn say(&self, word: Word, order: OrderId) -> bool {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).insert((word, order))
    }

    pub(crate) fn was_said(&self, word: Word, order: OrderId) -> bool {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).contains(&(word, order))
    }

    /// How many orders were answered with 201 so far.
    pub(crate) fn placed(&self) -> usize {
        self.orders(Word::Placed).len()
    }

    /// All orders of which that was said.
    pub(crate) fn orders(&self, word: Word) -> Vec<OrderId> {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.iter().filter(|(known, _)| *known == word).map(|(_, order)| *order).collect()
    }

    /// Everybody goes home.
    pub(crate) fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    fn goes_on(&self) -> bool {
        !self.is_over.load(Ordering::Relaxed)
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn glance(&self) {
        thread::sleep(self.glance);
    }
}
