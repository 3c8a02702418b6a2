//! A closed-loop load generator: so many keep-alive connections, each with one request under way at all times.

use std::net::SocketAddr;
use std::time::Duration;

use partie::runtime::monotonic;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::Error;

/// Raw sockets on one thread: it has to be much cheaper than what it measures.
#[derive(Debug)]
pub struct Load {
    runtime: Runtime,
    request: Vec<u8>,
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

/// A whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

/// One connection with what was read from it and not yet used.
struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

// === impl Load ===

impl Load {
    /// The same request on each of so many connections.
    ///
    /// # Errors
    /// When the system gives no runtime.
    pub fn new(path: &str, body: &[u8], connections: usize) -> Result<Self, Error> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { runtime, request: post(path, body), connections })
    }

    /// One request with another body, on a connection of its own.
    ///
    /// # Errors
    /// When the server cannot be reached or breaks off.
    pub fn once(&self, to: SocketAddr, path: &str, body: &[u8]) -> Result<Answer, Error> {
        let request = post(path, body);
        self.runtime.block_on(async { Connection::open(to).await?.exchange(&request).await })
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
                open.push(Connection::open(to).await?);
            }
            begin()?;
            let begun = monotonic();
            let mut tasks = JoinSet::new();
            for mut connection in open {
                let request = self.request.clone();
                tasks.spawn(async move {
                    let mut answers = 0_u64;
                    while monotonic().duration_since(begun) < time {
                        let answer = connection.exchange(&request).await?;
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

fn post(path: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nuser-agent: bench\r\naccept: application/json\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

// === impl Connection ===

impl Connection {
    async fn open(to: SocketAddr) -> Result<Self, Error> {
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(8 << 10) })
    }

    async fn exchange(&mut self, request: &[u8]) -> Result<Answer, Error> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err("the server closed the connection".into());
            }
            if let Some(answer) = parse(&self.buffer)? {
                return Ok(answer);
            }
        }
    }
}

/// The answer, once all of it is there. Servers under test say how long their bodies are.
fn parse(buffer: &[u8]) -> Result<Option<Answer>, Error> {
    let Some(end) = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { return Ok(None) };
    let head = str::from_utf8(&buffer[..end])?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.get(9..12)).unwrap_or_default().parse()?;
    let is_length = |name: &str| name.eq_ignore_ascii_case("content-length");
    let length = lines.filter_map(|line| line.split_once(':')).find(|(name, _)| is_length(name));
    let length: usize = length.ok_or("an answer without content-length")?.1.trim().parse()?;
    let body = &buffer[end + 4..];
    Ok((body.len() >= length).then(|| Answer { status, body: body.to_vec() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_when_its_body_is() {
        let text = b"HTTP/1.1 201 Created\r\nserver: x\r\nContent-Length: 2\r\n\r\n{}";
        assert_eq!(parse(text).unwrap(), Some(Answer { status: 201, body: b"{}".to_vec() }));
        for cut in [10, text.len() - 3, text.len() - 1] {
            assert_eq!(parse(&text[..cut]).unwrap(), None, "{cut}");
        }
        assert!(parse(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
