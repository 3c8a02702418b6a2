//! The access log: one line a request.

use std::time::Instant;

use http::{HeaderValue, Method, StatusCode};
use partie_runtime::monotonic;
use partie_telemetry::ActiveRequest;

/// What the line says of a request.
pub(crate) struct Entry {
    pub(crate) method: Method,
    pub(crate) request_id: HeaderValue,
    /// The template of the route, never the address itself: addresses hold ids and what people type.
    pub(crate) route: &'static str,
    /// The route's metrics. Dropped without an end, the request counts as cancelled.
    pub(crate) active: Option<ActiveRequest>,
    since: Instant,
}

// === impl Entry ===

impl Entry {
    pub(crate) fn begin(method: Method, request_id: HeaderValue) -> Self {
        Self { method, request_id, route: "-", active: None, since: monotonic() }
    }

    pub(crate) fn request_id(&self) -> &str {
        self.request_id.to_str().unwrap_or_default()
    }

    /// Failures of ours are told at level info, everything else at level debug.
    pub(crate) fn end(&mut self, status: StatusCode) {
        if let Some(active) = self.active.take() {
            active.finish(status.as_u16());
        }
        let ms = monotonic().duration_since(self.since).as_millis();
        let ms = u64::try_from(ms).unwrap_or(u64::MAX);
        let (method, route, status, request_id) =
            (self.method.as_str(), self.route, status.as_u16(), self.request_id());
        if status >= 500 {
            tracing::info!(method, route, status, ms, request_id, "answered");
        } else {
            tracing::debug!(method, route, status, ms, request_id, "answered");
        }
    }
}
