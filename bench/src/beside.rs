//! Small requests at a steady rate, beside large ones or alone.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use partie::runtime::monotonic;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::{Connection, Error, median, request};

/// Requests due and not yet sent. More would say that the generator is what is slow.
const DUE: usize = 4_096;

/// An open loop against one server.
#[derive(Debug, Clone, Copy)]
pub struct Beside {
    /// The server.
    pub to: SocketAddr,
    /// Small requests due a second.
    pub rate: u32,
    /// For so long.
    pub time: Duration,
    /// What is asked at that rate.
    pub small: Ask,
    /// What is asked for one after the other meanwhile.
    pub large: Ask,
}

/// A question.
#[derive(Debug, Clone, Copy)]
pub struct Ask {
    /// Its path, another one each time.
    pub path: fn(&mut Rng) -> String,
    /// How it has to be answered.
    pub status: u16,
}

/// How long small requests took, counted from when each was due.
#[derive(Debug, Clone, Copy)]
pub struct Latency {
    /// The median.
    pub p50: Duration,
    /// The 99th percentile.
    pub p99: Duration,
    /// Large ones answered meanwhile.
    pub large: u64,
}

// === impl Beside ===

impl Beside {
    /// Small requests, with a large one under way at all times or without.
    ///
    /// # Errors
    /// When the server cannot be reached, breaks off, or answers with anything but what was expected.
    pub fn run(self, large: bool) -> Result<Latency, Error> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (send, due) = mpsc::channel(DUE);
        let Self { to, rate, time, small, large: other } = self;
        // A thread of its own wakes up to the microsecond; a runtime's timer would to the millisecond.
        let clock = thread::spawn(move || tick(rate, time, &send));
        let latency = runtime.block_on(async {
            let enough = Arc::new(AtomicBool::new(false));
            let large = large.then(|| tokio::spawn(keep_asking(to, other, Arc::clone(&enough))));
            let took = ask_when_due(to, small, due).await;
            enough.store(true, Ordering::Relaxed);
            let large = match large {
                Some(large) => large.await??,
                None => 0,
            };
            let mut took = took?;
            took.sort_unstable();
            let at = |part: f64| took.get(((took.len() as f64 * part) as usize).min(took.len() - 1)).copied();
            let none = "nothing was due";
            Ok::<_, Error>(Latency { p50: at(0.5).ok_or(none)?, p99: at(0.99).ok_or(none)?, large })
        })?;
        clock.join().map_err(|_| "the clock of the open loop has stopped")?;
        Ok(latency)
    }
}

/// Says when something is due.
fn tick(rate: u32, time: Duration, due: &mpsc::Sender<Instant>) {
    let begun = monotonic();
    let count = (f64::from(rate) * time.as_secs_f64()) as u32;
    for number in 0..count {
        let at = begun + Duration::from_secs(1) * number / rate;
        thread::sleep(at.saturating_duration_since(monotonic()));
        // Nobody listens any more: the round has failed, and says so itself.
        if due.blocking_send(at).is_err() {
            return;
        }
    }
}

/// A request for each that is due, on a connection that is free.
async fn ask_when_due(
    to: SocketAddr,
    what: Ask,
    mut due: mpsc::Receiver<Instant>,
) -> Result<Vec<Duration>, Error> {
    let (mut free, mut asked, mut took) = (Vec::new(), JoinSet::new(), Vec::new());
    let mut rng = Rng::with_seed(7);
    loop {
        tokio::select! {
            at = due.recv() => match at {
                Some(at) => {
                    let mut connection: Connection = free.pop().unwrap_or_else(|| Connection::new(to));
                    let path = (what.path)(&mut rng);
                    asked.spawn(async move {
                        ask(&mut connection, &path, what.status).await?;
                        Ok::<_, Error>((connection, monotonic().duration_since(at)))
                    });
                }
                None => break,
            },
            Some(answered) = asked.join_next() => {
                let (connection, after) = answered??;
                free.push(connection);
                took.push(after);
            }
        }
    }
    while let Some(answered) = asked.join_next().await {
        took.push(answered??.1);
    }
    Ok(took)
}

/// One request after the other.
async fn keep_asking(to: SocketAddr, what: Ask, enough: Arc<AtomicBool>) -> Result<u64, Error> {
    let (mut connection, mut rng, mut answered) = (Connection::new(to), Rng::new(), 0);
    while !enough.load(Ordering::Relaxed) {
        ask(&mut connection, &(what.path)(&mut rng), what.status).await?;
        answered += 1;
    }
    Ok(answered)
}

async fn ask(connection: &mut Connection, path: &str, status: u16) -> Result<(), Error> {
    let answer = connection.exchange(&request("GET", path, "", b"")).await?;
    if answer.status == status {
        Ok(())
    } else {
        Err(format!("{path} was answered with {}", answer.status).into())
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { p50, p99, large } = self;
        let [p50, p99] = [p50, p99].map(|latency| latency.as_secs_f64() * 1e3);
        write!(f, "p50 {p50:>6.2} ms  p99 {p99:>6.2} ms  {large:>4} large")
    }
}

/// How many times as long the 99th percentile is beside a large one, in the median of the rounds.
pub fn times_as_long(alone: &[Latency], beside: &[Latency]) -> f64 {
    let rounds = alone.iter().zip(beside);
    median(rounds.map(|(alone, beside)| beside.p99.as_secs_f64() / alone.p99.as_secs_f64()))
}
