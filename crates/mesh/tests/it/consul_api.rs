//! Programs that know only Consul register with the embedded registry, and find what is there.

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
        let reserved = Reserved::new(["orders"], |token| token == "join");
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
async fn only_programs_of_this_machine_are_answered() {
    let api = Api::start();
    let leader = || request(Method::GET, "/v1/status/leader");
    assert_eq!(api.send(leader(), &Value::Null).await.text, "\"127.0.0.1:8300\"");
    let page = api.send(leader().header("origin", "http://localhost:8500"), &Value::Null).await;
    assert_eq!((page.status, page.text.contains("Origin")), (StatusCode::FORBIDDEN, true));
    for host in ["evil.example", "evil.example:8500", "localhost.evil.example", "10.0.0.1:8500", ""] {
        let rebound = http::Request::builder().uri("/v1/status/leader").header("host", host);
        assert_eq!(api.send(rebound, &Value::Null).await.status, StatusCode::FORBIDDEN, "{host}");
    }
    for host in ["127.0.0.1", "LOCALHOST:1", "[::1]:8500", "127.8.9.1:8500"] {
        let local = http::Request::builder().uri("/v1/status/leader").header("host", host);
        assert_eq!(api.send(local, &Value::Null).await.status, StatusCode::OK, "{host}");
    }
    let request = leader().body(Body::empty()).unwrap();
    let elsewhere = api.serve("192.0.2.1:5000".parse().unwrap(), request).await;
    assert_eq!(elsewhere.status, StatusCode::FORBIDDEN);
    assert_eq!(elsewhere.headers["content-type"], "text/plain; charset=utf-8");
}

