//! A process that has joined by a token alone: what it can do without the system's key, and what it cannot.

use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::company::until;
use super::words::refused;
use crate::program::{Food, Scratch, food};

/// PKCS#8 of an Ed25519 key (RFC 8410), up to its seed.
const PKCS8: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

/// The machines of a system, each a directory.
struct Machines {
    scratch: Scratch,
    key: PathBuf,
    /// An address of this machine that is not loopback: there processes speak TLS.
    address: String,
}

// === impl Machines ===

impl Machines {
    fn new() -> Self {
        let scratch = Scratch::new("keyless");
        let key = key(scratch.path(), "food.key", 7);
        // Nothing is sent: it only says where from something would be.
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        socket.connect("198.51.100.1:9").expect("the machine has a network");
        let address = format!("{}:0", socket.local_addr().unwrap().ip());
        Self { scratch, key, address }
    }

    fn data(&self, machine: &str) -> PathBuf {
        self.scratch.path().join(machine)
    }

    fn serve(&self, part: &str, listen: &str, registry: Option<&str>) -> Command {
        let mut command = food();
        command.args(["serve", part, "--listen", listen, "--data"]).arg(self.data(part));
        command.args(registry.map(|registry| format!("--registry={registry}")));
        command.env("PARTIE__DEMO", "false").stderr(Stdio::null());
        command
    }

    /// Starts a process that has the key.
    fn start(&self, part: &str, listen: &str, registry: Option<&str>) -> Food {
        Food::launch(self.serve(part, listen, registry).arg("--key").arg(&self.key)).expect("it starts")
    }

    /// A token signed with that key.
    fn token(key: &Path, arguments: &[&str]) -> String {
        let output = food().arg("token").args(arguments).arg("--key").arg(key).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// What the process was given that has joined.
    fn papers(&self) -> (PathBuf, Value) {
        let path = self.data("orders").join("joined-orders.json");
        let papers = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        (path, papers)
    }
}

fn key(directory: &Path, name: &str, seed: u8) -> PathBuf {
    let path = directory.join(name);
    std::fs::write(&path, [&PKCS8[..], &[seed; 32]].concat()).unwrap();
    path
}

/// What is answered to somebody who does not speak TLS.
fn in_the_clear(address: &str, path: &str) -> String {
    let mut socket = TcpStream::connect(address).unwrap();
    write!(socket, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    // Whoever is sent away may find the line cut.
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).ok();
    String::from_utf8(answer).unwrap()
}

#[test]
fn a_process_joins_by_token_alone_and_is_that_service_and_nothing_else() {
    let machines = Machines::new();
    let platform = machines.start("platform", &machines.address, None);
    let registry = format!("http://{}", platform.address());
    let restaurants = machines.start("restaurants", &machines.address, Some(&registry));
    let gateway = machines.start("gateway", "127.0.0.1:0", Some(&registry));
    let join = Machines::token(&machines.key, &["--join", "orders"]);
    let elsewhere = key(machines.scratch.path(), "elsewhere.key", 8);

    // Who does not know the platform by its token shows it to nobody.
    let refuse = |part: &str, token: &str| {
        let arguments =
            ["serve", part, "--listen", &machines.address, "--registry", &registry, "--join", token];
        refused(&arguments, &machines.data("nobody"))
    };
    for (part, token, needle) in [
        (
            "orders",
            Machines::token(&elsewhere, &["--join", "orders"]),
            "is not the platform that the join token names",
        ),
        ("delivery", join.clone(), "the join token is for orders, not for delivery"),
        ("platform", Machines::token(&machines.key, &["--join", "platform"]), "it takes the system's key"),
    ] {
        let (code, line) = refuse(part, &token);
        assert_eq!(code, Some(2), "{line}");
        assert!(line.starts_with("error: ") && line.contains(needle), "{needle}: {line}");
    }

    // It joins, and an order goes all the way through it.
    let mut command = machines.serve("orders", &machines.address, Some(&registry));
    let orders = Food::launch(command.env("PARTIE_JOIN", &join)).expect("it is let in");
    let ada = Machines::token(&machines.key, &["--sub", "ada", "--role", "customer"]);
    let basket = gateway.basket();
    let placed = gateway.post("/api/v1/orders", &ada, "first", &basket);
    assert_eq!(placed.status, 201, "{placed:?}");
    let order = format!("/api/v1/orders/{}", placed.json()["id"].as_str().unwrap());
    for address in [orders.address(), restaurants.address()] {
        let answer = in_the_clear(address, "/");
        assert!(answer.is_empty() || answer.contains("this port speaks TLS"), "{address}: {answer}");
    }

    // There is no key of the system where it is, and by the key it has nobody is anybody.
    let (path, papers) = machines.papers();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    for key in ["dev-signing-key.pk8", "joined-orders.key"] {
        assert!(!machines.data("orders").join(key).exists(), "{key}");
    }
    let own = machines.scratch.path().join("own.key");
    decode(papers["key"].as_str().unwrap(), &own);
    let forged = Machines::token(&own, &["--sub", "ada", "--role", "customer"]);
    assert_eq!((gateway.get(&order, &forged).status, gateway.get(&order, &ada).status), (401, 200));
    // Nor does it become another service by what it was given.
    let liar = machines.data("liar");
    std::fs::create_dir(&liar).unwrap();
    let mut claimed = papers.clone();
    claimed["service"] = "delivery".into();
    write_private(&liar.join("joined-delivery.json"), &claimed);
    let arguments = ["serve", "delivery", "--listen", &machines.address, "--registry", &registry];
    let (code, line) = refused(&arguments, &liar);
    assert_eq!((code, line.contains("orders is not delivery")), (Some(2), true), "{line}");

    // It dies. The token is spent for everybody; what it was given is good for its next start, and is renewed when it is due.
    orders.kill();
    let (code, line) = refuse("orders", &join);
    assert_eq!((code, line.contains("the join token has been used")), (Some(2), true), "{line}");
    let mut due = papers.clone();
    due["certified"]["issued"] = (papers["certified"]["issued"].as_i64().unwrap() - 3600).into();
    write_private(&path, &due);
    let mut command = machines.serve("orders", &machines.address, Some(&registry));
    let orders = Food::launch(&mut command).expect("it comes back");
    let renewed = machines.papers().1;
    for part in ["key", "member", "token"] {
        assert_ne!(renewed[part], papers[part], "{part}");
    }
    assert_eq!(gateway.post("/api/v1/orders", &ada, "first", &basket).json()["id"], placed.json()["id"]);

    // The platform is another one, which knows nobody any more: the process comes back to it, and newcomers find it there.
    let at = platform.address().to_owned();
    platform.kill();
    let _platform = machines.start("platform", &at, None);
    gateway.kill();
    let gateway = machines.start("gateway", "127.0.0.1:0", Some(&registry));
    until("an order by another way", || {
        gateway.post("/api/v1/orders", &ada, "second", &basket).status == 201
    });
    drop(orders);
}

/// The content of a PEM text.
fn decode(pem: &str, path: &Path) {
    let body: String = pem.lines().filter(|line| !line.starts_with("--")).collect();
    let mut decoding = Command::new("base64");
    decoding.arg("-d").stdin(Stdio::piped()).stdout(std::fs::File::create(path).unwrap());
    let mut decoding = decoding.spawn().unwrap();
    decoding.stdin.take().unwrap().write_all(body.as_bytes()).unwrap();
    assert!(decoding.wait().unwrap().success());
}

fn write_private(path: &Path, value: &Value) {
    std::fs::write(path, value.to_string()).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}
