//! Consul as the registry: against our own API of it, and against agents that misbehave.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use partie_contract::Response;
use partie_mesh::discovery::{
    Announcement, ConsulApi, ConsulApiConfig, ConsulConfig, ConsulRegistry, EmbeddedRegistry,
    EmbeddedRegistryConfig, Following, Instance, Registry, Reserved,
};
use partie_mesh::{Handles, Listener, Serve};
use partie_runtime::{Ids, Stop, monotonic};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::support::{Server, echo, fake, is, text, within};

/// An agent, which is our own API.
pub(crate) struct Agent {
    registry: EmbeddedRegistry,
    address: SocketAddr,
    stop: Stop,
    run: JoinHandle<()>,
}

impl Agent {
    pub(crate) fn start(address: SocketAddr, settling: Duration) -> Self {
        let registry =
            EmbeddedRegistry::start(EmbeddedRegistryConfig { settling, ..EmbeddedRegistryConfig::default() });
        let (stop, config) = (
            Stop::default(),
            ConsulApiConfig { least_interval: Duration::from_millis(50), ..ConsulApiConfig::default() },
        );
        let reserved = Reserved::new(["orders"], |name, token| (name, token) == ("orders", "join"));
        let api = ConsulApi::start(registry.clone(), reserved, config, Ids::seeded(1), stop.clone());
        let listener = Listener::bind(address, ConsulApi::limits(), 0, Handles::default()).unwrap();
        let address = listener.local_addr();
        let running = listener.run(Arc::new(api), stop.clone());
        let run = tokio::spawn(async move { running.await.unwrap() });
        Self { registry, address, stop, run }
    }

    pub(crate) fn client(&self) -> Arc<dyn Registry> {
        client(self.address, |_| ())
    }

    pub(crate) async fn ended(self) {
        self.stop.stop();
        within(self.run).await.unwrap();
    }
}

fn client(address: SocketAddr, set: impl Fn(&mut ConsulConfig)) -> Arc<dyn Registry> {
    let mut config = ConsulConfig {
        url: format!("http://{address}"),
        token: Some("join".into()),
        ttl: Duration::from_secs(2),
        ..ConsulConfig::default()
    };
    set(&mut config);
    Arc::new(ConsulRegistry::new(config).unwrap())
}

pub(crate) fn any_port() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

fn instance(port: u16) -> Instance {
    Instance { weight: 40, ..Instance::new(format!("o {port}"), SocketAddr::from(([127, 0, 0, 1], port))) }
}

fn announce(registry: &Arc<dyn Registry>, instance: Instance) -> Announcement {
    Announcement::make(Arc::clone(registry), "orders", instance, Ids::seeded(2))
}

fn follow(registry: &Arc<dyn Registry>) -> Following {
    Following::begin(Arc::clone(registry), "orders", Ids::seeded(1))
}

#[tokio::test]
async fn instances_are_announced_found_and_withdrawn() {
    let agent = Agent::start(any_port(), Duration::ZERO);
    let registry = agent.client();
    let following = follow(&registry);
    let (first, second) = (announce(&registry, instance(1)), announce(&registry, instance(2)));
    within(first.stands()).await;
    within(second.stands()).await;
    // Ids and weights are as they were announced, although an agent has other ideas of both.
    is(&following, &[instance(1), instance(2)]).await;
    assert_eq!(agent.registry.list("orders").instances.len(), 2);
    second.withdraw().await.unwrap();
    is(&following, &[instance(1)]).await;
    // Announced in another way they are found as well.
    agent.registry.put("orders", &instance(3), None).unwrap();
    is(&following, &[instance(1), instance(3)]).await;
    // One that ends without a word is critical when its time is over.
    drop(first);
    is(&following, &[instance(3)]).await;
    agent.ended().await;
}