#[tokio::test]
async fn names_of_the_system_need_its_token_whatever_is_done_with_them() {
    let api = Api::start();
    let register = |token: &'static str, body: Value| {
        let request = request(Method::PUT, "/v1/agent/service/register").header("x-consul-token", token);
        let api = &api;
        async move { api.send(request, &body).await.status }
    };
    let orders =
        json!({ "ID": "o", "Name": "Orders", "Port": 1, "Check": { "TTL": "1h", "Status": "passing" } });
    assert_eq!(register("guess", orders.clone()).await, StatusCode::FORBIDDEN);
    assert_eq!(register("join", orders).await, StatusCode::OK);
    // Neither its id nor its checks are free.
    assert_eq!(register("", json!({ "ID": "o", "Name": "mine", "Port": 1 })).await, StatusCode::FORBIDDEN);
    for path in [
        "/v1/agent/check/fail/service:o",
        "/v1/agent/check/deregister/service:o",
        "/v1/agent/service/deregister/o",
    ] {
        assert_eq!(api.put(path, Value::Null).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    let fail = json!({ "Status": "critical" });
    assert_eq!(api.put("/v1/agent/check/update/service:o", fail).await.status, StatusCode::FORBIDDEN);
    let check = json!({ "Name": "c", "ServiceID": "o", "TTL": "1s" });
    assert_eq!(api.put("/v1/agent/check/register", check).await.status, StatusCode::FORBIDDEN);
    assert_eq!(api.ids("Orders?passing").await, ["o"]);
    assert_eq!(
        api.put("/v1/agent/service/deregister/o?token=join", Value::Null).await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn bad_registrations_are_refused_with_the_reason() {
    let api = Api::start();
    let check = |check: Value| json!({ "Name": "a", "Port": 1, "Address": "127.0.0.1", "Check": check });
    let http = |url: &str| check(json!({ "HTTP": url, "Interval": "1s" }));
    for (body, reason) in [
        (json!([]), "Request decode failed"),
        (json!({}), "Missing service name"),
        (json!({ "Name": 7 }), "Name"),
        (json!({ "Name": "a" }), "port"),
        (json!({ "Name": "a", "Port": 65_536 }), "port"),
        (json!({ "Name": "a", "Port": -1 }), "port"),
        (json!({ "Name": "a\n", "Port": 1 }), "Invalid service name"),
        (json!({ "Name": "a".repeat(300), "Port": 1 }), "256"),
        (json!({ "Name": "a", "Port": 1, "Tags": "x" }), "Tags"),
        (json!({ "Name": "a", "Port": 1, "Meta": { "x": 1 } }), "Meta"),
        (json!({ "Name": "a", "Port": 1, "Weights": { "Passing": 0 } }), "weights"),
        (json!({ "Name": "a", "Port": 1, "Kind": "connect-proxy" }), "Connect"),
        (json!({ "Name": "a", "Port": 1, "Address": "0.0.0.0" }), "Invalid service address"),
        (json!({ "Name": "a", "Port": 1, "Address": "no.such.host.invalid" }), "Invalid service address"),
        (json!({ "Name": "a", "Port": 1, "Checks": vec![json!({ "TTL": "1s" }); 17] }), "16"),
        (check(json!({ "Script": "reboot", "Interval": "1s" })), "script checks"),
        (check(json!({ "Args": ["reboot"], "Interval": "1s" })), "script checks"),
        (check(json!({ "DockerContainerID": "x", "Shell": "sh", "Interval": "1s" })), "script checks"),
        (check(json!({ "TCP": "127.0.0.1:1", "Interval": "1s" })), "HTTP and Interval"),
        (check(json!({ "TTL": "1s", "HTTP": "http://127.0.0.1", "Interval": "1s" })), "either"),
        (check(json!({ "TTL": "soon" })), "duration of TTL"),
        (check(json!({ "TTL": "1s", "Status": "fine" })), "status"),
        (check(json!({ "HTTP": "http://127.0.0.1" })), "Interval"),
        (http("https://127.0.0.1"), "only http"),
        (http("http://u:p@127.0.0.1"), "only http"),
        (http("/health"), "only http"),
        (http("http://169.254.169.254/latest"), "loopback"),
        (http("http://example.com/"), "loopback"),
        (http("http://localhost.example.com/"), "loopback"),
    ] {
        let answer = api.put("/v1/agent/service/register", body.clone()).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        assert!(answer.text.contains(reason), "{body}: {}", answer.text);
    }
    let raw = |body: &'static str| {
        let request = request(Method::PUT, "/v1/agent/service/register").body(Body::from(body)).unwrap();
        api.serve("127.0.0.1:1".parse().unwrap(), request)
    };
    let malformed = raw("{\"Name\": ").await;
    assert_eq!(malformed.status, StatusCode::BAD_REQUEST);
    assert!(malformed.text.contains("EOF while parsing"), "{}", malformed.text);
    let long = json!({ "Name": "a".repeat(20_000) });
    assert_eq!(api.put("/v1/agent/service/register", long).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(api.get("/v1/agent/services").await.json(), json!({}));
    assert!(api.registry.services().is_empty());

    for (method, path, status) in [
        (Method::GET, "/v1/agent/service/register", 405),
        (Method::POST, "/v1/health/service/a", 405),
        (Method::GET, "/v1/kv/a", 404),
        (Method::GET, "/", 404),
        (Method::GET, "/v1/health/service/%ff", 404),
        (Method::PUT, "/v1/agent/check/pass/nobody", 404),
        (Method::PUT, "/v1/agent/service/deregister/nobody", 404),
        (Method::GET, "/v1/health/service/a?index=x", 400),
        (Method::GET, "/v1/health/service/a?index=1&wait=x", 400),
        (Method::GET, "/v1/health/service/a?passing=maybe", 400),
        (Method::GET, "/v1/health/service/a?filter=Checks%20is%20empty", 400),
        (Method::GET, "/v1/health/service/a?dc=elsewhere", 400),
    ] {
        let answer = api.send(request(method.clone(), path), &Value::Null).await;
        assert_eq!(answer.status.as_u16(), status, "{method} {path}: {}", answer.text);
    }
}

#[tokio::test]
async fn what_is_registered_is_bounded_even_while_it_is_critical() {
    let bounds = EmbeddedRegistryConfig { services: 2, instances: 3, settling: Duration::ZERO };
    let api = Api::with(bounds);
    api.registry.put("known", &Instance::new("k", "127.0.0.1:1".parse().unwrap()), None).unwrap();
    let critical =
        |name: &str, id: &str| json!({ "ID": id, "Name": name, "Port": 1, "Check": { "TTL": "1h" } });
    api.register(critical("menu", "a")).await;
    let refused = api.put("/v1/agent/service/register", critical("more", "b")).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.text.contains("2 services and 3 instances"), "{}", refused.text);
    api.register(critical("known", "b")).await;
    api.register(critical("menu", "c")).await;
    assert_eq!(
        api.put("/v1/agent/service/register", critical("menu", "d")).await.status,
        StatusCode::SERVICE_UNAVAILABLE
    );
    // Who is there may register again, under another name as well.
    api.register(critical("known", "c")).await;
    assert_eq!(api.ids("known").await, ["b", "c", "k"]);
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
