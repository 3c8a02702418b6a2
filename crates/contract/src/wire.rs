//! The header fields of a call, each named once.

use http::HeaderName;

/// The client's key of a keyed operation.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// `true` on an answer that was stored for this key earlier.
pub const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// `wait=N`: how many seconds a read may wait for news (RFC 7240).
pub const PREFER: HeaderName = HeaderName::from_static("prefer");
/// The last event a stream's reader has seen.
pub const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// W3C trace context.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// The id under which logs know the request.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Milliseconds left until the deadline. Between our own hops only; the edge strips it.
pub const TIMEOUT_MS: HeaderName = HeaderName::from_static("partie-timeout-ms");
/// Which attempt this is, from 1. Between our own hops only.
pub const ATTEMPT: HeaderName = HeaderName::from_static("partie-attempt");
/// The service a call is for. Whoever is another one, at an address that was that service's before, answers 421. Over HTTP/1.1
/// the first call on a connection says it for all. Between our own hops only.
pub const TO: HeaderName = HeaderName::from_static("partie-to");
/// The token of the calling service. Between our own hops only.
pub const SERVICE_TOKEN: HeaderName = HeaderName::from_static("partie-service");
/// The address of who called the gateway, as far as that can be believed. Only the gateway says so; the edge strips it.
pub const CLIENT_ADDRESS: HeaderName = HeaderName::from_static("partie-client-address");
/// Who failed: [`UPSTREAM`] when it was not the service that answers but somebody it called. Whoever called that one has
/// done what there is to do, so nobody else tries again. Between our own hops only.
pub const FAULT: HeaderName = HeaderName::from_static("partie-fault");
/// The value of [`FAULT`].
pub const UPSTREAM: &str = "upstream";
/// The media type of problems (RFC 9457).
pub const PROBLEM_JSON: &str = "application/problem+json";
/// The media type of event streams.
pub const EVENT_STREAM: &str = "text/event-stream";
