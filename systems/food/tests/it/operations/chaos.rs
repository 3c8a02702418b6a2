//! A system in which things go wrong on purpose: orders are lost as little as ever, and what happened is told at the end.

use std::process::Command;
use std::thread;
use std::time::Duration;

use partie::runtime::monotonic;

use super::backup::{A_GLANCE, A_MOMENT, SETTINGS};
use crate::faults::audit;
use crate::faults::play::{Play, Town, Word};
use crate::faults::stage::Stage;
use crate::processes::company::within;
use crate::program::food;

/// Another time than [`A_WHILE`], in seconds.
const SECONDS: &str = "FOOD_CHAOS_SECONDS";
/// How long people order.
const A_WHILE: Duration = Duration::from_secs(15);
const PATIENCE: Duration = Duration::from_secs(90);

/// Plays for a while, and gives back what is said at the end.
fn play(name: &str, arguments: &[&str]) -> String {
    let stage = Stage::new(name, SETTINGS).unwatched();
    let play = Play::new(&stage, A_GLANCE);
    let mut command: Command = food();
    command.arg("up").args(arguments);
    let running = stage.start_as(command).expect("it starts");
    let seconds = std::env::var(SECONDS).ok().map(|seconds| Duration::from_secs(seconds.parse().unwrap()));
    let town = Town { drivers: 8, customers: 3, last_orders: PATIENCE, home: PATIENCE };
    town.during(&play, || {
        let until = monotonic() + seconds.unwrap_or(A_WHILE);
        while monotonic() < until {
            thread::sleep(A_MOMENT);
        }
    });
    within(PATIENCE, "what is left is done", || audit::unfinished(&stage.data()).is_empty());
    let (code, said) = running.drain();
    assert_eq!(code, Some(0), "{}", stage.last_words());
    let broken = audit::check(&stage.data(), &play.orders(Word::Placed));
    assert!(broken.is_empty(), "{broken:#?}\n{}", stage.last_words());
    assert!(play.placed() > 10, "{} orders", play.placed());
    format!("{} orders, none lost or doubled\n{said}", play.placed())
}

/// The rows of the table at the end: injected and absorbed, by what it was.
fn table(said: &str) -> Vec<(String, u64, u64)> {
    let table = said.lines().skip_while(|line| !line.starts_with("chaos ")).skip(1);
    table
        .map(|line| {
            let cells: Vec<&str> = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
            (cells[0].to_owned(), cells[1].parse().unwrap(), cells[2].parse().unwrap())
        })
        .collect()
}

/// What was injected of each kind, and that the platform made up for it.
fn check(table: &[(String, u64, u64)], kinds: &[&str]) {
    for kind in kinds {
        let row = table.iter().find(|(what, ..)| what == kind);
        let (_, injected, absorbed) = row.unwrap_or_else(|| panic!("{kind} in {table:#?}"));
        assert!(*injected > 0 && *absorbed > 0 && absorbed <= injected, "{kind}: {table:#?}");
    }
}

const EVERYWHERE: [&str; 4] =
    ["events delivered late", "events delivered twice", "calls held up", "calls refused or unanswered"];

#[test]
fn one_process_survives_chaos() {
    let said = play("chaos", &["--chaos", "7"]);
    println!("{said}");
    check(&table(&said), &EVERYWHERE);
}

#[test]
fn processes_survive_chaos_and_deaths() {
    let said = play("chaos-processes", &["--processes", "--chaos", "7"]);
    println!("{said}");
    let table = table(&said);
    check(&table, &EVERYWHERE);
    check(&table, &["processes killed"]);
}

#[test]
fn chaos_is_for_development() {
    for arguments in [
        &["up", "--chaos", "7", "--listen", "0.0.0.0:0"][..],
        &["up", "--processes", "--chaos", "7", "--listen", "0.0.0.0:0"],
        &["serve", "gateway", "--registry", "http://127.0.0.1:1", "--chaos", "7"],
        &["up", "--chaos", "soup"],
    ] {
        let output = food().args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
    }
}
