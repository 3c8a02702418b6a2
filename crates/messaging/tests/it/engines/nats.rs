//! NATS JetStream, with a real server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use partie_messaging::{Log, LogConfig, NatsLog};
use tokio::process::Command;

use super::restarts::{self, Server};
use super::server::{Process, TestDir, free, installed};
use super::{Engine, replicas, suite, table};

pub(crate) struct Nats {
    address: SocketAddr,
    dir: TestDir,
    process: Option<Process>,
}

// === impl Nats ===

impl Nats {
    async fn start() -> Self {
        let mut nats = Self { address: free(), dir: TestDir::new("nats"), process: None };
        nats.start_again().await;
        nats
    }
}

impl Server for Nats {
    async fn kill(&mut self) {
        self.process.take().unwrap().kill().await;
    }

    async fn start_again(&mut self) {
        let mut command = Command::new(installed("nats-server", "bin/nats-server"));
        command.arg("--jetstream").arg("--store_dir").arg(self.dir.path());
        command.args(["--addr", "127.0.0.1", "--port", &self.address.port().to_string()]);
        self.process = Some(Process::start(command, "Server is ready").await);
    }

    fn log(&self, prefix: &str) -> Arc<dyn Log> {
        let mut config = LogConfig::default();
        config.prefix = prefix.to_owned();
        config.timeout = Duration::from_millis(500);
        Arc::new(NatsLog::new(&[self.address.to_string()], None, config).unwrap())
    }
}

#[tokio::test]
async fn conforms() {
    let nats = Arc::new(Nats::start().await);
    let count = AtomicU32::new(0);
    suite::conforms(&|| {
        let (nats, prefix) = (Arc::clone(&nats), format!("s{}", count.fetch_add(1, Ordering::Relaxed)));
        Engine::Log(&table::NATS, Box::new(move || nats.log(&prefix)))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_done_twice_when_the_server_is_killed() {
    restarts::nothing_is_lost_or_done_twice(Nats::start().await, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_take_over_in_order() {
    let nats = Nats::start().await;
    replicas::the_next_takes_over_in_order(&nats).await;
}

// What follows is the same whichever log it is.

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_was_taken_for_dead_changes_nothing() {
    replicas::one_that_was_taken_for_dead_changes_nothing(&Nats::start().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_requeued_by_any_replica() {
    replicas::a_key_is_requeued_by_any_of_them(&Nats::start().await).await;
}

#[tokio::test]
async fn a_server_without_memory_is_read_from_the_beginning() {
    let mut nats = Nats::start().await;
    let log = nats.log("p");
    let forget = async |nats: &mut Nats| {
        nats.kill().await;
        for entry in std::fs::read_dir(nats.dir.path()).unwrap() {
            std::fs::remove_dir_all(entry.unwrap().path()).unwrap();
        }
        nats.start_again().await;
    };
    restarts::a_log_without_memory_is_read_from_the_beginning(&mut nats, log, forget).await;
}
