//! Single flight: of all who miss the same thing at the same time, one loads it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use partie_contract::Platform;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::engine::{Entry, Token};

/// The loads of one cache that are under way.
pub(super) struct Flights<V>(Mutex<HashMap<Arc<str>, Arc<Flight<V>>>>);

/// One load, and who waits for it.
struct Flight<V> {
    token: Token,
    /// The load begins after everybody who may join knew of this version.
    floor: i64,
    /// One permit: whose it is, loads. Who is cancelled drops it, and the next in line loads. Closed when there is an
    /// outcome, so that everybody learns of it at once.
    turn: Arc<Semaphore>,
    outcome: OnceLock<Landed<V>>,
}

/// What came of a load, for all who waited.
pub(super) type Landed<V> = Result<Entry<V>, Arc<Platform>>;

/// A place on a flight. The last one to leave, or who landed it, clears it away.
pub(super) struct Seat<'f, V> {
    flights: &'f Flights<V>,
    key: Arc<str>,
    flight: Arc<Flight<V>>,
    has_landed_it: bool,
}

// === impl Flights ===

impl<V> Flights<V> {
    /// A place on the flight for that key. One that began before the floor was known, or with a slot that was lost since,
    /// may bring something old: it goes on for those who are on it, and another one begins.
    pub(super) fn join(&self, key: &str, token: Token, floor: i64) -> Seat<'_, V> {
        let mut flights = self.lock();
        if let Some((key, flight)) = flights.get_key_value(key)
            && flight.token == token
            && flight.floor >= floor
        {
            let (key, flight) = (Arc::clone(key), Arc::clone(flight));
            return Seat { flights: self, key, flight, has_landed_it: false };
        }
        let key: Arc<str> = key.into();
        let flight = Flight { token, floor, turn: Arc::new(Semaphore::new(1)), outcome: OnceLock::new() };
        let flight = Arc::new(flight);
        flights.insert(Arc::clone(&key), Arc::clone(&flight));
        Seat { flights: self, key, flight, has_landed_it: false }
    }

    /// Nobody joins the flight for that key any more.
    pub(super) fn detach(&self, key: &str) {
        self.lock().remove(key);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, Arc<Flight<V>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<V> Default for Flights<V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

// === impl Seat ===

impl<V> Seat<'_, V> {
    /// Waits until it is one's turn to load, or there is an outcome.
    pub(super) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.flight.turn).acquire_owned().await.ok()
    }

    /// What came of the load, once there are no more turns.
    pub(super) fn outcome(&self) -> Option<Landed<V>> {
        self.flight.outcome.get().cloned()
    }

    pub(super) fn token(&self) -> Token {
        self.flight.token
    }

    pub(super) fn floor(&self) -> i64 {
        self.flight.floor
    }

    /// Tells everybody on the flight.
    pub(super) fn land(&mut self, outcome: Landed<V>) {
        self.has_landed_it = self.flight.outcome.set(outcome).is_ok();
        self.flight.turn.close();
    }
}

impl<V> Drop for Seat<'_, V> {
    fn drop(&mut self) {
        let mut flights = self.flights.lock();
        let is_there = flights.get(&self.key).is_some_and(|flight| Arc::ptr_eq(flight, &self.flight));
        // The map and this seat hold it, and nobody else.
        if is_there && (self.has_landed_it || Arc::strong_count(&self.flight) == 2) {
            flights.remove(&self.key);
        }
    }
}
