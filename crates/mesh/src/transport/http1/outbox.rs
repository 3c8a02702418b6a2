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
mod tests {
    use std::collections::VecDeque;
    use std::pin::pin;

    use crate::stack::KeepHost;
    use futures_util::task::noop_waker;
    use http::request::Parts;
    use http_body::{Frame, SizeHint};

    use super::*;

    /// Frames that are there already, or an error.
    struct Frames(VecDeque<Result<Frame<Bytes>, BoxError>>, Option<u64>);

    impl http_body::Body for Frames {
        type Data = Bytes;
        type Error = BoxError;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
            Poll::Ready(self.0.pop_front())
        }

        fn size_hint(&self) -> SizeHint {
            self.1.map_or_else(SizeHint::default, SizeHint::with_exact)
        }
    }

    fn data(bytes: &'static str) -> Result<Frame<Bytes>, BoxError> {
        Ok(Frame::data(Bytes::from_static(bytes.as_bytes())))
    }

    fn body<const N: usize>(frames: [Result<Frame<Bytes>, BoxError>; N], length: Option<u64>) -> Body {
        Body::stream(Frames(frames.into(), length))
    }

    fn request(method: &str, uri: &str, fields: &[(&'static str, &'static str)]) -> Parts {
        let mut request = http::Request::new(()).into_parts().0;
        request.method = method.parse().unwrap();
        request.uri = uri.parse().unwrap();
        for (name, value) in fields {
            request.headers.append(*name, HeaderValue::from_static(value));
        }
        request
    }

    fn sending(head: &Parts) -> Sending<'_> {
        Sending { head, attempt: 1, left: 70, to: None }
    }

    /// What leaves when nothing is in the way.
    fn written(sending: &Sending<'_>, mut body: Body) -> Result<String, Stuck> {
        let (mut outbox, mut wire) = (Outbox::default(), Vec::new());
        outbox.put(sending, Some(&HeaderValue::from_static("h:1")), true, &mut body);
        let waker = noop_waker();
        let (mut cx, mut user) = (Context::from_waker(&waker), Context::from_waker(&waker));
        match outbox.poll_write(&mut pin!(&mut wire), &mut cx, &mut user) {
            Poll::Ready(done) => done?,
            Poll::Pending => panic!("nothing is in the way"),
        }
        assert!(outbox.is_empty());
        Ok(String::from_utf8(wire).unwrap())
    }

    #[test]
    fn a_head_is_written_with_our_own_framing() {
        let own = "partie-timeout-ms: 70\r\n";
        for (method, uri, fields, sent, expected) in [
            ("GET", "/", &[][..], Body::empty(), format!("GET / HTTP/1.1\r\nhost: h:1\r\n{own}\r\n")),
            (
                "GET",
                "http://x:2/a?b=c",
                &[],
                Body::empty(),
                format!("GET /a?b=c HTTP/1.1\r\nhost: h:1\r\n{own}\r\n"),
            ),
            ("GET", "http://x?b", &[], Body::empty(), format!("GET /?b HTTP/1.1\r\nhost: h:1\r\n{own}\r\n")),
            ("OPTIONS", "*", &[], Body::empty(), format!("OPTIONS * HTTP/1.1\r\nhost: h:1\r\n{own}\r\n")),
            ("DELETE", "/", &[], Body::empty(), format!("DELETE / HTTP/1.1\r\nhost: h:1\r\n{own}\r\n")),
            (
                "PUT",
                "/",
                &[],
                Body::empty(),
                format!("PUT / HTTP/1.1\r\nhost: h:1\r\n{own}content-length: 0\r\n\r\n"),
            ),
            (
                "POST",
                "/",
                &[],
                "abc".into(),
                format!("POST / HTTP/1.1\r\nhost: h:1\r\n{own}content-length: 3\r\n\r\nabc"),
            ),
            (
                "GET",
                "/",
                &[],
                "abc".into(),
                format!("GET / HTTP/1.1\r\nhost: h:1\r\n{own}content-length: 3\r\n\r\nabc"),
            ),
            (
                "POST",
                "/",
                &[
                    ("host", "evil"),
                    ("content-length", "99"),
                    ("transfer-encoding", "chunked"),
                    ("a", "1"),
                    ("a", "2"),
                ],
                "abc".into(),
                format!("POST / HTTP/1.1\r\nhost: h:1\r\na: 1\r\na: 2\r\n{own}content-length: 3\r\n\r\nabc"),
            ),
            (
                "GET",
                "/",
                &[("partie-timeout-ms", "9"), ("partie-attempt", "3"), ("partie-to", "evil")],
                Body::empty(),
                format!("GET / HTTP/1.1\r\nhost: h:1\r\n{own}\r\n"),
            ),
            (
                "POST",
                "/",
                &[],
                body([data("ab"), data(""), data("c")], Some(3)),
                format!("POST / HTTP/1.1\r\nhost: h:1\r\n{own}content-length: 3\r\n\r\nabc"),
            ),
            (
                "POST",
                "/",
                &[],
                body([data("ab"), data("0123456789")], None),
                format!(
                    "POST / HTTP/1.1\r\nhost: h:1\r\n{own}transfer-encoding: chunked\r\n\r\n2\r\nab\r\na\r\n0123456789\r\n0\r\n\r\n"
                ),
            ),
        ] {
            let request = request(method, uri, fields);
            assert_eq!(written(&sending(&request), sent).unwrap(), expected);
        }
    }

    #[test]
    fn an_attempt_says_which_it_is_and_for_whom() {
        let mut request = request("GET", "/", &[("host", "shop.example")]);
        let to = HeaderValue::from_static("orders");
        let own = "partie-timeout-ms: 0\r\npartie-attempt: 2\r\npartie-to: orders\r\n\r\n";
        for host in ["h:1", "shop.example"] {
            let second = Sending { head: &request, attempt: 2, left: 0, to: Some(&to) };
            let expected = format!("GET / HTTP/1.1\r\nhost: {host}\r\n{own}");
            assert_eq!(written(&second, Body::empty()).unwrap(), expected);
            request.extensions.insert(KeepHost);
        }
        let (mut outbox, mut body) = (Outbox::default(), Body::empty());
        let again = Sending { head: &request, attempt: 1, left: 0, to: Some(&to) };
        outbox.put(&again, None, false, &mut body);
        let told = String::from_utf8(outbox.bytes).unwrap();
        assert!(!told.contains("partie-to"), "it knows: {told}");
    }

    #[test]
    fn trailers_follow_if_the_head_names_them() {
        let trailers = || {
            let mut trailers = HeaderMap::new();
            for (name, value) in [("x-sum", "1"), ("content-length", "9"), ("x-user-id", "admin")] {
                trailers.insert(name, HeaderValue::from_static(value));
            }
            Ok(Frame::trailers(trailers))
        };
        for (fields, expected) in
            [(&[("trailer", "x-sum")][..], "1\r\na\r\n0\r\nx-sum: 1\r\n\r\n"), (&[], "1\r\na\r\n0\r\n\r\n")]
        {
            let request = request("POST", "/", fields);
            let written = written(&sending(&request), body([data("a"), trailers()], None)).unwrap();
            assert_eq!(written.split_once("\r\n\r\n").unwrap().1, expected);
        }
    }

    #[test]
    fn a_body_that_is_not_what_it_said_is_no_request() {
        for body in [
            body([data("ab")], Some(3)),
            body([data("abc"), data("d")], Some(3)),
            body([data("abcd")], Some(3)),
            body([data("a")], Some(0)),
            body([data("a"), Err("broken".into())], None),
        ] {
            let request = request("POST", "/", &[]);
            assert!(matches!(written(&sending(&request), body), Err(Stuck::Own(_))));
        }
    }

    #[test]
    fn a_body_that_has_more_to_give_is_asked_for_it() {
        // It wakes nobody, for it was never asked in vain.
        let frame = || Ok(Frame::data(Bytes::from(vec![b'x'; TOGETHER])));
        let request = request("POST", "/", &[]);
        let written = written(&sending(&request), body([frame(), frame(), data("end")], None)).unwrap();
        assert!(written.ends_with("\r\n3\r\nend\r\n0\r\n\r\n"), "{} bytes", written.len());
    }

    /// Takes so much, and then nothing any more.
    struct Short(usize);

    impl AsyncWrite for Short {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
            match self.0.min(buf.len()) {
                0 => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
                taken => {
                    self.0 -= taken;
                    Poll::Ready(Ok(taken))
                }
            }
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn a_request_of_which_something_has_left_is_not_untouched() {
        let request = request("POST", "/", &[]);
        let mut head = Outbox::default();
        head.put(&sending(&request), None, true, &mut Body::from(vec![0; PIECE]));
        head.fill(&mut Context::from_waker(&noop_waker())).unwrap();
        for (taken, untouched) in [(0, true), (1, false), (head.bytes.len(), false), (3 * PIECE, false)] {
            let (mut outbox, mut body) = (Outbox::default(), Body::from(vec![0; 5 * PIECE]));
            outbox.put(&sending(&request), None, true, &mut body);
            let waker = noop_waker();
            let (mut cx, mut user) = (Context::from_waker(&waker), Context::from_waker(&waker));
            let stuck = outbox.poll_write(&mut Short(taken), &mut cx, &mut user);
            assert!(matches!(stuck, Poll::Ready(Err(Stuck::Wire(_)))));
            assert_eq!(outbox.is_untouched(), untouched, "after {taken} bytes");
        }
    }

    #[test]
    fn a_large_body_leaves_in_pieces_and_stays_in_its_place() {
        let large = Bytes::from(vec![b'x'; 3 * PIECE + 1]);
        let mut body = Body::from(large.clone());
        let request = request("POST", "/", &[]);
        let (mut outbox, mut wire) = (Outbox::default(), Vec::new());
        outbox.put(&sending(&request), None, true, &mut body);
        assert!(outbox.is_untouched());
        let waker = noop_waker();
        let (mut cx, mut user) = (Context::from_waker(&waker), Context::from_waker(&waker));
        let done = outbox.poll_write(&mut pin!(&mut wire), &mut cx, &mut user);
        assert!(matches!(done, Poll::Ready(Ok(()))));
        assert!(wire.ends_with(&large) && outbox.bytes.capacity() < 2 * (PIECE + TOGETHER));
        assert_eq!(body.into_whole().unwrap(), large);
        outbox.clear();
        assert!(outbox.bytes.capacity() <= TOGETHER);
    }
}
