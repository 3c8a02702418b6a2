//! Replicas of a service on one store: who reads, who stands by, and what one that was taken for dead may still do.

use std::collections::BTreeMap;
use std::sync::Arc;

use partie_messaging::{Broker, Log, LogBroker, Verdict};
use tokio::runtime::{Builder, Runtime};

use super::restarts::{Server, eager};
use super::suite::{group, next, take};
use super::{message, world};
use crate::world::{LIMIT, World};

/// Two brokers on one store.
struct Replicas {
    world: World,
    store: partie_store::Store,
    /// A process of its own for the first, as far as a test can have one: it can end, or stand still, without a word.
    process: Runtime,
    first: LogBroker,
    second: LogBroker,
}

// === impl Replicas ===

impl Replicas {
    fn start(server: &impl Server) -> Self {
        let world = world();
        let store = world.store("g");
        let replica = |log: Arc<dyn Log>| {
            let mut config = eager();
            config.shared_store = true;
            LogBroker::new(log, store.clone(), config)
        };
        let (first, second) = (replica(server.log("p")), replica(server.log("p")));
        let process = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        Self { store, process, first, second, world }
    }

    /// Runs something in the first one's process.
    async fn in_first<T, F>(&self, work: impl FnOnce(LogBroker) -> F) -> T
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let work = self.process.spawn(work(self.first.clone()));
        tokio::time::timeout(LIMIT, work).await.expect("the first one does not get on").unwrap()
    }

    async fn end(self) {
        self.process.shutdown_background();
        self.second.close().await;
        self.store.close().await;
        self.world.stop([]).await;
    }
}

/// One reads, and when its process is gone the other goes on.
pub(crate) async fn the_next_takes_over_in_order(server: &impl Server) {
    let mut replicas = Replicas::start(server);
    let first = replicas.in_first(async |first| {
        let mut subscription = first.subscribe(group("g")).await.unwrap();
        let batch: Vec<_> = (0..40).map(|n| message(n, ["a", "b"][n as usize % 2])).collect();
        while first.publish(batch.clone()).await.is_err() {}
        let taken = take(&mut subscription, 11).await;
        (subscription, taken)
    });
    let (first, taken) = first.await;
    let mut standby = replicas.second.subscribe(group("g")).await.unwrap();
    let waited = tokio::time::timeout(eager().lease * 2, standby.next(1)).await;
    assert!(waited.is_err(), "somebody else reads, and shows that it is alive");
    let idle = Builder::new_current_thread().build().unwrap();
    std::mem::replace(&mut replicas.process, idle).shutdown_background();
    let mut after: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    while after.values().filter(|numbers| numbers.last().is_some_and(|last| *last >= 38)).count() < 2 {
        let delivery = next(&mut standby).await;
        let number = delivery.message.body.parse().unwrap();
        after.entry(delivery.message.key.to_string()).or_default().push(number);
        delivery.settle.settle(Verdict::Done).await.unwrap();
    }
    for (key, before) in taken {
        // What was settled last may come again, and nothing is missing.
        let after = &after[&key];
        assert!(after[0] <= before.last().unwrap() + 2, "{key}: {before:?} {after:?}");
        let expected: Vec<_> = (after[0]..40).step_by(2).collect();
        assert_eq!(*after, expected, "{key}");
    }
    drop((first, standby));
    replicas.end().await;
}

/// One that stood still for too long has lost the group, and what it says then is not written.
pub(crate) async fn one_that_was_taken_for_dead_changes_nothing(server: &impl Server) {
    let replicas = Replicas::start(server);
    let first = replicas.in_first(async |first| {
        let mut subscription = first.subscribe(group("g")).await.unwrap();
        while first.publish(vec![message(0, "a"), message(1, "a")]).await.is_err() {}
        let loan = next(&mut subscription).await;
        (subscription, loan)
    });
    let (mut subscription, loan) = first.await;
    let (go_on, wait) = std::sync::mpsc::sync_channel::<()>(0);
    let still = replicas.process.spawn(async move { wait.recv().unwrap_err() });
    let mut standby = replicas.second.subscribe(group("g")).await.unwrap();
    let again = next(&mut standby).await;
    assert_eq!(again.message, loan.message);
    // It wakes up, and does not know yet.
    loan.settle.settle(Verdict::Poison("too late".to_owned())).await.ok();
    drop(go_on);
    still.await.unwrap();
    let over = replicas.in_first(async move |_| {
        loop {
            match subscription.next(1).await {
                Ok(late) => drop(late),
                Err(error) => break error.to_string(),
            }
        }
    });
    assert!(over.await.contains("over"));
    assert_eq!(replicas.second.parked("g/g").await.unwrap(), []);
    again.settle.settle(Verdict::Done).await.unwrap();
    assert_eq!(take(&mut standby, 1).await["a"], [1]);
    assert_eq!(replicas.second.parked("g/g").await.unwrap(), []);
    drop((standby, again.busy, loan.busy));
    replicas.end().await;
}

/// Whoever looks after parked keys asks any replica.
pub(crate) async fn a_key_is_requeued_by_any_of_them(server: &impl Server) {
    let replicas = Replicas::start(server);
    let mut subscription = replicas.second.subscribe(group("g")).await.unwrap();
    while replicas.second.publish(vec![message(0, "a"), message(1, "a")]).await.is_err() {}
    let bad = next(&mut subscription).await;
    bad.settle.settle(Verdict::Poison("no".to_owned())).await.unwrap();
    let parked = async {
        while replicas.first.parked("g/g").await.unwrap().first().is_none_or(|parked| parked.waiting < 2) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LIMIT, parked).await.expect("it is not parked");
    assert!(replicas.first.requeue("g/g", "a").await.unwrap());
    assert_eq!(take(&mut subscription, 2).await["a"], [0, 1]);
    drop((subscription, bad.busy));
    replicas.end().await;
}
