//! Instances are announced, found, kept and forgotten.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use partie_contract::BoxFuture;
use partie_mesh::discovery::{
    Announcement, EmbeddedRegistry, EmbeddedRegistryConfig, FixedRegistry, Following, Full, Instance,
    Registry, RegistryError, Seen, Standing,
};
use partie_runtime::Ids;

use crate::support::within;

fn at(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn instance(port: u16) -> Instance {
    Instance::new(format!("orders-{port}"), at(port))
}

fn settled() -> EmbeddedRegistryConfig {
    EmbeddedRegistryConfig { settling: Duration::ZERO, ..EmbeddedRegistryConfig::default() }
}

/// The ports of the list, once it is as wanted.
async fn ports(following: &Following, wanted: &[u16]) {
    let is =
        |list: &Arc<[Instance]>| list.iter().map(|found| found.address.port()).eq(wanted.iter().copied());
    let mut watch = following.watch();
    if tokio::time::timeout(crate::support::FOREVER, watch.wait_for(is)).await.is_err() {
        panic!("{following:?} instead of {wanted:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn instances_are_found_in_whatever_order_they_come_and_go() {
    let registry: Arc<dyn Registry> = Arc::new(EmbeddedRegistry::start(settled()));
    let following = Following::begin(Arc::clone(&registry), "orders", Ids::seeded(1));
    let announce = |port| Announcement::make(Arc::clone(&registry), "orders", instance(port), Ids::seeded(2));
    let (second, first) = (announce(2), announce(1));
    within(first.stands()).await;
    within(second.stands()).await;
    ports(&following, &[1, 2]).await;
    second.withdraw().await.unwrap();
    ports(&following, &[1]).await;
    let _third = announce(3);
    ports(&following, &[1, 3]).await;
    // Whoever is dropped without a word is gone as well.
    drop(first);
    ports(&following, &[3]).await;
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_not_renewed_ends_but_no_list_expires_to_empty() {
    let registry = EmbeddedRegistry::start(settled());
    let following = Following::begin(Arc::new(registry.clone()), "orders", Ids::seeded(1));
    let lease = Duration::from_secs(3);
    registry.put("orders", &instance(1), Some(lease)).unwrap();
    registry.put("orders", &instance(2), Some(lease)).unwrap();
    ports(&following, &[1, 2]).await;
    for _ in 0..4 {
        tokio::time::sleep(lease / 2).await;
        assert!(registry.renew("orders", "orders-1"));
    }
    ports(&following, &[1]).await;
    assert!(!registry.renew("orders", "orders-2"), "it has to be announced again");
    tokio::time::sleep(lease * 2).await;
    assert!(registry.list("orders").instances.is_empty());
    assert!(registry.services().is_empty());
    ports(&following, &[1]).await;
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_has_just_started_takes_nobody_away() {
    let registry = EmbeddedRegistry::start(EmbeddedRegistryConfig::default());
    let memory = Restarting::default();
    memory.is(registry.clone());
    let following = Following::begin(Arc::new(memory.clone()), "orders", Ids::seeded(1));
    registry.put("orders", &instance(1), None).unwrap();
    registry.put("orders", &instance(2), None).unwrap();
    ports(&following, &[1, 2]).await;

    // It comes back without its memory, and one of the two announces itself again.
    let registry = EmbeddedRegistry::start(EmbeddedRegistryConfig::default());
    memory.is(registry.clone());
    registry.put("orders", &instance(2), None).unwrap();
    registry.put("orders", &instance(3), None).unwrap();
    ports(&following, &[1, 2, 3]).await;
    // The other one had its time.
    ports(&following, &[2, 3]).await;
}

/// A registry that can be replaced by another under those who follow it.
#[derive(Debug, Clone, Default)]
struct Restarting(tokio::sync::watch::Sender<Option<EmbeddedRegistry>>);

impl Restarting {
    fn is(&self, registry: EmbeddedRegistry) {
        self.0.send_replace(Some(registry));
    }
}

impl Registry for Restarting {
    fn hold<'a>(&'a self, _: &'a str, _: &'a Instance, _: &'a Standing) -> BoxFuture<'a, RegistryError> {
        unreachable!("nobody announces here")
    }

    fn withdraw<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Result<(), RegistryError>> {
        unreachable!("nobody announces here")
    }

    fn follow<'a>(&'a self, service: &'a str, seen: &'a Seen) -> BoxFuture<'a, RegistryError> {
        Box::pin(async move {
            let mut now = self.0.subscribe();
            let registry = now.borrow_and_update().clone().unwrap();
            tokio::select! {
                lost = registry.follow(service, seen) => lost,
                _ = now.changed() => RegistryError::new("restarting", "it restarted"),
            }
        })
    }
}

/// A registry that cannot be reached at first.
#[derive(Debug)]
struct Late {
    up: AtomicBool,
    registry: EmbeddedRegistry,
}

impl Registry for Late {
    fn hold<'a>(
        &'a self,
        service: &'a str,
        instance: &'a Instance,
        standing: &'a Standing,
    ) -> BoxFuture<'a, RegistryError> {
        if self.up.load(Ordering::SeqCst) {
            return self.registry.hold(service, instance, standing);
        }
        Box::pin(async { RegistryError::new("late", "connection refused") })
    }

    fn withdraw<'a>(&'a self, service: &'a str, id: &'a str) -> BoxFuture<'a, Result<(), RegistryError>> {
        self.registry.withdraw(service, id)
    }

    fn follow<'a>(&'a self, service: &'a str, seen: &'a Seen) -> BoxFuture<'a, RegistryError> {
        if self.up.load(Ordering::SeqCst) {
            return self.registry.follow(service, seen);
        }
        Box::pin(async { RegistryError::new("late", "connection refused") })
    }
}

