//! `partie gateway`: a real process in front of programs that know nothing of it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use partie_identity::{DEVELOPMENT_ISSUER, Grant, Signer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{App, Program, eventually, file, get, registry, send, text, within};

/// A gateway, its sockets, and its file.
struct Door {
    program: Program,
    at: SocketAddr,
    admin: SocketAddr,
    file: PathBuf,
}

impl Door {
    async fn open(name: &str, settings: &str) -> Self {
        let file = file(name, &with_admin(settings));
        let path = file.to_str().unwrap();
        let mut program = Program::start(&["gateway", "--config", path, "--listen", "127.0.0.1:0"]);
        let at = program.says("listening on http://").await;
        let admin = program.says("admin on http://").await;
        Self { program, at, admin, file }
    }

    /// Writes another configuration.
    fn change(&self, settings: &str) {
        // As editors do, so that nobody reads half of it.
        let beside = self.file.with_extension("new");
        std::fs::write(&beside, with_admin(settings)).unwrap();
        std::fs::rename(beside, &self.file).unwrap();
    }

    async fn health(&self) -> serde_json::Value {
        get(self.admin, "/health").await.json()
    }

    async fn reaches(&self, generation: u64) {
        eventually("another configuration", || async { self.health().await["configuration"] == generation })
            .await;
    }
}

fn with_admin(settings: &str) -> String {
    format!("[admin]\nlisten = \"127.0.0.1:0\"\n{settings}")
}

fn says(name: &'static str) -> App {
    App::start(move |request| async move { text(format!("{name} {}", request.uri())) })
}

fn leads(prefix: &str, name: &str, app: &App) -> String {
    format!(
        "[gateway.upstreams.{name}]\nurls = [\"http://{}\"]\n[[gateway.routes]]\nprefix = \"{prefix}\"\nto = \"{name}\"\n",
        app.address
    )
}

#[tokio::test]
async fn it_stands_in_front_of_anything() {
    let shop = says("shop");
    let door = Door::open("front.toml", &leads("/", "shop", &shop)).await;
    let answer = get(door.at, "/metrics?x=1").await;
    assert_eq!((answer.status, &*answer.body), (200, "shop /metrics?x=1"));
    assert!(answer.head.contains("x-request-id: "), "{}", answer.head);
    assert_eq!(get(door.at, "/docs").await.status, 200);
    assert_eq!(get(door.at, "/openapi.json").await.json()["info"]["title"], "gateway");
    let metrics = get(door.admin, "/metrics").await;
    assert!(metrics.body.contains("operation=\"/\""), "{}", metrics.body);
    let config = get(door.admin, "/config").await.json();
    assert_eq!(config["gateway"]["routes"][0]["to"], "shop");
    assert_eq!(send(door.admin, "POST", "/reload", "Origin: https://a.example\r\n", "").await.status, 403);
    door.program.terminate().await;
}

#[tokio::test]
async fn its_file_is_followed_and_a_broken_one_changes_nothing() {
    let (one, two) = (says("one"), says("two"));
    let door = Door::open("followed.toml", &leads("/", "one", &one)).await;
    // A connection of before is one of after.
    let mut kept = TcpStream::connect(door.at).await.unwrap();
    let mut over = async || {
        kept.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        let mut answer = vec![0; 4096];
        let read = within(kept.read(&mut answer)).await.unwrap();
        String::from_utf8_lossy(&answer[..read]).into_owned()
    };
    assert!(over().await.ends_with("one /"));
    door.change(&format!("{}{}", leads("/", "one", &one), leads("/two", "two", &two)));
    door.reaches(2).await;
    assert_eq!(get(door.at, "/two").await.body, "two /two");
    assert!(over().await.ends_with("one /"));

    door.change("[[gateway.routes]]\nprefix = \"two\"\nto = \"nowhere\"\n");
    eventually("it says why", || async { door.health().await["refused"].is_string() }).await;
    let refused = door.health().await["refused"].as_str().unwrap().to_owned();
    assert!(refused.contains("it has to begin with a slash"), "{refused}");
    assert_eq!(get(door.at, "/two").await.body, "two /two");
    let asked = send(door.admin, "POST", "/reload", "", "").await;
    assert_eq!((asked.status, asked.code()), (422, "validation-failed".to_owned()));

    // At SIGHUP too, and then it forgets the complaint.
    door.change(&leads("/", "two", &two));
    let id = door.program.process.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-HUP", &id]).status().unwrap().success());
    door.reaches(3).await;
    assert_eq!(
        (get(door.at, "/").await.body, door.health().await["refused"].is_null()),
        ("two /".into(), true)
    );
}

