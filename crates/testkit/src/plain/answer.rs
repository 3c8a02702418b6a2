//! Answers: whole ones, and those whose body is still coming.

use std::io;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::net::tcp::OwnedWriteHalf;

use super::reader::{Framing, Reader};

/// An answer, all of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// An answer whose body is still coming. Dropping it ends the connection.
#[derive(Debug)]
pub struct Open {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    reader: Reader,
    framing: Framing,
    /// What came of an event that is not whole yet.
    rest: BytesMut,
    /// Closing it would tell the server that we are gone.
    _write: OwnedWriteHalf,
}

/// An event of a stream, as it came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StreamEvent {
    /// Its id, if it has one.
    pub id: Option<String>,
    /// Its name.
    pub event: String,
    /// Its data, line by line.
    pub data: String,
}

// === impl Answer ===

impl Answer {
    /// A header, if it is there and text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is not.
    pub fn json(&self) -> Value {
        self.parse()
    }

    /// The body as a value.
    ///
    /// # Panics
    /// When it is not one.
    pub fn parse<T: DeserializeOwned>(&self) -> T {
        match serde_json::from_slice(&self.body) {
            Ok(value) => value,
            Err(error) => panic!("{}: {error} in {}", self.status, self.text()),
        }
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The stable code of a problem; nothing if the answer is none.
    pub fn code(&self) -> Option<String> {
        let kind = self.headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
        let problem: Value =
            serde_json::from_slice(&self.body).ok().filter(|_| kind == "application/problem+json")?;
        Some(problem.get("code")?.as_str()?.to_owned())
    }
}

// === impl Open ===

impl Open {
    pub(crate) fn new(head: (u16, HeaderMap), reader: Reader, write: OwnedWriteHalf, has_body: bool) -> Self {
        let (status, headers) = head;
        let length = || headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok();
        let framing = match (has_body && !matches!(status, 204 | 304), length()) {
            (false, _) => Framing::Length(0),
            (true, _) if headers.contains_key(header::TRANSFER_ENCODING) => Framing::Chunked,
            (true, Some(length)) => Framing::Length(length),
            (true, None) => Framing::End,
        };
        Self { status, headers, reader, framing, rest: BytesMut::new(), _write: write }
    }

    /// The next piece of the body as the server sent it, `None` at the end.
    ///
    /// # Errors
    /// When the connection breaks off.
    pub async fn chunk(&mut self) -> io::Result<Option<Bytes>> {
        self.reader.chunk(&mut self.framing).await
    }

    /// The rest of the body.
    ///
    /// # Errors
    /// When the connection breaks off.
    pub async fn collect(mut self) -> io::Result<Answer> {
        let mut body = std::mem::take(&mut self.rest);
        while let Some(piece) = self.chunk().await? {
            body.extend_from_slice(&piece);
        }
        Ok(Answer { status: self.status, headers: self.headers, body: body.freeze() })
    }

    /// The next event of a stream, `None` at its end. Heartbeats are passed over.
    ///
    /// # Errors
    /// When the connection breaks off.
    pub async fn event(&mut self) -> io::Result<Option<StreamEvent>> {
        loop {
            while let Some(end) = self.rest.windows(2).position(|pair| pair == b"\n\n") {
                let text = self.rest.split_to(end + 2);
                let event = read_event(&String::from_utf8_lossy(&text));
                if event != StreamEvent::default() {
                    return Ok(Some(event));
                }
            }
            match self.chunk().await? {
                Some(piece) => self.rest.extend_from_slice(&piece),
                None => return Ok(None),
            }
        }
    }
}

fn read_event(text: &str) -> StreamEvent {
    let mut event = StreamEvent::default();
    for line in text.lines() {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => event.id = Some(value.to_owned()),
            "event" => event.event.push_str(value),
            "data" if event.data.is_empty() => event.data.push_str(value),
            "data" => event.data = format!("{}\n{value}", event.data),
            _ => {}
        }
    }
    event
}
