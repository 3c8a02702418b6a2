//! Calls to the program: from others, over the inbound listener, to where it listens.

use std::sync::Arc;
use std::time::Duration;

use partie_contract::{BoxFuture, Deadline, FaultKind, Platform, Request, Response, boxed, grpc, wire};
use partie_mesh::{Peer, Serve, Target, check_path, refuse_misdirected};
use partie_telemetry::HttpServerMetrics;

use super::deadline;
use super::health::Pulse;
use crate::config::Config;

/// Hands calls to the program.
pub(super) struct Inbound {
    app: Target,
    timeout: Duration,
    longest: Duration,
    pulse: Arc<Pulse>,
    metrics: HttpServerMetrics,
}

impl Serve for Inbound {
    fn serve(self: Arc<Self>, peer: Peer, request: Request) -> BoxFuture<'static, Response> {
        boxed(move || async move { self.answer(peer, request).await })
    }
}

// === impl Inbound ===

impl Inbound {
    pub(super) fn new(app: Target, config: &Config, pulse: Arc<Pulse>) -> Self {
        let metrics = HttpServerMetrics::for_operation(app.service(), 0, "inbound");
        Self { timeout: config.timeout, longest: config.longest_timeout, app, pulse, metrics }
    }

    async fn answer(&self, peer: Peer, request: Request) -> Response {
        if let Some(refusal) = refuse_misdirected(self.app.service(), &request) {
            return refusal;
        }
        let active = self.metrics.begin();
        let path = request.uri().path().to_owned();
        let id = request.headers().get(wire::REQUEST_ID).cloned();
        let is_grpc = grpc::is_call(request.headers());
        let answer = self.road(peer, request).await.unwrap_or_else(|fault| {
            let id = id.as_ref().and_then(|id| id.to_str().ok());
            if fault.kind().status() >= 500 {
                tracing::warn!(request_id = id, %fault, "a call to the program failed");
            }
            if is_grpc { fault.into_grpc_response() } else { fault.into_response(Some(path), id) }
        });
        active.finish(answer.status().as_u16());
        answer
    }

    async fn road(&self, peer: Peer, mut request: Request) -> Result<Response, Platform> {
        check_path(request.uri().path())?;
        let is_grpc = grpc::is_call(request.headers());
        let usual = if is_grpc { self.longest } else { self.timeout };
        let time = deadline::left(request.headers()).unwrap_or(usual).min(self.longest);
        if is_grpc {
            // What is left is told where the program reads it.
            grpc::write_timeout(time, request.headers_mut());
        }
        let answer = self.app.forward(peer, None, request, Deadline::after(time)).await;
        answer.map_err(|fault| {
            if fault.kind() == FaultKind::UpstreamUnavailable {
                self.pulse.check_now();
            }
            // To those who call it the sidecar is the instance: that it cannot answer is its own failure, and another
            // instance may do better.
            let own = Platform::new(fault.kind());
            match fault.detail() {
                _ if fault.kind() == FaultKind::UpstreamUnavailable => {
                    own.with_detail(format!("{} does not take connections", self.app.service()))
                }
                Some(detail) => own.with_detail(detail.to_owned()),
                None => own,
            }
        })
    }
}
