//! What is known of a request on its way, and the access log: one line a request.

use std::time::Instant;

use http::{HeaderValue, Method, StatusCode};
use partie_contract::Platform;
use partie_runtime::monotonic;
use partie_telemetry::ActiveRequest;

use crate::cors::Cors;
use crate::rates::Left;

/// What is known of a request, for the line and for the head of its answer.
pub(crate) struct Entry<'t> {
    pub(crate) method: Method,
    pub(crate) request_id: HeaderValue,
    /// The template of the route, never the address itself: addresses hold ids and what people type.
    pub(crate) route: &'t str,
    /// The route's metrics. Dropped without an end, the request counts as cancelled.
    pub(crate) active: Option<ActiveRequest>,
    /// What is left of the limits that hold for it.
    pub(crate) left: Option<Left<'t>>,
    /// What browsers are told with the answer, and whose page asks.
    pub(crate) cors: Option<(&'t Cors, Option<HeaderValue>)>,
    /// How the answer may be compressed, if at all.
    pub(crate) squeeze: Option<Squeeze>,
    /// Whether the answer is an upstream's own, also to `HEAD`.
    pub(crate) as_it_is: bool,
    /// When it was taken in hand.
    pub(crate) since: Instant,
}

/// How an answer may be compressed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Squeeze {
    /// The client reads it.
    pub(crate) accepted: bool,
    /// Its `ETag` may become a weak one.
    pub(crate) weakens: bool,
}

// === impl Entry ===

impl<'t> Entry<'t> {
    pub(crate) fn begin(method: Method, request_id: HeaderValue) -> Self {
        Self {
            method,
            request_id,
            route: "-",
            active: None,
            left: None,
            cors: None,
            squeeze: None,
            as_it_is: false,
            since: monotonic(),
        }
    }

    /// Keeps what is left of the tightest limit, for the head of the answer.
    ///
    /// # Errors
    /// The fault, when nothing was left.
    pub(crate) fn take(&mut self, taken: Result<Left<'t>, (Left<'t>, Platform)>) -> Result<(), Platform> {
        let (left, taken) = match taken {
            Ok(left) => (left, Ok(())),
            Err((left, fault)) => (left, Err(fault)),
        };
        self.left = Some(left.tighter(self.left.take()));
        taken
    }

    pub(crate) fn request_id(&self) -> &str {
        self.request_id.to_str().unwrap_or_default()
    }

    /// Failures of ours are told at level info, everything else at level debug, unless all of it is wanted.
    pub(crate) fn end(&mut self, status: StatusCode, all: bool) {
        if let Some(active) = self.active.take() {
            active.finish(status.as_u16());
        }
        let loud = all || status.as_u16() >= 500;
        if !loud && !tracing::enabled!(tracing::Level::DEBUG) {
            return;
        }
        let ms = monotonic().duration_since(self.since).as_millis();
        let ms = u64::try_from(ms).unwrap_or(u64::MAX);
        let (method, route, status, request_id) =
            (self.method.as_str(), self.route, status.as_u16(), self.request_id());
        if loud {
            tracing::info!(method, route, status, ms, request_id, "answered");
        } else {
            tracing::debug!(method, route, status, ms, request_id, "answered");
        }
    }
}
