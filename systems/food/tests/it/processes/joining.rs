//! Who may become a service: join tokens.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::words::refused;
use crate::program::{Food, Scratch, food};

/// A `food serve platform`, killed when dropped.
struct Platform {
    child: Child,
    url: String,
}

impl Platform {
    fn start(data: &Path) -> Self {
        let mut command: Command = food();
        command.args(["serve", "platform", "--data"]).arg(data);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").unwrap().to_owned();
        Self { child, url }
    }
}

impl Platform {
    /// One request, and the whole answer.
    fn exchange(&self, method: &str, path: &str, headers: &str, body: &str) -> String {
        let address = self.url.strip_prefix("http://").unwrap();
        let mut socket = TcpStream::connect(address).unwrap();
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}\
             Content-Length: {length}\r\n\r\n{body}"
        );
        socket.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn join_token(data: &Path, service: &str) -> String {
    let output = food().args(["token", "--join", service, "--data"]).arg(data).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn only_a_token_that_names_the_service_lets_a_process_become_it() {
    let (data, elsewhere) = (Scratch::new("joining"), Scratch::new("joining-elsewhere"));
    let platform = Platform::start(data.path());
    let other = Platform::start(elsewhere.path());
    let serve = |token: &str| {
        let arguments = ["serve", "notifications", "--registry", &platform.url, "--join", token];
        refused(&arguments, data.path())
    };
    let of_delivery = join_token(data.path(), "delivery");
    let of_a_customer = Food::token(data.path(), "ada", "customer");
    let of_another_system = join_token(elsewhere.path(), "notifications");
    for (token, needle) in [
        (of_delivery.as_str(), "the join token is for delivery, not for notifications"),
        (of_a_customer.as_str(), "is announced with a join token"),
        (of_another_system.as_str(), "the join token is no good"),
        ("nonsense", "the join token is no good"),
    ] {
        let (code, line) = serve(token);
        assert_eq!(code, Some(2), "{line}");
        assert!(line.starts_with("error: ") && line.contains(needle), "{needle}: {line}");
    }
    drop(other);
    // The right one lets it in.
    let mut command = food();
    command.args(["serve", "notifications", "--registry", &platform.url, "--data"]).arg(data.path());
    command.env("PARTIE_JOIN", join_token(data.path(), "notifications")).stderr(Stdio::null());
    let served = Food::launch(&mut command).expect("it is let in");

    // The same registry, for programs that know nothing but Consul.
    let found = platform.exchange("GET", "/v1/health/service/notifications?passing", "", "");
    let port = served.address().split(':').next_back().unwrap().to_owned();
    assert!(found.contains(&format!("\"Port\":{port}")), "{found}");
    let register = |name: &str, token: &str| {
        let body = format!("{{\"Name\":\"{name}\",\"Address\":\"127.0.0.1\",\"Port\":9}}");
        platform.exchange("PUT", "/v1/agent/service/register", &format!("X-Consul-Token: {token}\r\n"), &body)
    };
    for (name, token, status) in [
        ("orders", "none", "403"),
        ("orders", &join_token(data.path(), "delivery"), "403"),
        ("orders", &join_token(data.path(), "orders"), "200"),
        ("product-service", "none", "200"),
    ] {
        let answer = register(name, token);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{name} {answer}");
    }
}
