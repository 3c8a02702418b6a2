//! What those who run a process see of it: that it lives, whether it can do its work, what it counts.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use super::company::until;
use crate::program::{Food, Scratch, food};

/// How long a process that ends still answers: long enough to be seen.
const LAME_DUCK: (&str, &str) = ("PARTIE__GATEWAY__LIMITS__LAME_DUCK", "2s");

/// A part, with its admin pages on a port of their own.
fn serve(part: &str, registry: Option<&str>, data: &Path) -> (Command, String) {
    // Free a moment ago; the system does not give it out again at once. If it does, the pages only come later.
    let admin = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    (serve_at(&admin, part, registry, data), admin)
}

fn serve_at(admin: &str, part: &str, registry: Option<&str>, data: &Path) -> Command {
    let mut command = food();
    command.args(["serve", part, "--data"]).arg(data);
    command.args(registry.map(|registry| format!("--registry={registry}")));
    command.env("PARTIE__ADMIN__LISTEN", admin).env(LAME_DUCK.0, LAME_DUCK.1).stderr(Stdio::null());
    command
}

/// The status of the page, and what it says; nothing if nobody listens.
fn page(admin: &str, path: &str) -> Option<(u16, String)> {
    let mut socket = TcpStream::connect(admin).ok()?;
    write!(socket, "GET {path} HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

fn status(admin: &str, path: &str) -> Option<u16> {
    page(admin, path).map(|(status, _)| status)
}

#[test]
fn a_process_is_seen_from_its_first_moment_to_its_last() {
    let data = Scratch::new("watched");
    let (mut platform, of_platform) = serve("platform", None, data.path());
    let platform = Food::launch(&mut platform).expect("it starts");
    assert_eq!(status(&of_platform, "/ready"), Some(200));
    let registry = format!("http://{}", platform.address());
    // Whose tokens are to be judged.
    let (mut users, _) = serve("users", Some(&registry), data.path());
    let _users = Food::launch(&mut users).expect("it starts");
    let (mut first, of_first) = serve("delivery", Some(&registry), data.path());
    let first = Food::launch(&mut first).expect("it starts");
    until("the first one to be ready", || status(&of_first, "/ready") == Some(200));
    let (_, told) = page(&of_first, "/ready").unwrap();
    assert!(told.contains("\"delivery\":\"ready\"") && told.contains("\"identity\":\"ready\""), "{told}");

    // The next one waits for the store of the first: it lives, and cannot do anything yet.
    let (mut next, of_next) = serve("delivery", Some(&registry), data.path());
    let next = thread::spawn(move || Food::launch(&mut next).expect("it starts"));
    until("the pages of one that starts", || status(&of_next, "/health") == Some(200));
    let (ready, told) = page(&of_next, "/ready").unwrap();
    assert!(ready == 503 && told.contains("\"delivery\":\"is starting\""), "{told}");

    // One that goes says so while it still answers, and then the other one comes.
    let going = thread::spawn(|| first.drain());
    until("the first one to say that it goes", || status(&of_first, "/ready") == Some(503));
    assert_eq!(status(&of_first, "/health"), Some(200));
    assert_eq!(going.join().unwrap().0, Some(0));
    until("the next one to be ready", || status(&of_next, "/ready") == Some(200));
    let next = next.join().unwrap();

    // What it counts is its own, and nothing else is there to be seen or done.
    next.request("GET", "/api/v1/drivers/7", &[], None);
    let (_, metrics) = page(&of_next, "/metrics").unwrap();
    assert!(metrics.contains("service=\"delivery\""), "{metrics}");
    for path in ["/config", "/api/v1/drivers/7", "/"] {
        assert_eq!(status(&of_next, path), Some(404), "{path}");
    }
}

#[test]
fn an_address_that_is_taken_keeps_nobody_from_starting() {
    let data = Scratch::new("watched-taken");
    let (mut platform, admin) = serve("platform", None, data.path());
    let platform = Food::launch(&mut platform).expect("it starts");
    let registry = format!("http://{}", platform.address());
    let mut successor = serve_at(&admin, "notifications", Some(&registry), data.path());
    let _successor = Food::launch(&mut successor).expect("it starts all the same");
    assert!(page(&admin, "/ready").unwrap().1.contains("\"platform\""));
    platform.drain();
    until("the pages of the other one", || {
        page(&admin, "/ready").is_some_and(|(_, told)| told.contains("\"notifications\""))
    });
}
