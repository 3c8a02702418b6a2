//! Instances that are replaced, all of them, while calls come in.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::Method;
use partie_contract::BoxFuture;
use partie_mesh::discovery::{
    Announcement, EmbeddedRegistry, EmbeddedRegistryConfig, Instance, Registry, RegistryError, Seen, Standing,
};
use partie_mesh::{Handles, Limits, Mesh, MeshConfig};
use partie_runtime::Ids;
use tokio::sync::Notify;

use crate::fleet::Fleet;
use crate::support::{Server, fake, text, within};

const DEADLINE: Duration = Duration::from_secs(2);

/// Instances that are announced, and a mesh that finds them.
struct Town {
    registry: Arc<dyn Registry>,
    running: VecDeque<(Server, Announcement)>,
    fleet: Arc<Fleet>,
    started: u32,
}

impl Town {
    async fn start(registry: Arc<dyn Registry>, instances: u32) -> Self {
        let mesh = Mesh::new(MeshConfig::default(), Handles::default());
        mesh.discover(Arc::clone(&registry));
        let fleet = Arc::new(Fleet { members: Vec::new(), mesh });
        let mut town = Self { registry, running: VecDeque::new(), fleet, started: 0 };
        for _ in 0..instances {
            town.one_more().await;
        }
        town
    }

    async fn one_more(&mut self) {
        self.started += 1;
        let serve = fake(|_, _| async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            text("done")
        });
        let server = Server::start(Limits::default(), serve);
        let instance = Instance::new(format!("orders-{}", self.started), server.address);
        let announcement =
            Announcement::make(Arc::clone(&self.registry), "orders", instance, Ids::from_entropy());
        within(announcement.stands()).await;
        self.running.push_back((server, announcement));
    }

    /// Calls without a pause until told to stop, and says how many were not good.
    fn calls(&self, stop: &Arc<AtomicBool>) -> tokio::task::JoinHandle<(u32, u32)> {
        let (fleet, stop) = (Arc::clone(&self.fleet), Arc::clone(stop));
        tokio::spawn(async move {
            let (mut made, mut bad) = (0, 0);
            while !stop.load(Ordering::Relaxed) {
                let calls = (0..20).map(|number| {
                    let method = if number % 2 == 0 { Method::GET } else { Method::POST };
                    fleet.send(method, &[], DEADLINE)
                });
                let answers = futures_util::future::join_all(calls).await;
                made += 20;
                bad += answers.iter().filter(|answer| answer.is_err()).count() as u32;
            }
            (made, bad)
        })
    }
}

fn embedded() -> Arc<dyn Registry> {
    let config = EmbeddedRegistryConfig { settling: Duration::ZERO, ..EmbeddedRegistryConfig::default() };
    Arc::new(EmbeddedRegistry::start(config))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_of_everything_fails_no_call() {
    for instances in [1, 3] {
        let mut town = Town::start(embedded(), instances).await;
        let stop = Arc::new(AtomicBool::new(false));
        let calls = town.calls(&stop);
        for _ in 0..instances * 2 {
            town.one_more().await;
            // The old one says that it goes, then answers what has come, then goes.
            let (server, announcement) = town.running.pop_front().unwrap();
            announcement.withdraw().await.unwrap();
            server.stopped().await;
        }
        stop.store(true, Ordering::Relaxed);
        let (made, bad) = within(calls).await.unwrap();
        assert_eq!(bad, 0, "of {made} calls to {instances}");
        assert!(made > 100, "{made}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_all_were_killed_calls_find_those_that_come() {
    let mut town = Town::start(embedded(), 3).await;
    assert_eq!(town.fleet.get().await.as_deref(), Ok("done"));
    for (server, announcement) in town.running.drain(..) {
        server.kill();
        drop(announcement);
    }
    // Whoever calls now is held until somebody comes.
    let (fleet, held) = (Arc::clone(&town.fleet), Arc::new(Notify::new()));
    let waiting = tokio::spawn({
        let held = Arc::clone(&held);
        async move {
            held.notify_one();
            // On a connection that has just died a call without a key might have been seen.
            fleet.send(Method::POST, &[("idempotency-key", "k-1")], DEADLINE).await
        }
    });
    held.notified().await;
    town.one_more().await;
    assert_eq!(within(waiting).await.unwrap().as_deref(), Ok("done"));
    for _ in 0..50 {
        assert_eq!(town.fleet.get().await.as_deref(), Ok("done"));
    }
}

/// A registry that can be cut off.
#[derive(Debug)]
struct Severed {
    registry: EmbeddedRegistry,
    cut: tokio::sync::watch::Sender<bool>,
}

impl Registry for Severed {
    fn hold<'a>(
        &'a self,
        service: &'a str,
        instance: &'a Instance,
        standing: &'a Standing,
    ) -> BoxFuture<'a, RegistryError> {
        Box::pin(async move {
            // What it knows stays known: the line is cut, not the registry.
            if let Err(full) = self.registry.put(service, instance, None) {
                return RegistryError::new("severed", full);
            }
            standing.stands();
            self.is_cut().await;
            RegistryError::new("severed", "the line is cut")
        })
    }

    fn withdraw<'a>(&'a self, service: &'a str, id: &'a str) -> BoxFuture<'a, Result<(), RegistryError>> {
        self.registry.withdraw(service, id)
    }

    fn follow<'a>(&'a self, service: &'a str, seen: &'a Seen) -> BoxFuture<'a, RegistryError> {
        Box::pin(async move {
            tokio::select! {
                lost = self.registry.follow(service, seen) => lost,
                () = self.is_cut() => RegistryError::new("severed", "the line is cut"),
            }
        })
    }
}

impl Severed {
    async fn is_cut(&self) {
        if self.cut.subscribe().wait_for(|cut| *cut).await.is_err() {
            std::future::pending().await
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_registry_calls_go_on() {
    let config = EmbeddedRegistryConfig { settling: Duration::ZERO, ..EmbeddedRegistryConfig::default() };
    let cut = tokio::sync::watch::Sender::new(false);
    let severed = Arc::new(Severed { registry: EmbeddedRegistry::start(config), cut });
    let mut town = Town::start(severed.clone(), 3).await;
    assert_eq!(town.fleet.get().await.as_deref(), Ok("done"));
    severed.cut.send_replace(true);
    let stop = Arc::new(AtomicBool::new(false));
    let calls = town.calls(&stop);
    // One of those on the last list goes as well.
    let (server, _announcement) = town.running.pop_front().unwrap();
    server.stopped().await;
    for _ in 0..50 {
        assert_eq!(town.fleet.get().await.as_deref(), Ok("done"));
    }
    severed.cut.send_replace(false);
    town.one_more().await;
    stop.store(true, Ordering::Relaxed);
    let (made, bad) = within(calls).await.unwrap();
    assert_eq!(bad, 0, "of {made}");
}
