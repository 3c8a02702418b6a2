//! The head of an answer: what it says, and how the body behind it is read (RFC 9112 sections 4 to 6).

use std::mem::MaybeUninit;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use httparse::{Header, ParserConfig, Status};

use super::chunks::Chunks;

/// The most fields of a head: as many as our own listeners take.
const FIELDS: usize = 100;
/// Room for those that are added on the way back. Whoever writes the answer keeps the map for its next request, which gains
/// more of them.
const ROOM: usize = 12;

/// The head of an answer.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Framing,
    /// Whether another request may follow on the connection.
    pub(super) keeps: bool,
}

/// How far a body goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// So many bytes, of which none may be missing.
    Length(u64),
    Chunks(Chunks),
    /// To the end of the connection.
    Rest,
}

/// An answer that can be read in more than one way, or in none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an answer that is no HTTP/1.1: {0}")]
pub(super) struct Malformed(pub(super) &'static str);

/// What its fields say of how an answer is read.
struct Says {
    /// The same one twice is one.
    length: Option<u64>,
    /// Chunked, which is the only one there is.
    coding: bool,
    close: bool,
}

/// Where the fields of a head are in it: what was parsed borrows the bytes, and the fields are to share them.
struct Spans {
    fields: [Span; FIELDS],
    count: usize,
}

/// Where a name and its value begin, and how long they are.
type Span = [u32; 4];

// === impl Head ===

impl Head {
    /// The most bytes of a head: as many as our own listeners take.
    pub(super) const MOST: usize = 64 << 10;

    /// Takes a head out of what was read; nothing if more has to be read before. What was asked decides whether a body comes.
    pub(super) fn take(read: &mut BytesMut, asked: &Method) -> Result<Option<Self>, Malformed> {
        let mut room = [const { MaybeUninit::<Header<'_>>::uninit() }; FIELDS];
        let mut answer = httparse::Response::new(&mut []);
        let parsed =
            ParserConfig::default().parse_response_with_uninit_headers(&mut answer, &read[..], &mut room);
        let end = match parsed {
            Ok(Status::Complete(end)) if end <= Self::MOST => end,
            Ok(Status::Partial) if read.len() < Self::MOST => return Ok(None),
            Ok(_) | Err(httparse::Error::TooManyHeaders) => return Err(Malformed("its head is too large")),
            Err(_) => return Err(Malformed("its head is none")),
        };
        let code = answer.code.and_then(|code| StatusCode::from_u16(code).ok());
        let status = code.ok_or(Malformed("its status is none"))?;
        let is_1_0 = answer.version == Some(0);
        let spans = Spans::of(read, answer.headers);
        let mut headers = spans.cut(&read.split_to(end).freeze())?;
        let Says { length, coding, close } = Says::of(&mut headers)?;
        let nothing = status.is_informational()
            || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
            || asked == Method::HEAD;
        let body = match (length, coding) {
            _ if nothing => Framing::Length(0),
            (Some(length), false) => Framing::Length(length),
            (None, true) if !is_1_0 => Framing::Chunks(Chunks::Length),
            (None, false) => Framing::Rest,
            // Whoever reads it next may read it in the other way.
            (Some(_), true) => return Err(Malformed("it has a length and a transfer coding")),
            (None, true) => return Err(Malformed("it is HTTP/1.0 and has a transfer coding")),
        };
        // What says that there is a body where there cannot be one may send it after all.
        let odd = status == StatusCode::NO_CONTENT && (coding || length.is_some_and(|length| length > 0));
        let keeps = !is_1_0 && !close && !odd && body != Framing::Rest;
        Ok(Some(Self { status, headers, body, keeps }))
    }
}

// === impl Says ===

impl Says {
    /// One look at all fields is cheaper than to look for each.
    fn of(headers: &mut HeaderMap) -> Result<Self, Malformed> {
        let mut says = Self { length: None, coding: false, close: false };
        let mut again = false;
        for (name, value) in &*headers {
            match *name {
                header::CONTENT_LENGTH => {
                    let length = length(value).ok_or(Malformed("its length is none"))?;
                    again |= says.length.is_some();
                    if says.length.is_some_and(|other| other != length) {
                        return Err(Malformed("it has two lengths"));
                    }
                    says.length = Some(length);
                }
                header::TRANSFER_ENCODING => {
                    if says.coding || !value.as_bytes().eq_ignore_ascii_case(b"chunked") {
                        return Err(Malformed("its transfer coding is not just chunked"));
                    }
                    says.coding = true;
                }
                header::CONNECTION => {
                    let mut options = value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
                    says.close |= options.any(|option| option.eq_ignore_ascii_case(b"close"));
                }
                _ => {}
            }
        }
        if let Some(length) = says.length.filter(|_| again) {
            headers.insert(header::CONTENT_LENGTH, length.into());
        }
        Ok(says)
    }
}

/// Digits and nothing else.
fn length(value: &HeaderValue) -> Option<u64> {
    let digits = value.as_bytes();
    let number = std::str::from_utf8(digits).ok().filter(|_| digits.iter().all(u8::is_ascii_digit));
    number.and_then(|digits| digits.parse().ok())
}

// === impl Spans ===

impl Spans {
    /// Where those are in what was read.
    fn of(read: &[u8], headers: &[Header<'_>]) -> Self {
        let start = read.as_ptr().addr();
        // Both are within a head, which is shorter than 64 KiB.
        let at = |part: &[u8]| [part.as_ptr().addr() - start, part.len()].map(|number| number as u32);
        let mut fields = [[0; 4]; FIELDS];
        for (span, Header { name, value }) in fields.iter_mut().zip(headers) {
            let ([name, name_length], [value, value_length]) = (at(name.as_bytes()), at(value));
            *span = [name, name_length, value, value_length];
        }
        Self { fields, count: headers.len() }
    }

    /// The fields, out of the same bytes.
    fn cut(&self, head: &Bytes) -> Result<HeaderMap, Malformed> {
        let mut headers = HeaderMap::with_capacity(self.count.max(ROOM));
        for span in &self.fields[..self.count] {
            let [name, name_length, value, value_length] = span.map(|number| number as usize);
            let odd = Malformed("a field of its head is none");
            let name = HeaderName::from_bytes(&head[name..name + name_length]).map_err(|_| odd)?;
            let value = head.slice(value..value + value_length);
            headers.append(name, HeaderValue::from_maybe_shared(value).map_err(|_| odd)?);
        }
        Ok(headers)
    }
}

/// The fields of trailers, up to and with the empty line behind them.
pub(super) fn fields(trailers: &Bytes) -> Result<HeaderMap, Malformed> {
    let mut room = [httparse::EMPTY_HEADER; FIELDS];
    match httparse::parse_headers(trailers, &mut room) {
        Ok(Status::Complete((end, parsed))) if end == trailers.len() => {
            Spans::of(trailers, parsed).cut(trailers)
        }
        _ => Err(Malformed("its trailers are none")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(sent: &[u8], asked: &Method) -> Result<Option<(Head, String)>, Malformed> {
        let mut read = BytesMut::from(sent);
        let head = Head::take(&mut read, asked)?;
        Ok(head.map(|head| (head, String::from_utf8(read.to_vec()).unwrap())))
    }

    #[test]
    fn the_head_says_how_far_the_body_goes() {
        let chunked = Framing::Chunks(Chunks::Length);
        let (get, head) = (Method::GET, Method::HEAD);
        for (sent, asked, status, body, keeps) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", &get, 200, Framing::Length(2), true),
            ("HTTP/1.1 200\r\nContent-Length: 2\r\n\r\n", &get, 200, Framing::Length(2), true),
            ("HTTP/1.1 200 OK\nContent-Length: 2\n\n", &get, 200, Framing::Length(2), true),
            (
                "HTTP/1.1 200 \r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\n",
                &get,
                200,
                Framing::Length(2),
                true,
            ),
            ("HTTP/1.1 200 OK\r\n\r\n", &get, 200, Framing::Rest, false),
            ("HTTP/1.1 404 No\r\nTransfer-Encoding: Chunked\r\n\r\n", &get, 404, chunked, true),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: x, Close\r\n\r\n",
                &get,
                200,
                Framing::Length(2),
                false,
            ),
            ("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n", &get, 200, Framing::Length(2), false),
            ("HTTP/1.0 200 OK\r\n\r\n", &get, 200, Framing::Rest, false),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", &head, 200, Framing::Length(0), true),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", &head, 200, Framing::Length(0), true),
            ("HTTP/1.1 200 OK\r\n\r\n", &head, 200, Framing::Length(0), true),
            ("HTTP/1.1 204 No\r\nContent-Length: 2\r\n\r\n", &get, 204, Framing::Length(0), false),
            ("HTTP/1.1 204 No\r\nContent-Length: 0\r\n\r\n", &get, 204, Framing::Length(0), true),
            ("HTTP/1.1 304 Same\r\nContent-Length: 2\r\n\r\n", &get, 304, Framing::Length(0), true),
            ("HTTP/1.1 103 Hints\r\nLink: a\r\n\r\n", &get, 103, Framing::Length(0), true),
        ] {
            let bytes = format!("{sent}behind");
            let (found, left) = take(bytes.as_bytes(), asked).unwrap().unwrap();
            assert_eq!((found.status.as_u16(), found.body, found.keeps), (status, body, keeps), "{sent:?}");
            assert_eq!(left, "behind", "{sent:?}");
            assert!(found.headers.get_all(header::CONTENT_LENGTH).iter().count() < 2, "{sent:?}");
            for cut in 0..sent.len() {
                assert!(take(&bytes.as_bytes()[..cut], asked).unwrap().is_none(), "{sent:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn fields_are_as_they_were_sent() {
        let sent = b"HTTP/1.1 200 OK\r\nA: 1\r\nX-Bytes: \xFF \r\na:2\r\nEmpty:\r\nContent-Length: 0\r\n\r\n";
        let mut read = BytesMut::from(&sent[..]);
        let head = Head::take(&mut read, &Method::GET).unwrap().unwrap();
        let fields: Vec<_> = head.headers.iter().map(|(n, v)| (n.as_str(), v.as_bytes())).collect();
        let expected: [(&str, &[u8]); 5] =
            [("a", b"1"), ("a", b"2"), ("x-bytes", b"\xFF"), ("empty", b""), ("content-length", b"0")];
        assert_eq!(fields, expected);
    }

    #[test]
    fn what_is_no_head_or_two_is_refused() {
        let long = format!("HTTP/1.1 200 OK\r\na: {}\r\n\r\n", "x".repeat(Head::MOST));
        let endless = format!("HTTP/1.1 200 OK\r\na: {}", "x".repeat(Head::MOST));
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: 1\r\n".repeat(FIELDS + 1));
        for sent in [
            "HTTP/2.0 200 OK\r\n\r\n",
            "HTTP/1.2 200 OK\r\n\r\n",
            "http/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 20 OK\r\n\r\n",
            "HTTP/1.1 099 OK\r\n\r\n",
            "HTTP/1.1 2000 OK\r\n\r\n",
            "\x15\x03\x03\x00\x02\x02\x50",
            "<html>",
            "HTTP/1.1 200 OK\r\na : 1\r\n\r\n",
            "HTTP/1.1 200 OK\r\na: 1\r\n 2\r\n\r\n",
            "HTTP/1.1 200 OK\r\n: 1\r\n\r\n",
            "HTTP/1.1 200 OK\r\na: \0\r\n\r\n",
            "HTTP/1.1 200 OK\r\na: b\rc\r\n\r\n",
            "HTTP/1.1 200 OK\r\na\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n",
            "HTTP/1.1 204 OK\r\nContent-Length: x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n",
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            &long,
            &endless,
            &many,
        ] {
            assert!(take(sent.as_bytes(), &Method::GET).is_err(), "{:?}", &sent[..sent.len().min(60)]);
        }
    }
}
