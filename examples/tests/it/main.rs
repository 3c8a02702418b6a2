//! The examples do what they say.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod program;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use program::Program;

#[test]
fn hello_says_hello_and_stops_when_asked() {
    let hello = Program::on_data("hello", env!("CARGO_BIN_EXE_hello"));
    let answer = hello.ask("GET", "/", "");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("Hello from hello"), "{answer}");
    hello.end();
}

/// Two people in one room and one in another, by Python's websockets.
const TALK: &str = r#"
import sys
from websockets.sync.client import connect

def enter(room):
    return connect(f"ws://{sys.argv[1]}/chat/{room}")

with enter("kitchen") as ada, enter("kitchen") as bob, enter("cellar") as eve:
    # Whoever has heard himself is in the room.
    for who in (ada, bob, eve):
        who.send("hello")
        while who.recv(10) != "hello":
            pass
    for number in range(50):
        ada.send(f"order {number}")
    for who in (ada, bob):
        heard = []
        while len(heard) < 50:
            text = who.recv(10)
            if text != "hello":
                heard.append(text)
        assert heard == [f"order {number}" for number in range(50)], heard
    eve.send("quiet here")
    assert eve.recv(10) == "quiet here"
"#;

#[test]
fn what_one_says_in_a_chat_all_in_the_room_hear() {
    let chat = Program::on_data("chat", env!("CARGO_BIN_EXE_chat"));
    let target = Path::new(env!("CARGO_BIN_EXE_chat")).ancestors().nth(2).unwrap();
    let python = target.join("xtask/websockets/bin/python");
    assert!(python.exists(), "websockets is missing: cargo xtask test --only setup installs it");
    let talk = Command::new(python).args(["-c", TALK, chat.address()]).output().unwrap();
    assert!(talk.status.success(), "{}", String::from_utf8_lossy(&talk.stderr));
    // Without an upgrade it is a request like any other.
    let plain = chat.ask("GET", "/chat/kitchen", "");
    assert!(plain.starts_with("HTTP/1.1 400") || plain.starts_with("HTTP/1.1 426"), "{plain}");
    chat.end();
}

#[test]
fn a_cache_shows_a_change_as_soon_as_its_event_is_handled() {
    let market = Program::on_data("cache", env!("CARGO_BIN_EXE_cache"));
    let missing = market.ask("GET", "/api/v1/offers/tea", "");
    assert!(missing.starts_with("HTTP/1.1 404") && missing.contains("price-not-found"), "{missing}");
    for cents in [300, 350, 400] {
        let set = market.ask("PUT", "/api/v1/prices/tea", &format!("{{\"cents\": {cents}}}"));
        assert!(set.starts_with("HTTP/1.1 200"), "{set}");
        // What the cache has would be good for ten minutes.
        let is_shown = (0..4_000).any(|_| {
            thread::sleep(Duration::from_millis(5));
            market.ask("GET", "/api/v1/offers/tea", "").ends_with(&format!("{{\"cents\":{cents}}}"))
        });
        assert!(is_shown, "{cents}");
    }
    market.end();
}

#[test]
fn mesh_alone_asks_another_instance_when_one_is_gone() {
    let product = TcpListener::bind("127.0.0.1:0").unwrap();
    let (here, gone) = (product.local_addr().unwrap(), {
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
        nobody.local_addr().unwrap()
    });
    thread::spawn(move || {
        for stream in product.incoming() {
            let mut stream = stream.unwrap();
            let mut head = String::new();
            BufReader::new(&stream).read_line(&mut head).unwrap();
            let body = head.split(' ').nth(1).unwrap();
            let length = body.len();
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
                .unwrap();
        }
    });
    let instances = format!("static:product={here},{gone}");
    let mesh = Program::start(env!("CARGO_BIN_EXE_mesh_alone"), [&instances]);
    for id in 0..20 {
        let answer = mesh.ask("GET", &format!("/offers/{id}"), "");
        let wanted = format!("/api/products/{id}");
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with(&wanted), "{answer}");
    }
}
