//! The client's side: any client tonic generates, over the mesh.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{HeaderMap, HeaderName, HeaderValue, header};
use http_body_util::BodyExt;
use partie_contract::{Body, BoxFuture, Call, Deadline, FaultKind, Platform, Request, Response, grpc, wire};
use partie_identity::ServiceTokens;
use partie_mesh::{Peer, Target};
use partie_runtime::Ids;
use tonic::body::Body as Messages;

use super::status::broken;
use crate::server::DEFAULT_TIMEOUT;

/// A way to one service for clients that tonic generates. Cheap to clone.
///
/// The mesh does what tonic's own channel would: it finds an instance for each call, keeps the deadline and bounds what
/// is under way. A message made with [`request`](super::request) carries its call along; one without has the usual
/// time, and no caller but this service.
#[derive(Clone)]
pub struct GrpcChannel {
    from: Arc<str>,
    target: Target,
    /// Nothing for strangers, who get no tokens of ours or of our callers.
    tokens: Option<ServiceTokens>,
    ids: Ids,
}

// === impl GrpcChannel ===

impl GrpcChannel {
    pub(super) fn new(from: &str, target: Target, tokens: Option<ServiceTokens>, ids: Ids) -> Self {
        Self { from: from.into(), target, tokens, ids }
    }

    async fn exchange(self, mut request: http::Request<Messages>) -> Result<Response, Platform> {
        let call = request.extensions_mut().remove::<Call>();
        let headers = request.headers_mut();
        let mut deadline = call.as_ref().map_or_else(|| Deadline::after(DEFAULT_TIMEOUT), Call::deadline);
        if let Some(wish) = grpc::timeout(headers)? {
            deadline = deadline.within(wish);
        }
        grpc::write_timeout(deadline.remaining(), headers);
        if let Some(tokens) = &self.tokens {
            // Within one process it is known who calls; elsewhere the token says it.
            if let Some(identity) = tokens.shown() {
                set(headers, wire::SERVICE_TOKEN, &identity.token);
            }
            if let Some(identity) = call.as_ref().and_then(|call| call.caller().identity()) {
                set(headers, header::AUTHORIZATION, &format!("Bearer {}", identity.token));
            }
        }
        match &call {
            Some(call) => {
                set(headers, wire::TRACEPARENT, &call.trace().to_string());
                set(headers, wire::REQUEST_ID, call.request_id());
                if call.attempt() > 1 {
                    set(headers, wire::ATTEMPT, &call.attempt().to_string());
                }
            }
            None => set(headers, wire::TRACEPARENT, &self.ids.trace().to_string()),
        }
        let (head, messages) = request.into_parts();
        let request = Request::from_parts(head, Body::stream(messages));
        let answer = self.target.forward(Peer::InProcess(self.from), None, request, deadline).await?;
        if answer.status() != http::StatusCode::OK {
            // Somebody on the way who does not speak gRPC.
            let status = answer.status().as_u16();
            return Err(Platform::new(FaultKind::from_status(status))
                .with_detail(format!("the answer to a gRPC call was a {status}"))
                .from_upstream());
        }
        Ok(answer)
    }
}

impl tower::Service<http::Request<Messages>> for GrpcChannel {
    type Response = http::Response<Messages>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // Waiting, picking and refusing happen within a call.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Messages>) -> Self::Future {
        let channel = self.clone();
        Box::pin(async move {
            let answer = channel.exchange(request).await.unwrap_or_else(Platform::into_grpc_response);
            Ok(answer.map(|body| Messages::new(body.map_err(broken))))
        })
    }
}

impl fmt::Debug for GrpcChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GrpcChannel({} to {:?})", self.from, self.target)
    }
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    // Values reach here validated or made by us; one that is not a header value could only be dropped.
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
