//! Programs that know only Consul register with the embedded registry, and find what is there.

mod refused;

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method, StatusCode};
use partie_contract::{Body, Request};
use partie_mesh::discovery::{
    ConsulApi, ConsulApiConfig, EmbeddedRegistry, EmbeddedRegistryConfig, Instance, Reserved,
};
use partie_mesh::{Peer, Serve};
use partie_runtime::{Ids, Stop, monotonic};
use serde_json::{Value, json};

use crate::support::{Server, fake, text, within};

struct Api {
    registry: EmbeddedRegistry,
    api: Arc<ConsulApi>,
    stop: Stop,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Api {
    fn start() -> Self {
        Self::with(EmbeddedRegistryConfig { settling: Duration::ZERO, ..EmbeddedRegistryConfig::default() })
    }

    fn with(bounds: EmbeddedRegistryConfig) -> Self {
        let (registry, stop) = (EmbeddedRegistry::start(bounds), Stop::default());
        let reserved = Reserved::new(["orders"], |name, token| (name, token) == ("orders", "join"));
        let config =
            ConsulApiConfig { least_interval: Duration::from_millis(50), ..ConsulApiConfig::default() };
        let api = ConsulApi::start(registry.clone(), reserved, config, Ids::seeded(1), stop.clone());
        Self { registry, api: Arc::new(api), stop }
    }

    async fn send(&self, request: http::request::Builder, body: &Value) -> Answer {
        let body = if body.is_null() { Body::empty() } else { body.to_string().into_bytes().into() };
        self.serve(SocketAddr::from(([127, 0, 0, 1], 50_000)), request.body(body).unwrap()).await
    }

    async fn serve(&self, peer: SocketAddr, request: Request) -> Answer {
        let answer = Arc::clone(&self.api).serve(Peer::Network(peer), request).await;
        let (head, body) = answer.into_parts();
        let body = body.collect(1 << 24).await.unwrap();
        Answer { status: head.status, headers: head.headers, text: String::from_utf8(body.to_vec()).unwrap() }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(request(Method::GET, path), &Value::Null).await
    }

    async fn put(&self, path: &str, body: Value) -> Answer {
        self.send(request(Method::PUT, path), &body).await
    }

    /// Registers and expects that to be accepted.
    async fn register(&self, body: Value) {
        let answer = self.put("/v1/agent/service/register", body).await;
        assert_eq!((answer.status, &*answer.text), (StatusCode::OK, ""));
    }

    /// The ids of a service's instances.
    async fn ids(&self, query: &str) -> Vec<String> {
        self.get(&format!("/v1/health/service/{query}")).await.ids()
    }

    fn healthy(&self, service: &str) -> Vec<(String, u32)> {
        let listed = self.registry.list(service).instances;
        listed.iter().map(|found| (found.id.to_string(), found.weight)).collect()
    }
}

impl Answer {
    fn json(&self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text);
        serde_json::from_str(&self.text).unwrap()
    }

    fn ids(&self) -> Vec<String> {
        let json = self.json();
        json.as_array().unwrap().iter().map(|entry| entry["Service"]["ID"].as_str().unwrap().into()).collect()
    }

    fn index(&self) -> u64 {
        self.headers["x-consul-index"].to_str().unwrap().parse().unwrap()
    }
}

fn request(method: Method, path: &str) -> http::request::Builder {
    http::Request::builder().method(method).uri(path).header("host", "localhost:8500")
}

#[tokio::test]
async fn the_tutorials_python_consul_works_unchanged() {
    let api = Api::start();
    api.registry.put("orders", &Instance::new("orders-1", "127.0.0.1:7001".parse().unwrap()), None).unwrap();
    let server = Server::start(ConsulApi::limits(), api.api.clone());
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let python = target.join("xtask/python-consul/bin/python");
    assert!(python.exists(), "python-consul is missing: cargo xtask test --only setup installs it");
    let mut script = tokio::process::Command::new(python);
    script.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/consul_api/tutorial.py"));
    script.env("CONSUL_HTTP_ADDR", server.address.to_string()).kill_on_drop(true);
    script.stdin(Stdio::null()).stderr(Stdio::piped()).stdout(Stdio::piped());
    let output = within(script.output()).await.unwrap();
    let (said, complained) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.ends_with("all is well\n"), "{said}\n{complained}");
    // It wrote into the same lists that services of this system are called by.
    let [(id, 100)] = &api.healthy("product-service")[..] else { panic!("{:?}", api.registry) };
    assert!(id.starts_with("product-service-"), "{id}");
    assert_eq!(api.healthy("orders"), [("orders-1".into(), 100), ("orders-2".into(), 100)]);
}