#[tokio::test(start_paused = true)]
async fn registry_and_services_start_in_any_order() {
    let late = Arc::new(Late { up: AtomicBool::new(false), registry: EmbeddedRegistry::start(settled()) });
    let registry: Arc<dyn Registry> = late.clone();
    let following = Following::begin(Arc::clone(&registry), "orders", Ids::seeded(1));
    let announcement = Announcement::make(registry, "orders", instance(1), Ids::seeded(2));
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(following.instances().is_empty());
    late.up.store(true, Ordering::SeqCst);
    within(announcement.stands()).await;
    ports(&following, &[1]).await;
}

#[tokio::test(start_paused = true)]
async fn a_full_registry_takes_no_more_and_says_so() {
    let bounds = EmbeddedRegistryConfig { services: 1, instances: 2, ..settled() };
    let registry = EmbeddedRegistry::start(bounds);
    registry.put("orders", &instance(1), None).unwrap();
    let full = Full { services: 1, instances: 2 };
    assert_eq!(registry.put("menu", &instance(1), None), Err(full));
    // Those who wait for others take nobody's place.
    let nobody = Following::begin(Arc::new(registry.clone()), "nobody", Ids::seeded(1));
    ports(&nobody, &[]).await;
    tokio::task::yield_now().await;
    registry.put("orders", &instance(2), None).unwrap();
    assert_eq!(registry.put("orders", &instance(3), None), Err(full));
    // Those that are there may say something new of themselves.
    registry.put("orders", &Instance { weight: 1, ..instance(2) }, None).unwrap();
    assert!(registry.remove("orders", "orders-1"));
    assert!(!registry.remove("orders", "orders-1"));
    registry.put("orders", &instance(3), None).unwrap();
    let weights: Vec<u32> = registry.list("orders").instances.iter().map(|found| found.weight).collect();
    assert_eq!(weights, [1, 100]);
}

#[tokio::test(start_paused = true)]
async fn a_fixed_list_is_there_at_once() {
    let registry = Arc::new(FixedRegistry::default().with("orders", [at(1), at(2)]));
    let following = Following::begin(registry.clone(), "orders", Ids::seeded(1));
    ports(&following, &[1, 2]).await;
    let nobody = Following::begin(registry, "menu", Ids::seeded(1));
    ports(&nobody, &[]).await;
}

#[tokio::test(start_paused = true)]
async fn an_index_never_comes_again() {
    let registry = EmbeddedRegistry::start(settled());
    let mut last = registry.list("orders").index;
    for round in 0..3 {
        registry.put("menu", &instance(9), None).unwrap();
        registry.put("orders", &instance(1), None).unwrap();
        let one = registry.list("orders");
        assert!(one.index > last, "{round}: {one:?} after {last}");
        // Forgotten, and asked for again while others come and go.
        registry.remove("orders", "orders-1");
        registry.remove("menu", "orders-9");
        within(registry.changed("orders", one.index)).await;
        last = registry.list("orders").index;
        assert!(last > one.index);
    }
}

#[tokio::test]
async fn a_registry_that_is_dropped_leaves_nobody_behind_who_would_wake_up_later() {
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    let registry = EmbeddedRegistry::start(EmbeddedRegistryConfig::default());
    // It sleeps, with a lease and without.
    let brief = Instance::new("a", "127.0.0.1:1".parse().unwrap());
    for lease in [None, Some(Duration::from_hours(1))] {
        registry.put("menu", &brief, lease).unwrap();
        tokio::task::yield_now().await;
        assert_eq!(tasks(), before + 1);
    }
    drop(registry);
    within(async {
        while tasks() > before {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
