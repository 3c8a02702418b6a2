//! Pages of other origins, compressed answers, and streams that are left alone.

use std::sync::Arc;
use std::time::Duration;

use http_body::Body as _;
use partie_contract::Body;
use partie_gateway::{CompressionConfig, CorsConfig, Edge, RouteAccess, RouteConfig};
use partie_mesh::{Peer, Serve};

use crate::support::{Answer, edge_with, send};
use crate::upstream::{edge_of, route, shop};

const APP: (&str, &str) = ("origin", "https://app.example.com");
const OTHER: (&str, &str) = ("origin", "https://evil.example.com");

fn cors() -> CorsConfig {
    CorsConfig { origins: vec![APP.1.into()], ..CorsConfig::default() }
}

#[tokio::test]
async fn preflights_are_answered_at_the_edge() {
    let private = RouteConfig {
        methods: vec!["PUT".into()],
        access: RouteAccess::Authenticated,
        cors: Some(CorsConfig { headers: vec!["*".into()], credentials: true, ..cors() }),
        ..route("/private", "shop")
    };
    let edge = edge_of(&shop(vec![private, route("/none", "shop")]));
    let asks = |method| ("access-control-request-method", method);
    let fields = ("access-control-request-headers", "x-anything");
    let yes = send(&edge, "OPTIONS", "/private/7", &[APP, asks("PUT"), fields]).await;
    assert_eq!(yes.status, 204);
    assert_eq!(yes.header("access-control-allow-origin"), Some(APP.1));
    assert_eq!(yes.header("access-control-allow-headers"), Some("x-anything"));
    assert_eq!(yes.header("access-control-allow-credentials"), Some("true"));
    assert!(yes.header("access-control-allow-methods").unwrap().contains("PUT"));
    assert_eq!((yes.header("access-control-max-age"), yes.header("vary")), (Some("600"), Some("origin")));
    let no = send(&edge, "OPTIONS", "/private/7", &[OTHER, asks("PUT")]).await;
    assert_eq!((no.status.as_u16(), no.header("access-control-allow-origin")), (204, None));
    assert_eq!(no.header("access-control-allow-methods"), None);
    // Without a policy it is the upstream's to answer.
    let through = send(&edge, "OPTIONS", "/none", &[APP, asks("PUT")]).await;
    assert_eq!(through.body["method"], "OPTIONS");
}

#[tokio::test]
async fn browsers_are_told_with_every_answer_problems_included() {
    let edge = edge_with(|gateway, _| gateway.cors = Some(cors()));
    for (uri, status) in [("/api/v1/orders/7", 200), ("/api/v1/orders", 401)] {
        let answer = send(&edge, "GET", uri, &[APP]).await;
        assert_eq!(answer.status.as_u16(), status);
        assert_eq!(answer.header("access-control-allow-origin"), Some(APP.1), "{uri}");
        assert!(answer.header("access-control-expose-headers").unwrap().contains("etag"));
        let other = send(&edge, "GET", uri, &[OTHER]).await;
        assert_eq!((other.status.as_u16(), other.header("access-control-allow-origin")), (status, None));
        assert_eq!(other.header("vary"), Some("origin"));
    }
    let everybody = CorsConfig { origins: vec!["*".into()], ..CorsConfig::default() };
    let edge = edge_of(&shop(vec![RouteConfig { cors: Some(everybody), ..route("/", "shop") }]));
    let answer =
        send(&edge, "GET", "/text/7?access-control-allow-origin=https://old.example", &[OTHER]).await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "what the upstream said is replaced");
}

/// The edge with routes to texts that are compressed, and some that are not.
fn compressing() -> Arc<Edge> {
    let mut gateway = shop(vec![
        route("/", "shop"),
        RouteConfig { compression: Some(false), rewrite: Some("/".into()), ..route("/as-is", "shop") },
    ]);
    gateway.compression = Some(CompressionConfig::default());
    edge_of(&gateway)
}

