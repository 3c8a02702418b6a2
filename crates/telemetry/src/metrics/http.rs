//! What is measured of every operation that is served, by OpenTelemetry's HTTP conventions.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use metrics::{Gauge, Histogram, Unit};

use super::Definition;
use crate::slow::{SlowPolls, now};

const DURATION: Definition = Definition::new(
    "http.server.request.duration",
    Unit::Seconds,
    "Duration of served requests, from the parsed head to the end of the answer",
);
const ACTIVE: Definition =
    Definition::new("http.server.active_requests", Unit::Count, "Requests being served at the moment");

/// The classes of answers; the last is for requests that were given up before there was a status.
const CLASSES: [&str; 6] = ["1xx", "2xx", "3xx", "4xx", "5xx", "cancelled"];
const CANCELLED: usize = 5;

/// The handles of one operation of one version of one service. Cheap to clone; make it once and keep it.
///
/// Of the convention's attributes `http.response.status_code` is kept by its class: exact codes would multiply the
/// series, and the code of every failure is in the log.
#[derive(Clone)]
pub struct HttpServerMetrics(Arc<Handles>);

struct Handles {
    service: Box<str>,
    version: Box<str>,
    operation: Box<str>,
    active: Gauge,
    /// By class, each registered when it first occurs; an operation that never redirects has no such series.
    durations: [OnceLock<Histogram>; CLASSES.len()],
}

/// A request being served. Dropped without an answer it counts as cancelled.
#[must_use = "it measures until it is finished or dropped"]
#[derive(Debug)]
pub struct ActiveRequest {
    metrics: HttpServerMetrics,
    since: Instant,
    /// When the watched work ended.
    until: Option<Instant>,
    class: usize,
}

// === impl HttpServerMetrics ===

impl HttpServerMetrics {
    /// The handles of an operation, labelled `service`, `version` and `operation`.
    pub fn for_operation(service: &str, version: u16, operation: &str) -> Self {
        let version = version.to_string();
        let labels = [("service", service), ("version", version.as_str()), ("operation", operation)];
        let metrics = Self(Arc::new(Handles {
            active: ACTIVE.gauge(&labels),
            durations: Default::default(),
            service: service.into(),
            operation: operation.into(),
            version: version.into(),
        }));
        // These two are there from the start: the rate of a series that begins with its first failure misses it.
        metrics.class(class_of(200));
        metrics.class(class_of(500));
        metrics
    }

    /// Begins a request: it is active until the guard is finished or dropped.
    pub fn begin(&self) -> ActiveRequest {
        self.begun(now())
    }

    /// The same for a request that began then.
    pub fn begun(&self, since: Instant) -> ActiveRequest {
        self.0.active.increment(1.0);
        ActiveRequest { metrics: self.clone(), since, until: None, class: CANCELLED }
    }

    /// Counts a request that was measured elsewhere.
    pub fn record(&self, status: u16, duration: Duration) {
        self.class(class_of(status)).record(duration);
    }

    fn class(&self, class: usize) -> &Histogram {
        let Handles { service, version, operation, durations, .. } = &*self.0;
        durations[class].get_or_init(|| {
            DURATION.histogram(&[
                ("service", service),
                ("version", version),
                ("operation", operation),
                ("status", CLASSES[class]),
            ])
        })
    }
}

impl fmt::Debug for HttpServerMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpServerMetrics({} v{} {})", self.0.service, self.0.version, self.0.operation)
    }
}

// === impl ActiveRequest ===

impl ActiveRequest {
    /// Ends the request with that status.
    pub fn finish(mut self, status: u16) {
        self.class = class_of(status);
    }

    /// When it began.
    pub fn since(&self) -> Instant {
        self.since
    }

    /// How long it has been served for; if its work was watched to the end, until then.
    pub fn elapsed(&self) -> Duration {
        self.until.unwrap_or_else(now).duration_since(self.since)
    }

    /// Runs the request's work and counts its slow polls. The first poll counts from the beginning of the request, so
    /// it has to be this one's, and the last one ends its duration: most requests are two looks at the clock.
    pub async fn watch<F: Future>(&mut self, slow: &SlowPolls, work: F) -> F::Output {
        let mut work = pin!(work);
        let mut first = Some(self.since);
        poll_fn(|context| {
            let before = first.take().unwrap_or_else(now);
            let polled = work.as_mut().poll(context);
            let after = now();
            slow.check(before, after);
            self.until = polled.is_ready().then_some(after);
            polled
        })
        .await
    }
}

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        self.metrics.0.active.decrement(1.0);
        self.metrics.class(self.class).record(self.elapsed());
    }
}

/// A status no server may send counts as a failure of ours.
fn class_of(status: u16) -> usize {
    match status {
        100..=199 => 0,
        200..=299 => 1,
        300..=399 => 2,
        400..=499 => 3,
        _ => 4,
    }
}
