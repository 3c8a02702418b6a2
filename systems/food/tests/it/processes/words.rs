//! What people see: refusals in one line, and logs with names.

use std::process::Stdio;

use super::company::Company;
use crate::faults::stage::Stage;
use crate::program::{Scratch, food};

/// Exit code and last line of what a command says on stderr.
pub(super) fn refused(arguments: &[&str], data: &std::path::Path) -> (Option<i32>, String) {
    let mut command = food();
    command.args(arguments).arg("--data").arg(data).stdin(Stdio::null());
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), text.lines().last().unwrap_or_default().to_owned())
}

#[test]
fn what_cannot_be_is_refused_before_anything_starts() {
    let data = Scratch::new("words");
    for (arguments, needle) in [
        (&["up", "--processes", "--replicas", "orders=2"][..], "orders keeps its data in SQLite"),
        (&["up", "--processes", "--replicas", "kitchens=2"], "there is no such service"),
        (&["up", "--processes", "--replicas", "orders"], "NAME=N"),
        (&["serve", "orders"], "--registry URL"),
        (&["serve", "orders", "--registry", "nowhere"], "http://HOST:PORT"),
        (&["serve", "kitchens", "--registry", "http://127.0.0.1:1"], "there is no service kitchens"),
        (&["restart"], "nothing runs there"),
    ] {
        let (code, line) = refused(arguments, data.path());
        assert_eq!(code, Some(2), "{arguments:?}: {line}");
        assert!(line.starts_with("error: ") && line.contains(needle), "{arguments:?}: {line}");
    }
    assert_eq!(std::fs::read_dir(data.path()).unwrap().count(), 0, "nothing was touched");
}

#[test]
fn every_line_has_the_name_of_who_says_it() {
    let stage = Stage::new("names", &[]).unwatched();
    let company = Company::start(&stage);
    let (code, line) = refused(&["up", "--processes", "--listen", "127.0.0.1:0"], &stage.data());
    assert_eq!(code, Some(2));
    assert!(line.contains("are under another supervisor (process "), "{line}");
    let (code, line) = refused(&["restart", "nobody"], &stage.data());
    assert_eq!((code, line.contains("there is no such process; there are platform")), (Some(2), true), "{line}");
    assert_eq!(company.drain(), Some(0));
    let names = ["platform", "orders-1", "restaurants-1", "delivery-1", "notifications-1", "gateway", "supervisor"];
    let words = stage.last_words();
    for line in words.lines() {
        let name = line.split(" | ").next().unwrap();
        assert_eq!(name.len(), "notifications-1".len(), "{line}");
        assert!(names.contains(&name.trim_end()), "{line}");
    }
    assert!(names[..6].iter().all(|name| words.contains(name)), "{words}");
}
