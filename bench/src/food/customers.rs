//! Customers: an open loop. Orders are due at moments fixed in advance, whatever became of those before them.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use partie::runtime::monotonic;
use tokio::sync::mpsc::{Receiver, Sender, WeakSender, channel};
use tokio::task::JoinSet;

use crate::{Connection, Error, request};

/// When somebody is to come back who is sent away without a word.
const COME_BACK: Duration = Duration::from_secs(1);
/// Orders under way at most; the others wait at the door, and their time runs.
const CONNECTIONS: usize = 128;
const CREATED: u16 = 201;
const UNAVAILABLE: u16 = 503;

/// Who orders, and what.
#[derive(Debug)]
pub(super) struct Customers {
    pub(super) to: SocketAddr,
    /// The header lines that say who asks.
    pub(super) people: Vec<String>,
    pub(super) orders: Vec<Vec<u8>>,
    /// Makes keys of this process and round new ones.
    pub(super) round: String,
}

/// What became of a round of orders.
#[derive(Debug, Default)]
pub(super) struct Takings {
    /// Orders that were due.
    pub(super) due: u64,
    pub(super) placed: Vec<Placed>,
    /// Answers with 503. Who gets one comes back when it says, with the same key.
    pub(super) refused: u64,
    /// Orders whose customers had nobody to come back to before the round was over.
    pub(super) given_up: u64,
    /// Any other answer, and the first of them.
    pub(super) failed: u64,
    pub(super) failure: Option<String>,
}

/// An order that was answered with 201.
#[derive(Debug, Clone, Copy)]
pub(super) struct Placed {
    /// When, from the beginning of the round.
    pub(super) at: Duration,
    /// Since it was due.
    pub(super) latency: Duration,
}

/// An order to place.
#[derive(Debug, Clone, Copy)]
struct Wish {
    number: usize,
    due: Duration,
}

/// What all connections of a round share.
struct Round {
    customers: Customers,
    begun: Instant,
    time: Duration,
    accepted: Arc<AtomicU64>,
    /// Held by those who are to come back; the loop ends when nobody is.
    door: WeakSender<Wish>,
    takings: std::sync::Mutex<Takings>,
}

// === impl Customers ===

impl Customers {
    /// Orders for that long at that mean rate, with the gaps of a Poisson process. Counts those that are accepted.
    pub(super) async fn order(
        self,
        rate: f64,
        time: Duration,
        begun: Instant,
        accepted: Arc<AtomicU64>,
    ) -> Result<Takings, Error> {
        let dues = schedule(rate, time);
        let (door, wishes) = channel(dues.len().max(1));
        let takings = Takings { due: dues.len() as u64, ..Takings::default() };
        let round = Arc::new(Round {
            begun,
            time,
            accepted,
            door: door.downgrade(),
            takings: std::sync::Mutex::new(takings),
            customers: self,
        });
        let wishes = Arc::new(tokio::sync::Mutex::new(wishes));
        let mut connections = JoinSet::new();
        for _ in 0..CONNECTIONS {
            let mut connection = Connection::new(round.customers.to);
            connection.open().await?;
            connections.spawn(Arc::clone(&round).serve(connection, Arc::clone(&wishes)));
        }
        // The runtime's timers know only milliseconds.
        thread::spawn(move || let_in(&dues, begun, &door));
        while let Some(ended) = connections.join_next().await {
            ended?;
        }
        let round = Arc::into_inner(round).ok_or("a customer is still there")?;
        Ok(round.takings.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}

// === impl Round ===

impl Round {
    async fn serve(
        self: Arc<Self>,
        mut connection: Connection,
        wishes: Arc<tokio::sync::Mutex<Receiver<Wish>>>,
    ) {
        loop {
            let next = wishes.lock().await.recv().await;
            let Some(wish) = next else { return };
            let answer = connection.exchange(&self.customers.request(wish.number)).await;
            let at = monotonic().duration_since(self.begun);
            let failure = match answer {
                Ok(answer) if answer.status == CREATED => {
                    self.accepted.fetch_add(1, Ordering::Relaxed);
                    let latency = at.saturating_sub(wish.due);
                    self.note(|takings| takings.placed.push(Placed { at, latency }));
                    continue;
                }
                Ok(answer) if answer.status == UNAVAILABLE => {
                    self.come_back(wish, at, answer.retry_after.unwrap_or(COME_BACK));
                    continue;
                }
                Ok(answer) => format!("{} {}", answer.status, String::from_utf8_lossy(&answer.body)),
                Err(error) => error.to_string(),
            };
            self.note(|takings| {
                takings.failed += 1;
                takings.failure.get_or_insert(failure);
            });
        }
    }

    fn come_back(&self, wish: Wish, now: Duration, after: Duration) {
        let door = self.door.upgrade().filter(|_| now + after < self.time);
        self.note(|takings| {
            takings.refused += 1;
            takings.given_up += u64::from(door.is_none());
        });
        if let Some(door) = door {
            tokio::spawn(async move {
                tokio::time::sleep(after).await;
                // There is room for every order of the round.
                door.send(wish).await.ok();
            });
        }
    }

    fn note(&self, note: impl FnOnce(&mut Takings)) {
        note(&mut self.takings.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Customers {
    fn request(&self, number: usize) -> Vec<u8> {
        let person = &self.people[number % self.people.len()];
        let order = &self.orders[number % self.orders.len()];
        let headers = format!("{person}idempotency-key: {}-{number}\r\n", self.round);
        request("POST", "/api/v1/orders", &headers, order)
    }
}

/// Opens the door to each order when it is due. Late is better than never, and counts.
fn let_in(dues: &[Duration], begun: Instant, door: &Sender<Wish>) {
    for (number, due) in dues.iter().enumerate() {
        thread::sleep(due.saturating_sub(monotonic().duration_since(begun)));
        if door.blocking_send(Wish { number, due: *due }).is_err() {
            return;
        }
    }
}

/// The same moments for the same rate, every time.
fn schedule(rate: f64, time: Duration) -> Vec<Duration> {
    let mut random = fastrand::Rng::with_seed(7);
    let (mut dues, mut at) = (Vec::new(), 0.0);
    loop {
        at += -(1.0 - random.f64()).ln() / rate;
        if at >= time.as_secs_f64() {
            return dues;
        }
        dues.push(Duration::from_secs_f64(at));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_has_its_rate_and_irregular_gaps() {
        let dues = schedule(1_000.0, Duration::from_secs(10));
        assert!((9_700..10_300).contains(&dues.len()), "{}", dues.len());
        assert!(dues.is_sorted());
        let short = dues.windows(2).filter(|pair| pair[1] - pair[0] < Duration::from_micros(500)).count();
        assert!((3_500..4_500).contains(&short), "{short}: 39 % of the gaps are below half the mean");
    }
}
