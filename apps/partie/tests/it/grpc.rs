//! gRPC through two sidecars: HTTP/2 all the way, trailers included.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Version};
use http_body::Frame;
use partie_contract::{Body, BoxError, Deadline, Request};
use partie_mesh::{Handles, Mesh, MeshConfig, Peer};

use crate::support::{App, Beside, file, registry};

/// Those frames.
struct Frames(std::vec::IntoIter<Frame<Bytes>>);

impl http_body::Body for Frames {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Poll::Ready(self.0.next().map(Ok))
    }
}

#[tokio::test]
async fn a_path_of_grpc_finds_its_service_by_the_routes() {
    let (_registry, at) = registry().await;
    let registry = format!("http://{at}");
    let menu = App::start(|request| async move {
        let left = &request.headers()["grpc-timeout"];
        let answer = format!("{:?} {} {}", request.version(), request.uri().path(), left.len());
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", "0".parse().unwrap());
        let frames = vec![Frame::data(answer.into_bytes().into()), Frame::trailers(trailers)];
        let mut answer = http::Response::new(Body::stream(Frames(frames.into_iter())));
        answer.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
        answer
    });
    let routes = file("grpc.toml", "[routes]\n\"food.Menu\" = \"menu\"\n");
    let _beside = Beside::start("menu", menu.address, &registry, &["--health", "tcp"]).await;
    let caller = App::start(|_| async { http::Response::default() });
    let caller =
        Beside::start("caller", caller.address, &registry, &["--config", routes.to_str().unwrap()]).await;

    // The mesh speaks HTTP/2 for gRPC, so it is the client here.
    let mesh = Mesh::new(MeshConfig::default(), Handles::default());
    mesh.connect("sidecar", caller.outgoing);
    let request = |path: &str| {
        let mut request = Request::new(Body::from("call"));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = path.parse().unwrap();
        *request.version_mut() = Version::HTTP_2;
        let headers = request.headers_mut();
        headers.insert("content-type", "application/grpc".parse().unwrap());
        headers.insert("te", "trailers".parse().unwrap());
        headers.insert("grpc-timeout", "5S".parse().unwrap());
        request
    };
    let deadline = Deadline::after(Duration::from_secs(20));
    let answer =
        mesh.forward("sidecar", Peer::InProcess("test".into()), request("/food.Menu/List"), deadline);
    let answer = answer.await.unwrap();
    assert_eq!(answer.status(), 200);
    let mut body = answer.into_body();
    let (mut data, mut trailers) = (Vec::new(), None);
    while let Some(frame) =
        std::future::poll_fn(|cx| http_body::Body::poll_frame(Pin::new(&mut body), cx)).await
    {
        match frame.unwrap().into_data() {
            Ok(bytes) => data.extend_from_slice(&bytes),
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
    }
    assert_eq!(String::from_utf8(data).unwrap(), "HTTP/2.0 /food.Menu/List 5", "four digits and a unit");
    assert_eq!(trailers.unwrap()["grpc-status"], "0");

    // What the sidecar itself says is said in the words of gRPC.
    let unknown =
        mesh.forward("sidecar", Peer::InProcess("test".into()), request("/food.Nobody/List"), deadline);
    let unknown = unknown.await.unwrap();
    assert_eq!(
        (unknown.status().as_u16(), &unknown.headers()["partie-code"]),
        (200, &"not-found".parse().unwrap())
    );
}
