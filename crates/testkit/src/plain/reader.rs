//! Reads answers off a connection.

use std::io::{self, ErrorKind};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::AsyncReadExt;
use tokio::net::tcp::OwnedReadHalf;

/// A server that is silent for longer has failed the test.
const LONGEST_SILENCE: Duration = Duration::from_secs(40);

/// Bytes as they come.
#[derive(Debug)]
pub(crate) struct Reader {
    half: OwnedReadHalf,
    buffer: BytesMut,
}

/// How the end of a body is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// That many bytes are left.
    Length(usize),
    Chunked,
    /// The connection ends.
    End,
}

// === impl Reader ===

impl Reader {
    pub(crate) fn new(half: OwnedReadHalf) -> Self {
        Self { half, buffer: BytesMut::new() }
    }

    /// Status and headers of the final answer.
    pub(crate) async fn head(&mut self) -> io::Result<(u16, HeaderMap)> {
        loop {
            let line = self.line().await?;
            let mut words = line.split(' ');
            let version = words.next().unwrap_or_default();
            let status = words.next().and_then(|status| status.parse::<u16>().ok());
            let (true, Some(status)) = (version.starts_with("HTTP/1."), status) else {
                return Err(broken(format!("no status line: {line:?}")));
            };
            let mut headers = HeaderMap::new();
            loop {
                let line = self.line().await?;
                if line.is_empty() {
                    break;
                }
                let field = line.split_once(':').and_then(|(name, value)| {
                    Some((name.parse::<HeaderName>().ok()?, value.trim().parse::<HeaderValue>().ok()?))
                });
                let (name, value) = field.ok_or_else(|| broken(format!("no header: {line:?}")))?;
                headers.append(name, value);
            }
            if status >= 200 {
                return Ok((status, headers));
            }
        }
    }

    /// The next piece of the body, `None` at its end.
    pub(crate) async fn chunk(&mut self, framing: &mut Framing) -> io::Result<Option<Bytes>> {
        match framing {
            Framing::Length(0) => Ok(None),
            Framing::Length(left) => {
                if self.buffer.is_empty() && !self.more().await? {
                    return Err(ErrorKind::UnexpectedEof.into());
                }
                let piece = self.buffer.split_to(self.buffer.len().min(*left)).freeze();
                *left -= piece.len();
                Ok(Some(piece))
            }
            Framing::End => {
                let more = !self.buffer.is_empty() || self.more().await?;
                Ok(more.then(|| self.buffer.split().freeze()))
            }
            Framing::Chunked => {
                let line = self.line().await?;
                let size = line.split(';').next().unwrap_or_default().trim();
                let size =
                    usize::from_str_radix(size, 16).map_err(|_| broken(format!("no chunk: {line:?}")))?;
                if size == 0 {
                    while !self.line().await?.is_empty() {}
                    *framing = Framing::Length(0);
                    return Ok(None);
                }
                while self.buffer.len() < size + 2 {
                    self.need().await?;
                }
                let piece = self.buffer.split_to(size).freeze();
                let end = self.buffer.split_to(2);
                if &*end == b"\r\n" { Ok(Some(piece)) } else { Err(broken("a chunk is too long".to_owned())) }
            }
        }
    }

    async fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(end + 1);
                return Ok(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned());
            }
            self.need().await?;
        }
    }

    async fn need(&mut self) -> io::Result<()> {
        if self.more().await? { Ok(()) } else { Err(ErrorKind::UnexpectedEof.into()) }
    }

    async fn more(&mut self) -> io::Result<bool> {
        let read = self.half.read_buf(&mut self.buffer);
        match tokio::time::timeout(LONGEST_SILENCE, read).await {
            Ok(read) => Ok(read? > 0),
            Err(_) => Err(ErrorKind::TimedOut.into()),
        }
    }
}

pub(crate) fn broken(what: String) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}
