//! A closed-loop load generator: so many keep-alive connections, each with one request under way at all times.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use partie::runtime::monotonic;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::Error;
use crate::http::{self, Answer, Connection};

/// Raw sockets on one thread: it has to be much cheaper than what it measures.
#[derive(Debug)]
pub struct Load {
    runtime: Runtime,
    requests: Arc<[Vec<u8>]>,
    connections: usize,
}

/// What a server did in one round.
#[derive(Debug, Clone, Copy)]
pub struct Tally {
    /// Answers with the expected status.
    pub answers: u64,
    /// From the first request to the last answer.
    pub took: Duration,
}

// === impl Load ===

impl Load {
    /// The same request on each of so many connections.
    ///
    /// # Errors
    /// When the system gives no runtime.
    pub fn new(path: &str, body: &[u8], connections: usize) -> Result<Self, Error> {
        Self::of(vec![http::request("POST", path, "", body)], connections)
    }

    /// These requests in a circle, on each of so many connections, which begin at different ones.
    ///
    /// # Errors
    /// When the system gives no runtime.
    pub fn of(requests: Vec<Vec<u8>>, connections: usize) -> Result<Self, Error> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { runtime, requests: requests.into(), connections })
    }

    /// One request with another body, on a connection of its own.
    ///
    /// # Errors
    /// When the server cannot be reached or breaks off.
    pub fn once(&self, to: SocketAddr, path: &str, body: &[u8]) -> Result<Answer, Error> {
        self.send(to, &http::request("POST", path, "", body))
    }

    /// Any one request, on a connection of its own.
    ///
    /// # Errors
    /// When the server cannot be reached or breaks off.
    pub fn send(&self, to: SocketAddr, request: &[u8]) -> Result<Answer, Error> {
        self.runtime.block_on(async { Connection::new(to).exchange(request).await })
    }

    /// Drives the server for that long. `begin` runs when all connections are open, before the first request.
    ///
    /// # Errors
    /// When the server cannot be reached, breaks off, or answers with another status.
    pub fn run(
        &self,
        to: SocketAddr,
        status: u16,
        time: Duration,
        begin: impl FnOnce() -> Result<(), Error>,
    ) -> Result<Tally, Error> {
        self.runtime.block_on(async {
            let mut open = Vec::new();
            for _ in 0..self.connections {
                let mut connection = Connection::new(to);
                connection.open().await?;
                open.push(connection);
            }
            begin()?;
            let begun = monotonic();
            let mut tasks = JoinSet::new();
            for (number, mut connection) in open.into_iter().enumerate() {
                let requests = Arc::clone(&self.requests);
                let first = number * requests.len() / self.connections;
                tasks.spawn(async move {
                    let mut answers = 0_u64;
                    for request in requests.iter().cycle().skip(first) {
                        if monotonic().duration_since(begun) >= time {
                            break;
                        }
                        let answer = connection.exchange(request).await?;
                        if answer.status != status {
                            return Err(format!("{} instead of {status}", answer.status).into());
                        }
                        answers += 1;
                    }
                    Ok::<_, Error>(answers)
                });
            }
            let mut answers = 0;
            while let Some(ended) = tasks.join_next().await {
                answers += ended??;
            }
            Ok(Tally { answers, took: monotonic().duration_since(begun) })
        })
    }
}
