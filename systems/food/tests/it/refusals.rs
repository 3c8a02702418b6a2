//! What the program refuses to start with: one clear line, exit code 2, nothing touched.

use std::fs;

use crate::program::{Food, Scratch, food};

/// The exit code and what was said.
fn refused(arguments: &[&str]) -> (Option<i32>, String) {
    // What a machine under load is warned of is not the refusal's.
    let output = food().args(arguments).env("PARTIE_LOG", "off").output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_taken_port_a_locked_directory_and_a_foreign_file() {
    let data = Scratch::new("refusals");
    let running = data.path().join("running");
    let food = Food::start(&running);
    let fresh = data.path().join("fresh");
    let (code, said) = refused(&["--listen", food.address(), "--data", fresh.to_str().unwrap()]);
    assert_eq!(code, Some(2));
    assert!(said.contains("already in use") && said.lines().count() == 1, "{said}");
    assert!(!fresh.exists(), "nothing may be touched");

    let (code, said) = refused(&["--listen", "127.0.0.1:0", "--data", running.to_str().unwrap()]);
    assert_eq!(code, Some(2));
    assert!(said.contains(".lock") && said.lines().count() == 1, "{said}");
    assert_eq!(food.request("GET", "/health", &[], None).status, 200, "the first one goes on");

    let foreign = data.path().join("foreign");
    fs::create_dir_all(&foreign).unwrap();
    fs::write(foreign.join("orders.db"), "not a database").unwrap();
    let (code, said) = refused(&["--listen", "127.0.0.1:0", "--data", foreign.to_str().unwrap()]);
    assert_eq!(code, Some(2));
    assert!(said.contains("orders.db") && said.lines().count() == 1, "{said}");
    assert_eq!(fs::read_to_string(foreign.join("orders.db")).unwrap(), "not a database");
}

#[test]
fn unknown_flags_keys_and_addresses_off_this_machine() {
    let data = Scratch::new("flags");
    let dir = data.path().join("never");
    let dir = dir.to_str().unwrap();
    for (arguments, needle) in [
        (vec!["--nonsense"], "--nonsense"),
        (vec!["--listen", "nowhere", "--data", dir], "--listen"),
        (vec!["--listen", "0.0.0.0:0", "--data", dir], "loopback"),
        (vec!["openapi", "nobody"], "nobody"),
        (vec!["token", "--sub", "x", "--role", "customer", "--data", dir], "--data"),
        (vec!["--data", "/proc/nowhere", "--listen", "127.0.0.1:0"], "/proc/nowhere"),
    ] {
        let (code, said) = refused(&arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {said}");
        assert!(said.contains(needle), "{arguments:?}: {said}");
    }
    let output = food().env("PARTIE__STORE__QUEU", "1").args(["config"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("PARTIE__STORE__QUEU"));
    assert!(!data.path().join("never").exists(), "nothing may be touched");
}

#[test]
fn a_token_needs_a_subject_of_1_to_255_characters() {
    let data = Scratch::new("token");
    let _food = Food::start(data.path());
    let dir = data.path().to_str().unwrap();
    for subject in ["", &"x".repeat(256)] {
        let (code, _) = refused(&["token", "--data", dir, "--sub", subject, "--role", "customer"]);
        assert_eq!(code, Some(2), "{} characters", subject.len());
    }
    assert!(!Food::token(data.path(), &"ü".repeat(255), "customer").is_empty());
}
