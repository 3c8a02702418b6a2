//! Servers that die and come back, with and without their memory.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use partie_messaging::{Backoff, Log, LogBroker, LogBrokerConfig, Verdict};

use super::suite::{group, next, publish};
use super::{Open, message, world};
use crate::events::{Reader, handlers, per_meter};
use crate::world::{LIMIT, Service, World};

/// A vendor's server.
pub(crate) trait Server {
    /// With SIGKILL.
    async fn kill(&mut self);
    /// With what is on its disk.
    async fn start_again(&mut self);
    /// Before it is killed.
    async fn settle(&self) {}
    /// Its log, by a connection of its own.
    fn log(&self, prefix: &str) -> Arc<dyn Log>;
}

/// How many meters there are, and how many readings of each.
const METERS: u32 = 8;
const READINGS: u32 = 60;

/// A service with a broker of its own over a vendor's log.
struct Running {
    service: Service,
    broker: LogBroker,
}

/// With waits that a test can afford.
pub(crate) fn eager() -> LogBrokerConfig {
    let mut config = LogBrokerConfig::default();
    config.backoff = Backoff::new(Duration::from_millis(20), Duration::from_millis(200));
    config.lease = Duration::from_millis(400);
    config
}

fn start(world: &World, log: Arc<dyn Log>) -> Running {
    let store = world.store("meters");
    let broker = LogBroker::new(log, store.clone(), eager());
    let service = world.start_with("meters", store, Arc::new(broker.clone()), Reader::default(), handlers());
    Running { service, broker }
}

impl Running {
    async fn stop(self) {
        let Self { service, broker } = self;
        tokio::time::timeout(LIMIT, service.worker.stop()).await.expect("the worker does not stop");
        broker.close().await;
        service.store.close().await;
    }

    /// Publishes one more reading of each meter.
    async fn read(&self, value: u32) {
        let meters = move |tx: &mut partie_store::Tx| {
            (0..METERS)
                .try_for_each(|meter| crate::events::publish(tx, &format!("m{meter}"), value).map(drop))?;
            Ok(())
        };
        self.service.write(meters).await;
    }

    async fn until_noted(&self, count: usize) -> Vec<String> {
        let noted = async {
            loop {
                let notes = self.service.notes("read").await;
                if notes.len() >= count {
                    return notes;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let missing = tokio::time::timeout(LIMIT, noted).await;
        match missing {
            Ok(notes) => notes,
            Err(_) => panic!("readings are missing: {:?}", self.service.notes("read").await),
        }
    }
}

/// The server is killed while a service publishes and handles, so many times, and the service is started again once.
pub(crate) async fn nothing_is_lost_or_done_twice(mut server: impl Server, kills: u32) {
    let world = world();
    let mut running = start(&world, server.log("p"));
    for value in 0..READINGS {
        running.read(value).await;
        match value {
            15 | 45 if value <= kills * 30 => {
                running.until_noted(METERS as usize * 5).await;
                server.settle().await;
                server.kill().await;
            }
            20 | 50 if value <= kills * 30 => server.start_again().await,
            30 => {
                running.stop().await;
                running = start(&world, server.log("p"));
            }
            _ => {}
        }
    }
    let notes = running.until_noted((METERS * READINGS) as usize).await;
    for meter in 0..METERS {
        assert_eq!(per_meter(&notes, &format!("m{meter}")), (0..READINGS).collect::<Vec<_>>(), "{meter}");
    }
    running.stop().await;
    world.stop([]).await;
}

/// Its log counts from the beginning again, and what waits of the old one comes first.
pub(crate) async fn a_log_without_memory_is_read_from_the_beginning<S: Server>(
    server: &mut S,
    log: Arc<dyn Log>,
    forget: impl AsyncFnOnce(&mut S),
) {
    let world = world();
    let store = world.store("g");
    let broker = LogBroker::new(log, store.clone(), eager());
    let open = Open { broker: Arc::new(broker.clone()), line: None, over: Some((broker, store)) };
    publish(&open, (0..10).map(|n| message(n, ["a", "b"][n as usize % 2])).collect()).await;
    let mut subscription = open.broker.subscribe(group("g")).await.unwrap();
    for _ in 0..6 {
        let delivery = next(&mut subscription).await;
        let verdict = match &*delivery.message.key {
            "a" => Verdict::Done,
            _ => Verdict::Poison("not now".to_owned()),
        };
        delivery.settle.settle(verdict).await.unwrap();
    }
    let parked = async {
        while open.broker.parked("g/g").await.unwrap().first().is_none_or(|parked| parked.waiting < 5) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LIMIT, parked).await.expect("it is not parked");
    drop(subscription);
    forget(server).await;
    publish(&open, vec![message(20, "a"), message(21, "b")]).await;
    let subscribe = async || open.broker.subscribe(group("g")).await.unwrap();
    let mut subscription = subscribe().await;
    let mut taken: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    let mut requeued = false;
    while taken.get("b").is_none_or(|numbers| numbers.len() < 6) {
        let Ok(next) = tokio::time::timeout(LIMIT, subscription.next(1)).await.expect("a message is missing")
        else {
            // It noticed, and begins anew.
            subscription = subscribe().await;
            continue;
        };
        for delivery in next {
            taken
                .entry(delivery.message.key.to_string())
                .or_default()
                .push(delivery.message.body.parse().unwrap());
            delivery.settle.settle(Verdict::Done).await.unwrap();
        }
        if !requeued && taken.get("a").is_some_and(|numbers| numbers.last() == Some(&20)) {
            requeued = open.broker.requeue("g/g", "b").await.unwrap();
        }
    }
    assert_eq!(taken["b"], [1, 3, 5, 7, 9, 21]);
    drop(subscription);
    open.close().await;
    world.stop([]).await;
}
