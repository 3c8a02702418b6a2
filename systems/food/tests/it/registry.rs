//! The registry of the system in one process, as programs in other languages meet it; and one that somebody else runs.

mod etcd;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::processes::company::{signal, until};
use crate::processes::words::refused;
use crate::program::{Scratch, food};

/// A `food` with its registry. Killed when dropped.
struct Up {
    child: Child,
    lines: Vec<String>,
}

impl Up {
    fn start(data: &Path, settings: &[(&str, &str)]) -> Self {
        let mut command: Command = food();
        command.args(["--no-demo", "--listen", "127.0.0.1:0", "--data"]).arg(data);
        command.envs(settings.iter().copied()).stderr(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let lines = out.lines().map(Result::unwrap).take_while(|line| line != "try:").collect();
        Self { child, lines }
    }

    /// Where what is said on that line is.
    fn address(&self, line: usize, said: &str) -> &str {
        self.lines[line].strip_prefix(said).and_then(|rest| rest.strip_prefix(" on http://")).unwrap()
    }

    fn edge(&self) -> &str {
        self.address(0, "listening")
    }

    fn registry(&self) -> &str {
        self.address(1, "registry")
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// One request, and the whole answer.
fn exchange(address: &str, method: &str, path: &str, headers: &str, body: &str) -> String {
    let mut socket = send(address, method, path, headers, body);
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

fn send(address: &str, method: &str, path: &str, headers: &str, body: &str) -> TcpStream {
    let mut socket = TcpStream::connect(address).unwrap();
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}\
         Content-Length: {length}\r\n\r\n{body}"
    );
    socket.write_all(request.as_bytes()).unwrap();
    socket
}

#[test]
fn the_tutorials_python_consul_works_unchanged_with_the_program() {
    let data = Scratch::new("registry-python");
    let up = Up::start(data.path(), &[]);
    let mut token = food();
    token.args(["token", "--join", "orders", "--data"]).arg(data.path());
    let token = String::from_utf8(token.output().unwrap().stdout).unwrap();
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let python = target.join("xtask/python-consul/bin/python");
    assert!(python.exists(), "python-consul is missing: cargo xtask test --only setup installs it");
    let mut script = Command::new(python);
    script.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/registry/tutorial.py"));
    script.env("CONSUL_HTTP_ADDR", up.registry()).env("JOIN_TOKEN", token.trim());
    let output = script.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.ends_with("all is well\n"), "{said}\n{complained}");
}

#[test]
fn the_registry_has_a_socket_of_its_own_and_drains_before_the_edge() {
    let data = Scratch::new("registry-socket");
    let mut up = Up::start(data.path(), &[]);
    let of_edge = exchange(up.edge(), "GET", "/v1/status/leader", "", "");
    assert!(of_edge.starts_with("HTTP/1.1 404"), "{of_edge}");
    let browser = exchange(up.registry(), "GET", "/v1/status/leader", "Origin: http://example.org\r\n", "");
    assert!(browser.starts_with("HTTP/1.1 403"), "{browser}");
    let first = exchange(up.registry(), "GET", "/v1/health/service/product-service", "", "");
    let index = first.to_lowercase();
    let index = index.split("x-consul-index: ").nth(1).unwrap().split("\r\n").next().unwrap();

    // Whoever waits for news is answered by the drain, which does not wait for them.
    let path = format!("/v1/health/service/product-service?index={index}&wait=10m");
    let mut waiting = send(up.registry(), "GET", &path, "", "");
    let after = exchange(up.registry(), "GET", "/v1/status/leader", "", "");
    assert!(after.starts_with("HTTP/1.1 200"), "{after}");
    signal(up.child.id(), "-TERM");
    let mut answer = String::new();
    waiting.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    until("the drain", || up.child.try_wait().unwrap().is_some());
    assert_eq!(up.child.wait().unwrap().code(), Some(0));
}

#[test]
fn where_the_registry_listens_is_said_and_can_be_said() {
    let data = Scratch::new("registry-listen");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let up = Up::start(data.path(), &[("PARTIE__REGISTRY__LISTEN", &address)]);
    assert_ne!(up.registry(), address, "somebody else listens there");
    let leader = exchange(up.registry(), "GET", "/v1/status/leader", "", "");
    assert!(leader.starts_with("HTTP/1.1 200"), "{leader}");
    drop((up, taken));
    let up = Up::start(data.path(), &[("PARTIE__REGISTRY__LISTEN", &address)]);
    assert_eq!(up.registry(), address);
    drop(up);
    let up = Up::start(data.path(), &[("PARTIE__REGISTRY__CONSUL", "false")]);
    assert!(!up.lines.iter().any(|line| line.starts_with("registry on")), "{:?}", up.lines);
    drop(up);

    let elsewhere = Scratch::new("registry-elsewhere");
    let file = elsewhere.path().join("partie.toml");
    std::fs::write(&file, "[registry]\nlisten = \"0.0.0.0:8500\"\n").unwrap();
    let arguments = ["--listen", "127.0.0.1:0", "--config", file.to_str().unwrap()];
    let (code, line) = refused(&arguments, &elsewhere.path().join("data"));
    assert_eq!(code, Some(2), "{line}");
    assert!(line.contains("loopback"), "{line}");
    assert!(!elsewhere.path().join("data").exists(), "nothing was touched");
}