#[tokio::test(start_paused = true)]
async fn a_ttl_check_expires_to_critical_and_its_service_is_forgotten_in_the_end() {
    let api = Api::start();
    let check = json!({ "TTL": "10s", "DeregisterCriticalServiceAfter": "2m", "Status": "passing" });
    api.register(json!({ "ID": "a", "Name": "menu", "Port": 1, "Check": check })).await;
    assert_eq!(api.ids("menu?passing").await, ["a"]);
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_secs(9)).await;
        assert_eq!(api.put("/v1/agent/check/pass/service:a", Value::Null).await.status, StatusCode::OK);
    }
    assert_eq!(api.healthy("menu"), [("a".into(), 100)]);
    let index = api.get("/v1/health/service/menu?passing").await.index();
    let gone = api.get(&format!("/v1/health/service/menu?passing&index={index}&wait=1m")).await;
    assert!(gone.ids().is_empty() && gone.index() > index);
    assert!(api.healthy("menu").is_empty());
    let all = api.get("/v1/health/service/menu").await.json();
    assert_eq!(all[0]["Checks"][0]["Status"], "critical");
    assert!(all[0]["Checks"][0]["Output"].as_str().unwrap().starts_with("TTL expired"), "{all}");
    // It recovers in time once, and then it does not.
    tokio::time::sleep(Duration::from_secs(100)).await;
    let update = json!({ "Status": "warning", "Output": "slow" });
    assert_eq!(api.put("/v1/agent/check/update/service%3Aa", update).await.status, StatusCode::OK);
    tokio::time::sleep(Duration::from_secs(9)).await;
    assert_eq!((api.ids("menu").await.len(), api.ids("menu?passing").await.len()), (1, 0));
    tokio::time::sleep(Duration::from_secs(122)).await;
    assert!(api.ids("menu").await.is_empty());
    assert_eq!(api.get("/v1/agent/checks").await.json(), json!({}));
}

#[tokio::test(start_paused = true)]
async fn blocking_queries_wait_for_news_and_not_for_ever() {
    let api = Api::start();
    let empty = api.get("/v1/health/service/menu?passing").await;
    assert!(empty.ids().is_empty() && empty.index() > 0);
    let ask = |index: u64, wait: &str| format!("/v1/health/service/menu?passing=1&index={index}{wait}");
    for (wait, least) in [("", 300), ("&wait=10s", 10), ("&wait=1h", 600)] {
        let (began, least) = (monotonic(), Duration::from_secs(least));
        assert_eq!(api.get(&ask(empty.index(), wait)).await.index(), empty.index());
        assert!(began.elapsed_between(least, least + least / 8), "{wait}: {:?}", monotonic() - began);
    }
    // What a client cannot know from this process is answered at once: the index went backwards.
    for index in [1, empty.index() - 1, empty.index() + 1, u64::MAX] {
        let began = monotonic();
        assert!(api.get(&ask(index, "")).await.ids().is_empty());
        assert!(began.elapsed_between(Duration::ZERO, Duration::from_secs(1)));
    }
    // Others' news are none. Those of a crowd are told together.
    let path = ask(empty.index(), "");
    let waiting = api.get(&path);
    let news = async {
        api.register(json!({ "Name": "other", "Port": 1 })).await;
        tokio::time::sleep(Duration::from_secs(30)).await;
        for id in ["c", "a", "b"] {
            api.register(json!({ "ID": id, "Name": "menu", "Port": 1 })).await;
        }
    };
    let began = monotonic();
    let (answer, ()) = tokio::join!(waiting, news);
    assert_eq!(answer.ids(), ["a", "b", "c"]);
    assert!(began.elapsed_between(Duration::from_secs(30), Duration::from_secs(31)));
    // A drain does not wait for those who wait.
    let path = ask(answer.index(), "");
    let stop = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        api.stop.stop();
    };
    let (drained, ()) = tokio::join!(api.get(&path), stop);
    assert_eq!(drained.index(), answer.index());
    assert!(began.elapsed_between(Duration::from_secs(30), Duration::from_secs(35)));
}

trait Elapsed {
    fn elapsed_between(&self, least: Duration, most: Duration) -> bool;
}

impl Elapsed for std::time::Instant {
    fn elapsed_between(&self, least: Duration, most: Duration) -> bool {
        let elapsed = monotonic() - *self;
        elapsed >= least && elapsed <= most
    }
}

