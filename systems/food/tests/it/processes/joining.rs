//! Who may become a service: join tokens.

use std::io::{BufRead, BufReader};
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
    drop(served);
}
