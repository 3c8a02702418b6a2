//! Drives a gateway for a while, and looks at how much memory connections take that do nothing.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use partie::runtime::monotonic;
use tokio::task::JoinSet;

use crate::{Connection, Error, Tally};

/// What came of a round.
#[derive(Debug, Clone, Copy)]
pub struct Driven {
    /// The answers, and how long it took.
    pub tally: Tally,
    /// The median latency.
    pub p50: Duration,
    /// The 99th percentile.
    pub p99: Duration,
}

/// Sends the request again and again for that long, on so many connections with one under way on each.
///
/// `begin` runs when all connections are open and warm.
///
/// # Errors
/// When the gateway cannot be reached, breaks off, or answers with anything but 200.
pub fn drive(
    to: SocketAddr,
    request: &[u8],
    connections: usize,
    time: Duration,
    begin: impl FnOnce() -> Result<(), Error>,
) -> Result<Driven, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let request: Arc<[u8]> = request.into();
    runtime.block_on(async {
        let mut open = Vec::new();
        for _ in 0..connections {
            let mut connection = Connection::new(to);
            ask(&mut connection, &request).await?;
            open.push(connection);
        }
        begin()?;
        let begun = monotonic();
        let mut tasks = JoinSet::new();
        for mut connection in open {
            let request = Arc::clone(&request);
            tasks.spawn(async move {
                let mut latencies = Vec::new();
                loop {
                    let asked = monotonic();
                    if asked.duration_since(begun) >= time {
                        return Ok::<_, Error>(latencies);
                    }
                    ask(&mut connection, &request).await?;
                    latencies.push(asked.elapsed());
                }
            });
        }
        let mut latencies = Vec::new();
        while let Some(ended) = tasks.join_next().await {
            latencies.append(&mut ended??);
        }
        let tally = Tally { answers: latencies.len() as u64, took: begun.elapsed() };
        latencies.sort_unstable();
        let at =
            |part: usize| latencies.get(latencies.len() * part / 100).copied().ok_or("nobody was answered");
        Ok(Driven { tally, p50: at(50)?, p99: at(99)? })
    })
}

/// Opens so many connections, each with one request that was answered, and calls `look` while they do nothing.
///
/// # Errors
/// As [`drive`], and those of `look`.
pub fn idle<T>(
    to: SocketAddr,
    request: &[u8],
    connections: usize,
    look: impl FnOnce() -> Result<T, Error>,
) -> Result<T, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut open = Vec::new();
        for _ in 0..connections {
            let mut connection = Connection::new(to);
            ask(&mut connection, request).await?;
            open.push(connection);
        }
        look()
    })
}

async fn ask(connection: &mut Connection, request: &[u8]) -> Result<(), Error> {
    let answer = connection.exchange(request).await?;
    if answer.status == 200 {
        return Ok(());
    }
    Err(format!("{} instead of 200: {}", answer.status, String::from_utf8_lossy(&answer.body)).into())
}
