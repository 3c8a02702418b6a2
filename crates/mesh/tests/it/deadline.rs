//! Deadlines on the road of a call.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::{HeaderValue, header};
use partie_contract::{Deadline, FaultKind, Request, Response, wire};
use partie_mesh::{Handles, Limits, Mesh, MeshConfig, Peer};

use crate::support::{FOREVER, Server, fake, piecewise, text, within};

const SHORT: Duration = Duration::from_millis(60);

fn peer() -> Peer {
    Peer::InProcess("test".into())
}

#[tokio::test]
async fn nothing_is_sent_after_the_deadline() {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    let mesh = Mesh::new(MeshConfig::default(), Handles::default());
    mesh.attach(
        "orders",
        fake(|_, _| async {
            CALLS.fetch_add(1, Ordering::Relaxed);
            text("")
        }),
    );
    let passed = Deadline::after(Duration::ZERO);
    let fault = mesh.forward("orders", peer(), Request::default(), passed).await.unwrap_err();
    assert_eq!(fault.kind(), FaultKind::UpstreamTimeout);
    assert_eq!(CALLS.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn what_is_left_goes_along_and_is_never_extended() {
    let left = fake(|_, request| async move {
        text(request.headers()[wire::TIMEOUT_MS].to_str().unwrap().to_owned())
    });
    let server = Server::start(Limits::default(), left.clone());
    let mesh = Mesh::new(MeshConfig::default(), Handles::default());
    mesh.attach("here", left);
    mesh.connect("there", server.address);
    for to in ["here", "there"] {
        let mut request = Request::default();
        request.headers_mut().insert(wire::TIMEOUT_MS, HeaderValue::from_static("9999999"));
        let answer = mesh.forward(to, peer(), request, Deadline::after(FOREVER)).await.unwrap();
        let left = answer.into_body().collect(100).await.unwrap();
        let left: u128 = std::str::from_utf8(&left).unwrap().parse().unwrap();
        assert!(left > 0 && left <= FOREVER.as_millis(), "{left} {to}");
    }
    server.stopped().await;
}

#[tokio::test]
async fn it_covers_the_head_and_the_body() {
    let serve = fake(|_, request| async move {
        let (pieces, body) = piecewise();
        if request.uri().path() == "/head" {
            std::future::pending::<()>().await;
        }
        pieces.send("some".into()).await.unwrap();
        // The rest never comes.
        tokio::spawn(async move { pieces.closed().await });
        let mut answer = Response::new(body);
        if request.uri().path() == "/sized" {
            answer.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from_static("10"));
        }
        answer
    });
    let server = Server::start(Limits::default(), serve.clone());
    let mesh = Mesh::new(MeshConfig::default(), Handles::default());
    mesh.attach("here", serve);
    mesh.connect("there", server.address);
    for to in ["here", "there"] {
        for path in ["/head", "/body", "/sized"] {
            let mut request = Request::default();
            *request.uri_mut() = path.parse().unwrap();
            let whole = async {
                let answer = mesh.forward(to, peer(), request, Deadline::after(SHORT)).await?;
                answer.into_body().collect(100).await
            };
            let fault = within(whole).await.unwrap_err();
            assert_eq!(fault.kind(), FaultKind::UpstreamTimeout, "{path} {to}");
        }
    }
    server.stopped().await;
}

#[tokio::test]
async fn an_event_stream_is_free_of_it_after_its_head() {
    let (pieces, body) = piecewise();
    let body = Mutex::new(Some(body));
    let serve = fake(move |_, _| {
        let mut answer = Response::new(body.lock().unwrap().take().unwrap());
        answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(wire::EVENT_STREAM));
        async { answer }
    });
    let server = Server::start(Limits::default(), serve);
    let mesh = Mesh::new(MeshConfig { in_flight: 1, ..MeshConfig::default() }, Handles::default());
    mesh.connect("orders", server.address);
    let deadline = Deadline::after(SHORT);
    let answer = mesh.forward("orders", peer(), Request::default(), deadline).await.unwrap();
    tokio::time::sleep_until(deadline.instant().into()).await;
    pieces.send("data: late\n\n".into()).await.unwrap();
    drop(pieces);
    assert_eq!(within(answer.into_body().collect(100)).await.unwrap(), "data: late\n\n");
    server.stopped().await;
}
