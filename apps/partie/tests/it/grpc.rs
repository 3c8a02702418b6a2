//! gRPC through two sidecars, and through the gateway: HTTP/2 all the way, trailers included.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Version};
use http_body::Frame;
use partie_contract::{Body, BoxError, Deadline, Request, Response};
use partie_mesh::{Handles, Mesh, MeshConfig, Peer};

use crate::support::{App, Beside, Program, file, registry};

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

/// Answers every call with what it got, and says in a trailer that all is well.
fn menu() -> App {
    App::start(|request| async move {
        let left = &request.headers()["grpc-timeout"];
        let answer = format!("{:?} {} {}", request.version(), request.uri().path(), left.len());
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", "0".parse().unwrap());
        let frames = vec![Frame::data(answer.into_bytes().into()), Frame::trailers(trailers)];
        let mut answer = http::Response::new(Body::stream(Frames(frames.into_iter())));
        answer.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
        answer
    })
}

/// Calls over HTTP/2. The mesh speaks it for gRPC, so it is the client here.
async fn call(mesh: &Mesh, path: &str) -> Response {
    let mut request = Request::new(Body::from("call"));
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() = path.parse().unwrap();
    *request.version_mut() = Version::HTTP_2;
    let headers = request.headers_mut();
    headers.insert("content-type", "application/grpc".parse().unwrap());
    headers.insert("te", "trailers".parse().unwrap());
    headers.insert("grpc-timeout", "5S".parse().unwrap());
    let deadline = Deadline::after(Duration::from_secs(20));
    mesh.forward("door", Peer::InProcess("test".into()), request, deadline).await.unwrap()
}

/// The body, and the trailers behind it.
async fn read(answer: Response) -> (String, HeaderMap) {
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
    (String::from_utf8(data).unwrap(), trailers.unwrap())
}

#[tokio::test]
async fn a_path_of_grpc_finds_its_service_by_the_routes() {
    let (_registry, at) = registry().await;
    let registry = format!("http://{at}");
    let menu = menu();
    let routes = file("grpc.toml", "[routes]\n\"food.Menu\" = \"menu\"\n");
    let _beside = Beside::start("menu", menu.address, &registry, &["--health", "tcp"]).await;
    let caller = App::start(|_| async { http::Response::default() });
    let caller =
        Beside::start("caller", caller.address, &registry, &["--config", routes.to_str().unwrap()]).await;
    let mesh = Mesh::new(MeshConfig::default(), Handles::default());
    mesh.connect("door", caller.outgoing);
    let (data, trailers) = read(call(&mesh, "/food.Menu/List").await).await;
    assert_eq!(data, "HTTP/2.0 /food.Menu/List 5", "four digits and a unit");
    assert_eq!(trailers["grpc-status"], "0");

    // What the sidecar itself says is said in the words of gRPC.
    let unknown = call(&mesh, "/food.Nobody/List").await;
    assert_eq!(
        (unknown.status().as_u16(), &unknown.headers()["partie-code"]),
        (200, &"not-found".parse().unwrap())
    );
}

#[tokio::test]
async fn the_gateway_lets_grpc_through() {
    let menu = menu();
    let settings = format!(
        "[gateway]\nbody = 1\n[gateway.upstreams.menu]\nurls = [\"http://{}\"]\n[[gateway.routes]]\nprefix = \"/food.Menu\"\nto = \"menu\"\n",
        menu.address
    );
    let file = file("grpc-gateway.toml", &settings);
    let mut program =
        Program::start(&["gateway", "--config", file.to_str().unwrap(), "--listen", "127.0.0.1:0"]);
    let mesh = Mesh::new(MeshConfig::default(), Handles::default());
    mesh.connect("door", program.says("listening on http://").await);
    let (data, trailers) = read(call(&mesh, "/food.Menu/List").await).await;
    assert_eq!(data, "HTTP/2.0 /food.Menu/List 5");
    assert_eq!(trailers["grpc-status"], "0");
    assert_eq!(call(&mesh, "/food.Nobody/List").await.headers()["partie-code"], "not-found");
}
