//! Three times what a server can do.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use partie_contract::{Deadline, Request};
use partie_mesh::{Handles, Limits, Mesh, MeshConfig, Peer};
use partie_runtime::monotonic;

use crate::support::{Server, fake, text};

/// What a request costs the server's one thread.
const WORK: Duration = Duration::from_millis(10);
const DEADLINE: Duration = Duration::from_millis(500);

fn server(lag: Duration) -> Server {
    let serve = fake(|_, _| async {
        // Computing, as far as everybody else on the thread is concerned.
        std::thread::sleep(WORK);
        text("done")
    });
    Server::start_with(Limits { lag, ..Limits::default() }, 1, serve)
}

fn mesh(server: &Server) -> Mesh {
    let mesh = Mesh::new(MeshConfig { retries: 0, ..MeshConfig::default() }, Handles::default());
    mesh.connect("orders", server.address);
    mesh
}

async fn is_good(mesh: &Mesh) -> bool {
    let from = Peer::InProcess("test".into());
    let answer = mesh.forward("orders", from, Request::default(), Deadline::after(DEADLINE)).await;
    answer.is_ok_and(|answer| answer.status().is_success())
}

/// Good answers a second, of calls that come at that pace.
async fn goodput(server: &Server, each: Duration, seconds: u64) -> f64 {
    let (mesh, good) = (mesh(server), Arc::new(AtomicUsize::new(0)));
    let (began, time) = (monotonic(), Duration::from_secs(seconds));
    let mut pace = tokio::time::interval(each);
    pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
    let mut calls = tokio::task::JoinSet::new();
    while began.elapsed() < time {
        pace.tick().await;
        let (mesh, good) = (mesh.clone(), Arc::clone(&good));
        calls.spawn(async move {
            if is_good(&mesh).await {
                good.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    while calls.join_next().await.is_some() {}
    good.load(Ordering::Relaxed) as f64 / elapsed(began)
}

fn elapsed(began: Instant) -> f64 {
    began.elapsed().as_secs_f64()
}

/// As much as it can do: a few who come again as soon as they are answered.
async fn peak() -> f64 {
    let server = server(Duration::from_millis(100));
    let (mesh, began) = (mesh(&server), monotonic());
    let mut good = 0;
    while began.elapsed() < Duration::from_secs(2) {
        let calls = (0..4).map(|_| is_good(&mesh));
        good += futures_util::future::join_all(calls).await.into_iter().filter(|good| *good).count();
    }
    good as f64 / elapsed(began)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_times_the_capacity_leaves_nearly_all_of_it() {
    let mut seen = Vec::new();
    // On a machine with other work the two may be measured at different times of its day.
    for _ in 0..3 {
        let peak = peak().await;
        let each = Duration::from_secs_f64(1.0 / (3.0 * peak));
        let shedding = goodput(&server(Duration::from_millis(100)), each, 4).await;
        seen.push(format!("{shedding:.0} of {peak:.0}"));
        if shedding >= 0.9 * peak {
            let queueing = goodput(&server(Duration::ZERO), each, 4).await;
            assert!(
                queueing < 0.9 * peak,
                "without it the queue would eat the deadline: {queueing:.0} of {peak:.0}"
            );
            return;
        }
    }
    panic!("a second, {seen:?}");
}
