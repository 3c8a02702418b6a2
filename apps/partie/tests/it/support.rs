//! Processes, the programs beside them, and a client that speaks in bytes.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use http::StatusCode;
use partie_contract::{BoxFuture, Request, Response};
use partie_mesh::{Handles, Limits, Listener, Peer, RunError, Serve};
use partie_runtime::Stop;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdout, Command};
use tokio::task::JoinHandle;

/// Longer than anything here takes. A test that waits this long has failed.
const FOREVER: Duration = Duration::from_secs(30);

/// Fails instead of hanging.
pub(crate) async fn within<F: Future>(work: F) -> F::Output {
    tokio::time::timeout(FOREVER, work).await.expect("it hangs")
}

/// Asks again until it is so.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut so: impl FnMut() -> F) {
    let asking = async {
        while !so().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(tokio::time::timeout(FOREVER, asking).await.is_ok(), "never: {what}");
}

/// Any free port of this machine.
const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// An address nobody listens at, for somebody who will: no connection of another test gets it meanwhile, since it is below
/// the ports the system gives out.
pub(crate) fn free() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let base = 10_000 + u16::try_from(std::process::id() % 200).unwrap() * 100;
    loop {
        let port = base + NEXT.fetch_add(1, Ordering::SeqCst);
        let address = SocketAddr::new(ANY.ip(), port);
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

/// A process of `partie`, killed with the test.
pub(crate) struct Program {
    pub(crate) process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Program {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_partie"))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, lines }
    }

    /// The address on its next line, behind that.
    pub(crate) async fn says(&mut self, before: &str) -> SocketAddr {
        let line = within(self.lines.next_line()).await.unwrap().expect("it ended");
        let address = line.strip_prefix(before).unwrap_or_else(|| panic!("{line}"));
        address.parse().unwrap_or_else(|_| panic!("{line}"))
    }

    pub(crate) async fn kill(mut self) {
        self.process.kill().await.unwrap();
    }

    /// Asks it to end.
    pub(crate) async fn terminate(&self) {
        let id = self.process.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().await.unwrap().success());
    }
}

/// A registry that forgets at once.
pub(crate) async fn registry() -> (Program, SocketAddr) {
    registry_at("127.0.0.1:0").await
}

pub(crate) async fn registry_at(address: &str) -> (Program, SocketAddr) {
    let mut program = Program::start(&["registry", "--listen", address, "--settling", "0s"]);
    let address = program.says("registry on http://").await;
    (program, address)
}

/// A sidecar and where its listeners are.
pub(crate) struct Beside {
    pub(crate) program: Program,
    pub(crate) outgoing: SocketAddr,
    pub(crate) inbound: SocketAddr,
}

impl Beside {
    pub(crate) async fn start(service: &str, app: SocketAddr, registry: &str, more: &[&str]) -> Self {
        let app = app.to_string();
        let usual = ["sidecar", "--service", service, "--app", &app, "--registry", registry];
        let quick = ["--health-interval", "200ms"];
        let mut program = Program::start(&[&usual[..], &quick, more].concat());
        let outgoing = program.says("listening on http://").await;
        let inbound = program.says("inbound on http://").await;
        Self { program, outgoing, inbound }
    }

    /// What its `/health` says of the program.
    pub(crate) async fn health(&self) -> Value {
        get(self.outgoing, "/health").await.json()
    }

    pub(crate) async fn is_announced(&self) -> bool {
        self.health().await["app"]["announced"] == true
    }

    /// The program answers through another sidecar.
    pub(crate) async fn reaches(&self, service: &str) {
        eventually(service, || async { get(self.outgoing, &format!("/{service}/")).await.status == 200 })
            .await;
    }
}

/// A program made of a function, on the runtime of the test.
pub(crate) struct App {
    pub(crate) address: SocketAddr,
    run: JoinHandle<Result<(), RunError>>,
}

impl App {
    /// Its health is good; everything else is up to the function.
    pub(crate) fn start<F, A>(answer: F) -> Self
    where
        F: Fn(Request) -> A + Send + Sync + 'static,
        A: Future<Output = Response> + Send + 'static,
    {
        Self::start_at(ANY, answer)
    }

    pub(crate) fn start_at<F, A>(address: SocketAddr, answer: F) -> Self
    where
        F: Fn(Request) -> A + Send + Sync + 'static,
        A: Future<Output = Response> + Send + 'static,
    {
        let listener = Listener::bind(address, Limits::default(), 0, Handles::default()).unwrap();
        let address = listener.local_addr();
        let run = tokio::spawn(listener.run(Arc::new(Answers(answer)), Stop::default()));
        Self { address, run }
    }

    /// Like a process that is killed: its port is free and its connections are cut off.
    pub(crate) async fn kill(self) {
        self.run.abort();
        assert!(self.run.await.unwrap_err().is_cancelled());
        eventually("it is gone", || async { TcpStream::connect(self.address).await.is_err() }).await;
    }
}

struct Answers<F>(F);

impl<F, A> Serve for Answers<F>
where
    F: Fn(Request) -> A + Send + Sync + 'static,
    A: Future<Output = Response> + Send + 'static,
{
    fn serve(self: Arc<Self>, _: Peer, request: Request) -> BoxFuture<'static, Response> {
        if request.uri().path() == "/health" {
            return Box::pin(async { Response::default() });
        }
        Box::pin((self.0)(request))
    }
}

pub(crate) fn text(text: impl Into<String>) -> Response {
    Response::new(text.into().into_bytes().into())
}

pub(crate) fn status(status: u16) -> Response {
    let mut answer = Response::default();
    *answer.status_mut() = StatusCode::from_u16(status).unwrap();
    answer
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The code of a problem.
    pub(crate) fn code(&self) -> String {
        assert!(self.head.contains("content-type: application/problem+json"), "{self:?}");
        self.json()["code"].as_str().unwrap().to_owned()
    }
}

pub(crate) async fn get(at: SocketAddr, path: &str) -> Answer {
    send(at, "GET", path, "", "").await
}

/// Sends a request on a connection of its own; `headers` are whole lines.
pub(crate) async fn send(at: SocketAddr, method: &str, path: &str, headers: &str, body: &str) -> Answer {
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    exchange(
        at,
        &format!(
            "{method} {path} HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n{headers}{length}\r\n{body}"
        ),
    )
    .await
}

/// Sends bytes and reads one answer until the other side closes. Chunks are left as they are.
pub(crate) async fn exchange(at: SocketAddr, bytes: &str) -> Answer {
    let Ok(mut stream) = TcpStream::connect(at).await else {
        return Answer { status: 0, head: String::new(), body: "it refuses connections".into() };
    };
    let mut all = Vec::new();
    // A reset after the last answer is an end like any other.
    drop(stream.write_all(bytes.as_bytes()).await);
    drop(within(stream.read_to_end(&mut all)).await);
    let all = String::from_utf8_lossy(&all).into_owned();
    let (head, body) = all.split_once("\r\n\r\n").unwrap_or((&all, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

/// How many instances the registry lists.
pub(crate) async fn listed(registry: SocketAddr, service: &str) -> usize {
    get(registry, &format!("/v1/health/service/{service}?passing=1")).await.json().as_array().unwrap().len()
}

/// A file in a directory of its own.
pub(crate) fn file(name: &str, text: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).unwrap();
    path
}
