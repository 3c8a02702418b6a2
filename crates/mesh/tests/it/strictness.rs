//! What the listener lets in, by bytes.

use crate::support::{Server, echo};
use partie_mesh::Limits;

/// The statuses of all answers in what came over a connection.
fn statuses(answers: &str) -> Vec<&str> {
    answers.split("HTTP/1.1 ").skip(1).filter_map(|answer| answer.get(..3)).collect()
}

#[tokio::test]
async fn requests_are_read_in_one_way_or_not_at_all() {
    let server = Server::start(Limits::default(), echo());
    let long = "x".repeat(9_000);
    let huge = "x".repeat(70_000);
    let many: String = (0..101).map(|n| format!("x-{n}: 1\r\n")).collect();
    let host = "Host: a\r\n";
    let close = "Host: a\r\nConnection: close\r\n";
    for (what, request, expected) in [
        ("a plain request", format!("GET / HTTP/1.1\r\n{close}\r\n"), vec!["200"]),
        ("HTTP/1.0 without Host", "GET / HTTP/1.0\r\n\r\n".into(), vec!["200"]),
        ("no Host", "GET / HTTP/1.1\r\nConnection: close\r\n\r\n".into(), vec!["400"]),
        ("two Hosts", format!("GET / HTTP/1.1\r\n{host}{close}\r\n"), vec!["400"]),
        ("no host", "GET / HTTP/1.1\r\nHost: a/b\r\nConnection: close\r\n\r\n".into(), vec!["400"]),
        ("HTTP/2 in words", format!("GET / HTTP/2.0\r\n{close}\r\n"), vec!["400"]),
        ("HTTP/1.2", format!("GET / HTTP/1.2\r\n{close}\r\n"), vec!["400"]),
        ("no version", "GET /\r\n\r\n".into(), vec!["400"]),
        ("TLS", "\x16\x03\x01\x02\x00\x01".into(), vec!["400"]),
        ("absolute form", format!("GET http://b/c?d HTTP/1.1\r\n{close}\r\n"), vec!["200"]),
        ("another scheme", format!("GET ftp://b/c HTTP/1.1\r\n{close}\r\n"), vec!["400"]),
        ("authority form", format!("CONNECT b:443 HTTP/1.1\r\n{close}\r\n"), vec!["400"]),
        ("authority form of GET", format!("GET b:443 HTTP/1.1\r\n{close}\r\n"), vec!["400"]),
        ("a space in the address", format!("GET /a b HTTP/1.1\r\n{close}\r\n"), vec!["400"]),
        ("a folded line", format!("GET / HTTP/1.1\r\nx: 1\r\n 2\r\n{close}\r\n"), vec!["400"]),
        ("a folded first line", format!("GET / HTTP/1.1\r\n x: 1\r\n{close}\r\n"), vec!["400"]),
        ("a space before the colon", format!("GET / HTTP/1.1\r\nx : 1\r\n{close}\r\n"), vec!["400"]),
        ("a name that is none", format!("GET / HTTP/1.1\r\nx@y: 1\r\n{close}\r\n"), vec!["400"]),
        ("NUL in a value", format!("GET / HTTP/1.1\r\nx: a\0b\r\n{close}\r\n"), vec!["400"]),
        ("CR in a value", format!("GET / HTTP/1.1\r\nx: a\rb\r\n{close}\r\n"), vec!["400"]),
        ("a long address", format!("GET /{long} HTTP/1.1\r\n{close}\r\n"), vec!["414"]),
        ("a large head", format!("GET / HTTP/1.1\r\nx: {huge}\r\n{close}\r\n"), vec!["431"]),
        ("many fields", format!("GET / HTTP/1.1\r\n{many}{close}\r\n"), vec!["431"]),
        (
            "a length that is none",
            format!("POST / HTTP/1.1\r\nContent-Length: 1x\r\n{close}\r\na"),
            vec!["400"],
        ),
        ("a signed length", format!("POST / HTTP/1.1\r\nContent-Length: +1\r\n{close}\r\na"), vec!["400"]),
        (
            "two lengths",
            format!("POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n{close}\r\nab"),
            vec!["400"],
        ),
        (
            "a list of lengths",
            format!("POST / HTTP/1.1\r\nContent-Length: 1, 2\r\n{close}\r\nab"),
            vec!["400"],
        ),
        (
            "chunks",
            format!("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n{close}\r\n2\r\nab\r\n0\r\n\r\n"),
            vec!["200"],
        ),
        ("another coding", format!("POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n{close}\r\n"), vec!["400"]),
        (
            "a coding after chunked",
            format!("POST / HTTP/1.1\r\nTransfer-Encoding: chunked, gzip\r\n{close}\r\n0\r\n\r\n"),
            vec!["400"],
        ),
        (
            "a coding before chunked",
            format!("POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n{close}\r\n0\r\n\r\n"),
            vec!["400"],
        ),
        (
            "almost chunked",
            format!("POST / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n{close}\r\n0\r\n\r\n"),
            vec!["400"],
        ),
        (
            "chunks in two lines",
            format!(
                "POST / HTTP/1.1\r\nTransfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n{close}\r\n0\r\n\r\n"
            ),
            vec!["400"],
        ),
        (
            "chunks in HTTP/1.0",
            "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".into(),
            vec!["400"],
        ),
        (
            "a chunk size that is none",
            format!("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n{close}\r\nzz\r\nab\r\n0\r\n\r\n"),
            vec!["400"],
        ),
        (
            "a chunk longer than its size",
            format!("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n{close}\r\n1\r\nab\r\n0\r\n\r\n"),
            vec!["400"],
        ),
        (
            "a pipeline",
            format!("GET /1 HTTP/1.1\r\n{host}\r\nGET /2 HTTP/1.1\r\n{close}\r\n"),
            vec!["200", "200"],
        ),
        (
            "a pipeline that breaks",
            format!("GET /1 HTTP/1.1\r\n{host}\r\nGET /2 HTTP/1.1\r\nbroken\r\n\r\n"),
            vec!["200", "400"],
        ),
    ] {
        let answers = server.exchange(&request).await.replace("HTTP/1.0 ", "HTTP/1.1 ");
        assert_eq!(statuses(&answers), expected, "{what}: {answers}");
        for answer in answers.split("HTTP/1.1 ").skip(1) {
            assert!(answer.contains("x-request-id: "), "{what}: {answer}");
            let is_problem = answer.contains("content-type: application/problem+json\r\n")
                && answer.contains("\"request_id\":\"");
            assert_eq!(is_problem, !answer.starts_with("200"), "{what}: {answer}");
        }
    }
    server.stopped().await;
}

