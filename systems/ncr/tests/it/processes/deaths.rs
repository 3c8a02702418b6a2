//! Replicas and the platform die and restart under load, and nobody who asks notices.

use partie_testkit::{Http, lives, signal, within};

use super::company::{Company, PATIENCE};
use super::load::Load;
use crate::program::Program;

/// How many answers are waited for between two deaths.
const SOME: usize = 60;

fn assert_all_right((wrong, right): (Vec<String>, usize), company: &Company) {
    assert!(wrong.is_empty(), "{} of {right}: {wrong:#?}\n{}", wrong.len(), company.last_words());
}

#[test]
fn factorials_killed_again_and_again_cost_no_answer() {
    let company = Company::start(&[]);
    let seen = Load::during(company.program.address, |load| {
        load.goes_on(SOME);
        for death in 0..6 {
            let replicas = company.found("factorial");
            assert_eq!(replicas.len(), 2);
            company.kill("factorial", replicas[death % 2]);
            load.goes_on(SOME);
        }
    });
    assert_all_right(seen, &company);
}

#[test]
fn a_restart_of_everything_costs_no_answer() {
    let company = Company::start(&[]);
    let before = company.processes().all();
    let seen = Load::during(company.program.address, |load| {
        load.goes_on(SOME);
        let restarted = company.restart();
        assert!(restarted.status.success(), "{restarted:?}");
        let told = String::from_utf8(restarted.stdout).unwrap();
        let told: Vec<&str> = told.lines().filter_map(|line| line.split(" in ").next()).collect();
        let names = ["platform", "factorial-1", "factorial-2", "calculator-1", "calculator-2", "gateway"];
        assert_eq!(told, names.map(|name| format!("restarted {name}")));
        load.goes_on(SOME);
    });
    assert_all_right(seen, &company);
    let after = company.processes().all();
    assert_eq!(after.len(), before.len());
    assert!(after.iter().all(|process| !before.contains(process)), "{before:?} {after:?}");
}

#[test]
fn without_a_platform_those_known_last_are_asked() {
    let company = Company::start(&[]);
    let seen = Load::during(company.program.address, |load| {
        load.goes_on(SOME);
        // Whenever it comes back: each time it is waited for twice as long.
        for death in 0..5 {
            let platform = company.processes().serving("platform")[0];
            signal(platform, "-KILL");
            within(PATIENCE, "the death", || !lives(platform));
            load.goes_on(SOME);
            if death == 3 {
                // One of the known is no more, and nobody there could tell.
                signal(company.processes().serving("factorial")[0], "-KILL");
                load.goes_on(SOME);
            }
            within(PATIENCE, "another platform", || company.processes().serving("platform").len() == 1);
        }
        within(PATIENCE, "another factorial", || company.found("factorial").len() == 2);
        load.goes_on(SOME);
    });
    assert_all_right(seen, &company);
}

#[tokio::test]
async fn processes_ask_the_factorials_their_environment_names() {
    let elsewhere = Program::start(&[]);
    let named = [("HOST", "localhost".to_owned()), ("PORT", elsewhere.address.port().to_string())];
    let company = Company::start(&named);
    assert_eq!(company.program.value("/api/v1/ncr/52/5").await, "2598960");
    drop(elsewhere);
    let answer = Http::new(company.program.address).get("/api/v1/ncr/52/5").send().await.unwrap();
    assert_eq!(answer.status, 503, "it was really those");
}
