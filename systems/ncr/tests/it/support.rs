//! A gRPC client over a real socket, and factorials of the tests' own.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::stream::{self, Stream};
use http::Uri;
use http::uri::{Parts, PathAndQuery};
use hyper::body::Incoming;
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use ncr_contracts::math_v1::factorial_server::{Factorial, FactorialServer};
use ncr_contracts::math_v1::{FactorialChunk, FactorialRequest, FactorialResponse};
use partie::{Call, Service, grpc};
use partie_testkit::{TestRun, TestSystem};
use tonic::body::Body;
use tonic::{Request, Response, Status};

/// Longer than anything here takes. A test that waits this long has failed.
const FOREVER: Duration = Duration::from_secs(60);

/// Fails instead of hanging.
pub(crate) async fn within<F: Future>(work: F) -> F::Output {
    tokio::time::timeout(FOREVER, work).await.expect("it hangs")
}

/// A connection that clients of tonic's making call through.
#[derive(Clone)]
pub(crate) struct Wire(SendRequest<Body>, SocketAddr);

// === impl Wire ===

impl Wire {
    pub(crate) async fn to(address: SocketAddr) -> Self {
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
        let (connection, driver) = handshake.await.unwrap();
        tokio::spawn(driver);
        Self(connection, address)
    }
}

impl tower::Service<http::Request<Body>> for Wire {
    type Response = http::Response<Incoming>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, hyper::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), hyper::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        let mut parts = Parts::default();
        parts.scheme = Some(http::uri::Scheme::HTTP);
        parts.authority = Some(self.1.to_string().parse().unwrap());
        parts.path_and_query = Some(request.uri().path().parse::<PathAndQuery>().unwrap());
        *request.uri_mut() = Uri::from_parts(parts).unwrap();
        Box::pin(self.0.send_request(request))
    }
}

/// What a factorial of a test's own does.
type Answer = dyn Fn(Call, u32) -> Pin<Box<dyn Future<Output = Result<FactorialResponse, Status>> + Send>>
    + Send
    + Sync;

/// Factorials of a test's own.
pub(crate) struct Fake(Arc<Answer>);

#[tonic::async_trait]
impl Factorial for Fake {
    async fn factorial(
        &self,
        request: Request<FactorialRequest>,
    ) -> Result<Response<FactorialResponse>, Status> {
        let call = grpc::call(&request)?.clone();
        Ok(Response::new((self.0)(call, request.into_inner().n).await?))
    }

    type FactorialInChunksStream = Pin<Box<dyn Stream<Item = Result<FactorialChunk, Status>> + Send>>;

    /// One piece, and then by n: the end, a panic, or nothing more.
    async fn factorial_in_chunks(
        &self,
        request: Request<FactorialRequest>,
    ) -> Result<Response<Self::FactorialInChunksStream>, Status> {
        let n = request.into_inner().n;
        Ok(Response::new(Box::pin(stream::unfold(0, move |turn| async move {
            match (turn, n) {
                (0, _) => Some((Ok(FactorialChunk { value: "piece".into(), digits: 1 }), 1)),
                (_, ENDS) => None,
                (_, PANICS) => {
                    // What is there is sent only when there is nothing more for a moment.
                    tokio::task::yield_now().await;
                    panic!("on purpose")
                }
                _ => std::future::pending().await,
            }
        }))))
    }
}

/// A stream of the fake that ends after its first piece.
pub(crate) const ENDS: u32 = 0;
/// One that panics then.
pub(crate) const PANICS: u32 = 1;
/// One that never ends.
pub(crate) const HANGS: u32 = 2;

/// The calculator, with these factorials behind it.
pub(crate) async fn with_factorials<F>(answer: impl Fn(Call, u32) -> F + Send + Sync + 'static) -> TestRun
where
    F: Future<Output = Result<FactorialResponse, Status>> + Send + 'static,
{
    let fake = Fake(Arc::new(move |call, n| Box::pin(answer(call, n))));
    let service = Service::new("factorial").start(async |_| Ok(fake)).grpc(FactorialServer::from_arc);
    TestSystem::new().service(service).service(ncr_calculator::service()).start().await
}

/// The factorial of a small number.
pub(crate) fn small(n: u32) -> FactorialResponse {
    let value = (1..=u64::from(n)).product::<u64>();
    let bytes = value.to_be_bytes();
    let first = bytes.iter().position(|byte| *byte != 0).unwrap_or(7);
    FactorialResponse { value: bytes[first..].to_vec().into(), digits: value.to_string().len() as u64 }
}

/// Tells when it is dropped.
pub(crate) struct OnDrop(pub(crate) tokio::sync::mpsc::Sender<()>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.try_send(()).ok();
    }
}
