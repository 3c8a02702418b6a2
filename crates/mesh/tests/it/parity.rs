//! A table of calls, answered the same in this process and over TCP.

use std::time::Duration;

use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use partie_contract::{Body, Deadline, Platform, Request, Response, wire};
use partie_mesh::{Handles, Limits, Mesh, MeshConfig, Peer, Serve};
use std::sync::Arc;

use crate::support::{Server, fake, piecewise, text};

/// What an answer is to its caller: everything but what a wire adds.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Result<Vec<u8>, String>,
}

fn service() -> Arc<dyn Serve> {
    fake(|_, request| async move {
        let (head, body) = request.into_parts();
        match head.uri.path() {
            "/panic" => panic!("on purpose"),
            "/hang" => std::future::pending().await,
            "/empty" => {
                let mut answer = Response::default();
                *answer.status_mut() = StatusCode::NO_CONTENT;
                answer
            }
            "/big" => Response::new(vec![b'x'; 300_000].into()),
            "/pieces" => {
                let (pieces, body) = piecewise();
                tokio::spawn(async move {
                    for piece in ["a", "b", "c"] {
                        pieces.send(piece.into()).await.unwrap();
                    }
                });
                Response::new(body)
            }
            "/hop" => {
                let mut answer = text("hop");
                let headers = answer.headers_mut();
                headers.insert(header::CONNECTION, HeaderValue::from_static("x-mine"));
                headers.insert("x-mine", HeaderValue::from_static("1"));
                headers.insert("x-yours", HeaderValue::from_static("1"));
                headers.append(header::SET_COOKIE, HeaderValue::from_static("a=1"));
                headers.append(header::SET_COOKIE, HeaderValue::from_static("b=2"));
                answer
            }
            _ => {
                let left = head.headers.contains_key(wire::TIMEOUT_MS);
                let mut names: Vec<_> = head
                    .headers
                    .keys()
                    .map(HeaderName::as_str)
                    // A wire has its own framing, addressing and trace of requests.
                    .filter(|name| !["host", "content-length", "x-request-id"].contains(name))
                    .collect();
                names.sort_unstable();
                let said = match body.collect(1 << 20).await {
                    Ok(body) => format!("{} bytes", body.len()),
                    Err(fault) => return fault.into_response(None, None),
                };
                text(format!("{} {} {names:?} {left} {said}", head.method, head.uri))
            }
        }
    })
}

async fn call(mesh: &Mesh, to: &str, request: Request) -> Result<Seen, String> {
    let say = |fault: Platform| format!("{fault}").replace(to, "SERVICE");
    let deadline = Deadline::after(Duration::from_millis(500));
    let answer = mesh.forward(to, Peer::InProcess("test".into()), request, deadline).await.map_err(say)?;
    let (head, body) = answer.into_parts();
    let mut headers: Vec<_> = head.headers.iter().map(|(n, v)| (n.clone(), v.clone())).collect();
    headers.retain(|(name, _)| ![header::DATE, header::CONTENT_LENGTH, wire::REQUEST_ID].contains(name));
    headers.sort_by(|a, b| a.0.as_str().cmp(b.0.as_str()).then(a.1.cmp(&b.1)));
    let body = body.collect(1 << 20).await.map(Vec::from).map_err(say);
    Ok(Seen { status: head.status, headers, body })
}

#[tokio::test]
async fn where_a_service_runs_makes_no_difference() {
    let server = Server::start(Limits::default(), service());
    let mesh = Mesh::new(MeshConfig::default(), Handles::default());
    mesh.attach("here", service());
    mesh.connect("there", server.address);
    for (method, uri, fields, length) in [
        (Method::GET, "/a?b=c%20d", vec![], 0),
        (Method::GET, "/a%20b", vec![("x", "1"), ("x", "2"), ("cookie", "a=b")], 0),
        (Method::DELETE, "/a", vec![("if-match", "\"7\"")], 0),
        (Method::POST, "/a", vec![("content-type", "application/json")], 20),
        (Method::POST, "/a", vec![("content-length", "5")], 5),
        (Method::PUT, "/a", vec![], 500_000),
        (Method::PATCH, "/a", vec![("connection", "close, x-gone"), ("x-gone", "1"), ("x-kept", "1")], 1),
        (
            Method::GET,
            "/a",
            vec![("te", "trailers"), ("upgrade", "websocket"), ("expect", "100-continue")],
            0,
        ),
        (Method::GET, "/a", vec![("partie-timeout-ms", "99999999"), ("traceparent", "broken")], 0),
        (Method::GET, "/panic", vec![("x-request-id", "r-1")], 0),
        (Method::POST, "/panic", vec![("x-request-id", "r-1")], 3),
        (Method::GET, "/empty", vec![], 0),
        (Method::GET, "/big", vec![], 0),
        (Method::GET, "/pieces", vec![], 0),
        (Method::GET, "/hop", vec![], 0),
        (Method::GET, "/hang", vec![], 0),
        (Method::POST, "/a", vec![], (1 << 20) + 1),
    ] {
        let request = |body: Body| {
            let mut request = Request::new(body);
            *request.method_mut() = method.clone();
            *request.uri_mut() = uri.parse().unwrap();
            for (name, value) in &fields {
                let name: HeaderName = name.parse().unwrap();
                request.headers_mut().append(name, value.parse().unwrap());
            }
            request
        };
        let body = || Body::from(vec![b'x'; length]);
        let here = call(&mesh, "here", request(body())).await;
        let there = call(&mesh, "there", request(body())).await;
        assert_eq!(here, there, "{method} {uri} {fields:?} {length}");
        // Once more, over a connection that was used before.
        assert_eq!(here, call(&mesh, "there", request(body())).await, "again {method} {uri}");
    }
    server.stopped().await;
}

#[tokio::test]
async fn a_fault_in_the_middle_of_a_request_body_is_that_fault_to_the_caller() {
    let server = Server::start(Limits::default(), service());
    let mesh = Mesh::new(MeshConfig::default(), Handles::default());
    mesh.connect("there", server.address);
    let body = http_body_util::StreamBody::new(futures_util::stream::iter([
        Ok(http_body::Frame::data(bytes::Bytes::from_static(b"abc"))),
        Err(Platform::new(partie_contract::FaultKind::PayloadTooLarge)),
    ]));
    let mut request = Request::new(Body::stream(body));
    *request.method_mut() = Method::POST;
    assert_eq!(call(&mesh, "there", request).await.unwrap_err(), "payload-too-large");
    server.stopped().await;
}
