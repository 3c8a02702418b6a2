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
    call_with(mesh, path, Some("5S"), Body::from("call")).await
}

async fn call_with(mesh: &Mesh, path: &str, timeout: Option<&str>, body: Body) -> Response {
    let mut request = Request::new(body);
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() = path.parse().unwrap();
    *request.version_mut() = Version::HTTP_2;
    let headers = request.headers_mut();
    headers.insert("content-type", "application/grpc".parse().unwrap());
    headers.insert("te", "trailers".parse().unwrap());
    if let Some(timeout) = timeout {
        headers.insert("grpc-timeout", timeout.parse().unwrap());
    }
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

/// So often something comes of a stream that moves.
const PACE: Duration = Duration::from_millis(250);
/// So many pieces take longer than anything else here may.
const PIECES: usize = 12;

/// Pieces at that pace, and then what is to be said in the end.
fn slowly(pieces: usize, trailers: Option<HeaderMap>) -> Body {
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    tokio::spawn(async move {
        for _ in 0..pieces {
            tokio::time::sleep(PACE).await;
            if sender.send(Frame::data(Bytes::from_static(b"."))).await.is_err() {
                return;
            }
        }
        if let Some(trailers) = trailers {
            _ = sender.send(Frame::trailers(trailers)).await.ok();
        } else {
            sender.closed().await;
        }
    });
    Body::stream(Pieces(receiver))
}

struct Pieces(tokio::sync::mpsc::Receiver<Frame<Bytes>>);

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.0.poll_recv(cx).map(|frame| frame.map(Ok))
    }
}

#[tokio::test]
async fn a_stream_without_a_timeout_lives_as_long_as_something_moves() {
    let said =
        |status: &str| HeaderMap::from_iter([("grpc-status".parse().unwrap(), status.parse().unwrap())]);
    let watch = App::start(move |request| async move {
        let path = request.uri().path().to_owned();
        assert!(!request.headers().contains_key("grpc-timeout") || path.ends_with("Bounded"));
        let body = match path.as_str() {
            // One that is silent at once, one that never begins, and one that listens until the end.
            "/food.Watch/Silent" => slowly(1, None),
            "/food.Watch/Never" => std::future::pending().await,
            "/food.Watch/Gather" => {
                let (sender, receiver) = tokio::sync::mpsc::channel(2);
                tokio::spawn(async move {
                    let sent = request.into_body().collect(1 << 10).await.unwrap();
                    sender.send(Frame::data(sent)).await.unwrap();
                    sender.send(Frame::trailers(said("0"))).await.unwrap();
                });
                Body::stream(Pieces(receiver))
            }
            _ => slowly(PIECES, Some(said("0"))),
        };
        let mut answer = http::Response::new(body);
        answer.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
        answer
    });
    let settings = format!(
        "[gateway]\nlongest-timeout = \"1500ms\"\n[gateway.limits]\ntunnel-idle = \"2s\"\nbody = \"1s\"\n\
         [gateway.upstreams.watch]\nurls = [\"http://{}\"]\n[[gateway.routes]]\nprefix = \"/food.Watch\"\nto = \"watch\"\n",
        watch.address
    );
    let file = file("grpc-streams.toml", &settings);
    let mut program =
        Program::start(&["gateway", "--config", file.to_str().unwrap(), "--listen", "127.0.0.1:0"]);
    let mesh = Mesh::new(MeshConfig::default(), Handles::default());
    mesh.connect("door", program.says("listening on http://").await);
    let all = ".".repeat(PIECES);
    let call = async |method: &str, timeout, body| {
        let answer = call_with(&mesh, &format!("/food.Watch/{method}"), timeout, body).await;
        match answer.headers().get("grpc-status") {
            Some(status) => (String::new(), status.clone()),
            None => {
                let (data, trailers) = read(answer).await;
                (data, trailers["grpc-status"].clone())
            }
        }
    };
    let whole = || Body::from("call");
    let (moves, sends, silent, never, bounded) = tokio::join!(
        call("All", None, whole()),
        call("Gather", None, slowly(PIECES, Some(HeaderMap::new()))),
        call("Silent", None, whole()),
        call("Never", None, whole()),
        call("Bounded", Some("1H"), whole()),
    );
    assert_eq!(moves, (all.clone(), "0".parse().unwrap()));
    // What moves may be what is sent.
    assert_eq!(sends, (all, "0".parse().unwrap()));
    // Silence ends it, and so does a time that was said: 4 is DEADLINE_EXCEEDED.
    assert_eq!(silent, (".".to_owned(), "4".parse().unwrap()));
    assert_eq!(never.1, "4");
    let (some, status) = bounded;
    assert!(some.len() < PIECES && status == "4", "{some} {status:?}");
}
