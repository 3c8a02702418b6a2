//! The parts of the system find each other in an etcd, and the events go by the platform.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::exchange;
use crate::processes::company::until;
use crate::processes::words::refused;
use crate::program::{Food, Scratch, food};

/// A real etcd, started by the test and ended with it.
struct Etcd {
    child: Child,
    address: SocketAddr,
    /// Removed after it.
    _data: Scratch,
}

impl Etcd {
    fn start() -> Self {
        let data = Scratch::new("etcd");
        let (address, peers) = (free(), free());
        let (clients, peers) = (format!("http://{address}"), format!("http://{peers}"));
        let mut command = Command::new("etcd");
        command.arg("--data-dir").arg(data.path().join("etcd"));
        command.args(["--listen-client-urls", &clients, "--advertise-client-urls", &clients]);
        command.args(["--listen-peer-urls", &peers, "--initial-advertise-peer-urls", &peers]);
        command.args(["--initial-cluster", &format!("default={peers}")]);
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let child = spawned.unwrap_or_else(|error| {
            panic!("etcd is missing ({error}): cargo xtask test --only setup installs it")
        });
        Self { child, address, _data: data }
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// An address nobody listens on. The next moment somebody might, but a test that is unlucky says so.
fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn serve(part: &str, data: &Path, registry: Option<&str>, broker: Option<&str>) -> Food {
    let mut command = food();
    command.args(["serve", part, "--listen", "127.0.0.1:0", "--no-demo", "--data"]).arg(data);
    command.args(registry.iter().flat_map(|url| ["--registry", *url]));
    command.args(broker.iter().flat_map(|url| ["--broker", *url]));
    Food::launch(command.stderr(Stdio::null())).expect("it starts")
}

#[test]
fn parts_of_the_system_find_each_other_in_etcd() {
    let (etcd, data) = (Etcd::start(), Scratch::new("in-etcd"));
    let url = format!("etcd://{}", etcd.address);
    // etcd need not be there yet.
    let platform = serve("platform", data.path(), Some(&url), None);
    let broker = format!("http://{}", platform.address());
    let [restaurants, orders] =
        ["restaurants", "orders"].map(|part| serve(part, data.path(), Some(&url), Some(&broker)));
    let gateway = serve("gateway", data.path(), Some(&url), Some(&broker));
    let token = Food::token(data.path(), "ada", "customer");
    until("the restaurants", || gateway.get("/api/v1/restaurants", &token).status == 200);
    // An order needs the gateway to find the orders, and these the restaurants.
    let basket = gateway.basket();
    let mut placed = None;
    until("an order", || {
        let answer = gateway.post("/api/v1/orders", &token, "one", &basket);
        placed = (answer.status == 201).then(|| answer.json());
        placed.is_some()
    });
    // Its events go by the platform: the kitchen has its ticket.
    let owner = Food::token(data.path(), "demo-kitchen", "owner");
    until("the ticket", || {
        let tickets = gateway.get("/api/v1/tickets", &owner);
        tickets.status == 200 && !tickets.json()["data"].as_array().unwrap().is_empty()
    });
    // Nobody was announced at the platform itself.
    let here = exchange(platform.address(), "GET", "/v1/health/service/orders", "", "");
    assert!(here.ends_with("[]") || here.contains("\r\n\r\n[]"), "{here}");
    drop((orders, restaurants));
}

/// An instance is gone, and before the registry knows that another service has its port.
#[test]
fn who_listens_at_the_address_of_another_is_not_taken_for_it() {
    let data = Scratch::new("misdirected");
    let platform = serve("platform", data.path(), None, None);
    let broker = format!("http://{}", platform.address());
    let restaurants = serve("restaurants", data.path(), Some("static:orders=127.0.0.1:1"), Some(&broker));
    let known = format!("static:restaurants={}", restaurants.address());
    let orders = serve("orders", data.path(), Some(&known), Some(&broker));
    let known = format!("{known};orders={},{}", restaurants.address(), orders.address());
    let gateway = serve("gateway", data.path(), Some(&known), Some(&broker));
    let token = Food::token(data.path(), "ada", "customer");
    let basket = gateway.basket();
    for number in 0..20 {
        let placed = gateway.post("/api/v1/orders", &token, &format!("key-{number}"), &basket);
        assert_eq!(placed.status, 201, "{placed:?}");
        let listed = gateway.get("/api/v1/orders", &token);
        assert_eq!(listed.status, 200, "{listed:?}");
    }
    drop(orders);
}

#[test]
fn a_registry_that_cannot_be_is_refused_before_anything_starts() {
    let data: PathBuf = Scratch::new("registry-refused").path().join("data");
    for (arguments, needle) in [
        (&["serve", "orders", "--registry", "etcd://127.0.0.1:1"][..], "say --broker http://HOST:PORT"),
        (&["serve", "orders", "--registry", "etcd://nowhere"], "etcd://HOST:PORT"),
        (&["serve", "gateway", "--registry", "static:orders=here"], "`here` is no IP:PORT"),
        (&["serve", "gateway", "--registry", "zookeeper://a:1"], "names no registry"),
    ] {
        let (code, line) = refused(arguments, &data);
        assert_eq!(code, Some(2), "{arguments:?}: {line}");
        assert!(line.starts_with("error: ") && line.contains(needle), "{arguments:?}: {line}");
    }
    assert!(!data.exists(), "nothing was touched");
}
