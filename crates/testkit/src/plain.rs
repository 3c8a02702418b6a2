//! A plain HTTP/1.1 client that sends what it is told, one connection for each request.

mod answer;
mod reader;

use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use http::Method;
use serde::Serialize;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

pub use self::answer::{Answer, Open, StreamEvent};
use self::reader::Reader;

/// A client of one address.
#[derive(Debug, Clone)]
pub struct Http {
    address: SocketAddr,
}

/// A request in the making. Nothing in it is checked: it may be as broken as a test needs it.
#[derive(Debug, Clone)]
#[must_use = "it is not sent yet"]
pub struct HttpRequest {
    address: SocketAddr,
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Option<Bytes>,
    chunked: bool,
}

// === impl Http ===

impl Http {
    /// A client of that address. Nothing is connected yet.
    pub fn new(address: SocketAddr) -> Self {
        Self { address }
    }

    /// A request of any method, `PURGE` included. The target goes out as it is.
    pub fn request(&self, method: impl AsRef<str>, target: impl Into<String>) -> HttpRequest {
        HttpRequest {
            address: self.address,
            method: method.as_ref().to_owned(),
            target: target.into(),
            headers: Vec::new(),
            body: None,
            chunked: false,
        }
    }

    /// `GET`.
    pub fn get(&self, target: impl Into<String>) -> HttpRequest {
        self.request("GET", target)
    }

    /// `POST`.
    pub fn post(&self, target: impl Into<String>) -> HttpRequest {
        self.request("POST", target)
    }

    /// `PUT`.
    pub fn put(&self, target: impl Into<String>) -> HttpRequest {
        self.request("PUT", target)
    }

    /// `PATCH`.
    pub fn patch(&self, target: impl Into<String>) -> HttpRequest {
        self.request("PATCH", target)
    }

    /// `DELETE`.
    pub fn delete(&self, target: impl Into<String>) -> HttpRequest {
        self.request("DELETE", target)
    }

    /// Sends these bytes, which need not be HTTP, and reads whatever comes back.
    ///
    /// # Errors
    /// When the connection ends without an answer.
    pub async fn raw(&self, bytes: impl Into<Bytes>) -> io::Result<Answer> {
        exchange(self.address, bytes.into(), true).await?.collect().await
    }
}

// === impl HttpRequest ===

impl HttpRequest {
    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Shows a token.
    pub fn token(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// Adds an idempotency key.
    pub fn key(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    /// Adds a precondition, `"3"` with its quotes.
    pub fn if_match(self, tag: &str) -> Self {
        self.header("if-match", tag)
    }

    /// Sends that value as JSON.
    ///
    /// # Panics
    /// When it cannot be JSON.
    pub fn json(self, value: &impl Serialize) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => self.header("content-type", "application/json").body(body),
            Err(error) => panic!("this cannot be JSON: {error}"),
        }
    }

    /// Sends these bytes. What they are, a header has to say.
    pub fn body(mut self, bytes: impl Into<Bytes>) -> Self {
        self.body = Some(bytes.into());
        self
    }

    /// Sends the body in chunks, its length unsaid.
    pub fn chunked(mut self) -> Self {
        self.chunked = true;
        self
    }

    /// Sends it and reads the whole answer.
    ///
    /// # Errors
    /// When the connection ends without one.
    pub async fn send(self) -> io::Result<Answer> {
        self.open().await?.collect().await
    }

    /// Sends it and reads the head of the answer; the body is left to come.
    ///
    /// # Errors
    /// When the connection ends without one.
    pub async fn open(self) -> io::Result<Open> {
        exchange(self.address, self.to_bytes(), self.method != Method::HEAD.as_str()).await
    }

    fn to_bytes(&self) -> Bytes {
        let mut out = format!("{} {} HTTP/1.1\r\nhost: {}\r\n", self.method, self.target, self.address);
        out.push_str("connection: close\r\n");
        for (name, value) in &self.headers {
            out.push_str(&format!("{name}: {value}\r\n"));
        }
        let mut out = match &self.body {
            Some(_) if self.chunked => out + "transfer-encoding: chunked\r\n\r\n",
            Some(body) => out + &format!("content-length: {}\r\n\r\n", body.len()),
            None => out + "\r\n",
        }
        .into_bytes();
        let body = self.body.as_deref().unwrap_or_default();
        if self.chunked {
            for piece in body.chunks(16 << 10) {
                out.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
                out.extend_from_slice(piece);
                out.extend_from_slice(b"\r\n");
            }
            out.extend_from_slice(b"0\r\n\r\n");
        } else {
            out.extend_from_slice(body);
        }
        out.into()
    }
}

/// Writes and reads at the same time: a server may answer before it has read everything.
async fn exchange(address: SocketAddr, bytes: Bytes, has_body: bool) -> io::Result<Open> {
    let (read, mut write) = TcpStream::connect(address).await?.into_split();
    let mut reader = Reader::new(read);
    let head = {
        let sent = write.write_all(&bytes);
        let head = reader.head();
        tokio::pin!(sent, head);
        tokio::select! {
            // A server that reads no further may have answered all the same.
            _ = &mut sent => head.await?,
            head = &mut head => head?,
        }
    };
    Ok(Open::new(head, reader, write, has_body))
}
