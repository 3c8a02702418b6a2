//! Another configuration while requests are served.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use partie_gateway::{ConfigError, Gateway, RouteConfig, UpstreamConfig};
use partie_mesh::Handles;
use partie_runtime::Stop;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{edge_with, send};
use crate::upstream::{Program, at, edge_of, route, shop};

#[tokio::test]
async fn routes_and_upstreams_come_and_go() {
    let mut gateway = shop(vec![route("/", "shop")]);
    let edge = edge_of(&gateway);
    let program = async |uri: &str| {
        let answer = send(&edge, "GET", uri, &[]).await;
        answer.header("x-program").map_or_else(|| answer.status.to_string(), str::to_owned)
    };
    assert_eq!((edge.generation(), &*program("/new").await), (1, "shop"));
    gateway.upstreams.insert("new".into(), at(Program::start("new")));
    gateway.routes.push(route("/new", "new"));
    assert_eq!(edge.reload(&gateway).unwrap(), Vec::<&str>::new());
    assert_eq!((edge.generation(), &*program("/new").await, &*program("/").await), (2, "new", "shop"));
    // The same upstream elsewhere.
    gateway.upstreams.insert("new".into(), at(Program::start("newer")));
    edge.reload(&gateway).unwrap();
    assert_eq!(program("/new").await, "newer");
    gateway.routes.pop();
    gateway.upstreams.remove("new");
    edge.reload(&gateway).unwrap();
    assert_eq!(program("/new").await, "shop");
}

#[tokio::test]
async fn a_configuration_that_cannot_work_changes_nothing() {
    let mut gateway = shop(vec![route("/", "shop")]);
    let edge = edge_of(&gateway);
    let good = gateway.clone();
    gateway.upstreams.insert("shop".into(), at(Program::start("elsewhere")));
    gateway.routes.push(route("no-slash", "shop"));
    assert!(matches!(edge.reload(&gateway), Err(ConfigError::Prefix { .. })));
    assert_eq!(edge.generation(), 1);
    assert_eq!(send(&edge, "GET", "/", &[]).await.header("x-program"), Some("shop"), "not even the upstream");
    edge.reload(&good).unwrap();
}

#[tokio::test]
async fn what_belongs_to_the_socket_waits_for_a_restart() {
    let mut gateway = shop(vec![route("/", "shop")]);
    let edge = edge_of(&gateway);
    (gateway.workers, gateway.limits.uri) = (Some(7), 100);
    assert_eq!(edge.reload(&gateway).unwrap(), ["workers", "limits"]);
}

#[tokio::test]
async fn an_upstream_cannot_take_the_place_of_a_service() {
    let edge = edge_with(|_, _| {});
    let gateway = Gateway {
        upstreams: [("orders".to_owned(), at(Program::start("stolen")))].into(),
        ..Gateway::default()
    };
    let error = edge.reload(&gateway).unwrap_err();
    assert!(matches!(&error, ConfigError::Taken { upstream } if upstream == "orders"), "{error}");
    assert_eq!(send(&edge, "GET", "/api/v1/orders/7", &[]).await.header("x-program"), None);
    // By another name it may lead there.
    let alias = UpstreamConfig { service: Some("orders".into()), ..UpstreamConfig::default() };
    let gateway = Gateway {
        upstreams: [("backdoor".to_owned(), alias)].into(),
        routes: vec![RouteConfig { rewrite: Some("/".into()), ..route("/back", "backdoor") }],
        ..Gateway::default()
    };
    edge.reload(&gateway).unwrap();
    assert_eq!(send(&edge, "GET", "/back/x", &[]).await.body["uri"], "/x");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_no_request_fails_and_no_connection_closes() {
    const CLIENTS: u32 = 8;
    const SWAPS: u32 = 40;
    let mut gateway = shop(vec![route("/", "shop")]);
    gateway.listen.set_port(0);
    gateway.workers = Some(0);
    let edge = edge_of(&gateway);
    let listener = gateway.bind(Handles::default()).unwrap();
    let (address, stop) = (listener.local_addr(), Stop::default());
    tokio::spawn(listener.run(Arc::clone(&edge) as _, stop.clone()));
    let (done, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let client = |done: Arc<AtomicBool>, answered: Arc<AtomicU32>| async move {
        // One connection for all requests.
        let mut stream = TcpStream::connect(address).await.unwrap();
        let mut buffer = vec![0; 64 << 10];
        while !done.load(Ordering::Relaxed) {
            stream.write_all(b"GET /text/70 HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
            let mut length = 0;
            while !buffer[..length].ends_with(b"partie ") {
                let read = stream.read(&mut buffer[length..]).await.unwrap();
                length += read;
                let so_far = String::from_utf8_lossy(&buffer[..length]);
                assert!(read != 0 && so_far.starts_with("HTTP/1.1 200 "), "{read}: {so_far}");
            }
            answered.fetch_add(1, Ordering::Relaxed);
        }
    };
    let clients: Vec<_> =
        (0..CLIENTS).map(|_| tokio::spawn(client(Arc::clone(&done), Arc::clone(&answered)))).collect();
    let places = [at(Program::start("one")), at(Program::start("two"))];
    for swap in 0..SWAPS {
        gateway.upstreams.insert("shop".into(), places[swap as usize % 2].clone());
        gateway.routes[0].timeout = Some(Duration::from_secs(5 + u64::from(swap % 2)));
        let (edge, gateway) = (Arc::clone(&edge), gateway.clone());
        tokio::task::spawn_blocking(move || edge.reload(&gateway)).await.unwrap().unwrap();
        // Every client has seen this one before the next comes.
        let seen = answered.load(Ordering::Relaxed) + CLIENTS * 3;
        let enough = async {
            while answered.load(Ordering::Relaxed) < seen {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), enough).await.unwrap();
    }
    done.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    assert_eq!(edge.generation(), u64::from(SWAPS) + 1);
    stop.stop();
}
