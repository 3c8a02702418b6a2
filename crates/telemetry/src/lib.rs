//! Logs and metrics: one place, OpenTelemetry names.
//!
//! ```
//! use std::time::Duration;
//!
//! use partie_telemetry::{HttpServerMetrics, Metrics};
//!
//! let place = HttpServerMetrics::for_operation("orders", 1, "place");
//! place.begin().finish(201);
//! place.record(503, Duration::from_millis(3));
//! assert!(Metrics::install().render().contains("http_server_request_duration_seconds_bucket"));
//! ```
//!
//! Layout: `logs` writes what `tracing` is told to stderr; `metrics` holds the recorder and its Prometheus text, under
//! it the handles of a served operation and the figures of the process; `slow` notices polls that hold up a worker.
//!
//! Handles are registered once and kept: looking a metric up by its labels costs more than the request's own work.
//! They may be made in any order, for each of them installs the recorder first. Tracing stays the ambient global it
//! is everywhere in the ecosystem; nothing else here is one, the recorder apart.
#![forbid(unsafe_code)]

mod logs;
mod metrics;
mod slow;

pub use ::metrics::{Counter, Gauge, Histogram, Unit};
pub use logs::{Format, Logs, LogsError, init, init_through};
pub use metrics::{ActiveRequest, Definition, HttpServerMetrics, Metrics};
pub use slow::SlowPolls;
