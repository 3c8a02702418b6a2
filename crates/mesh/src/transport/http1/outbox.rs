//! A request on its way out: its head, and its body as far as it has come (RFC 9112 sections 3, 6 and 7).

use std::io::{self, Write as _};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, Method};
use http_body::Body as _;
use partie_contract::{Body, BoxError};
use tokio::io::AsyncWrite;

use crate::hop::strip_trailers;
use crate::transport::sending::Sending;

/// So much of a body is copied behind its head, or behind what came of it before, to leave in one write.
const TOGETHER: usize = 16 << 10;
/// So much of it is copied at once.
const PIECE: usize = 64 << 10;

/// What has to be written of a request.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    bytes: Vec<u8>,
    /// So many of the bytes are written.
    written: usize,
    /// What has come of the body and is not among the bytes.
    rest: Bytes,
    /// What is to come of it.
    body: Option<Body>,
    length: Length,
    /// The trailers that may follow, as the head names them.
    trailers: Vec<HeaderName>,
    /// Something was written and may not have left yet.
    unflushed: bool,
    /// Nothing of the request has left, and its body is still in its place.
    untouched: bool,
}

/// How the other side knows where the body ends.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Length {
    /// There is none.
    #[default]
    Nothing,
    /// So much is still to come.
    Bytes(u64),
    Chunks,
}

/// Why a request does not leave.
#[derive(Debug)]
pub(super) enum Stuck {
    /// Its connection takes nothing any more.
    Wire(io::Error),
    /// Its own body failed.
    Own(BoxError),
}

// === impl Outbox ===

impl Outbox {
    /// Begins with a request. A body that is here already stays in its place as well; one that comes in pieces is taken.
    pub(super) fn put(
        &mut self,
        sending: &Sending<'_>,
        host: Option<&HeaderValue>,
        introduce: bool,
        body: &mut Body,
    ) {
        self.clear();
        self.length = Length::of(&sending.head.method, body);
        self.head(sending, host, introduce);
        match body.as_whole() {
            Some(whole) => {
                self.rest = whole.clone();
                self.untouched = true;
            }
            None => self.body = Some(std::mem::take(body)),
        }
    }

