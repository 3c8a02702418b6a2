//! NATS JetStream, with a real server.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use partie_messaging::{Log, LogConfig, NatsLog};
use partie_testservers::Nats;

use super::restarts::{self, Server};
use super::{Engine, replicas, suite, table};

impl Server for Nats {
    async fn kill(&mut self) {
        Self::kill(self);
    }

    async fn start_again(&mut self) {
        self.restart();
    }

    fn log(&self, prefix: &str) -> Arc<dyn Log> {
        let mut config = LogConfig::default();
        config.prefix = prefix.to_owned();
        config.timeout = Duration::from_millis(500);
        Arc::new(NatsLog::new(&[self.address().to_string()], None, config).unwrap())
    }
}

#[tokio::test]
async fn conforms() {
    let nats = Arc::new(Nats::start());
    let count = AtomicU32::new(0);
    suite::conforms(&|| {
        let (nats, prefix) = (Arc::clone(&nats), format!("s{}", count.fetch_add(1, Ordering::Relaxed)));
        Engine::Log(&table::NATS, Box::new(move || nats.log(&prefix)))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_done_twice_when_the_server_is_killed() {
    restarts::nothing_is_lost_or_done_twice(Nats::start(), 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_take_over_in_order() {
    let nats = Nats::start();
    replicas::the_next_takes_over_in_order(&nats).await;
}

// What follows is the same whichever log it is.

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_was_taken_for_dead_changes_nothing() {
    replicas::one_that_was_taken_for_dead_changes_nothing(&Nats::start()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_requeued_by_any_replica() {
    replicas::a_key_is_requeued_by_any_of_them(&Nats::start()).await;
}

#[tokio::test]
async fn a_server_without_memory_is_read_from_the_beginning() {
    let mut nats = Nats::start();
    let log = nats.log("p");
    let forget = async |nats: &mut Nats| {
        Nats::kill(nats);
        for entry in std::fs::read_dir(nats.data()).unwrap() {
            std::fs::remove_dir_all(entry.unwrap().path()).unwrap();
        }
        nats.restart();
    };
    restarts::a_log_without_memory_is_read_from_the_beginning(&mut nats, log, forget).await;
}
