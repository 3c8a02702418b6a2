//! One gRPC service of a running service: the steps every call to it takes.

use std::pin::pin;
use std::sync::Arc;

use http::Method;
use http_body_util::BodyExt;
use partie_contract::{BoxFuture, Call, Deadline, FaultKind, Platform, Request, Response, grpc, wire};
use partie_mesh::{InFlight, Limit, Limited, Peer};
use partie_telemetry::{ActiveRequest, HttpServerMetrics, SlowPolls};
use tonic::Status;

use super::GrpcService;
use super::answer::answer;
use super::status::{broken, cause};
use crate::server::{Beside, DEFAULT_TIMEOUT, Shared, identify};

pub(super) struct Mounted<G> {
    service: &'static str,
    grpc: G,
    metrics: HttpServerMetrics,
    polls: SlowPolls,
}

// === impl Mounted ===

impl<G: GrpcService> Mounted<G> {
    pub(super) fn new(service: &'static str, grpc: G) -> Self {
        // What methods it has only it knows, so they are measured together.
        let metrics = HttpServerMetrics::for_operation(service, 1, G::NAME);
        Self { service, grpc, metrics, polls: SlowPolls::for_operation(service, 1, G::NAME) }
    }

    /// The road of a call to its handler.
    async fn run(
        &self,
        peer: Peer,
        mut request: Request,
        presence: Arc<InFlight>,
        shared: &Shared,
        measured: &mut ActiveRequest,
    ) -> Result<Response, Platform> {
        // Until when: what the caller says, or the mesh, whichever comes first. Who says nothing gets the head of the
        // answer within the usual time, and its body for as long as it takes: that is what streams are for.
        let bound = bound(request.headers())?;
        let deadline = Deadline::counted_from(measured.since(), bound.unwrap_or(DEFAULT_TIMEOUT));
        if deadline.instant() <= measured.since() {
            return Err(late());
        }

        // Who asks? Services verify tokens themselves, whoever forwarded them.
        let call = Call::from_headers(request.headers(), deadline, shared.ids.trace())?;
        let call = call.with_presence(presence).without_key();
        let call = identify(&shared.verifier, &peer, request.headers(), false, call).await?;
        request.extensions_mut().insert(call);

        // tonic reads the messages, bounds their size, and finds the method.
        let request = request.map(|body| tonic::body::Body::new(body.map_err(broken)));
        let work = pin!(tower::ServiceExt::oneshot(self.grpc.clone(), request));
        let work = Limited::new(Limit::At(deadline), work);
        let answered = measured.watch(&self.polls, work).await.ok_or_else(late)?;
        let response = answered.unwrap_or_else(|never| match never {});
        self.log(&response);
        Ok(answer(response, bound.map(|_| deadline)))
    }

    /// The cause of a failure is told here, once, and nowhere outside.
    fn log(&self, response: &http::Response<tonic::body::Body>) {
        let Some(fault) = response.extensions().get::<Status>().and_then(cause) else { return };
        let (service, grpc) = (self.service, G::NAME);
        match fault.kind() {
            FaultKind::Internal => tracing::error!(service, grpc, ?fault, "a call failed"),
            kind if kind.status() >= 500 => {
                tracing::warn!(service, grpc, ?fault, "a call could not be carried out");
            }
            _ => {}
        }
    }
}

impl<G: GrpcService> Beside for Mounted<G> {
    fn has(&self, path: &str) -> bool {
        let method = path.strip_prefix('/').and_then(|path| path.strip_prefix(G::NAME));
        method.is_some_and(|method| method.starts_with('/'))
    }

    fn answer<'s>(
        &'s self,
        peer: Peer,
        request: Request,
        presence: Arc<InFlight>,
        shared: &'s Shared,
    ) -> BoxFuture<'s, Response> {
        Box::pin(async move {
            if let Some(fault) = not_a_call(&request) {
                let id = request.headers().get(&wire::REQUEST_ID).and_then(|id| id.to_str().ok());
                return fault.into_response(Some(request.uri().path().to_owned()), id);
            }
            let mut measured = self.metrics.begin();
            let ran = self.run(peer, request, presence, shared, &mut measured).await;
            let response = ran.unwrap_or_else(Platform::into_grpc_response);
            measured.finish(http_status(&response));
            response
        })
    }
}

/// The address is right and the protocol is not.
fn not_a_call(request: &Request) -> Option<Platform> {
    if request.method() != Method::POST {
        return Some(Platform::new(FaultKind::MethodNotAllowed).with_allow("POST".to_owned()));
    }
    let not = Platform::new(FaultKind::UnsupportedMediaType).with_detail("this address takes gRPC");
    (!grpc::is_call(request.headers())).then_some(not)
}

fn bound(headers: &http::HeaderMap) -> Result<Option<std::time::Duration>, Platform> {
    let mesh = headers.get(&wire::TIMEOUT_MS).and_then(|value| value.to_str().ok()?.parse().ok());
    let mesh = mesh.map(std::time::Duration::from_millis);
    Ok([grpc::timeout(headers)?, mesh].into_iter().flatten().min())
}

fn late() -> Platform {
    Platform::new(FaultKind::UpstreamTimeout)
}

/// What the outcome would be over HTTP, as far as the head says it.
fn http_status(response: &Response) -> u16 {
    let status = response.headers().get(&grpc::STATUS).and_then(|status| status.to_str().ok()?.parse().ok());
    match status {
        None | Some(0) => 200,
        Some(status) => grpc::kind_of(status).status(),
    }
}
