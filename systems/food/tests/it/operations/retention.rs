//! What the program says it keeps, and what operators do with dead letters from their command line.

use std::process::{Command, Output};

use crate::faults::stage::Stage;
use crate::program::food;

fn said(command: &mut Command) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    (status.code(), String::from_utf8([stdout, stderr].concat()).unwrap())
}

#[test]
fn what_is_kept_is_one_table_and_what_does_not_go_together_is_an_error_of_check() {
    let (code, table) = said(food().arg("retention"));
    assert_eq!(code, Some(0), "{table}");
    for line in [
        "events in the broker's log",
        "168 h",
        "broker.retention",
        "events handled (inbox)",
        "336 h",
        "for good",
    ] {
        assert!(table.contains(line), "{line}: {table}");
    }
    let (code, found) = said(food().arg("check"));
    assert_eq!((code, found.contains("nothing is forgotten too soon")), (Some(0), true), "{found}");
    for command in ["check", "retention"] {
        let (code, found) = said(food().arg(command).env("PARTIE__BROKER__RETENTION", "192h"));
        assert_eq!(code, Some(1), "{found}");
        assert!(
            found.contains("error: messaging.consumers.remember") && found.contains("is less than"),
            "{found}"
        );
    }
}

#[test]
fn dead_letters_are_asked_about_where_the_gateway_is_and_by_whoever_has_the_key() {
    let stage = Stage::new("dead-letters", &[]).unwatched();
    let food_runs = stage.start(None).unwrap();
    let ask = |arguments: &[&str]| {
        let mut command = food();
        command
            .arg("dead-letters")
            .args(["--at", &stage.address(), "--as", "ada", "--data"])
            .arg(stage.data());
        said(command.args(arguments))
    };
    for arguments in [&[][..], &["skipped"]] {
        let (code, text) = ask(arguments);
        assert_eq!(code, Some(0), "{text}");
        assert!(text.starts_with("id ") && text.lines().count() == 1, "{text}");
    }
    let nobody = "00000000-0000-0000-0000-000000000000";
    let (code, text) = ask(&["requeue", nobody]);
    assert_eq!(code, Some(1), "{text}");
    let (code, text) = ask(&["skip", nobody, "--handler", "orders/ticket.ready", "--reason", "it burned"]);
    assert_eq!(code, Some(1), "{text}");
    let (code, text) = ask(&["requeue", "soup"]);
    assert!(code == Some(1) && text.contains("soup is no id"), "{text}");
    food_runs.kill();
}
