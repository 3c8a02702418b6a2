//! Small requests at a steady rate, with a large one under way or without.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use partie::runtime::monotonic;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::questions::SMALL;
use crate::{Connection, Error, request};

/// The range of the large ones. They are never the same for long, and nothing large is to be kept.
const LARGE: std::ops::RangeInclusive<u32> = 19_900..=20_000;
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
    /// When the server cannot be reached, breaks off, or answers with anything but success.
    pub fn run(self, large: bool) -> Result<Latency, Error> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (send, due) = mpsc::channel(DUE);
        let Self { to, rate, time } = self;
        // A thread of its own wakes up to the microsecond; a runtime's timer would to the millisecond.
        let clock = thread::spawn(move || tick(rate, time, &send));
        let latency = runtime.block_on(async {
            let enough = Arc::new(AtomicBool::new(false));
            let large = large.then(|| tokio::spawn(keep_large(to, Arc::clone(&enough))));
            let took = small(to, due).await;
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
async fn small(to: SocketAddr, mut due: mpsc::Receiver<Instant>) -> Result<Vec<Duration>, Error> {
    let (mut free, mut asked, mut took) = (Vec::new(), JoinSet::new(), Vec::new());
    let mut rng = Rng::with_seed(7);
    loop {
        tokio::select! {
            at = due.recv() => match at {
                Some(at) => {
                    let n = rng.u32(1..=SMALL);
                    let mut connection: Connection = free.pop().unwrap_or_else(|| Connection::new(to));
                    let path = path(n, rng.u32(0..=n));
                    asked.spawn(async move {
                        ask(&mut connection, &path).await?;
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

/// One large request after the other.
async fn keep_large(to: SocketAddr, enough: Arc<AtomicBool>) -> Result<u64, Error> {
    let (mut connection, mut rng, mut answered) = (Connection::new(to), Rng::new(), 0);
    while !enough.load(Ordering::Relaxed) {
        let n = rng.u32(LARGE);
        ask(&mut connection, &path(n, n / 2 - rng.u32(0..1_000))).await?;
        answered += 1;
    }
    Ok(answered)
}

fn path(n: u32, r: u32) -> String {
    format!("/api/v1/ncr/{n}/{r}")
}

async fn ask(connection: &mut Connection, path: &str) -> Result<(), Error> {
    let answer = connection.exchange(&request("GET", path, "", b"")).await?;
    if answer.status == 200 {
        Ok(())
    } else {
        Err(format!("{path} was answered with {}", answer.status).into())
    }
}
