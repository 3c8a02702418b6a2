//! A real etcd, started by the test and ended with it.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::support::within;

pub(crate) struct Etcd {
    pub(crate) address: SocketAddr,
    peers: SocketAddr,
    dir: PathBuf,
    process: Option<Child>,
}

impl Etcd {
    pub(crate) async fn start(name: &str) -> Self {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("etcd-{name}"));
        let mut etcd = Self { address: free(), peers: free(), dir, process: None };
        etcd.start_again_without_memory().await;
        etcd
    }

    pub(crate) async fn start_again_without_memory(&mut self) {
        // It may not be there.
        std::fs::remove_dir_all(&self.dir).ok();
        self.start_again().await;
    }

    pub(crate) async fn start_again(&mut self) {
        let (clients, peers) = (format!("http://{}", self.address), format!("http://{}", self.peers));
        let mut command = Command::new("etcd");
        command.arg("--data-dir").arg(&self.dir);
        command.args(["--listen-client-urls", &clients, "--advertise-client-urls", &clients]);
        command.args(["--listen-peer-urls", &peers, "--initial-advertise-peer-urls", &peers]);
        command.args(["--initial-cluster", &format!("default={peers}")]);
        command.args(["--heartbeat-interval", "20", "--election-timeout", "200"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        let process = command.spawn();
        let mut process = process.unwrap_or_else(|error| {
            panic!("etcd is missing ({error}): cargo xtask test --only setup installs it")
        });
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        within(async {
            let mut said = Vec::new();
            loop {
                let Some(line) = lines.next_line().await.unwrap() else { panic!("it ended: {said:#?}") };
                if line.contains("ready to serve client requests") {
                    break;
                }
                said.push(line);
            }
        })
        .await;
        // It goes on talking, and must not be held up by nobody listening.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        self.process = Some(process);
    }

    pub(crate) async fn kill(&mut self) {
        within(self.process.take().unwrap().kill()).await.unwrap();
    }

    /// Asks the gateway by hand.
    pub(crate) async fn ask(&self, path: &str, body: Value) -> Value {
        let body = body.to_string();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all((head + &body).as_bytes()).await.unwrap();
        let mut answer = String::new();
        within(stream.read_to_string(&mut answer)).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        serde_json::from_str(&answer[answer.find('{').unwrap()..=answer.rfind('}').unwrap()]).unwrap()
    }

    pub(crate) async fn put(&self, key: &str, value: &str) {
        self.ask("/v3/kv/put", json!({ "key": base64(key), "value": base64(value) })).await;
    }

    /// One key as it is there, with its value in plain text.
    pub(crate) async fn get(&self, key: &str) -> Option<(Value, String)> {
        let answer = self.ask("/v3/kv/range", json!({ "key": base64(key) })).await;
        let found = answer.get("kvs")?[0].clone();
        let value = BASE64_STANDARD.decode(found["value"].as_str().unwrap()).unwrap();
        Some((found, String::from_utf8(value).unwrap()))
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.dir).ok();
    }
}

pub(crate) fn base64(text: &str) -> String {
    BASE64_STANDARD.encode(text)
}

/// An address nobody listens on. The next moment somebody might, but a test that is unlucky says so.
pub(crate) fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
