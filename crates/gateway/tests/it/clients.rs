//! Real clients of other people's, through the gateway and TLS, to real servers behind it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use partie_gateway::Gateway;
use partie_mesh::{Handles, TlsFiles};
use partie_runtime::Stop;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::upstream::{at, edge_of, route};

/// Longer than anything here takes.
const FOREVER: Duration = Duration::from_secs(40);

/// A script that is a server and its client, with the Python that has what it needs.
struct Script {
    python: PathBuf,
    file: PathBuf,
}

impl Script {
    fn new(venv: &str, file: &str) -> Self {
        let target = std::env::current_exe().unwrap();
        let python = target.ancestors().nth(3).unwrap().join("xtask").join(venv).join("bin/python");
        assert!(python.exists(), "{venv} is missing: cargo xtask test --only setup installs it");
        Self { python, file: Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/clients").join(file) }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.python);
        command.arg(&self.file).stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    async fn serve(&self) -> (Child, SocketAddr) {
        let mut server = self.command().arg("server").stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
        let port = tokio::time::timeout(FOREVER, lines.next_line()).await.unwrap().unwrap().unwrap();
        (server, SocketAddr::from(([127, 0, 0, 1], port.parse().unwrap())))
    }

    /// Its server behind a gateway, its client before it. What the client does not like it says.
    async fn pass(self, prefix: &str) {
        let (_server, upstream) = self.serve().await;
        let name = self.file.file_stem().unwrap().to_str().unwrap();
        let dir = std::env::temp_dir().join(format!("partie-gateway-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let file = |name: &str, text: String| {
            let path = dir.join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let certificate = file("cert.pem", made.cert.pem());
        let key = file("key.pem", made.signing_key.serialize_pem());
        let gateway = Gateway {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            workers: Some(1),
            tls: Some(TlsFiles::new(&certificate, key)),
            upstreams: [("there".to_owned(), at(upstream))].into(),
            routes: vec![route(prefix, "there")],
            ..Gateway::default()
        };
        let listener = gateway.bind(Handles::default()).unwrap();
        let (port, stop) = (listener.local_addr().port(), Stop::default());
        let run = tokio::spawn(listener.run(edge_of(&gateway), stop.clone()));
        let mut client = self.command();
        client.args(["client", &port.to_string()]).arg(&certificate);
        let client = client.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let output =
            tokio::time::timeout(FOREVER, client.wait_with_output()).await.expect("it hangs").unwrap();
        std::fs::remove_dir_all(dir).unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        stop.stop();
        run.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn websockets_of_python_talk_through_it() {
    Script::new("websockets", "websocket.py").pass("/chat").await;
}

#[tokio::test]
async fn event_streams_come_event_by_event() {
    Script::new("httpx", "events.py").pass("/events").await;
}

#[tokio::test]
async fn grpc_of_python_calls_through_it() {
    Script::new("grpcio", "calls.py").pass("/kitchen.v1.Kitchen").await;
}
