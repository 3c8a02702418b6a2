//! The body of an answer on its way out: what it holds, and what keeps an event stream alive.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use partie_contract::{Body, BoxError, Presence};

use super::drain::Drain;
use super::exchange::Exchange;
use crate::in_flight::InFlight;
use crate::timer::Timer;

/// A comment, which readers skip.
const HEARTBEAT: &[u8] = b":\n\n";
/// Come back in a second, to whoever listens then.
const COME_BACK: &[u8] = b"retry: 1000\n\n";

/// The body handed to the wire. Dropped when it was sent, or when nobody wants it any more.
pub(super) struct Outgoing {
    body: Body,
    /// Boxed: most answers are no streams.
    events: Option<Box<Events>>,
    in_flight: Option<Arc<InFlight>>,
    exchange: Exchange,
}

/// What an event stream needs beyond its events.
struct Events {
    interval: Duration,
    heartbeat: Timer,
    closing: Pin<Box<dyn Future<Output = ()> + Send>>,
    /// Whether the last byte sent ended an event. In the middle of one nothing may be put in.
    between: bool,
    ended: bool,
    /// Whether the request steps aside, since there is nothing to send.
    parked: bool,
}

// === impl Outgoing ===

impl Outgoing {
    pub(super) fn new(
        body: Body,
        exchange: Exchange,
        in_flight: Option<Arc<InFlight>>,
        events: Option<(Duration, Drain)>,
    ) -> Self {
        let events = events.map(|(interval, drain)| {
            Box::new(Events {
                interval,
                heartbeat: Timer::after(interval),
                closing: Box::pin(drain.closing()),
                between: true,
                ended: false,
                parked: false,
            })
        });
        Self { body, events, in_flight, exchange }
    }

    fn poll_events(
        events: &mut Events,
        body: &mut Body,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if events.ended {
            return Poll::Ready(None);
        }
        if events.between && events.closing.as_mut().poll(cx).is_ready() {
            events.ended = true;
            return Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(COME_BACK)))));
        }
        match Pin::new(body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref().filter(|data| !data.is_empty()) {
                    events.between = data.ends_with(b"\n\n") || data.ends_with(b"\r\n\r\n");
                    events.rest();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Pending if events.between && events.heartbeat.poll(cx).is_ready() => {
                events.rest();
                Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(HEARTBEAT)))))
            }
            polled => polled,
        }
    }
}

impl http_body::Body for Outgoing {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Self { body, events, in_flight, exchange } = &mut *self;
        let polled = match events {
            None => Pin::new(body).poll_frame(cx),
            Some(events) => {
                events.set_parked(in_flight.as_deref(), false);
                let polled = Self::poll_events(events, body, cx);
                events.set_parked(in_flight.as_deref(), polled.is_pending());
                polled
            }
        };
        exchange.asked(polled.is_ready());
        if matches!(polled, Poll::Ready(None)) {
            *in_flight = None;
            exchange.answer_ended();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.events.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.events.is_some() { SizeHint::default() } else { self.body.size_hint() }
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        if let Some(events) = &mut self.events {
            events.set_parked(self.in_flight.as_deref(), false);
        }
        // The wire does not ask for more than the last frame.
        let whole = http_body::Body::is_end_stream(self);
        self.exchange.answer_dropped(whole);
    }
}

// === impl Events ===

impl Events {
    /// The next heartbeat is due a whole interval from now.
    fn rest(&mut self) {
        self.heartbeat.set(self.interval);
    }

    fn set_parked(&mut self, in_flight: Option<&InFlight>, parked: bool) {
        let Some(in_flight) = in_flight.filter(|_| parked != self.parked) else { return };
        self.parked = parked;
        if parked { in_flight.park() } else { in_flight.resume() }
    }
}
