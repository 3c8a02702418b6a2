//! What can be called: anything that turns a request into an answer.

use std::net::SocketAddr;
use std::sync::Arc;

use partie_contract::{BoxFuture, Request, Response};

/// Who hands a request over. A fact about how it arrived, never something a header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peer {
    /// A connection from that address. Whatever it claims has to be proven by a token.
    Network(SocketAddr),
    /// A service of the same system in another process, proven by its certificate.
    Service {
        /// The service.
        name: Arc<str>,
        /// Where it connected from.
        address: SocketAddr,
    },
    /// A service in this process.
    InProcess(Arc<str>),
}

/// Answers requests: a service's pipeline, the gateway, a test's fake.
///
/// It always answers, problems included, and within the deadline the request carries. The future of a read may be
/// dropped at any await, when nobody waits for the answer any more; that of any other method runs to its end.
pub trait Serve: Send + Sync + 'static {
    /// Answers one request.
    fn serve(self: Arc<Self>, peer: Peer, request: Request) -> BoxFuture<'static, Response>;
}
