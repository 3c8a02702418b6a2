//! What is more than a request and an answer: WebSockets, TLS on either side.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use partie_gateway::{Gateway, RouteConfig, UpstreamConfig};
use partie_mesh::{Handles, Limits, Listener, ServerTls, TlsFiles};
use partie_runtime::Stop;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Mirror, send};
use crate::upstream::{Program, at, edge_of, route};

/// Longer than anything here takes.
const FOREVER: Duration = Duration::from_secs(20);

async fn within<F: Future>(work: F) -> F::Output {
    tokio::time::timeout(FOREVER, work).await.expect("it hangs")
}

async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(within(stream.read_u8()).await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// Agrees to a WebSocket and sends back whatever comes.
async fn echoing() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let head = read_head(&mut stream).await.to_lowercase();
        assert!(head.starts_with("get /chat?room=1 http/1.1\r\n"), "{head}");
        for field in
            ["upgrade: websocket", "connection: upgrade", "sec-websocket-key: x", "x-forwarded-for: "]
        {
            assert!(head.contains(field), "{field}: {head}");
        }
        let answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                      Sec-WebSocket-Accept: y\r\n\r\n";
        stream.write_all(answer.as_bytes()).await.unwrap();
        let (mut from, mut to) = stream.split();
        tokio::io::copy(&mut from, &mut to).await.ok();
    });
    address
}

#[tokio::test]
async fn websockets_pass_in_both_directions() {
    let gateway = Gateway {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        workers: Some(0),
        upstreams: [("chat".to_owned(), at(echoing().await))].into(),
        routes: vec![route("/chat", "chat")],
        ..Gateway::default()
    };
    let listener = gateway.bind(Handles::default()).unwrap();
    let address = listener.local_addr();
    let stop = Stop::default();
    tokio::spawn(listener.run(edge_of(&gateway), stop.clone()));
    let mut stream = TcpStream::connect(address).await.unwrap();
    let ask = "GET /chat?room=1 HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
               Sec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n";
    stream.write_all(ask.as_bytes()).await.unwrap();
    let head = read_head(&mut stream).await.to_lowercase();
    assert!(head.starts_with("http/1.1 101 ") && head.contains("sec-websocket-accept: y"), "{head}");
    for words in [&b"hello"[..], b"\x00\xff again"] {
        stream.write_all(words).await.unwrap();
        let mut back = vec![0; words.len()];
        within(stream.read_exact(&mut back)).await.unwrap();
        assert_eq!(back, words);
    }
    stop.stop();
}

#[tokio::test]
async fn the_host_a_request_names_is_one() {
    let inside = RouteConfig { host: Some("inside.example".into()), ..route("/", "inside") };
    let gateway = Gateway {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        workers: Some(0),
        upstreams: ["inside", "outside"].map(|name| (name.to_owned(), at(Program::start(name)))).into(),
        routes: vec![RouteConfig { name: Some("i".into()), ..inside }, route("/", "outside")],
        ..Gateway::default()
    };
    let listener = gateway.bind(Handles::default()).unwrap();
    let address = listener.local_addr();
    tokio::spawn(listener.run(edge_of(&gateway), Stop::default()));
    for (target, host, said) in [
        ("/", "inside.example", "x-program: inside"),
        ("/", "outside.example", "x-program: outside"),
        ("http://inside.example/", "outside.example", "x-program: inside"),
        ("http://user@outside.example/", "inside.example", "x-program: outside"),
        ("/", "a\r\nHost: inside.example", "HTTP/1.1 400 "),
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let head = read_head(&mut stream).await;
        assert!(head.contains(said), "{target} {host}: {head}");
    }
}

#[tokio::test]
async fn upstreams_may_speak_tls_and_are_who_they_should_be() {
    let dir = std::env::temp_dir().join(format!("partie-gateway-tls-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let made = rcgen::generate_simple_self_signed(["shop.example.com".to_owned()]).unwrap();
    let file = |name: &str, text: String| {
        let path: PathBuf = dir.join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let (certificate, key) =
        (file("cert.pem", made.cert.pem()), file("key.pem", made.signing_key.serialize_pem()));
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let listener = Listener::bind(any, Limits::default(), 0, Handles::default()).unwrap();
    let listener = listener.with_tls(ServerTls::open(TlsFiles::new(&certificate, key)).unwrap());
    let url = format!("https://{}", listener.local_addr());
    let port = listener.local_addr().port();
    tokio::spawn(listener.run(Arc::new(Mirror), Stop::default()));
    let upstream = |name: &str| UpstreamConfig {
        urls: vec![url.clone()],
        server_name: Some(name.into()),
        ca_file: Some(certificate.clone()),
        ..UpstreamConfig::default()
    };
    let gateway = Gateway {
        upstreams: [
            ("shop".into(), upstream("shop.example.com")),
            ("other".into(), upstream("other.example.com")),
        ]
        .into(),
        routes: vec![route("/shop", "shop"), route("/other", "other")],
        ..Gateway::default()
    };
    let edge = edge_of(&gateway);
    let answer = send(&edge, "GET", "/shop", &[]).await;
    assert_eq!((answer.status.as_u16(), answer.sent("x-forwarded-proto")), (200, Some("http")));
    assert_eq!(answer.sent("host"), Some(&*format!("shop.example.com:{port}")));
    assert_eq!(send(&edge, "GET", "/other", &[]).await.status, 503, "its certificate is somebody else's");
    std::fs::remove_dir_all(dir).unwrap();
}
