//! A real Redis, started by the test and ended with it.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use partie_cache::{CacheUrl, RedisEngine, RedisLink};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::runtime::Handle;

use crate::support::within;

/// Nobody else on this machine is likely to be in a hurry here: a busy one must not look like an outage.
const PATIENT: Duration = Duration::from_secs(10);

pub(crate) struct Server {
    port: u16,
    dir: PathBuf,
    process: Option<Child>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        static NUMBERS: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        let dir = format!("redis-{}-{number}", std::process::id());
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(dir);
        std::fs::create_dir_all(&dir).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut server = Self { port, dir, process: None };
        server.start_again().await;
        server
    }

    /// On the same port, with nothing in it.
    pub(crate) async fn start_again(&mut self) {
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port", &self.port.to_string(), "--daemonize", "no"]);
        command
            .args(["--save", "", "--appendonly", "no", "--requirepass", "open sesame", "--dir"])
            .arg(&self.dir);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let process = command.spawn();
        let mut process = process.unwrap_or_else(|error| {
            panic!("redis-server is missing ({error}): cargo xtask test --only setup installs it")
        });
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        within(async {
            let mut said = Vec::new();
            loop {
                let Some(line) = lines.next_line().await.unwrap() else { panic!("it ended: {said:#?}") };
                if line.contains("Ready to accept connections") {
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

    pub(crate) fn url(&self) -> CacheUrl {
        format!("redis://:open%20sesame@127.0.0.1:{}/1", self.port).parse().unwrap()
    }

    /// A link as another process would have it.
    pub(crate) fn link(&self) -> RedisLink {
        RedisLink::new(&self.url(), PATIENT, Handle::current())
    }

    pub(crate) fn engine<V: Serialize + DeserializeOwned + Send + Sync + 'static>(
        &self,
    ) -> Arc<RedisEngine<V>> {
        Arc::new(RedisEngine::new(self.link(), "partie:test:test:test:1:"))
    }

    pub(crate) async fn kill(&mut self) {
        within(self.process.take().unwrap().kill()).await.unwrap();
    }

    /// It keeps its sockets and answers nothing.
    pub(crate) async fn hang(&self) {
        self.signal("-STOP").await;
    }

    pub(crate) async fn go_on(&self) {
        self.signal("-CONT").await;
    }

    async fn signal(&self, signal: &str) {
        let id = self.process.as_ref().unwrap().id().unwrap().to_string();
        assert!(within(Command::new("kill").args([signal, &id]).status()).await.unwrap().success());
    }

    /// Asks it by hand.
    pub(crate) async fn ask(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("redis-cli");
        command.args(["--no-auth-warning", "-a", "open sesame", "-n", "1", "-p", &self.port.to_string()]);
        let output = within(command.args(arguments).output()).await.unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.dir).ok();
    }
}
