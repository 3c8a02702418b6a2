//! The examples do what they say.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};

#[test]
fn hello_says_hello_and_stops_when_asked() {
    let data = std::env::temp_dir().join(format!("hello-it-{}", std::process::id()));
    let mut child = Command::new(env!("CARGO_BIN_EXE_hello"))
        .args(["--listen", "127.0.0.1:0", "--data"])
        .arg(&data)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening on http://").unwrap();
    let mut socket = TcpStream::connect(address).unwrap();
    socket.write_all(b"GET / HTTP/1.1\r\nHost: hello\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("Hello from hello"), "{answer}");

    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(child.wait().unwrap().success());
    std::fs::remove_dir_all(&data).unwrap();
}

#[test]
fn a_cache_shows_a_change_as_soon_as_its_event_is_handled() {
    let data = std::env::temp_dir().join(format!("cache-it-{}", std::process::id()));
    let mut child = Command::new(env!("CARGO_BIN_EXE_cache"))
        .args(["--listen", "127.0.0.1:0", "--data"])
        .arg(&data)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening on http://").unwrap();
    let ask = |method: &str, path: &str, body: &str| {
        let mut socket = TcpStream::connect(address).unwrap();
        let head = "Host: market\r\nConnection: close\r\nContent-Type: application/json";
        let length = body.len();
        write!(
            socket,
            "{method} /api/v1/{path} HTTP/1.1\r\n{head}\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        answer
    };
    let missing = ask("GET", "offers/tea", "");
    assert!(missing.starts_with("HTTP/1.1 404") && missing.contains("price-not-found"), "{missing}");
    for cents in [300, 350, 400] {
        let set = ask("PUT", "prices/tea", &format!("{{\"cents\": {cents}}}"));
        assert!(set.starts_with("HTTP/1.1 200"), "{set}");
        // What the cache has would be good for ten minutes.
        let is_shown = (0..4_000).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(5));
            ask("GET", "offers/tea", "").ends_with(&format!("{{\"cents\":{cents}}}"))
        });
        assert!(is_shown, "{cents}");
    }
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(child.wait().unwrap().success());
    std::fs::remove_dir_all(&data).unwrap();
}

#[test]
fn mesh_alone_asks_another_instance_when_one_is_gone() {
    let product = TcpListener::bind("127.0.0.1:0").unwrap();
    let (here, gone) = (product.local_addr().unwrap(), {
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
        nobody.local_addr().unwrap()
    });
    std::thread::spawn(move || {
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
    let mut child = Command::new(env!("CARGO_BIN_EXE_mesh_alone"))
        .arg(format!("static:product={here},{gone}"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening on http://").unwrap();
    for id in 0..20 {
        let mut socket = TcpStream::connect(address).unwrap();
        write!(socket, "GET /offers/{id} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        let wanted = format!("/api/products/{id}");
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with(&wanted), "{answer}");
    }
    child.kill().unwrap();
    child.wait().unwrap();
}
