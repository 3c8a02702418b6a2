//! What goes on to an upstream is read there as it was read here: by another parser, h11.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use futures_util::StreamExt;
use partie_contract::{Deadline, Request};
use partie_mesh::{Handles, Limits, Mesh, MeshConfig};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::support::{FOREVER, Server, fake, within};

/// An upstream in Python, and a listener that forwards to it.
struct Road {
    server: Server,
    _upstream: Child,
}

impl Road {
    async fn new() -> Self {
        let target = std::env::current_exe().unwrap();
        let python = target.ancestors().nth(3).unwrap().join("xtask/httpx/bin/python");
        assert!(python.exists(), "httpx is missing: cargo xtask test --only setup installs it");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/abuse/upstream.py");
        let mut upstream = Command::new(python)
            .arg(script)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(upstream.stdout.take().unwrap()).lines();
        let port = within(lines.next_line()).await.unwrap().unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], port.parse().unwrap()));
        let mesh = Mesh::new(MeshConfig::default(), Handles::default());
        mesh.connect("upstream", address);
        let forward = fake(move |peer, request: Request| {
            let mesh = mesh.clone();
            async move {
                let sent = mesh.forward("upstream", peer, request, Deadline::after(FOREVER)).await;
                sent.unwrap_or_else(|fault| fault.into_response(None, None))
            }
        });
        // Whoever says less than he promised is not waited for.
        let limits = Limits { body: Duration::from_millis(300), ..Limits::default() };
        Self { server: Server::start(limits, forward), _upstream: upstream }
    }

    /// How the upstream read what was sent; nothing if it got nothing. One for each answer.
    async fn read(&self, bytes: &[u8]) -> Vec<(u16, Value)> {
        let answers = self.server.exchange(bytes).await;
        let answers = answers.replace("HTTP/1.0 ", "HTTP/1.1 ");
        let answer = |text: &str| {
            let status = text[..3].parse().unwrap();
            let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
            (status, serde_json::from_str(body).unwrap_or_else(|_| Value::from(body)))
        };
        answers.split("HTTP/1.1 ").skip(1).map(answer).collect()
    }
}

/// What it is, what is sent, and of each answer the status and the body that was read.
type Row = (&'static str, String, Vec<(u16, &'static str)>);

/// Fields that belong to a connection or that we decide: none of a client's may arrive.
const OURS: [&str; 8] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authorization",
    "upgrade",
    "http2-settings",
    "expect",
    "x-hop",
];

