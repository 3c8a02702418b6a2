//! What was computed, and what is being computed: nothing is computed twice, or for nobody.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;
use partie::runtime::{Compute, Saturated};
use tokio::sync::watch;

use crate::product::{digits, factorial};

/// Up to this n computing takes less than passing it on to another thread.
const AT_ONCE: u32 = 200;
/// What a kept result costs besides its bytes, about.
const OVERHEAD: usize = 128;

/// A factorial. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Number {
    /// Big-endian, without leading zeros.
    pub(crate) value: Bytes,
    /// How many decimal digits it has.
    pub(crate) digits: u64,
}

/// All results. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Results(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// How many bytes may be kept.
    budget: usize,
    compute: Compute,
}

#[derive(Default)]
struct State {
    kept: HashMap<u32, Kept>,
    bytes: usize,
    /// Counts the questions, to know who was asked for last.
    now: u64,
    flights: HashMap<u32, Weak<Flight>>,
}

struct Kept {
    number: Number,
    used: u64,
}

/// A result that is being computed, held by everybody who waits for it. When nobody does any more, it is not.
struct Flight {
    stop: Arc<AtomicBool>,
    outcome: watch::Sender<Option<Result<Number, Saturated>>>,
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

// === impl Results ===

impl Results {
    pub(crate) fn new(compute: Compute, budget: usize) -> Self {
        Self(Arc::new(Shared { state: Mutex::default(), budget, compute }))
    }

    /// n!. Dropping the future gives it up.
    ///
    /// # Errors
    /// [`Saturated`] when too many others are being computed.
    pub(crate) async fn get(&self, n: u32) -> Result<Number, Saturated> {
        if n <= AT_ONCE {
            return Number::compute(n, &AtomicBool::new(false)).ok_or(Saturated);
        }
        let flight = match self.find(n) {
            Ok(number) => return Ok(number),
            Err(flight) => flight,
        };
        let mut outcome = flight.outcome.subscribe();
        match outcome.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(outcome)) => outcome.clone(),
            // The sender is ours.
            _ => Err(Saturated),
        }
    }

    /// The result, or who computes it: somebody already, or from now on a task of its own.
    fn find(&self, n: u32) -> Result<Number, Arc<Flight>> {
        let mut state = self.0.state();
        state.now += 1;
        let now = state.now;
        if let Some(kept) = state.kept.get_mut(&n) {
            kept.used = now;
            return Ok(kept.number.clone());
        }
        if let Some(flight) = state.flights.get(&n).and_then(Weak::upgrade) {
            return Err(flight);
        }
        let flight = Arc::new(Flight { stop: Arc::default(), outcome: watch::Sender::new(None) });
        state.flights.insert(n, Arc::downgrade(&flight));
        drop(state);
        tokio::spawn(Arc::clone(&self.0).fly(n, Arc::downgrade(&flight), Arc::clone(&flight.stop)));
        Err(flight)
    }

    #[cfg(test)]
    fn kept(&self) -> usize {
        self.0.state().bytes
    }
}

impl fmt::Debug for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Results({} bytes)", self.0.state().bytes)
    }
}

// === impl Shared ===

