//! etcd as the registry, against a real one.

pub(crate) mod server;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use partie_mesh::discovery::{Announcement, EtcdConfig, EtcdRegistry, Following, Instance, Registry};
use partie_runtime::Ids;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use self::server::{Etcd, base64, free};
use crate::support::{is, within};

pub(crate) fn registry(endpoints: &[SocketAddr]) -> Arc<dyn Registry> {
    let endpoints = endpoints.iter().map(|endpoint| format!("http://{endpoint}")).collect();
    let config = EtcdConfig { endpoints, ttl: Duration::from_secs(2), prefix: "/test".into() };
    Arc::new(EtcdRegistry::new(config).unwrap())
}

fn instance(port: u16) -> Instance {
    Instance { weight: 40, ..Instance::new(format!("o-{port}"), SocketAddr::from(([127, 0, 0, 1], port))) }
}

fn announce(registry: &Arc<dyn Registry>, instance: Instance) -> Announcement {
    Announcement::make(Arc::clone(registry), "orders", instance, Ids::seeded(2))
}

fn follow(registry: &Arc<dyn Registry>) -> Following {
    Following::begin(Arc::clone(registry), "orders", Ids::seeded(1))
}

#[tokio::test]
async fn instances_are_announced_found_and_withdrawn() {
    let etcd = Etcd::start("find").await;
    let registry = registry(&[etcd.address]);
    let following = follow(&registry);
    let (first, second) = (announce(&registry, instance(1)), announce(&registry, instance(2)));
    within(first.stands()).await;
    within(second.stands()).await;
    is(&following, &[instance(1), instance(2)]).await;
    let (_, written) = etcd.get("/test/orders/o-1").await.unwrap();
    assert_eq!(written, r#"{"id":"o-1","address":"127.0.0.1:1","weight":40}"#);
    second.withdraw().await.unwrap();
    is(&following, &[instance(1)]).await;
    assert_eq!(etcd.get("/test/orders/o-2").await, None);
    // A service whose name only begins in the same way is another one.
    etcd.put("/test/orders2/x", r#"{"id":"x","address":"127.0.0.1:9"}"#).await;
    // One that ends without a word is gone when its lease is over.
    let third = announce(&registry, instance(3));
    is(&following, &[instance(1), instance(3)]).await;
    drop(first);
    is(&following, &[instance(3)]).await;
    drop(third);
}

#[tokio::test]
async fn what_is_no_instance_is_passed_over() {
    let etcd = Etcd::start("bad").await;
    for (key, value) in [
        ("a", "no json"),
        ("b", r#"{"id":"b"}"#),
        ("c", r#"{"id":"other","address":"127.0.0.1:1"}"#),
        ("d/e", r#"{"id":"e","address":"127.0.0.1:1"}"#),
        ("f", r#"{"id":"f","address":"localhost:1"}"#),
        ("g", r#"{"id":"g","address":"127.0.0.1:7","new":true}"#),
    ] {
        etcd.put(&format!("/test/orders/{key}"), value).await;
    }
    let following = follow(&registry(&[etcd.address]));
    let good = Instance::new("g", "127.0.0.1:7".parse().unwrap());
    is(&following, std::slice::from_ref(&good)).await;
    // Also when it comes later, and when it was one before.
    etcd.put("/test/orders/h", "").await;
    etcd.put("/test/orders/i", r#"{"id":"i","address":"[::1]:8","weight":0}"#).await;
    let second = Instance { weight: 0, ..Instance::new("i", "[::1]:8".parse().unwrap()) };
    is(&following, &[good, second.clone()]).await;
    etcd.put("/test/orders/g", "[]").await;
    is(&following, &[second]).await;
}

#[tokio::test]
async fn a_lost_lease_or_key_is_announced_again() {
    let etcd = Etcd::start("lease").await;
    let registry = registry(&[etcd.address]);
    let announcement = announce(&registry, instance(1));
    within(announcement.stands()).await;
    let (first, _) = etcd.get("/test/orders/o-1").await.unwrap();
    etcd.ask("/v3/lease/revoke", json!({ "ID": first["lease"] })).await;
    let again = async {
        loop {
            match etcd.get("/test/orders/o-1").await {
                Some((now, _)) if now["lease"] != first["lease"] => break now,
                _ => {}
            }
        }
    };
    let second = within(again).await;
    etcd.ask("/v3/kv/deleterange", json!({ "key": base64("/test/orders/o-1") })).await;
    let again = async {
        loop {
            match etcd.get("/test/orders/o-1").await {
                Some((now, _)) if now["create_revision"] != second["create_revision"] => break,
                _ => {}
            }
        }
    };
    within(again).await;
    is(&follow(&registry), &[instance(1)]).await;
}

#[tokio::test]
async fn a_cluster_that_is_down_takes_nobody_away_and_one_without_memory_is_told_again() {
    let mut etcd = Etcd::start("down").await;
    // The first member is never there.
    let registry = registry(&[free(), etcd.address]);
    let (_first, _second) = (announce(&registry, instance(1)), announce(&registry, instance(2)));
    let following = follow(&registry);
    is(&following, &[instance(1), instance(2)]).await;
    let lists = following.watch();
    etcd.kill().await;
    assert!(registry.withdraw("orders", "o-2").await.unwrap_err().to_string().contains("cannot connect"));
    // It comes back as it was, and goes on.
    etcd.start_again().await;
    let third = announce(&registry, instance(3));
    is(&following, &[instance(1), instance(2), instance(3)]).await;
    third.withdraw().await.unwrap();
    is(&following, &[instance(1), instance(2)]).await;
    etcd.kill().await;

    // It comes back and knows nothing. Everybody comes again, and nobody is missed meanwhile.
    etcd.start_again_without_memory().await;
    let fewest = tokio::spawn(async move {
        let (mut lists, mut fewest) = (lists, usize::MAX);
        while lists.changed().await.is_ok() {
            fewest = fewest.min(lists.borrow_and_update().len());
        }
        fewest
    });
    let _fourth = announce(&registry, instance(4));
    is(&following, &[instance(1), instance(2), instance(4)]).await;
    let fresh = follow(&registry);
    is(&fresh, &[instance(1), instance(2), instance(4)]).await;
    drop(following);
    assert!(within(fewest).await.unwrap() >= 2);
}

#[tokio::test]
async fn a_revision_that_is_not_kept_any_more_leads_to_a_new_list() {
    let etcd = Etcd::start("compacted").await;
    for n in 1..=9 {
        etcd.put("/test/orders/o-1", &format!(r#"{{"id":"o-1","address":"127.0.0.1:{n}"}}"#)).await;
    }
    // The first list claims to be from long ago, as if it had taken that long to begin the watch.
    let (proxy, lied) = old_revision_once(etcd.address).await;
    etcd.ask("/v3/kv/compaction", json!({ "revision": "9" })).await;
    let following = follow(&registry(&[proxy]));
    is(&following, &[Instance::new("o-1", "127.0.0.1:9".parse().unwrap())]).await;
    etcd.put("/test/orders/o-1", r#"{"id":"o-1","address":"127.0.0.1:77"}"#).await;
    is(&following, &[Instance::new("o-1", "127.0.0.1:77".parse().unwrap())]).await;
    assert!(lied.load(Ordering::SeqCst));
}

/// Passes everything on, but takes the revision of the first answer for `03`.
async fn old_revision_once(etcd: SocketAddr) -> (SocketAddr, Arc<AtomicBool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, lied) = (listener.local_addr().unwrap(), Arc::new(AtomicBool::new(false)));
    let lies = Arc::clone(&lied);
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let (mut server, lied) = (TcpStream::connect(etcd).await.unwrap(), Arc::clone(&lies));
            tokio::spawn(async move {
                let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
                    (client.split(), server.split());
                let there = async { drop(tokio::io::copy(&mut from_client, &mut to_server).await) };
                let back = async {
                    let mut bytes = vec![0; 64 << 10];
                    while let Ok(count @ 1..) = from_server.read(&mut bytes).await {
                        let mut piece = String::from_utf8_lossy(&bytes[..count]).into_owned();
                        if piece.contains(r#""revision":"10""#) && !lied.swap(true, Ordering::SeqCst) {
                            piece = piece.replace(r#""revision":"10""#, r#""revision":"03""#);
                        }
                        if to_client.write_all(piece.as_bytes()).await.is_err() {
                            break;
                        }
                    }
                };
                tokio::select! {
                    () = there => {}
                    () = back => {}
                }
            });
        }
    });
    (address, lied)
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let wrong = |set: fn(&mut EtcdConfig)| {
        let mut config = EtcdConfig::default();
        set(&mut config);
        EtcdRegistry::new(config).unwrap_err().to_string()
    };
    assert!(wrong(|config| config.endpoints.clear()).contains("`endpoints`"));
    assert!(wrong(|config| config.endpoints.push("etcd:2379".into())).contains("`etcd:2379`"));
    assert!(wrong(|config| config.prefix = "/a/".into()).contains("`prefix`"));
    assert!(wrong(|config| config.ttl = Duration::from_millis(900)).contains("`ttl`"));
}