#[tokio::test]
async fn length_and_chunks_together_are_chunks_and_the_last_request_of_the_connection() {
    let server = Server::start(Limits::default(), echo());
    let request = "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n\
                   0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    let answers = server.exchange(request).await;
    assert!(statuses(&answers).len() == 1 && !answers.contains("smuggled"), "{answers}");
    server.stopped().await;
}

#[tokio::test]
async fn absolute_form_is_the_address_without_its_origin() {
    let server = Server::start(Limits::default(), echo());
    let answer = server.exchange("GET http://b/c?d=e HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert!(answer.ends_with("GET /c?d=e "), "{answer}");
    server.stopped().await;
}

#[tokio::test]
async fn a_body_is_asked_for_when_somebody_wants_it() {
    let server = Server::start(Limits::default(), echo());
    let mut client = server.connect().await;
    client
        .send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n")
        .await;
    assert_eq!(client.until("\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("ab").await;
    assert!(client.rest().await.ends_with("POST / ab"));
    server.stopped().await;
}

#[tokio::test]
async fn the_request_id_of_the_client_is_kept_if_it_is_plain() {
    let server = Server::start(Limits::default(), echo());
    let request =
        |id: &str| format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Request-Id: {id}\r\n\r\n");
    assert!(server.exchange(request("r-1")).await.contains("x-request-id: r-1\r\n"));
    for odd in ["a b", "", &"x".repeat(129)] {
        assert!(
            !server.exchange(request(odd)).await.contains(&format!("x-request-id: {odd}\r\n")),
            "{odd:?}"
        );
    }
    server.stopped().await;
}