#[tokio::test]
async fn an_agent_that_lost_its_memory_is_told_again_and_nobody_goes_meanwhile() {
    let agent = Agent::start(any_port(), Duration::ZERO);
    let (registry, address) = (agent.client(), agent.address);
    let following = follow(&registry);
    let first = announce(&registry, instance(1));
    let second = announce(&registry, instance(2));
    is(&following, &[instance(1), instance(2)]).await;
    agent.ended().await;
    // Nothing listens there; the list stays, also while there is an agent that knows nobody.
    let silent = {
        let stop = Stop::default();
        let listener = Listener::bind(address, ConsulApi::limits(), 0, Handles::default()).unwrap();
        let asked = Arc::new(tokio::sync::Notify::new());
        let told = Arc::clone(&asked);
        let run = tokio::spawn(listener.run(
            fake(move |_, request| {
                let told = Arc::clone(&told);
                async move {
                    if request.uri().path().starts_with("/v1/health") {
                        told.notify_one();
                    }
                    let mut answer = text("no leader");
                    *answer.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
                    answer
                }
            }),
            stop.clone(),
        ));
        within(asked.notified()).await;
        stop.stop();
        run
    };
    within(silent).await.unwrap().unwrap();
    assert_eq!(*following.instances(), [instance(1), instance(2)]);
    let mut changes = following.watch();
    changes.mark_unchanged();

    let agent = Agent::start(address, Duration::from_secs(60));
    within(first.stands()).await;
    within(second.stands()).await;
    let _third = announce(&registry, instance(3));
    is(&following, &[instance(1), instance(2), instance(3)]).await;
    assert!(changes.has_changed().unwrap());
    agent.ended().await;
}

#[tokio::test]
async fn the_agent_may_ask_the_instance_instead() {
    let agent = Agent::start(any_port(), Duration::ZERO);
    let app = Server::start(partie_mesh::Limits::default(), echo());
    let registry = client(agent.address, |config| {
        config.check_path = Some("/health".into());
        config.interval = Duration::from_millis(100);
    });
    let following = follow(&registry);
    let other = announce(&agent.client(), instance(1));
    let asked = announce(&registry, instance(app.address.port()));
    is(&following, &[instance(1), instance(app.address.port())]).await;
    app.stopped().await;
    is(&following, &[instance(1)]).await;
    other.withdraw().await.unwrap();
    asked.withdraw().await.unwrap();
    assert!(agent.registry.services().is_empty());
    agent.ended().await;
}

#[tokio::test]
async fn an_agent_that_refuses_says_why() {
    let agent = Agent::start(any_port(), Duration::ZERO);
    let stranger = client(agent.address, |config| config.token = None);
    let error = stranger.withdraw("orders", "nobody").await;
    assert!(error.is_ok(), "who is not there need not go: {error:?}");
    let _theirs = announce(&agent.client(), instance(1));
    is(&follow(&agent.client()), &[instance(1)]).await;
    let error = stranger.withdraw("orders", "o 1").await.unwrap_err();
    let address = agent.address;
    assert!(
        error.to_string().starts_with(&format!("the registry consul at http://{address}: 403")),
        "{error}"
    );
    assert!(error.to_string().contains("reserved"), "{error}");
    agent.ended().await;
    let error = stranger.withdraw("orders", "o 1").await.unwrap_err();
    assert!(error.to_string().contains("cannot connect"), "{error}");
}

