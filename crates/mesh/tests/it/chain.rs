//! Three hops: how often the last one is asked when it fails.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::StatusCode;
use partie_contract::{Deadline, FaultKind, Platform, Request, Response};
use partie_mesh::{Handles, Limits, Mesh, MeshConfig, Peer};

use crate::support::{FOREVER, Server, fake};

const CALLS: usize = 1_000;

/// A service that calls the next one and passes on its failure, saying whose it was or not.
fn hop(next: SocketAddr, says_whose: bool) -> Server {
    let mesh = mesh(next);
    let serve = fake(move |peer, request: Request| {
        let mesh = mesh.clone();
        async move {
            let answer = mesh.forward("next", peer, request, Deadline::after(FOREVER)).await;
            let status = answer.map_or(StatusCode::BAD_GATEWAY, |answer| answer.status());
            if status.is_success() {
                return Response::default();
            }
            let fault = Platform::new(FaultKind::UpstreamFailed);
            let fault = if says_whose { fault.from_upstream() } else { fault };
            fault.into_response(None, None)
        }
    });
    Server::start(Limits::default(), serve)
}

fn mesh(next: SocketAddr) -> Mesh {
    let mut config = MeshConfig::default();
    // The throttle and the breakers would hide what is counted here.
    config.breaker.failures = u32::MAX;
    config.breaker.least = u32::MAX;
    let mesh = Mesh::new(config, Handles::default());
    mesh.connect("next", next);
    mesh
}

/// How often the leaf was asked for each call.
async fn amplification(says_whose: bool) -> f64 {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let leaf = Server::start(
        Limits::default(),
        fake(move |_, _| {
            // Half of them fail: a service of which nothing comes back would soon be spared.
            let fails = count.fetch_add(1, Ordering::Relaxed).is_multiple_of(2);
            async move {
                let mut answer = Response::default();
                if fails {
                    *answer.status_mut() = StatusCode::BAD_GATEWAY;
                }
                answer
            }
        }),
    );
    let second = hop(leaf.address, says_whose);
    let first = hop(second.address, says_whose);
    let mesh = mesh(first.address);
    for _ in 0..CALLS / 50 {
        let calls = (0..50).map(|_| {
            let from = Peer::InProcess("test".into());
            mesh.forward("next", from, Request::default(), Deadline::after(Duration::from_secs(5)))
        });
        futures_util::future::join_all(calls).await;
    }
    asked.load(Ordering::Relaxed) as f64 / CALLS as f64
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_at_the_end_of_a_chain_is_tried_again_by_the_hop_before_it_only() {
    let one_layer = amplification(true).await;
    assert!(one_layer <= 1.2, "{one_layer}");
    let all_layers = amplification(false).await;
    assert!(
        all_layers > 1.2,
        "without the mark every hop tries again, and this test would notice: {all_layers}"
    );
}
