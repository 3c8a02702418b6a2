//! A client that is much cheaper than what it measures: raw HTTP/1.1, one request at a time on one connection.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::Error;

/// A whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// When to come back, if it says so.
    pub retry_after: Option<Duration>,
    /// The body.
    pub body: Vec<u8>,
    /// Whether the server ends the connection after it.
    closes: bool,
}

/// One connection, opened when it is needed, with what was read from it and not yet used.
#[derive(Debug)]
pub struct Connection {
    to: SocketAddr,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
}

// === impl Connection ===

impl Connection {
    /// A connection to there, not open yet.
    pub fn new(to: SocketAddr) -> Self {
        Self { to, stream: None, buffer: Vec::with_capacity(8 << 10) }
    }

    /// Opens it ahead of the first request.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn open(&mut self) -> Result<(), Error> {
        if self.stream.is_none() {
            let stream = TcpStream::connect(self.to).await?;
            stream.set_nodelay(true)?;
            self.stream = Some(stream);
        }
        Ok(())
    }

    /// Sends a request and waits for the whole answer. A connection that the server has ended meanwhile is opened anew:
    /// requests have to be such that they can be sent twice.
    ///
    /// # Errors
    /// When the server cannot be reached, breaks off, or does not speak HTTP.
    pub async fn exchange(&mut self, request: &[u8]) -> Result<Answer, Error> {
        let was_open = self.stream.is_some();
        let answer = match self.attempt(request).await {
            Err(error) if was_open && error.is::<io::Error>() && self.buffer.is_empty() => {
                self.stream = None;
                self.attempt(request).await
            }
            answer => answer,
        };
        if answer.as_ref().map_or(true, |answer| answer.closes) {
            self.stream = None;
        }
        answer
    }

    async fn attempt(&mut self, request: &[u8]) -> Result<Answer, Error> {
        self.open().await?;
        self.buffer.clear();
        let Some(stream) = &mut self.stream else { return Err("there is no connection".into()) };
        stream.write_all(request).await?;
        loop {
            if stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            if let Some(answer) = parse(&self.buffer)? {
                return Ok(answer);
            }
        }
    }
}

/// A request with a JSON body, or with none. Headers are whole lines, each with its end.
pub fn request(method: &str, path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let content = match body.len() {
        0 => String::new(),
        length => format!("content-type: application/json\r\ncontent-length: {length}\r\n"),
    };
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nuser-agent: bench\r\naccept: application/json\r\n\
         {headers}{content}\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// The answer, once all of it is there. Servers under test say how long their bodies are.
fn parse(buffer: &[u8]) -> Result<Option<Answer>, Error> {
    let Some(end) = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { return Ok(None) };
    let head = str::from_utf8(&buffer[..end])?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.get(9..12)).unwrap_or_default().parse()?;
    let (mut length, mut retry_after, mut closes) = (None, None, false);
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            length = Some(value.parse::<usize>()?);
        } else if name.eq_ignore_ascii_case("retry-after") {
            retry_after = Some(Duration::from_secs(value.parse()?));
        } else if name.eq_ignore_ascii_case("connection") {
            closes = value.eq_ignore_ascii_case("close");
        }
    }
    let length = length.ok_or("an answer without content-length")?;
    let body = &buffer[end + 4..];
    Ok((body.len() >= length).then(|| Answer { status, retry_after, body: body.to_vec(), closes }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_when_its_body_is() {
        let text = b"HTTP/1.1 201 Created\r\nserver: x\r\nContent-Length: 2\r\n\r\n{}";
        let whole = Answer { status: 201, retry_after: None, body: b"{}".to_vec(), closes: false };
        assert_eq!(parse(text).unwrap(), Some(whole));
        for cut in [10, text.len() - 3, text.len() - 1] {
            assert_eq!(parse(&text[..cut]).unwrap(), None, "{cut}");
        }
        assert!(parse(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }

    #[test]
    fn what_follows_an_answer_is_read_from_its_head() {
        let text = b"HTTP/1.1 503 No\r\nretry-after: 5\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        let answer = parse(text).unwrap().unwrap();
        assert_eq!((answer.retry_after, answer.closes), (Some(Duration::from_secs(5)), true));
    }

    #[test]
    fn a_request_without_a_body_has_no_content() {
        let text = String::from_utf8(request("GET", "/x", "a: b\r\n", b"")).unwrap();
        assert!(text.starts_with("GET /x HTTP/1.1\r\n") && text.ends_with("a: b\r\n\r\n"), "{text}");
        assert!(!text.contains("content-"), "{text}");
    }
}
