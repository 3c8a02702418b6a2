//! What every registry does in which instances are announced, whatever it is made of.

use std::net::SocketAddr;
use std::sync::Arc;

use partie_mesh::discovery::{Announcement, Following, Instance, Registry};
use partie_runtime::Ids;

use crate::support::{is, within};

fn instance(id: &str, port: u16) -> Instance {
    Instance { weight: 40, ..Instance::new(id, SocketAddr::from(([127, 0, 0, 1], port))) }
}

async fn conforms(registry: Arc<dyn Registry>) {
    let announce = |service: &str, instance: Instance| {
        Announcement::make(Arc::clone(&registry), service, instance, Ids::seeded(2))
    };
    let follow = |service: &str| Following::begin(Arc::clone(&registry), service, Ids::seeded(1));

    // Whoever comes is seen as it was announced, in the order of ids.
    let following = follow("orders");
    assert!(following.instances().is_empty());
    let odd = instance("a/b c?d%20#ü", 1);
    let (first, second) = (announce("orders", instance("z", 2)), announce("orders", odd.clone()));
    is(&following, &[odd.clone(), instance("z", 2)]).await;
    within(first.stands()).await;
    within(second.stands()).await;

    // Services whose names only begin alike, and ids that are used twice, are apart.
    let _others = [announce("orders2", instance("z", 8)), announce("order", instance("z", 9))];
    is(&follow("orders2"), &[instance("z", 8)]).await;
    is(&follow("order"), &[instance("z", 9)]).await;
    assert_eq!(*following.instances(), [odd.clone(), instance("z", 2)]);

    // An id that is announced again is another instance, and stays when the first announcement of it ends.
    let again = announce("orders", Instance { weight: 7, ..instance("z", 3) });
    is(&following, &[odd.clone(), Instance { weight: 7, ..instance("z", 3) }]).await;
    drop(first);
    let third = announce("orders", instance("b", 4));
    let all = [odd.clone(), instance("b", 4), Instance { weight: 7, ..instance("z", 3) }];
    is(&following, &all).await;
    is(&follow("orders"), &all).await;

    // Who is withdrawn is gone at once, and who is not there may be withdrawn as well.
    again.withdraw().await.unwrap();
    is(&following, &[odd.clone(), instance("b", 4)]).await;
    registry.withdraw("orders", "z").await.unwrap();
    registry.withdraw("nobody", "z").await.unwrap();

    // Who ends without a word is gone when its lease is over.
    drop(second);
    is(&following, &[instance("b", 4)]).await;
    // The last one stays in the list, for those who know it.
    third.withdraw().await.unwrap();
    let last = announce("orders", instance("c", 5));
    is(&following, &[instance("c", 5)]).await;
    last.withdraw().await.unwrap();
    assert_eq!(*following.instances(), [instance("c", 5)]);
    assert!(follow("orders").instances().is_empty());
}

#[tokio::test]
async fn the_embedded_registry() {
    use partie_mesh::discovery::{EmbeddedRegistry, EmbeddedRegistryConfig};
    let config =
        EmbeddedRegistryConfig { settling: std::time::Duration::ZERO, ..EmbeddedRegistryConfig::default() };
    conforms(Arc::new(EmbeddedRegistry::start(config))).await;
}

#[cfg(feature = "consul")]
#[tokio::test]
async fn consul() {
    let agent = crate::consul::Agent::start(crate::consul::any_port(), std::time::Duration::ZERO);
    conforms(agent.client()).await;
    agent.ended().await;
}

#[cfg(feature = "etcd")]
#[tokio::test]
async fn etcd() {
    let etcd = crate::etcd::server::Etcd::start("engine").await;
    conforms(crate::etcd::registry(&[etcd.address])).await;
}
