//! Compresses answers with gzip (RFC 9110 section 8.4.1.3) for clients that read it.

use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::StatusCode;
use http::header::{self, HeaderMap, HeaderValue};
use http_body::{Body as _, Frame, SizeHint};
use partie_contract::{Body, BoxError, Response};

use crate::config::CompressionConfig;

/// So much compressed is handed on at a time.
const PIECE: usize = 8 << 10;

/// Kinds of text that do not begin with `text/`, by how they end.
const TEXTS: [&str; 8] =
    ["json", "xml", "javascript", "ecmascript", "x-ndjson", "wasm", "graphql", "x-www-form-urlencoded"];

/// Whether the client reads gzip: it says so, and not with a quality of 0.
pub(crate) fn is_accepted(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|line| line.to_str().ok());
    let mut accepted = None;
    for coding in lines.flat_map(|line| line.split(',')) {
        let mut parts = coding.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let refused = parts
            .filter_map(|part| part.strip_prefix("q="))
            .any(|q| q.parse::<f32>().is_ok_and(|q| q == 0.0));
        if name.eq_ignore_ascii_case("gzip") {
            return !refused;
        }
        if name == "*" {
            accepted = Some(!refused);
        }
    }
    accepted.unwrap_or(false)
}

/// The answer, compressed if that is worth it and nothing speaks against it. With `weakens` an `ETag` becomes a weak one;
/// without, an answer that has one is left as it is: it may be sent back in `If-Match`, where weak ones never match.
pub(crate) fn compress(
    answer: Response,
    config: &CompressionConfig,
    accepted: bool,
    weakens: bool,
) -> Response {
    let (mut head, body) = answer.into_parts();
    if !is_fit(head.status, &head.headers, &body, config)
        || (!weakens && head.headers.contains_key(header::ETAG))
    {
        return Response::from_parts(head, body);
    }
    head.headers.append(header::VARY, HeaderValue::from_static("accept-encoding"));
    if !accepted {
        return Response::from_parts(head, body);
    }
    head.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    head.headers.remove(header::CONTENT_LENGTH);
    head.headers.remove(header::ACCEPT_RANGES);
    weaken(&mut head.headers);
    let level = Compression::new(config.level.clamp(1, 9));
    let body = match body.try_into_whole() {
        Ok(whole) => squeeze(&whole, level).map_or(Body::empty(), Body::from),
        Err(stream) => Body::stream(Gzip { body: stream, encoder: Some(encoder(level)), dirty: false }),
    };
    Response::from_parts(head, body)
}

fn is_fit(status: StatusCode, headers: &HeaderMap, body: &Body, config: &CompressionConfig) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let size = body.size_hint().exact();
    status.is_success()
        && !matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::PARTIAL_CONTENT)
        && size.is_none_or(|size| size >= config.smallest as u64)
        && !headers.contains_key(header::CONTENT_ENCODING)
        && !headers.contains_key(header::CONTENT_RANGE)
        && text(header::CONTENT_TYPE).is_some_and(is_text)
        && !text(header::CACHE_CONTROL).is_some_and(|control| control.contains("no-transform"))
}

/// Streams of events are texts too, but of the kind that must not wait.
fn is_text(kind: &str) -> bool {
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let streams = kind == "text/event-stream" || kind.starts_with("application/grpc");
    !streams
        && (kind.starts_with("text/")
            || kind == "image/svg+xml"
            || TEXTS.iter().any(|text| kind.ends_with(text)))
}

/// What is compressed is another sequence of bytes with the same meaning (RFC 9110 section 8.8.1).
fn weaken(headers: &mut HeaderMap) {
    let strong = headers.get(header::ETAG).filter(|tag| !tag.as_bytes().starts_with(b"W/"));
    let weak = strong.and_then(|tag| HeaderValue::from_bytes(&[b"W/", tag.as_bytes()].concat()).ok());
    if let Some(weak) = weak {
        headers.insert(header::ETAG, weak);
    }
}

fn encoder(level: Compression) -> GzEncoder<Vec<u8>> {
    GzEncoder::new(Vec::new(), level)
}

/// All of it at once. A vector takes whatever is written to it.
fn squeeze(bytes: &[u8], level: Compression) -> io::Result<Vec<u8>> {
    let mut encoder = encoder(level);
    encoder.write_all(bytes)?;
    encoder.finish()
}

/// A body, compressed as it comes. What has come is not held back while nothing else does.
struct Gzip {
    body: Body,
    /// Gone at the end.
    encoder: Option<GzEncoder<Vec<u8>>>,
    /// Whether something is in it that could be sent.
    dirty: bool,
}

// === impl Gzip ===

impl Gzip {
    fn next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        loop {
            let Some(encoder) = &mut self.encoder else {
                // Trailers, if there are any.
                return Pin::new(&mut self.body).poll_frame(cx);
            };
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    let frame = match frame.into_data() {
                        Ok(data) => {
                            encoder.write_all(&data)?;
                            self.dirty |= !data.is_empty();
                            if encoder.get_ref().len() < PIECE {
                                continue;
                            }
                            std::mem::take(encoder.get_mut())
                        }
                        // What follows the body comes after its last bytes; a body has it once.
                        Err(trailers) => {
                            let rest = self.finish()?;
                            self.body = Body::stream(Last(Some(trailers)));
                            rest
                        }
                    };
                    return Poll::Ready(Some(Ok(Frame::data(frame.into()))));
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error))),
                Poll::Ready(None) => {
                    self.body = Body::empty();
                    return Poll::Ready(Some(Ok(Frame::data(self.finish()?.into()))));
                }
                Poll::Pending if self.dirty => {
                    self.dirty = false;
                    encoder.flush()?;
                    let piece = std::mem::take(encoder.get_mut());
                    return Poll::Ready(Some(Ok(Frame::data(piece.into()))));
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn finish(&mut self) -> io::Result<Vec<u8>> {
        self.encoder.take().map_or(Ok(Vec::new()), GzEncoder::finish)
    }
}

impl http_body::Body for Gzip {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.next(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.encoder.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

/// One frame that was read too early.
struct Last(Option<Frame<Bytes>>);

impl http_body::Body for Last {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Poll::Ready(self.0.take().map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }
}