async fn raw(edge: &Arc<Edge>, uri: &str, headers: &[(&str, &str)]) -> (Answer, Vec<u8>) {
    let mut request = partie_contract::Request::new(Body::empty());
    *request.uri_mut() = uri.parse().unwrap();
    for (name, value) in headers {
        request.headers_mut().append(http::HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
    }
    let peer = Peer::Network("127.0.0.1:1".parse().unwrap());
    let (head, body) = Arc::clone(edge).serve(peer, request).await.into_parts();
    let exact = body.size_hint().exact();
    let body = body.collect(1 << 22).await.unwrap().to_vec();
    assert!(exact.is_none_or(|size| size == body.len() as u64));
    (Answer { status: head.status, headers: head.headers, body: serde_json::Value::Null }, body)
}

fn unzip(bytes: &[u8]) -> String {
    std::io::read_to_string(flate2::read::GzDecoder::new(bytes)).unwrap()
}

#[tokio::test]
async fn texts_are_compressed_for_whoever_reads_that() {
    let edge = compressing();
    const GZIP: (&str, &str) = ("accept-encoding", "br;q=1.0, gzip;q=0.8");
    let text = "content-type=text/plain;charset=utf-8";
    // Whole bodies and those that come in pieces.
    for size in [1_400, 700_000] {
        let uri = format!("/text/{size}?{text}&etag='a'&accept-ranges=bytes");
        let (answer, body) = raw(&edge, &uri, &[GZIP]).await;
        assert_eq!(answer.header("content-encoding"), Some("gzip"), "{size}");
        assert_eq!((answer.header("content-length"), answer.header("accept-ranges")), (None, None));
        assert_eq!(
            (answer.header("etag"), answer.header("vary")),
            (Some("W/\"a\""), Some("accept-encoding"))
        );
        assert!(body.len() < size / 5, "{size}: {}", body.len());
        assert_eq!(unzip(&body), "partie ".repeat(size / 7 + 1));
    }
    for (uri, headers) in [
        (format!("/text/1400?{text}"), vec![]),
        (format!("/text/1400?{text}"), vec![("accept-encoding", "gzip;q=0, *")]),
        (format!("/text/1400?{text}"), vec![("accept-encoding", "br")]),
        (format!("/text/700?{text}"), vec![GZIP]),
        ("/text/1400?content-type=image/png".into(), vec![GZIP]),
        ("/text/1400".into(), vec![GZIP]),
        (format!("/text/1400?{text}&content-encoding=br"), vec![GZIP]),
        (format!("/text/1400?{text}&cache-control=no-transform"), vec![GZIP]),
        (format!("/as-is/text/1400?{text}"), vec![GZIP]),
    ] {
        let (answer, body) = raw(&edge, &uri, &headers).await;
        assert_ne!(answer.header("content-encoding"), Some("gzip"), "{uri} {headers:?}");
        assert!(body.starts_with(b"partie "), "{uri}");
    }
    let (answer, _) = raw(&edge, &format!("/text/1400?{text}"), &[]).await;
    assert_eq!(answer.header("vary"), Some("accept-encoding"), "caches have to know");
}

#[tokio::test]
async fn what_may_come_back_in_if_match_keeps_its_tag() {
    let edge = edge_with(|gateway, _| {
        gateway.compression = Some(CompressionConfig { smallest: 1, ..CompressionConfig::default() });
    });
    // The mirror has no content type, so its answers are left alone; problems are texts.
    let gzip = [("accept-encoding", "gzip")];
    let (answer, body) = raw(&edge, "/api/v1/orders/7", &gzip).await;
    assert_eq!((answer.header("content-encoding"), body.first()), (None, Some(&b'{')));
}

#[tokio::test]
async fn events_come_at_once_and_as_they_are() {
    let edge = compressing();
    let mut request = partie_contract::Request::new(Body::empty());
    *request.uri_mut() = "/events".parse().unwrap();
    request.headers_mut().insert("accept-encoding", "gzip".parse().unwrap());
    let peer = Peer::Network("127.0.0.1:1".parse().unwrap());
    let answer = Arc::clone(&edge).serve(peer, request).await;
    assert_eq!(answer.headers().get("content-encoding"), None);
    let mut body = answer.into_body();
    let first = std::future::poll_fn(|cx| std::pin::Pin::new(&mut body).poll_frame(cx));
    let first = tokio::time::timeout(Duration::from_secs(20), first).await.unwrap().unwrap().unwrap();
    assert_eq!(first.into_data().unwrap(), "data: 1\n\n");
}

#[tokio::test]
async fn an_answer_may_take_as_long_as_it_moves_and_no_longer() {
    // All pieces together take longer than the route allows one of them to take.
    let quick = RouteConfig { timeout: Some(Duration::from_millis(700)), ..route("/", "shop") };
    let edge = edge_of(&shop(vec![quick]));
    let mut request = partie_contract::Request::new(Body::empty());
    *request.uri_mut() = "/pieces/15".parse().unwrap();
    let peer = Peer::Network("127.0.0.1:1".parse().unwrap());
    let mut body = Arc::clone(&edge).serve(peer, request).await.into_body();
    let mut pieces = Vec::new();
    let broke_off = loop {
        let next = std::future::poll_fn(|cx| std::pin::Pin::new(&mut body).poll_frame(cx));
        match tokio::time::timeout(Duration::from_secs(20), next).await.unwrap().unwrap() {
            Ok(frame) => pieces.extend(frame.into_data().unwrap()),
            Err(error) => break error,
        }
    };
    assert_eq!(pieces, b"piece".repeat(15));
    assert!(broke_off.to_string().starts_with("upstream-timeout"), "{broke_off}");
}