#[tokio::test]
async fn it_finds_services_in_a_registry() {
    let (_registry, at) = registry().await;
    let menu = says("menu");
    let beside = crate::support::Beside::start("menu", menu.address, &format!("http://{at}"), &[]).await;
    eventually("announced", || beside.is_announced()).await;
    let settings = "[[gateway.routes]]\nprefix = \"/menu\"\nto = \"menu\"\nrewrite = \"/\"\n";
    let file = file("found.toml", &format!("registry = \"http://{at}\"\n{settings}"));
    let path = file.to_str().unwrap();
    let mut program = Program::start(&["gateway", "--config", path, "--listen", "127.0.0.1:0"]);
    let door = program.says("listening on http://").await;
    eventually("it is found", || async { get(door, "/menu/7").await.body == "menu /7" }).await;
}

#[tokio::test]
async fn tokens_are_judged_by_the_keys_of_their_issuer() {
    let dir = std::env::temp_dir().join(format!("partie-gateway-app-{}", std::process::id()));
    let signer = Signer::development(&dir).unwrap();
    std::fs::remove_dir_all(dir).unwrap();
    let keys = file("keys.json", &signer.jwks().to_string());
    let settings = format!(
        "[identity.issuers.us]\nissuer = \"{DEVELOPMENT_ISSUER}\"\naudience = \"shop\"\njwks-file = \"{}\"\n{}access = [\"admin\"]\n",
        keys.display(),
        leads("/", "shop", &says("shop"))
    );
    let door = Door::open("identity.toml", &settings).await;
    let ask = async |role: &str| {
        let grant = Grant::new("shop", "somebody", Duration::from_secs(60)).role(role);
        let header = format!("Authorization: Bearer {}\r\n", signer.issue(&grant).unwrap());
        send(door.at, "GET", "/", &header, "").await.status
    };
    assert_eq!(get(door.at, "/").await.status, 401);
    assert_eq!((ask("customer").await, ask("admin").await), (403, 200));
}

#[test]
fn the_guides_configuration_can_be_used() {
    let guide = include_str!("../../../../docs/guides/gateway.md");
    let (_, rest) = guide.split_once("```toml\n").unwrap();
    let file = file("guide.toml", rest.split_once("```").unwrap().0);
    let mut command = Command::new(env!("CARGO_BIN_EXE_partie"));
    let output = command.args(["gateway", "--check", "--config", file.to_str().unwrap()]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_mistake_is_one_line_and_exit_code_2() {
    let run = |name: &str, settings: &str| {
        let file = file(name, settings);
        let mut command = Command::new(env!("CARGO_BIN_EXE_partie"));
        command.args(["gateway", "--check", "--config", file.to_str().unwrap()]).output().unwrap()
    };
    let route = "[[gateway.routes]]\nprefix = \"/\"\nto = \"shop\"\n";
    let shop = "[gateway.upstreams.shop]\nurls = [\"http://127.0.0.1:9\"]\n";
    for (name, settings, says) in [
        ("nothing.toml", String::new(), "no route leads anywhere"),
        ("unknown.toml", route.to_owned(), "route / leads to shop, which is no upstream"),
        ("key.toml", format!("{shop}{route}prefx = \"/\"\n"), "prefx"),
        (
            "tokens.toml",
            format!("{shop}{route}access = \"authenticated\"\n"),
            "route / asks for a token, and [identity] says of nobody's",
        ),
        (
            "issuer.toml",
            format!("[identity.issuers.us]\nsecret = \"short\"\n{shop}{route}"),
            "[identity.issuers.us]",
        ),
        ("syntax.toml", "[gateway".to_owned(), "syntax.toml"),
        ("registry-url.toml", format!("registry = \"zoo:1\"\n{shop}{route}"), "registry: `zoo:1`"),
        (
            "place.toml",
            format!("[gateway.upstreams.shop]\nurls = [\"127.0.0.1\"]\n{route}"),
            "http://HOST:PORT",
        ),
        ("rate.toml", format!("[gateway.rates]\naddress = \"fast\"\n{shop}{route}"), "is not a rate"),
    ] {
        let output = run(name, &settings);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{says}: {said}");
        assert!(said.starts_with("error: ") && said.contains(says), "{says}: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    let fine = run("fine.toml", &format!("{shop}{route}"));
    assert_eq!((fine.status.code(), fine.stdout.is_empty()), (Some(0), false));
}