    /// Whether all of it has left.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.rest.is_empty() && self.body.is_none() && !self.unflushed
    }

    /// Whether nothing of it has left, and the request is as it was.
    pub(super) fn is_untouched(&self) -> bool {
        self.untouched
    }

    /// Writes what can be, for whoever the first context wakes; the second one is told of what comes of the body.
    pub(super) fn poll_write<W: AsyncWrite + Unpin>(
        &mut self,
        wire: &mut W,
        cx: &mut Context<'_>,
        user: &mut Context<'_>,
    ) -> Poll<Result<(), Stuck>> {
        loop {
            let waits = self.fill(user).map_err(Stuck::Own)?;
            while self.written < self.bytes.len() {
                let written = ready!(Pin::new(&mut *wire).poll_write(cx, &self.bytes[self.written..]));
                match written.map_err(Stuck::Wire)? {
                    0 => return Poll::Ready(Err(Stuck::Wire(io::ErrorKind::WriteZero.into()))),
                    written => self.written += written,
                }
                (self.unflushed, self.untouched) = (true, false);
            }
            self.bytes.clear();
            self.written = 0;
            if self.unflushed {
                ready!(Pin::new(&mut *wire).poll_flush(cx)).map_err(Stuck::Wire)?;
                self.unflushed = false;
            }
            if self.rest.is_empty() && self.body.is_none() {
                return Poll::Ready(Ok(()));
            }
            // A body that had something to give was not asked to wake anybody.
            if waits {
                return Poll::Pending;
            }
        }
    }

    /// Gives up on what is left, and on the memory that a large one took.
    pub(super) fn clear(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        bytes.shrink_to(TOGETHER);
        *self = Self { bytes, ..Self::default() };
    }

    /// Copies what there is of the body behind what is to be written, as long as that is not much. Says whether the body is
    /// about to wake its user.
    fn fill(&mut self, user: &mut Context<'_>) -> Result<bool, BoxError> {
        while self.bytes.len() < TOGETHER {
            if !self.rest.is_empty() {
                let piece = self.rest.split_to(self.rest.len().min(PIECE));
                self.piece(&piece)?;
                continue;
            }
            let Some(body) = &mut self.body else { break };
            if body.is_end_stream() {
                self.end(None)?;
                break;
            }
            match Pin::new(body).poll_frame(user) {
                // All of it has come, whether it says so or not.
                Poll::Pending if self.length == Length::Bytes(0) => self.end(None)?,
                Poll::Pending => return Ok(true),
                Poll::Ready(None) => self.end(None)?,
                Poll::Ready(Some(frame)) => match frame?.into_data() {
                    Ok(data) => self.rest = data,
                    Err(frame) => self.end(frame.into_trailers().ok())?,
                },
            }
        }
        Ok(false)
    }

    fn piece(&mut self, piece: &[u8]) -> Result<(), BoxError> {
        match &mut self.length {
            Length::Chunks => {
                write!(self.bytes, "{:x}\r\n", piece.len())?;
                self.bytes.extend_from_slice(piece);
                self.bytes.extend_from_slice(b"\r\n");
            }
            Length::Bytes(left) if piece.len() as u64 <= *left => {
                *left -= piece.len() as u64;
                self.bytes.extend_from_slice(piece);
            }
            Length::Bytes(_) | Length::Nothing => return Err("a body is longer than it said".into()),
        }
        Ok(())
    }

    fn end(&mut self, trailers: Option<HeaderMap>) -> Result<(), BoxError> {
        self.body = None;
        match self.length {
            Length::Nothing | Length::Bytes(0) => {}
            Length::Bytes(_) => return Err("a body is shorter than it said".into()),
            Length::Chunks => {
                self.bytes.extend_from_slice(b"0\r\n");
                let mut trailers = trailers.unwrap_or_default();
                strip_trailers(&mut trailers);
                for name in std::mem::take(&mut self.trailers) {
                    for value in trailers.get_all(&name) {
                        self.field(&name, value.as_bytes());
                    }
                }
                self.bytes.extend_from_slice(b"\r\n");
            }
        }
        Ok(())
    }

    /// Origin form, our own framing, our own `Host`, and what is this attempt's own.
    fn head(&mut self, sending: &Sending<'_>, host: Option<&HeaderValue>, introduce: bool) {
        let head = sending.head;
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        let parts: [&[u8]; 4] = [
            head.method.as_str().as_bytes(),
            if path.starts_with(['/', '*']) { b" " } else { b" /" },
            path.as_bytes(),
            b" HTTP/1.1\r\n",
        ];
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
        let host = host.filter(|_| !sending.keeps_host());
        if let Some(host) = host {
            self.field(&header::HOST, host.as_bytes());
        }
        for (name, value) in sending.fields(host.is_some()) {
            if name == header::TRAILER {
                let named = value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
                self.trailers.extend(named.filter_map(|name| HeaderName::from_bytes(name).ok()));
            }
            self.field(name, value.as_bytes());
        }
        sending.each_own(introduce, |name, value| self.field(&name, value));
        match self.length {
            Length::Nothing => {}
            Length::Bytes(length) => {
                self.field(&header::CONTENT_LENGTH, itoa::Buffer::new().format(length).as_bytes());
            }
            Length::Chunks => self.field(&header::TRANSFER_ENCODING, b"chunked"),
        }
        self.bytes.extend_from_slice(b"\r\n");
    }

    fn field(&mut self, name: &HeaderName, value: &[u8]) {
        self.bytes.reserve(name.as_str().len() + value.len() + 4);
        for part in [name.as_str().as_bytes(), b": ", value, b"\r\n"] {
            self.bytes.extend_from_slice(part);
        }
    }
}

// === impl Length ===

impl Length {
    /// Nothing is said of nothing, but for methods that make others expect something (RFC 9110 section 8.6).
    fn of(method: &Method, body: &Body) -> Self {
        let expected = matches!(*method, Method::POST | Method::PUT | Method::PATCH);
        match body.size_hint().exact() {
            Some(0) if !expected => Self::Nothing,
            Some(length) => Self::Bytes(length),
            None => Self::Chunks,
        }
    }
}

#[cfg(test)]
mod tests;
