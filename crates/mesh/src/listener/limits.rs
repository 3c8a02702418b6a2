//! What a listener puts up with.

use std::time::Duration;

use partie_runtime::duration;
use serde::{Deserialize, Serialize};

/// Bounds of connections, requests and waits. The defaults suit an edge; each field says what happens beyond it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Limits {
    /// Open connections. The next one gets a 503 and is closed.
    pub connections: usize,
    /// Open connections from one IPv4 address or one IPv6 /64.
    pub connections_per_address: usize,
    /// Requests under way, over all connections: the next one gets a 503. Answers that come after their deadline lower it
    /// for a while.
    pub in_flight: usize,
    /// How long a request may wait until a worker has time for it. Beyond that a worker answers 503 until it has caught
    /// up; `0s` means that it never does.
    #[serde(with = "duration")]
    pub lag: Duration,
    /// Connections the kernel holds until they are accepted.
    pub backlog: i32,
    /// Header fields. More are a 431.
    pub headers: usize,
    /// Request line and header fields, in bytes. More is a 431.
    pub head: usize,
    /// Path and query, in bytes. More is a 414.
    pub uri: usize,
    /// TLS: from the first byte to the end of the handshake. Then the connection is closed.
    #[serde(with = "duration")]
    pub handshake: Duration,
    /// How long a new connection may say nothing.
    #[serde(with = "duration")]
    pub first_byte: Duration,
    /// From the first to the last byte of a head. Then a 408.
    #[serde(with = "duration")]
    pub header: Duration,
    /// For the whole body, however steadily it trickles in. Then a 408.
    #[serde(with = "duration")]
    pub body: Duration,
    /// From a request to the head of its answer: a safety net behind the deadlines of operations. Then a 504.
    #[serde(with = "duration")]
    pub answer: Duration,
    /// How long a reader may take nothing of an answer. Then it is disconnected.
    #[serde(with = "duration")]
    pub write_stall: Duration,
    /// How long a connection may wait for its next request.
    #[serde(with = "duration")]
    pub idle: Duration,
    /// HTTP/2: requests that are under way on one connection. The client waits with the next one.
    pub streams: u32,
    /// HTTP/2: bytes of one body that may be on their way before anybody reads them.
    pub stream_window: u32,
    /// HTTP/2: the same for all bodies of a connection together.
    pub connection_window: u32,
    /// HTTP/2: requests a client may begin and at once take back within a second. Then the connection is closed.
    pub resets: usize,
    /// HTTP/2: how often a client is asked whether it is still there, and how long it may take to say so.
    #[serde(with = "duration")]
    pub ping: Duration,
    /// How often an event stream without events says that it is alive.
    #[serde(with = "duration")]
    pub heartbeat: Duration,
    /// How long nothing may go through a WebSocket, in either direction. Then it is closed.
    #[serde(with = "duration")]
    pub tunnel_idle: Duration,
    /// After the lame duck: how long WebSockets may go on before they are closed.
    #[serde(with = "duration")]
    pub tunnel_drain: Duration,
    /// After the stop: how long new requests are still answered, on connections that then close.
    #[serde(with = "duration")]
    pub lame_duck: Duration,
    /// After the lame duck: how long requests under way may take before they are cut off.
    #[serde(with = "duration")]
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            connections_per_address: 1_024,
            in_flight: 1_000,
            lag: Duration::from_millis(250),
            backlog: 1_024,
            headers: 100,
            head: 64 << 10,
            uri: 8 << 10,
            handshake: Duration::from_secs(10),
            first_byte: Duration::from_secs(10),
            header: Duration::from_secs(10),
            body: Duration::from_secs(30),
            answer: Duration::from_secs(120),
            write_stall: Duration::from_secs(30),
            idle: Duration::from_secs(60),
            streams: 100,
            stream_window: 64 << 10,
            connection_window: 1 << 20,
            resets: 250,
            ping: Duration::from_secs(20),
            heartbeat: Duration::from_secs(15),
            tunnel_idle: Duration::from_secs(300),
            tunnel_drain: Duration::from_secs(5),
            lame_duck: Duration::from_millis(250),
            drain: Duration::from_secs(30),
        }
    }
}
