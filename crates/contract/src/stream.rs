//! Event streams: `text/event-stream` with ids, both ways.

use std::borrow::Cow;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use http::{HeaderValue, header};
use http_body::{Body as _, Frame};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::body::{Body, Response};
use crate::operation::{Content, ReplySpec};
use crate::platform::{BoxError, FaultKind, Platform};
use crate::reply::Reply;
use crate::schema::schema_of;
use crate::wire::EVENT_STREAM;

/// The largest event a client reads, in bytes.
const LARGEST_EVENT: usize = 1 << 20;

/// One event of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamItem<T> {
    /// Its place in the stream's order; `None` for what is not worth repeating, such as a position.
    pub id: Option<i64>,
    /// The event's name, `order.placed`.
    pub event: Cow<'static, str>,
    /// The event's data.
    pub data: T,
}

/// A live answer. Dropping it ends the stream.
pub struct EventStream<T>(Pin<Box<dyn Stream<Item = Result<StreamItem<T>, Platform>> + Send>>);

// === impl EventStream ===

impl<T> EventStream<T> {
    /// A stream of these items. An error ends it; the reader resumes after the last id it has seen.
    pub fn new(items: impl Stream<Item = Result<StreamItem<T>, Platform>> + Send + 'static) -> Self {
        Self(Box::pin(items))
    }
}

impl<T> Stream for EventStream<T> {
    type Item = Result<StreamItem<T>, Platform>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(cx)
    }
}

impl<T> fmt::Debug for EventStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EventStream")
    }
}

impl<T: Serialize + DeserializeOwned + JsonSchema + Send + Unpin + 'static> Reply for EventStream<T> {
    const SPEC: ReplySpec = ReplySpec { status: 200, content: Content::Events(schema_of::<T>), headers: &[] };

    fn into_response(self) -> Result<Response, Platform> {
        let mut response = Response::new(Body::stream(Encoder(self)));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(EVENT_STREAM));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Ok(response)
    }

    fn from_response(response: Response) -> Result<Self, Platform> {
        Ok(Self::new(Decoder {
            body: response.into_body(),
            buffer: BytesMut::new(),
            next: Pending::default(),
            data: std::marker::PhantomData,
        }))
    }
}

/// Items to frames.
struct Encoder<T>(EventStream<T>);

impl<T: Serialize> http_body::Body for Encoder<T> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Poll::Ready(match ready!(Pin::new(&mut self.0).poll_next(cx)) {
            None => None,
            Some(Ok(item)) => Some(encode(&item).map(Frame::data)),
            Some(Err(fault)) => Some(Err(fault.into())),
        })
    }
}

fn encode<T: Serialize>(item: &StreamItem<T>) -> Result<Bytes, BoxError> {
    let mut out = Vec::with_capacity(256);
    if let Some(id) = item.id {
        out.extend_from_slice(format!("id: {id}\n").as_bytes());
    }
    // JSON has no raw line breaks, so one data line is enough.
    out.extend_from_slice(format!("event: {}\ndata: ", item.event).as_bytes());
    serde_json::to_writer(&mut out, &item.data)?;
    out.extend_from_slice(b"\n\n");
    Ok(out.into())
}

/// Frames to items.
struct Decoder<T> {
    body: Body,
    buffer: BytesMut,
    next: Pending,
    data: std::marker::PhantomData<fn() -> T>,
}

/// The event being read.
#[derive(Default)]
struct Pending {
    id: Option<i64>,
    event: Option<String>,
    data: Option<String>,
}

impl<T: DeserializeOwned> Decoder<T> {
    /// The next whole event in the buffer.
    fn take(&mut self) -> Option<Result<StreamItem<T>, Platform>> {
        while let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
            let line = self.buffer.split_to(end + 1);
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches(['\n', '\r']);
            if line.is_empty() {
                let Pending { id, event, data } = std::mem::take(&mut self.next);
                let Some(data) = data else { continue };
                let event = event.map_or(Cow::Borrowed("message"), Cow::Owned);
                return Some(match serde_json::from_str(&data) {
                    Ok(data) => Ok(StreamItem { id, event, data }),
                    Err(error) => Err(broken().caused_by(error)),
                });
            }
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "id" => self.next.id = value.parse().ok(),
                "event" => self.next.event = Some(value.to_owned()),
                "data" => match &mut self.next.data {
                    Some(data) => {
                        data.push('\n');
                        data.push_str(value);
                    }
                    none => *none = Some(value.to_owned()),
                },
                // Comments (heartbeats) and fields we do not use.
                _ => {}
            }
        }
        None
    }
}

impl<T: DeserializeOwned> Stream for Decoder<T> {
    type Item = Result<StreamItem<T>, Platform>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(item) = self.take() {
                return Poll::Ready(Some(item));
            }
            if self.buffer.len() > LARGEST_EVENT {
                return Poll::Ready(Some(Err(broken().with_detail("an event is too large"))));
            }
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                None => return Poll::Ready(None),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.buffer.extend_from_slice(&data);
                    }
                }
                Some(Err(error)) => {
                    let fault =
                        Platform::new(FaultKind::UpstreamUnavailable).caused_by(error).from_upstream();
                    return Poll::Ready(Some(Err(fault)));
                }
            }
        }
    }
}

fn broken() -> Platform {
    Platform::new(FaultKind::UpstreamFailed).from_upstream()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(text: &'static str) -> Vec<StreamItem<serde_json::Value>> {
        let mut decoder = Decoder::<serde_json::Value> {
            body: Body::empty(),
            buffer: BytesMut::from(text),
            next: Pending::default(),
            data: std::marker::PhantomData,
        };
        std::iter::from_fn(|| decoder.take()).map(Result::unwrap).collect()
    }

    #[test]
    fn what_is_written_is_read() {
        let item =
            StreamItem { id: Some(7), event: "order.placed".into(), data: serde_json::json!({"a":"x\ny"}) };
        let text = String::from_utf8(encode(&item).unwrap().to_vec()).unwrap();
        assert_eq!(text, "id: 7\nevent: order.placed\ndata: {\"a\":\"x\\ny\"}\n\n");
        assert_eq!(decode(text.leak()), [item]);
    }

    #[test]
    fn comments_partial_events_and_other_line_ends() {
        let items = decode(": ping\n\nevent: a\r\ndata: 1\r\n\r\ndata:2\nretry: 5\n\ndata: unfinished");
        assert_eq!(items.len(), 2);
        assert_eq!((items[0].event.as_ref(), &items[0].data), ("a", &1.into()));
        assert_eq!((items[1].event.as_ref(), items[1].id), ("message", None));
    }
}
