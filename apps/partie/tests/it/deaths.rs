//! Everything may start in any order, and everything may be killed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::support::{App, Beside, eventually, free, get, listed, registry, registry_at, send, status, text};

fn hello(at: SocketAddr) -> App {
    App::start_at(at, |_| async { text("hello") })
}

async fn sidecar(service: &str, app: SocketAddr, registry: SocketAddr) -> Beside {
    Beside::start(service, app, &format!("http://{registry}"), &[]).await
}

#[tokio::test]
async fn everything_may_start_in_any_order() {
    for order in [
        "registry sidecars apps",
        "apps sidecars registry",
        "sidecars registry apps",
        "sidecars apps registry",
    ] {
        let (registry, app, caller) = (free(), free(), free());
        let (mut registries, mut sidecars, mut apps) = (Vec::new(), Vec::new(), Vec::new());
        for part in order.split(' ') {
            match part {
                "registry" => registries.push(registry_at(&registry.to_string()).await),
                "apps" => apps.extend([hello(app), hello(caller)]),
                _ => {
                    sidecars.push(sidecar("caller", caller, registry).await);
                    sidecars.push(sidecar("product", app, registry).await);
                }
            }
        }
        sidecars[0].reaches("product").await;
        sidecars[1].reaches("caller").await;
    }
}

#[tokio::test]
async fn a_program_is_announced_only_while_it_is_well() {
    let (_registry, registry) = registry().await;
    let (ill, at) = (Arc::new(AtomicBool::new(false)), free());
    let start = || {
        let ill = Arc::clone(&ill);
        let listener = move |request: partie_contract::Request| {
            let good = !ill.load(Ordering::SeqCst) || request.uri().path() != "/up";
            async move { status(if good { 200 } else { 503 }) }
        };
        App::start_at(at, listener)
    };
    let app = start();
    let registry_url = format!("http://{registry}");
    let beside = Beside::start("product", at, &registry_url, &["--health", "/up"]).await;
    let announced = |wanted: usize| async move {
        eventually("the list follows", || async { listed(registry, "product").await == wanted }).await;
    };
    announced(1).await;
    ill.store(true, Ordering::SeqCst);
    announced(0).await;
    let health = beside.health().await;
    assert_eq!(health["app"], serde_json::json!({ "healthy": false, "announced": false }));
    ill.store(false, Ordering::SeqCst);
    announced(1).await;
    // The same for one that is gone altogether, and comes back.
    app.kill().await;
    announced(0).await;
    let answer = get(beside.inbound, "/").await;
    assert_eq!((answer.status, &*answer.code()), (503, "upstream-unavailable"));
    let _again = start();
    announced(1).await;
    assert_eq!(get(beside.inbound, "/").await.status, 200);
}

#[tokio::test]
async fn no_read_fails_when_a_sidecar_or_a_program_is_killed() {
    let (_registry, registry) = registry().await;
    let (first, second) = (free(), free());
    let (_app, caller) = (hello(free()), free());
    let caller_app = hello(caller);
    let caller = sidecar("caller", caller_app.address, registry).await;
    let apps = [hello(first), hello(second)];
    let [killed, left] =
        [sidecar("product", first, registry).await, sidecar("product", second, registry).await];
    eventually("both are there", || async { listed(registry, "product").await == 2 }).await;
    caller.reaches("product").await;
    let (asking, done) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
    let load = tokio::spawn({
        let (asking, done, at) = (Arc::clone(&asking), Arc::clone(&done), caller.outgoing);
        async move {
            while asking.load(Ordering::SeqCst) {
                let answer = get(at, "/product/").await;
                assert_eq!(answer.status, 200, "{answer:?}");
                done.fetch_add(1, Ordering::SeqCst);
            }
        }
    });
    let more = |done: Arc<AtomicUsize>, load: bool| async move {
        let goal = done.load(Ordering::SeqCst) + 200;
        assert!(load);
        eventually("calls go on", || async { done.load(Ordering::SeqCst) > goal }).await;
    };
    more(Arc::clone(&done), !load.is_finished()).await;
    killed.program.kill().await;
    more(Arc::clone(&done), !load.is_finished()).await;
    // The other one comes back, and then the program behind the survivor is killed.
    let _back = sidecar("product", first, registry).await;
    eventually("it is back", || async {
        get(left.outgoing, "/health").await.status == 200 && listed(registry, "product").await >= 2
    })
    .await;
    let [_kept, gone] = apps;
    gone.kill().await;
    more(Arc::clone(&done), !load.is_finished()).await;
    asking.store(false, Ordering::SeqCst);
    load.await.unwrap();
}

#[tokio::test]
async fn calls_go_on_without_a_registry_and_a_new_one_learns_everything_again() {
    let (first, registry) = registry().await;
    let (product, app) = (hello(free()), hello(free()));
    let _beside = sidecar("product", product.address, registry).await;
    let caller = sidecar("caller", app.address, registry).await;
    caller.reaches("product").await;
    first.kill().await;
    for _ in 0..50 {
        assert_eq!(get(caller.outgoing, "/product/").await.status, 200);
    }
    let answer = get(caller.outgoing, "/nobody/").await;
    assert_eq!(
        (answer.status, &*answer.code()),
        (503, "upstream-unavailable"),
        "nobody knows that it is not there"
    );
    let (_second, _) = registry_at(&registry.to_string()).await;
    eventually("it is announced again", || async { listed(registry, "product").await == 1 }).await;
    assert_eq!(get(caller.outgoing, "/product/").await.status, 200);
    eventually("the new one says so", || async { get(caller.outgoing, "/nobody/").await.status == 404 })
        .await;
}

#[tokio::test]
async fn a_call_that_waits_for_its_service_is_answered_when_it_comes() {
    let (_registry, registry) = registry().await;
    let app = hello(free());
    let at = free();
    let beside = sidecar("product", at, registry).await;
    let caller = sidecar("caller", app.address, registry).await;
    eventually("the caller is there", || caller.is_announced()).await;
    let outgoing = caller.outgoing;
    let call = tokio::spawn(async move { send(outgoing, "POST", "/product/", "", "{}").await });
    let product = hello(at);
    let answer = call.await.unwrap();
    assert_eq!((answer.status, &*answer.body), (200, "hello"));
    drop((beside, product));
}