#[tokio::test]
async fn another_parser_reads_the_same_requests_from_what_is_forwarded() {
    let road = Road::new().await;
    let close = "Host: a\r\nConnection: close\r\n";
    let chunked = "Transfer-Encoding: chunked\r\n";
    // What is sent, and for each answer its status with what the upstream is to have read as a body.
    let table: Vec<Row> = vec![
        ("a GET", format!("GET /p HTTP/1.1\r\n{close}\r\n"), vec![(200, "")]),
        ("bare LF", "GET /p HTTP/1.1\nHost: a\nConnection: close\n\n".into(), vec![(200, "")]),
        ("bare LF in the middle", format!("GET /p HTTP/1.1\r\nx: 1\ny: 2\r\n{close}\r\n"), vec![(200, "")]),
        ("a body", format!("POST /p HTTP/1.1\r\n{close}Content-Length: 3\r\n\r\nabc"), vec![(200, "abc")]),
        (
            "more than the body",
            format!(
                "POST /p HTTP/1.1\r\n{close}Content-Length: 3\r\n\r\nabcGET /q HTTP/1.1\r\nHost: a\r\n\r\n"
            ),
            vec![(200, "abc")],
        ),
        (
            "the same length twice",
            format!("POST /p HTTP/1.1\r\n{close}Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc"),
            vec![(200, "abc")],
        ),
        (
            "less than the body",
            format!("POST /p HTTP/1.1\r\n{close}Content-Length: 5\r\n\r\nabc"),
            vec![(408, "")],
        ),
        (
            "a length in octal",
            format!("POST /p HTTP/1.1\r\n{close}Content-Length: 03\r\n\r\nabc"),
            vec![(200, "abc")],
        ),
        (
            "a length and chunks",
            format!(
                "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n{chunked}\r\n3\r\nabc\r\n0\r\n\r\n"
            ),
            vec![(200, "abc")],
        ),
        (
            "chunks and a length",
            format!(
                "POST /p HTTP/1.1\r\nHost: a\r\n{chunked}Content-Length: 1\r\n\r\n0\r\n\r\nGET /q HTTP/1.1\r\nHost: a\r\n\r\n"
            ),
            vec![(200, "")],
        ),
        (
            "a pipeline of chunks",
            format!(
                "POST /p HTTP/1.1\r\nHost: a\r\n{chunked}\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\nPOST /p HTTP/1.1\r\n{close}Content-Length: 1\r\n\r\nd"
            ),
            vec![(200, "abc"), (200, "d")],
        ),
        (
            "extensions of chunks",
            format!("POST /p HTTP/1.1\r\n{close}{chunked}\r\n3;a=b;c=\"d\"\r\nabc\r\n0;e\r\n\r\n"),
            vec![(200, "abc")],
        ),
        (
            "a line break in an extension",
            format!("POST /p HTTP/1.1\r\n{close}{chunked}\r\n3;a\nx\r\nabc\r\n0\r\n\r\n"),
            vec![(400, "")],
        ),
        (
            "a bare LF after a size",
            format!("POST /p HTTP/1.1\r\n{close}{chunked}\r\n3\nabc\r\n0\r\n\r\n"),
            vec![(400, "")],
        ),
        (
            "a bare LF after a chunk",
            format!("POST /p HTTP/1.1\r\n{close}{chunked}\r\n3\r\nabc\n0\r\n\r\n"),
            vec![(400, "")],
        ),
        (
            "a size beyond all bounds",
            format!("POST /p HTTP/1.1\r\n{close}{chunked}\r\nFFFFFFFFFFFFFFFFF\r\nabc\r\n0\r\n\r\n"),
            vec![(400, "")],
        ),
        (
            "a signed size",
            format!("POST /p HTTP/1.1\r\n{close}{chunked}\r\n+3\r\nabc\r\n0\r\n\r\n"),
            vec![(400, "")],
        ),
        (
            "a size in another base",
            format!("POST /p HTTP/1.1\r\n{close}{chunked}\r\n0x3\r\nabc\r\n0\r\n\r\n"),
            vec![(400, "")],
        ),
        (
            "a coding with a parameter",
            format!("POST /p HTTP/1.1\r\n{close}Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n"),
            vec![(400, "")],
        ),
        (
            "a coding in quotes",
            format!("POST /p HTTP/1.1\r\n{close}Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"),
            vec![(400, "")],
        ),
        (
            "a coding twice",
            format!("POST /p HTTP/1.1\r\n{close}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
            vec![(400, "")],
        ),
        (
            "a coding after a control character",
            format!("POST /p HTTP/1.1\r\n{close}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n"),
            vec![(400, "")],
        ),
        (
            "a coding that the next hop could take for its own",
            format!("POST /p HTTP/1.1\r\n{close}Transfer_Encoding: chunked\r\nContent-Length: 1\r\n\r\na"),
            vec![(200, "a")],
        ),
        (
            "a coding named as one of the connection",
            "POST /p HTTP/1.1\r\nHost: a\r\nConnection: close, transfer-encoding, content-length, host\r\nContent-Length: 3\r\n\r\nabc"
                .into(),
            vec![(200, "abc")],
        ),
        (
            "fields of the connection",
            format!(
                "GET /p HTTP/1.1\r\n{close}Connection: x-hop\r\nX-Hop: 1\r\nKeep-Alive: 1\r\nProxy-Connection: x\r\nProxy-Authorization: y\r\nTE: gzip\r\n\r\n"
            ),
            vec![(200, "")],
        ),
        (
            "a GET with a body",
            format!("GET /p HTTP/1.1\r\n{close}Content-Length: 3\r\n\r\nabc"),
            vec![(200, "abc")],
        ),
        ("HTTP/1.0", "GET /p HTTP/1.0\r\n\r\n".into(), vec![(200, "")]),
        (
            "HTTP/1.0 that wants to stay",
            format!("GET /p HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /p HTTP/1.1\r\n{close}\r\n"),
            vec![(200, ""), (200, "")],
        ),
        (
            "an absolute address of another host",
            format!("GET http://evil.example/p HTTP/1.1\r\n{close}\r\n"),
            vec![(200, "")],
        ),
        ("empty lines before it", format!("\r\n\r\nGET /p HTTP/1.1\r\n{close}\r\n"), vec![(200, "")]),
        (
            "trailers",
            format!("POST /p HTTP/1.1\r\n{close}{chunked}\r\n1\r\na\r\n0\r\nX-T: 1\r\n\r\n"),
            vec![(200, "a")],
        ),
        (
            "framing in trailers",
            format!(
                "POST /p HTTP/1.1\r\n{close}{chunked}\r\n1\r\na\r\n0\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\nHost: evil\r\n\r\n"
            ),
            vec![(200, "a")],
        ),
    ];
    for (what, request, expected) in table {
        let read = road.read(request.as_bytes()).await;
        let statuses: Vec<u16> = read.iter().map(|(status, _)| *status).collect();
        let wanted: Vec<u16> = expected.iter().map(|(status, _)| *status).collect();
        assert_eq!(statuses, wanted, "{what}: {read:?}");
        for ((_, read), (_, body)) in read.iter().zip(&expected).filter(|((status, _), _)| *status == 200) {
            assert_eq!(
                (read["target"].as_str(), read["body"].as_str()),
                (Some("/p"), Some(*body)),
                "{what}: {read}"
            );
            let fields: Vec<(&str, &str)> = read["headers"].as_array().unwrap().iter().map(pair).collect();
            let count = |name| fields.iter().filter(|(field, _)| *field == name).count();
            assert_eq!(count("host"), 1, "{what}: {fields:?}");
            assert!(
                fields.iter().any(|(name, host)| *name == "host" && host.starts_with("127.0.0.1:")),
                "{what}"
            );
            assert!(count("content-length") + count("transfer-encoding") <= 1, "{what}: {fields:?}");
            for ours in OURS {
                assert_eq!(count(ours), 0, "{what}: {fields:?}");
            }
            let trailers: Vec<(&str, &str)> = read["trailers"].as_array().unwrap().iter().map(pair).collect();
            for framing in ["content-length", "transfer-encoding", "host"] {
                assert!(trailers.iter().all(|(name, _)| *name != framing), "{what}: {trailers:?}");
            }
        }
    }
    road.server.stopped().await;
}

fn pair(field: &Value) -> (&str, &str) {
    (field[0].as_str().unwrap(), field[1].as_str().unwrap())
}

/// Every way to write a field is either refused or arrives with the same name and value, whatever the bytes.
#[tokio::test]
async fn every_byte_of_a_field_is_refused_or_arrives_as_it_is() {
    let road = Road::new().await;
    let bytes = futures_util::stream::iter(0..=255_u8);
    let check = async |byte: u8| {
        let value =
            [&b"GET /p HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Odd: a"[..], &[byte], b"b\r\n\r\n"]
                .concat();
        let read = road.read(&value).await;
        let (status, read) = &read[0];
        let plain = byte == b'\t' || (0x20..0x7F).contains(&byte) || byte >= 0x80;
        // What follows a line break is a field of its own, which this is not.
        assert_eq!(*status, if plain { 200 } else { 400 }, "{byte:#04x}: {read}");
        if plain {
            let odd = read["headers"].as_array().unwrap().iter().map(pair).find(|(name, _)| *name == "x-odd");
            assert_eq!(odd.unwrap().1, format!("a{}b", char::from(byte)), "{byte:#04x}");
        }
        let name = [&b"GET /p HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX"[..], &[byte], b"Odd: v\r\n\r\n"]
            .concat();
        let read = road.read(&name).await;
        let token = byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        let status = read[0].0;
        // A colon ends the name earlier.
        assert_eq!(status, if token || byte == b':' { 200 } else { 400 }, "{byte:#04x}: {read:?}");
    };
    bytes.for_each_concurrent(32, check).await;
    road.server.stopped().await;
}
