//! A town: the running system, with everybody who lives there.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use partie::runtime::monotonic;
use serde::Deserialize;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use super::basket::Market;
use super::customers::Customers;
use super::kitchens::Kitchen;
use super::meter::{Meter, Reading};
use super::program::Program;
use super::trial::{Sample, Seen, Trial};
use crate::{Connection, Error, own_cpu, request};

/// The search for the highest rate goes on in these steps until a round is not steady, then halves the gap so many times.
const STEP: f64 = 1.4;
const HALVINGS: usize = 3;
/// People who order.
const PEOPLE: usize = 16;
/// Who owns the demo restaurants.
const OWNER: &str = "demo-kitchen";
/// Between looks at the metrics.
const LOOK: Duration = Duration::from_millis(250);
/// A system that writes nothing for so long has nothing left to do.
const SILENCE: Duration = Duration::from_millis(100);
/// The longest wait for the last confirmation.
const PATIENCE: Duration = Duration::from_secs(120);

/// The running system with its customers and kitchens. One thread plays them all.
#[derive(Debug)]
pub struct Town {
    runtime: Runtime,
    program: Program,
    market: Market,
    people: Vec<String>,
    owner: String,
    rounds: u32,
    /// Orders accepted in all rounds.
    orders: u64,
}

/// What is read of a page of orders.
#[derive(Deserialize)]
struct Page {
    data: Vec<Order>,
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
struct Order {
    status: String,
}

// === impl Town ===

impl Town {
    /// Starts the program on that directory.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(binary: &Path, data: &Path) -> Result<Self, Error> {
        Self::on(binary, data, &[])
    }

    /// Starts the program on that directory, on engines that variables of its environment name.
    ///
    /// # Errors
    /// When it does not start.
    pub fn on(binary: &Path, data: &Path, engines: &[(&str, String)]) -> Result<Self, Error> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let program = Program::start(binary, data, engines)?;
        let market = runtime.block_on(Market::visit(program.address()))?;
        let people =
            (0..PEOPLE).map(|number| program.authorization(&format!("customer-{number}"), "customer"));
        let (people, owner) = (people.collect::<Result<_, _>>()?, program.authorization(OWNER, "owner")?);
        Ok(Self { runtime, program, market, people, owner, rounds: 0, orders: 0 })
    }

    /// One round at that mean rate, until all its orders are confirmed.
    ///
    /// # Errors
    /// When the system breaks off, or does not confirm what it accepted.
    pub fn trial(&mut self, rate: f64, time: Duration) -> Result<Trial, Error> {
        self.rounds += 1;
        let seen = self.runtime.block_on(self.round(rate, time))?;
        self.orders += seen.takings.placed.len() as u64;
        Ok(Trial::of(seen))
    }

    /// The highest rate at which a round of that time is steady. Each round is told.
    ///
    /// # Errors
    /// As [`trial`](Self::trial), and when not even the first rate is steady.
    pub fn highest(&mut self, first: f64, time: Duration, tell: impl Fn(&Trial)) -> Result<f64, Error> {
        let mut is_steady = |rate| {
            let trial = self.trial(rate, time)?;
            tell(&trial);
            Ok::<_, Error>(trial.is_steady())
        };
        let (mut steady, mut rate) = (0.0, first);
        while is_steady(rate)? {
            (steady, rate) = (rate, rate * STEP);
        }
        let mut unsteady = rate;
        for _ in 0..HALVINGS {
            let middle = f64::midpoint(steady, unsteady);
            if is_steady(middle)? { steady = middle } else { unsteady = middle }
        }
        if steady > 0.0 { Ok(steady) } else { Err("not even the first rates were steady".into()) }
    }

    /// Whether all orders of all rounds are there and confirmed, by their customers' lists.
    ///
    /// # Errors
    /// When they are not.
    pub fn check(&self) -> Result<u64, Error> {
        let confirmed = self.runtime.block_on(async {
            let mut connection = Connection::new(self.address());
            let mut confirmed = 0;
            for person in &self.people {
                confirmed += count(&mut connection, person).await?;
            }
            Ok::<_, Error>(confirmed)
        })?;
        match confirmed == self.orders {
            true => Ok(confirmed),
            false => Err(format!("{} orders were accepted, {confirmed} are confirmed", self.orders).into()),
        }
    }

    /// Resident memory, in MiB.
    ///
    /// # Errors
    /// When `/proc` does not say.
    pub fn resident_mib(&self) -> Result<f64, Error> {
        Ok(self.program.resident_kib()? as f64 / 1_024.0)
    }

    fn address(&self) -> SocketAddr {
        self.program.address()
    }

    async fn round(&self, rate: f64, time: Duration) -> Result<Seen, Error> {
        let to = self.address();
        let mut kitchens = JoinSet::new();
        for restaurant in &self.market.restaurants {
            let kitchen = Kitchen { to, owner: self.owner.clone(), restaurant: restaurant.clone() };
            kitchens.spawn(kitchen.work());
        }
        let customers = Customers {
            to,
            people: self.people.clone(),
            orders: self.market.orders.clone(),
            round: format!("{}-{}", std::process::id(), self.rounds),
        };
        let mut meter = Meter::new(to);
        let before = meter.read().await?;
        let (cpu, load_cpu) = (self.program.cpu()?, own_cpu()?);
        let (begun, accepted) = (monotonic(), Arc::new(AtomicU64::new(0)));
        let ordering = customers.order(rate, time, begun, Arc::clone(&accepted));
        let mut watch = Watch { meter, begun, accepted, before: before.confirmed(), samples: Vec::new() };
        let (takings, last) = {
            tokio::pin!(ordering);
            let mut every = tokio::time::interval(LOOK);
            loop {
                tokio::select! {
                    takings = &mut ordering => break (takings?, watch.look().await?),
                    _ = every.tick() => drop(watch.look().await?),
                    Some(ended) = kitchens.join_next() => ended??,
                }
            }
        };
        loop {
            watch.look().await?;
            if watch.all_confirmed() {
                break;
            }
            if monotonic().duration_since(begun) > time + PATIENCE {
                return Err("accepted orders are not confirmed".into());
            }
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(20)) => {}
                Some(ended) = kitchens.join_next() => ended??,
            }
        }
        let (ended, load_cpu) = (monotonic().duration_since(begun), own_cpu()?.saturating_sub(load_cpu));
        drop(kitchens);
        let after = watch.quiet().await?;
        let cpu = self.program.cpu()?.saturating_sub(cpu);
        let (quiet, samples) = (monotonic().duration_since(begun), watch.samples);
        Ok(Seen { rate, takings, samples, readings: [before, last, after], cpu, load_cpu, ended, quiet })
    }
}

