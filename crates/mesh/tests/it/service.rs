//! The mesh as a tower service, over real HTTP.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{Empty, Full};
use partie_contract::FaultKind;
use partie_mesh::discovery::{FixedRegistry, RegistryUrl};
use partie_mesh::{Handles, Known, Limits, Mesh, MeshConfig, MeshService};
use tower_service::Service;

use crate::support::{Server, echo, fake, text, within};

fn service(registry: FixedRegistry) -> MeshService {
    let mesh = Mesh::new(MeshConfig::default(), Handles::default());
    mesh.discover(Arc::new(registry));
    mesh.service("echo").timeout(Duration::from_secs(5))
}

/// Where nobody listens.
fn nowhere() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[tokio::test]
async fn a_request_with_any_body_is_answered_by_an_instance_that_is_there() {
    let server = Server::start(Limits::default(), echo());
    let mut echo = service(FixedRegistry::default().with("echo", [nowhere(), server.address, nowhere()]));
    for number in 0..20 {
        poll_fn(|cx| Service::<Request<Full<Bytes>>>::poll_ready(&mut echo, cx)).await.unwrap();
        let mut request = Request::new(Full::new(Bytes::from_static(b"body")));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = format!("http://whoever/{number}?q").parse().unwrap();
        let answer = within(echo.call(request)).await.unwrap();
        let body = answer.into_body().collect(100).await.unwrap();
        assert_eq!(body, format!("POST /{number}?q body"));
    }
}

#[tokio::test]
async fn a_call_has_the_shorter_time() {
    let server = Server::start(
        Limits::default(),
        fake(|_, request| async move {
            let left = request.headers()["partie-timeout-ms"].to_str().unwrap().to_owned();
            if request.uri().path() == "/never" {
                std::future::pending::<()>().await;
            }
            text(left)
        }),
    );
    let echo = service(FixedRegistry::default().with("echo", [server.address]));
    for (header, most) in [(None, 5000), (Some("700"), 700), (Some("99999999"), 5000), (Some("soon"), 5000)] {
        let mut request = Request::new(Empty::<Bytes>::new());
        if let Some(header) = header {
            request.headers_mut().insert("partie-timeout-ms", header.parse().unwrap());
        }
        let answer = within(echo.clone().call(request)).await.unwrap();
        let left = answer.into_body().collect(100).await.unwrap();
        let left: u64 = std::str::from_utf8(&left).unwrap().parse().unwrap();
        assert!(left <= most && left > most / 2, "{header:?}: {left}");
    }
    let mut never = Request::new(Empty::<Bytes>::new());
    *never.uri_mut() = "/never".parse().unwrap();
    let fault = within(echo.timeout(Duration::from_millis(100)).call(never)).await.unwrap_err();
    assert_eq!(fault.kind(), FaultKind::UpstreamTimeout);
}

#[tokio::test]
async fn it_is_known_what_a_registry_says_and_that_it_says_nothing() {
    let mesh = Mesh::new(MeshConfig::default(), Handles::default());
    let moment = Duration::from_millis(100);
    assert_eq!(mesh.target("early").known_within(moment).await, Known::Unsaid);
    let fixed = FixedRegistry::default().with("here", [nowhere()]);
    mesh.discover(Arc::new(fixed));
    assert_eq!(mesh.target("here").known_within(moment).await, Known::Somewhere);
    assert_eq!(mesh.target("nobody").known_within(moment).await, Known::Nowhere);
    assert_eq!(mesh.target("early").known_within(moment).await, Known::Nowhere);
    mesh.forget_unknown("here");
    mesh.forget_unknown("nobody");
    let known = format!("{mesh:?}");
    assert!(known.contains("here") && !known.contains("nobody"), "{known}");

    let silent = Mesh::new(MeshConfig::default(), Handles::default());
    let url: RegistryUrl = format!("consul://{}", nowhere()).parse().unwrap();
    silent.discover(url.open().unwrap());
    assert_eq!(silent.target("here").known_within(moment).await, Known::Unsaid);
}