/// Says one thing after the other, and the last thing again and again. Notes what it was asked.
struct Script {
    asked: Mutex<Vec<String>>,
    says: Mutex<VecDeque<(&'static str, String)>>,
}

fn script(says: &[(&'static str, Value)]) -> (Arc<Script>, Arc<dyn Serve>) {
    let says = says
        .iter()
        .map(|(index, body)| (*index, body.as_str().map_or_else(|| body.to_string(), str::to_owned)));
    let script = Arc::new(Script { asked: Mutex::default(), says: Mutex::new(says.collect()) });
    let serve = {
        let script = Arc::clone(&script);
        fake(move |_, request| {
            script.asked.lock().unwrap().push(request.uri().query().unwrap().to_owned());
            let mut says = script.says.lock().unwrap();
            let (index, body) = if says.len() > 1 { says.pop_front().unwrap() } else { says[0].clone() };
            let mut answer: Response = text(body);
            answer.headers_mut().insert("x-consul-index", index.parse().unwrap());
            async move { answer }
        })
    };
    (script, serve)
}

fn entry(id: &str, service: &Value) -> Value {
    let mut entry =
        json!({ "Node": { "Address": "127.0.0.2" }, "Service": { "ID": id, "Address": "", "Port": 1 } });
    entry["Service"].as_object_mut().unwrap().extend(service.as_object().unwrap().clone());
    entry
}

#[tokio::test]
async fn indices_are_handled_by_consuls_rules_and_nothing_spins() {
    let one = json!([entry("a", &json!({}))]);
    let (script, serve) = script(&[
        ("7", one.clone()),
        ("9", one.clone()),
        ("3", one.clone()),
        ("3", one.clone()),
        ("0", one.clone()),
        ("0", json!([entry("b", &json!({}))])),
    ]);
    let server = Server::start(partie_mesh::Limits::default(), serve);
    let began = monotonic();
    let following = follow(&client(server.address, |config| config.wait = Duration::from_secs(30)));
    let at = "127.0.0.2:1".parse().unwrap();
    is(&following, &[Instance::new("b", at)]).await;
    drop(following);
    let asked = script.asked.lock().unwrap();
    let indices: Vec<&str> = asked.iter().map(|query| query.split('&').nth(1).unwrap()).collect();
    assert_eq!(indices[..6], ["index=0", "index=7", "index=9", "index=0", "index=3", "index=0"]);
    assert_eq!(asked[0], "passing=1&index=0&wait=30000ms");
    assert!(monotonic() - began >= Duration::from_millis(5 * 50), "it came back at once");
}

#[tokio::test]
async fn what_makes_no_sense_is_passed_over_and_the_rest_is_used() {
    let list = json!([
        entry("orders:z", &json!({ "Address": "127.0.0.1", "Weights": { "Passing": 3, "Warning": 1 } })),
        entry("a", &json!({ "Port": 0 })),
        entry("b", &json!({ "Address": "no.such.host.invalid" })),
        entry("c", &json!({ "Address": "localhost", "Meta": { "partie-weight": "7" }, "Weights": null })),
        entry("d", &json!({ "Meta": null })),
    ]);
    // An answer that is none of Consul's is a loss of the registry, after which it is asked again.
    let (_, serve) = script(&[("1", json!("<html>")), ("1", json!([{ "Node": {} }])), ("1", list)]);
    let server = Server::start(partie_mesh::Limits::default(), serve);
    let following = follow(&client(server.address, |_| ()));
    let at = |text: &str| text.parse().unwrap();
    let wanted = [
        Instance { weight: 7, ..Instance::new("c", at("127.0.0.1:1")) },
        Instance::new("d", at("127.0.0.2:1")),
        Instance { weight: 300, ..Instance::new("z", at("127.0.0.1:1")) },
    ];
    is(&following, &wanted).await;
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let wrong = |set: fn(&mut ConsulConfig)| {
        let mut config = ConsulConfig::default();
        set(&mut config);
        ConsulRegistry::new(config).unwrap_err().to_string()
    };
    assert!(wrong(|config| config.url = "https://consul:8501".into()).contains("`url`"));
    assert!(wrong(|config| config.token = Some("a\nb".into())).contains("`token`"));
    assert!(wrong(|config| config.ttl = Duration::ZERO).contains("`ttl`"));
    assert!(wrong(|config| config.check_path = Some("health".into())).contains("`check-path`"));
    let secret = ConsulConfig { token: Some("hush".into()), ..ConsulConfig::default() };
    assert!(!format!("{secret:?}").contains("hush"));
}
