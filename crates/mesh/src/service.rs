//! The mesh in somebody else's program: one service as a [`tower_service::Service`].

use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use partie_contract::{Body, BoxError, BoxFuture, Deadline, Platform, Response, boxed, wire};

use crate::origin::Origin;
use crate::serve::Peer;
use crate::stack;
use crate::target::Target;

/// How long a call may take that says nothing else.
const TIMEOUT: Duration = Duration::from_secs(10);

/// One service, wherever its instances are, as a [`tower_service::Service`] for plain requests. Cheap to clone.
///
/// It is always ready: when there is too much to do, a call says so at once ([`FaultKind::Overloaded`]) instead of
/// waiting in a queue nobody sees. Discovery, balancing, deadline, retries and breaker are those of the
/// [mesh](crate::Mesh) it comes from. A call that may be made twice, by its method, by its `Idempotency-Key` or by a
/// [`RetrySafe`](crate::RetrySafe) among its extensions, is tried again; any other is sent once.
///
/// Of the address only path and query count: `http://anything/path` and `/path` are the same.
///
/// [`FaultKind::Overloaded`]: partie_contract::FaultKind::Overloaded
#[derive(Debug, Clone)]
pub struct MeshService {
    target: Target,
    timeout: Duration,
    origin: Option<Origin>,
}

// === impl MeshService ===

impl MeshService {
    pub(crate) fn new(target: Target) -> Self {
        Self { target, timeout: TIMEOUT, origin: None }
    }

    /// How long a call may take, the body of its answer included; ten seconds if nothing is said. A call whose
    /// `partie-timeout-ms` leaves it less has less.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Calls prove themselves as that service's.
    #[must_use]
    pub fn on_behalf_of(mut self, origin: Origin) -> Self {
        self.origin = Some(origin);
        self
    }

    /// The service.
    pub fn target(&self) -> &Target {
        &self.target
    }
}

impl<B> tower_service::Service<http::Request<B>> for MeshService
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response;
    type Error = Platform;
    type Future = BoxFuture<'static, Result<Response, Platform>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Platform>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let Self { target, timeout, origin } = self.clone();
        let left = request.headers().get(wire::TIMEOUT_MS).and_then(|left| left.to_str().ok()?.parse().ok());
        let deadline = Deadline::after(left.map_or(timeout, |left| timeout.min(Duration::from_millis(left))));
        let mut request =
            request.map(|body| if body.is_end_stream() { Body::empty() } else { Body::stream(body) });
        let name = origin.as_ref().map_or_else(|| "program".into(), |origin| origin.service().clone());
        boxed(move || async move {
            let from = Peer::InProcess(name);
            stack::call(&target.0, from, origin.as_ref(), None, &mut request, deadline).await
        })
    }
}
