//! RabbitMQ, with a real server.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use partie_messaging::{Log, LogConfig, RabbitLog};
use tokio::net::TcpStream;
use tokio::process::Command;

use super::restarts::{self, Server};
use super::server::{Process, TestDir, free};
use super::{Engine, replicas, suite, table};
use crate::world::LIMIT;

struct Rabbit {
    address: SocketAddr,
    /// Where Erlang finds its nodes. One of our own: the usual one would stay when the test ends.
    names: SocketAddr,
    distribution: SocketAddr,
    dir: TestDir,
    process: Option<Process>,
    _names: Process,
}

/// Where the Debian package has it. What is on the path wants to be another user.
const SERVER: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";

// === impl Rabbit ===

impl Rabbit {
    async fn start() -> Self {
        let names = free();
        let mut epmd = Command::new("epmd");
        epmd.args(["-port", &names.port().to_string(), "-address", "127.0.0.1"]);
        let process = Process::spawn(epmd);
        let listens = async { while TcpStream::connect(names).await.is_err() {} };
        tokio::time::timeout(LIMIT, listens).await.expect("epmd does not start");
        let dir = TestDir::new("rabbitmq");
        let mut rabbit =
            Self { address: free(), names, distribution: free(), dir, process: None, _names: process };
        rabbit.start_again().await;
        rabbit
    }
}

impl Server for Rabbit {
    async fn kill(&mut self) {
        self.process.take().unwrap().kill().await;
    }

    async fn settle(&self) {
        // A server that dies within half a second of making a stream does not find it again.
        tokio::time::sleep(Duration::from_secs(1)).await;
    }

    async fn start_again(&mut self) {
        assert!(Path::new(SERVER).exists(), "{SERVER} is missing: cargo xtask test --only setup installs it");
        let dir = self.dir.path();
        let plugins = dir.join("plugins");
        std::fs::write(&plugins, "[].").unwrap();
        let mut command = Command::new(SERVER);
        command.env("HOME", dir);
        command.env("RABBITMQ_MNESIA_BASE", dir.join("data"));
        command.env("RABBITMQ_LOG_BASE", dir.join("log")).env("RABBITMQ_LOGS", "-");
        command.env("RABBITMQ_CONFIG_FILE", dir.join("none")).env("RABBITMQ_CONF_ENV_FILE", "/dev/null");
        command.env("RABBITMQ_ENABLED_PLUGINS_FILE", plugins);
        command.env("RABBITMQ_NODENAME", format!("test{}@localhost", self.address.port()));
        command.env("ERL_EPMD_PORT", self.names.port().to_string());
        command.env("RABBITMQ_DIST_PORT", self.distribution.port().to_string());
        command.env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1");
        command.env("RABBITMQ_NODE_PORT", self.address.port().to_string());
        // One scheduler that does not spin, and the process is the server itself instead of a shell around it.
        command.env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "+S 1:1 +sbwt none");
        command.env("RUNNING_UNDER_SYSTEMD", "true");
        self.process = Some(Process::start(command, "Server startup complete").await);
    }

    fn log(&self, prefix: &str) -> Arc<dyn Log> {
        let mut config = LogConfig::default();
        config.prefix = prefix.to_owned();
        config.parts = 2;
        Arc::new(RabbitLog::new(&self.address.to_string(), None, "/", config).unwrap())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conforms_and_replicas_take_over_in_order() {
    let rabbit = Arc::new(Rabbit::start().await);
    let count = AtomicU32::new(0);
    suite::conforms(&|| {
        let (rabbit, prefix) = (Arc::clone(&rabbit), format!("s{}", count.fetch_add(1, Ordering::Relaxed)));
        Engine::Log(&table::RABBITMQ, Box::new(move || rabbit.log(&prefix)))
    })
    .await;
    replicas::the_next_takes_over_in_order(&*rabbit).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_done_twice_when_the_server_is_killed() {
    restarts::nothing_is_lost_or_done_twice(Rabbit::start().await, 1).await;
}