impl Shared {
    async fn fly(self: Arc<Self>, n: u32, flight: Weak<Flight>, stop: Arc<AtomicBool>) {
        let computed = self.compute.run(move || Number::compute(n, &stop)).await;
        let outcome = computed.and_then(|number| number.ok_or(Saturated));
        let mut state = self.state();
        // Somebody may have begun again after everybody had given up.
        if state.flights.get(&n).is_some_and(|known| Weak::ptr_eq(known, &flight)) {
            state.flights.remove(&n);
        }
        if let Ok(number) = &outcome {
            state.keep(n, number.clone(), self.budget);
        }
        drop(state);
        if let Some(flight) = flight.upgrade() {
            flight.outcome.send_replace(Some(outcome));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl State ===

impl State {
    fn keep(&mut self, n: u32, number: Number, budget: usize) {
        let cost = number.cost();
        if cost > budget {
            return;
        }
        let used = self.now;
        if let Some(old) = self.kept.insert(n, Kept { number, used }) {
            self.bytes -= old.number.cost();
        }
        self.bytes += cost;
        while self.bytes > budget {
            let Some(oldest) = self.kept.iter().min_by_key(|(_, kept)| kept.used).map(|(n, _)| *n) else {
                return;
            };
            if let Some(gone) = self.kept.remove(&oldest) {
                self.bytes -= gone.number.cost();
            }
        }
    }
}

// === impl Number ===

impl Number {
    fn compute(n: u32, stop: &AtomicBool) -> Option<Self> {
        let value = factorial(n, stop)?;
        Some(Self { digits: digits(&value), value: value.to_be_bytes().into() })
    }

    fn cost(&self) -> usize {
        self.value.len() + OVERHEAD
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// One thread that is busy until it is told.
    async fn busy(compute: &Compute) -> mpsc::SyncSender<()> {
        let (release, gate) = mpsc::sync_channel(1);
        let (started, running) = tokio::sync::oneshot::channel();
        let pool = compute.clone();
        tokio::spawn(async move {
            pool.run(move || {
                started.send(()).ok();
                gate.recv().ok();
            })
            .await
        });
        running.await.unwrap();
        release
    }

    #[tokio::test]
    async fn who_asks_for_the_same_waits_for_the_same() {
        let compute = Compute::start(1, 1).unwrap();
        let results = Results::new(compute.clone(), 1 << 20);
        let release = busy(&compute).await;
        // There is room for one in the queue: a second computation would be refused.
        let asked: Vec<_> = (0..20)
            .map(|_| {
                let results = results.clone();
                tokio::spawn(async move { results.get(3_000).await })
            })
            .collect();
        tokio::task::yield_now().await;
        release.send(()).unwrap();
        for asked in asked {
            assert_eq!(asked.await.unwrap().unwrap().digits, 9_131);
        }
        assert_eq!(results.0.state().flights.len(), 0);
    }

    #[tokio::test]
    async fn nothing_is_computed_for_nobody() {
        let compute = Compute::start(1, 4).unwrap();
        let results = Results::new(compute.clone(), 1 << 20);
        let release = busy(&compute).await;
        let asked = {
            let results = results.clone();
            tokio::spawn(async move { results.get(20_000).await })
        };
        tokio::task::yield_now().await;
        let stop = Arc::clone(&results.0.state().flights[&20_000].upgrade().unwrap().stop);
        asked.abort();
        asked.await.unwrap_err();
        assert!(stop.load(Ordering::Relaxed));
        // Who asks again is not taken for the one who gave up.
        let again = {
            let results = results.clone();
            tokio::spawn(async move { results.get(20_000).await })
        };
        tokio::task::yield_now().await;
        release.send(()).unwrap();
        assert_eq!(again.await.unwrap().unwrap().digits, 77_338);
    }

    #[tokio::test]
    async fn no_more_is_kept_than_may_be_and_the_least_used_goes_first() {
        let budget = 3 * Number::compute(1_000, &AtomicBool::new(false)).unwrap().cost();
        let results = Results::new(Compute::start(1, 4).unwrap(), budget);
        for n in [1_000, 999, 998, 1_000, 997] {
            results.get(n).await.unwrap();
            assert!(results.kept() <= budget);
        }
        let mut kept: Vec<u32> = results.0.state().kept.keys().copied().collect();
        kept.sort_unstable();
        assert_eq!(kept, [997, 998, 1_000]);
        results.get(20_000).await.unwrap();
        assert_eq!(results.0.state().kept.len(), 3, "what is too large for all is not worth all");
    }

    #[tokio::test]
    async fn who_comes_when_there_is_no_room_is_told() {
        let compute = Compute::start(1, 1).unwrap();
        let results = Results::new(compute.clone(), 1 << 20);
        let release = busy(&compute).await;
        let first = {
            let results = results.clone();
            tokio::spawn(async move { results.get(2_000).await })
        };
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
        assert_eq!(results.get(2_001).await, Err(Saturated));
        release.send(()).unwrap();
        assert!(first.await.unwrap().is_ok());
        assert!(results.get(2_001).await.is_ok(), "a refusal is not kept");
    }
}