#[tokio::test]
async fn an_http_check_decides_by_status_alone() {
    let api = Api::start();
    let status = Arc::new(std::sync::atomic::AtomicU16::new(200));
    let app = {
        let status = Arc::clone(&status);
        Server::start(
            partie_mesh::Limits::default(),
            fake(move |_, request| {
                let status = status.load(std::sync::atomic::Ordering::SeqCst);
                async move {
                    assert_eq!(request.headers()["x-probe"], "1");
                    let mut answer = text("secret");
                    *answer.status_mut() = StatusCode::from_u16(status).unwrap();
                    answer.headers_mut().insert("location", "http://192.0.2.1/".parse().unwrap());
                    answer
                }
            }),
        )
    };
    let url = format!("http://{}/health?deep", app.address);
    let checks = json!([
        { "HTTP": url, "Interval": "1ms", "Header": { "x-probe": ["1"] } },
        { "TTL": "1h", "Status": "passing" },
    ]);
    let weights = json!({ "Passing": 3, "Warning": 0 });
    let body = json!({ "ID": "a", "name": "menu", "port": app.address.port(), "checks": checks, "weights": weights });
    api.register(body.clone()).await;
    let mut index = 0;
    for (code, wanted, healthy) in [
        (200, "passing", Some(300)),
        (429, "warning", Some(0)),
        (302, "critical", None),
        (204, "passing", Some(300)),
    ] {
        status.store(code, std::sync::atomic::Ordering::SeqCst);
        let answer = loop {
            let answer = within(api.get(&format!("/v1/health/service/menu?index={index}"))).await;
            index = answer.index();
            if answer.json()[0]["Checks"][0]["Status"] == wanted {
                break answer;
            }
        };
        let check = &answer.json()[0]["Checks"][0];
        assert_eq!(check["CheckID"], "service:a:1");
        assert!(
            check["Output"].as_str().unwrap().contains(&code.to_string()) && !answer.text.contains("secret")
        );
        let healthy: Vec<_> = healthy.map(|weight| ("a".to_owned(), weight)).into_iter().collect();
        assert_eq!(api.healthy("menu"), healthy);
        // Registering again what is registered changes nothing.
        api.register(body.clone()).await;
        assert_eq!(api.get("/v1/health/service/menu").await.index(), index);
    }
    // Nobody listens any more.
    app.stopped().await;
    within(async {
        while api.get(&format!("/v1/health/service/menu?index={index}")).await.json()[0]["Checks"][0]["Status"]
            != "critical"
        {}
    })
    .await;
    assert_eq!(api.put("/v1/agent/service/deregister/a", Value::Null).await.status, StatusCode::OK);
    assert!(api.ids("menu").await.is_empty());
}

#[tokio::test]
async fn whoever_moves_is_checked_at_the_new_address_only() {
    let api = Api::start();
    let check = json!({ "CheckID": "old", "HTTP": "http://127.0.0.2:1/", "Interval": "1h" });
    api.register(json!({ "ID": "a", "Name": "menu", "Port": 1, "Address": "127.0.0.2", "Check": check }))
        .await;
    let ttl = json!({ "Name": "own", "ServiceID": "a", "TTL": "1h", "Status": "passing" });
    assert_eq!(api.put("/v1/agent/check/register", ttl).await.status, StatusCode::OK);
    // The same place: what it does not mention stays.
    let plain = |address: &str| json!({ "ID": "a", "Name": "menu", "Port": 2, "Address": address });
    api.register(plain("127.0.0.2")).await;
    let checks = |answer: Answer| answer.json().as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(checks(api.get("/v1/agent/checks").await), ["old", "own"]);
    api.register(plain("127.0.0.3")).await;
    assert!(checks(api.get("/v1/agent/checks").await).is_empty());
    assert_eq!(api.registry.list("menu").instances[0].address, "127.0.0.3:2".parse().unwrap());
}

#[tokio::test]
async fn whoever_hangs_up_leaves_nothing_behind() {
    let api = Api::start();
    let server = Server::start(ConsulApi::limits(), api.api.clone());
    let mut clients = Vec::new();
    for n in 0..3 {
        let mut client = server.connect().await;
        let path =
            format!("/v1/health/service/none-{n}?index={}", api.get("/v1/catalog/services").await.index());
        client.send(format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n")).await;
        clients.push(client);
    }
    within(async {
        while server.handles.activity.is_quiet() {
            tokio::task::yield_now().await;
        }
        drop(clients);
        while !server.handles.activity.is_quiet() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let raw = server
        .exchange("GET /v1/status/leader HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
        .await;
    assert!(raw.starts_with("HTTP/1.1 403 "), "{raw}");
    server.stopped().await;
}
