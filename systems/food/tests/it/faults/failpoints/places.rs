//! The names of the places, from the tables they are made from, and the tests: one for each family of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::{die_on, quiet_day};
use crate::faults::audit::{Books, STORES};

/// Passings of what is passed often.
const OFTEN: [u32; 3] = [1, 6, 25];
/// Commits of every store. The first ones are those of its start.
const COMMITS: [u32; 5] = [1, 3, 9, 27, 50];
/// What becomes of the first notification, commit by commit.
const FIRST_NOTIFICATION: [u32; 6] = [4, 5, 6, 7, 8, 10];
/// The way of an event, from one service to the next.
const EVENTS: [&str; 6] = [
    "relay.before_publish",
    "broker.after_commit",
    "relay.after_publish",
    "relay.after_mark",
    "consumer.before_ack",
    "consumer.after_ack",
];
const TIMERS: [&str; 2] = ["timer.before_fire", "timer.after_fire"];
/// The kinds of jobs of all services.
const JOBS: [&str; 2] = ["ask-kitchen", "deliver-notification"];
/// What is in the code and not on this stage.
const ELSEWHERE: [(&str, &str); 1] = [("periodic.before_run", "no service of the system has periodic work")];

#[test]
fn it_may_die_around_every_commit() {
    let stores: Vec<_> =
        STORES.iter().flat_map(|store| around(&format!("store.{store}"), "commit")).collect();
    let first = FIRST_NOTIFICATION.map(|nth| vec![format!("store.notifications.after_commit@{nth}")]);
    die_on([days(&stores, &COMMITS), first.into()].concat());
}

#[test]
fn it_may_die_on_the_way_of_an_event() {
    die_on(days(&EVENTS.map(str::to_owned), &OFTEN));
}

#[test]
fn it_may_die_around_a_timer_and_a_job() {
    let jobs: Vec<_> = JOBS.iter().flat_map(|job| around(&format!("job.{job}"), "call")).collect();
    die_on([days(&TIMERS.map(str::to_owned), &[1]), days(&jobs, &[1, 2])].concat());
}

#[test]
fn it_may_die_around_every_command_of_the_saga() {
    let places = food_orders::failpoints();
    assert!(places.len() >= 12, "{places:?}");
    die_on(days(&places, &[1, 2]));
}

#[test]
fn a_day_without_a_crash_has_no_store_and_no_job_that_is_not_here() {
    let stage = quiet_day();
    let files =
        fs::read_dir(stage.data()).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let stores: BTreeSet<String> =
        files.filter_map(|file| file.strip_suffix(".db").map(str::to_owned)).collect();
    // Nobody registers on that day.
    let mut expected: BTreeSet<String> = STORES.map(str::to_owned).into();
    expected.insert("users".to_owned());
    assert_eq!(stores, expected);
    let books = Books::open(&stage.data());
    let kinds = STORES[..4]
        .iter()
        .flat_map(|store| books.texts(&format!("SELECT DISTINCT kind FROM {store}.partie_jobs")).unwrap());
    assert_eq!(kinds.collect::<BTreeSet<_>>(), JOBS.map(str::to_owned).into());
}

#[test]
fn every_place_that_is_named_in_the_code_is_died_at() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates");
    let (mut todo, mut named) = (vec![crates], BTreeSet::new());
    while let Some(path) = todo.pop() {
        if path.is_dir() {
            todo.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|end| end == "rs") && path.iter().any(|part| part == "src") {
            let text = fs::read_to_string(&path).unwrap();
            let calls = text.split("failpoint(\"").skip(1).filter_map(|rest| rest.split('"').next());
            named.extend(calls.filter(|name| name.contains('.')).map(str::to_owned));
        }
    }
    let elsewhere = ELSEWHERE.iter().map(|(name, _)| *name);
    let known: BTreeSet<String> =
        EVENTS.into_iter().chain(TIMERS).chain(elsewhere).map(str::to_owned).collect();
    assert_eq!(named, known);
}

/// The places before and after something.
fn around(whose: &str, what: &str) -> [String; 2] {
    ["before", "after"].map(|when| format!("{whose}.{when}_{what}"))
}

/// A day for every two of those places, on which the program dies at their first passings, then at their next ones: each
/// counted from the last start.
fn days(places: &[String], passings: &[u32]) -> Vec<Vec<String>> {
    let day = |two: &[String]| {
        passings.iter().flat_map(|nth| two.iter().map(move |place| format!("{place}@{nth}"))).collect()
    };
    places.chunks(2).map(day).collect()
}