/// Follows a round.
struct Watch {
    meter: Meter,
    begun: Instant,
    accepted: Arc<AtomicU64>,
    /// Confirmed before the round.
    before: u64,
    samples: Vec<Sample>,
}

// === impl Watch ===

impl Watch {
    async fn look(&mut self) -> Result<Reading, Error> {
        let reading = self.meter.read().await?;
        // Confirmations first: they are never shown closer to the orders than they are.
        self.samples.push(Sample {
            at: monotonic().duration_since(self.begun),
            confirmed: reading.confirmed().saturating_sub(self.before),
            accepted: self.accepted.load(Ordering::Relaxed),
        });
        Ok(reading)
    }

    /// Waits until nothing is written any more: what follows an order costs too.
    async fn quiet(&mut self) -> Result<Reading, Error> {
        let mut last = self.meter.read().await?;
        loop {
            tokio::time::sleep(SILENCE).await;
            let next = self.meter.read().await?;
            if next.writes() == last.writes() {
                return Ok(next);
            }
            last = next;
        }
    }

    fn all_confirmed(&self) -> bool {
        self.samples.last().is_some_and(|sample| sample.confirmed >= sample.accepted)
    }
}

/// The orders of one customer. All have to be confirmed.
async fn count(connection: &mut Connection, person: &str) -> Result<u64, Error> {
    let (mut count, mut after) = (0, String::new());
    loop {
        let path = format!("/api/v1/orders?limit=100{after}");
        let answer = connection.exchange(&request("GET", &path, person, b"")).await?;
        let page: Page = serde_json::from_slice(&answer.body)?;
        if let Some(other) = page.data.iter().find(|order| order.status != "confirmed") {
            return Err(format!("an order is {}", other.status).into());
        }
        count += page.data.len() as u64;
        match page.next_cursor {
            Some(next) => after = format!("&after={next}"),
            None => return Ok(count),
        }
    }
}
