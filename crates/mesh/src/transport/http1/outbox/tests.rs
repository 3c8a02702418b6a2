//! What leaves of a request, by bytes.

use std::collections::VecDeque;
use std::pin::pin;

use futures_util::task::noop_waker;
use http::request::Parts;
use http_body::{Frame, SizeHint};
use partie_runtime::monotonic;

use super::*;
use crate::stack::KeepHost;

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
    Sending { head, at: monotonic(), attempt: 1, left: 70, to: None }
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
        let second = Sending { head: &request, at: monotonic(), attempt: 2, left: 0, to: Some(&to) };
        let expected = format!("GET / HTTP/1.1\r\nhost: {host}\r\n{own}");
        assert_eq!(written(&second, Body::empty()).unwrap(), expected);
        request.extensions.insert(KeepHost);
    }
    let (mut outbox, mut body) = (Outbox::default(), Body::empty());
    let again = Sending { head: &request, at: monotonic(), attempt: 1, left: 0, to: Some(&to) };
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
