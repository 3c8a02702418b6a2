//! Servers and clients in Python on either side of the gateway: WebSockets, event streams, gRPC.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::support::{Program, file, within};

/// The Python that has that package.
fn python(package: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let python = target.join("xtask").join(package).join("bin/python");
    assert!(python.exists(), "{package} is missing: cargo xtask test --only setup installs it");
    python
}

fn command(package: &str, script: &str, arguments: &[&str]) -> Command {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/python").join(script);
    let mut command = Command::new(python(package));
    command.arg(script).args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// A server on a port it names, killed with the test.
async fn serve(package: &str, script: &str) -> (Child, u16) {
    let mut server = command(package, script, &["serve"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let port = within(lines.next_line()).await.unwrap().expect("it ended");
    // What else it says is read, so that it can go on saying it.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    (server, port.parse().unwrap())
}

/// The client's way to the server is through the gateway, with everything on that could be in its way.
async fn through_the_gateway(package: &str, script: &str, url: impl Fn(SocketAddr) -> String) {
    let (_server, port) = serve(package, script).await;
    let settings = format!(
        "[gateway.compression]\nsmallest = 1\n[gateway.rates]\naddress = \"100/s\"\n\
         [gateway.upstreams.it]\nurls = [\"http://127.0.0.1:{port}\"]\n\
         [[gateway.routes]]\nprefix = \"/\"\nto = \"it\"\n"
    );
    let file = file(&format!("{script}.toml"), &settings);
    let mut gateway =
        Program::start(&["gateway", "--config", file.to_str().unwrap(), "--listen", "127.0.0.1:0"]);
    let door = gateway.says("listening on http://").await;
    let client = command(package, script, &["ask", &url(door)]).output();
    let output = within(client).await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), &*output.stdout), (Some(0), &b"well\n"[..]), "{said}");
}

#[tokio::test]
async fn websockets() {
    through_the_gateway("websockets", "chat.py", |door| format!("ws://{door}/chat?room=1")).await;
}

#[tokio::test]
async fn events() {
    through_the_gateway("httpx", "news.py", |door| format!("http://{door}")).await;
}

#[tokio::test]
async fn grpc() {
    through_the_gateway("grpcio", "sums.py", |door| door.to_string()).await;
}
