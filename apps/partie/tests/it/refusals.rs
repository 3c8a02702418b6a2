//! What is refused before it has an effect: one line, and exit code 2.

use std::net::TcpListener;
use std::process::{Command, Output};

use crate::support::file;

fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_partie"));
    command.args(arguments).envs(environment.iter().copied()).output().unwrap()
}

#[test]
fn a_mistake_is_one_line_and_exit_code_2() {
    let usual = ["sidecar", "--service", "a", "--app", "127.0.0.1:9", "--registry", "http://127.0.0.1:9"];
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let broken = file("broken.toml", "[mesh]\nretrys = 1\n");
    let broken = broken.to_str().unwrap();
    let replaced = |flag: &str, text: &'static str| {
        let mut arguments = usual.to_vec();
        let at = arguments.iter().position(|argument| *argument == flag).unwrap();
        arguments[at + 1] = text;
        arguments
    };
    let and = |more: &[&'static str]| [&usual[..], more].concat();
    let with = |flag: &'static str, text| {
        let mut arguments: Vec<&str> = usual.to_vec();
        arguments.extend([flag, text]);
        run(&arguments, &[])
    };
    for (output, needle) in [
        (run(&["sidecar"], &[]), "say --service NAME"),
        (run(&replaced("--service", "a b"), &[]), "--service a b"),
        (run(&replaced("--app", "nowhere"), &[]), "--app nowhere"),
        (run(&replaced("--registry", "etcd://a"), &[]), "`etcd://a` is not of the form etcd://HOST:PORT"),
        (run(&replaced("--registry", "zookeeper://a:1"), &[]), "names no registry"),
        (run(&and(&["--inbound", "0.0.0.0:0"]), &[]), "--announce"),
        (run(&and(&["--health-interval", "3"]), &[]), "--health-interval"),
        (run(&and(&["--config", "/nowhere.toml"]), &[]), "/nowhere.toml"),
        (with("--config", broken), "retrys"),
        (with("--listen", &taken), "already in use"),
        (with("--inbound", &taken), "already in use"),
        (run(&usual, &[("PARTIE__NONSENSE", "1")]), "PARTIE__NONSENSE"),
        (run(&["registry", "--listen", "0.0.0.0:0"], &[]), "loopback"),
        (run(&["registry", "--listen", &taken], &[]), "already in use"),
        (run(&["registry", "--settling", "soon"], &[]), "--settling"),
    ] {
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{needle}: {said}");
        assert!(said.starts_with("error: ") && said.contains(needle), "{needle}: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(output.stdout.is_empty(), "{needle}");
    }
    for mistake in [&["sidecar", "--nonsense"][..], &["nonsense"], &[]] {
        assert_eq!(run(mistake, &[]).status.code(), Some(2), "{mistake:?}");
    }
}
