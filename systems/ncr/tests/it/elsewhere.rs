//! Factorials in another process: over a real socket, named as the tutorial names them.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use partie::{Config, Environment, Gateway, System};
use partie_testkit::{TestRun, TestSystem};
use serde_json::Value;

use crate::support::within;

/// The factorials alone.
async fn factorials() -> TestRun {
    TestSystem::of(System::new("elsewhere").service(ncr_factorial::service()).gateway(Gateway::default()))
        .start()
        .await
}

/// The system, told by `HOST` and `PORT` where the factorials are.
async fn told(run: &TestRun) -> TestRun {
    let address = run.address();
    let environment = move |name: &str| match name {
        "HOST" => Some(address.ip().to_string()),
        "PORT" => Some(address.port().to_string()),
        _ => None,
    };
    TestSystem::of(ncr::system_in(environment)).start().await
}

async fn ask(run: &TestRun, path: &str) -> (u16, Value) {
    let answer = within(run.http().get(path).send()).await.unwrap();
    (answer.status, answer.json())
}

#[tokio::test]
async fn host_and_port_say_where_the_factorials_are() {
    let elsewhere = factorials().await;
    let run = told(&elsewhere).await;
    assert_eq!(ask(&run, "/api/v1/ncr/52/5").await.1["value"], "2598960");
    let (status, large) = ask(&run, "/api/v1/ncr/20000/10000").await;
    assert_eq!((status, &large["digits"]), (200, &6019.into()));
    elsewhere.stop().await;
    // Nobody is there any more, and one learns that at once.
    let answer = within(run.http().get("/api/v1/ncr/52/5").send()).await.unwrap();
    assert_eq!((answer.status, answer.code().as_deref()), (503, Some("upstream-unavailable")));
    assert!(answer.header("retry-after").is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopping_one_of_two_replicas_fails_no_request() {
    let (stays, goes) = (factorials().await, factorials().await);
    let both = format!("{},{}", stays.address(), goes.address());
    let calculator = ncr_calculator::Settings::at(&both);
    let system = System::new("ncr")
        .service(ncr_factorial::service())
        .service(ncr_calculator::service_with(&calculator))
        .gateway(Gateway::default());
    let run = TestSystem::of(system).start().await;
    let (asked, stopped) = (AtomicUsize::new(0), AtomicBool::new(false));
    let load = (0..8).map(|caller| {
        let (run, asked, stopped) = (&run, &asked, &stopped);
        async move {
            // For a while after it is gone, too.
            let mut after = 0;
            while after < 50 {
                let number = asked.fetch_add(1, Ordering::Relaxed);
                let n = 10 + (caller + number) % 400;
                let answer = run.http().get(format!("/api/v1/ncr/{n}/{}", n / 2)).send().await.unwrap();
                assert_eq!(answer.status, 200, "request {number}: {}", answer.text());
                after += usize::from(stopped.load(Ordering::Relaxed));
            }
        }
    });
    let stop = async {
        // In the middle of it.
        while asked.load(Ordering::Relaxed) < 200 {
            tokio::task::yield_now().await;
        }
        goes.stop().await;
        stopped.store(true, Ordering::Relaxed);
    };
    within(async { tokio::join!(futures_util::future::join_all(load), stop) }).await;
    assert!(asked.load(Ordering::Relaxed) >= 600);
}

#[tokio::test]
async fn what_cannot_be_found_does_not_start() {
    let half = ncr::system_in(|name| (name == "HOST").then(|| "no such host".to_owned()));
    let config = ephemeral(&half);
    assert!(half.launch(config, Environment::default()).await.is_ok(), "half of it is nothing");
    let both = |name: &str| Some(if name == "HOST" { "no such host" } else { "1" }.to_owned());
    let system = ncr::system_in(both);
    let config = ephemeral(&system);
    let error = system.launch(config, Environment::default()).await.unwrap_err();
    assert!(error.to_string().contains("no address of the factorials at no such host:1"), "{error}");
}

fn ephemeral(system: &System) -> Config {
    let mut config = system.defaults().clone();
    config.ephemeral = true;
    config.gateway.listen = SocketAddr::from(([127, 0, 0, 1], 0));
    config
}
