//! The program dies at every named place, and goes on from there, until it dies at the next one.

mod places;
mod program;

use std::panic;
use std::sync::{Mutex, PoisonError};
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

use food_contracts::seed::restaurant_id;

use self::program::Program;
use super::play::{Customer, Driver, Habit, Kitchen, Play, Word};
use super::stage::Stage;
use super::wish::Wish;
use super::{audit, states};

/// Everybody is in a hurry, so that every timeout is met within seconds.
const SETTINGS: &[(&str, &str)] = &[
    ("PARTIE__SERVICES__RESTAURANTS__TICKET_ACCEPT", "3500ms"),
    ("PARTIE__SERVICES__DELIVERY__DISPATCH_INTERVAL", "100ms"),
    ("PARTIE__SERVICES__DELIVERY__OFFER", "1200ms"),
    ("PARTIE__SERVICES__DELIVERY__SEARCH", "3500ms"),
    ("PARTIE__SERVICES__DELIVERY__STALE", "3500ms"),
    ("PARTIE__SERVICES__DELIVERY__OFFLINE", "4500ms"),
    ("PARTIE__SERVICES__DELIVERY__METRES_PER_MINUTE", "100000"),
];
/// How long people wait before they look again.
const A_GLANCE: Duration = Duration::from_millis(100);
/// How many programs of one test run at a time.
const AT_A_TIME: usize = 2;

/// A day without a death.
pub(super) fn quiet_day() -> Stage {
    day(&[]).unwrap_or_else(|error| panic!("{error}")).0
}

/// Plays a day on which the program dies at these places, one after another. Gives back the stage as it was left, and the
/// places that come too late for such a day, or says what is wrong.
fn day(places: &[String]) -> Result<(Stage, Vec<String>), String> {
    let stage = Stage::new("day", SETTINGS);
    let play = Play::new(&stage, A_GLANCE);
    let played = thread::scope(|scope| {
        let mut customer = Customer::new(&play, 1);
        let mut people = Vec::new();
        for number in [1, 2, 3] {
            let kitchen = Kitchen::new(&play, restaurant_id(number));
            people.push(scope.spawn(move || kitchen.work()));
        }
        let willing = ["ann", "bob", "cid"].map(|name| (name, Habit::Willing));
        for (name, habit) in willing.into_iter().chain([("pia", Habit::Picky), ("sid", Habit::Silent)]) {
            let driver = Driver::new(&play, name, habit);
            people.push(scope.spawn(move || driver.work()));
        }
        let mut program = Program::start(&stage, places.to_vec());
        let eaten = scope.spawn(move || {
            // The first order is alone for a while, so that the first commits are about nothing else.
            customer.order(Wish::Delivered);
            customer.follow(0);
            Wish::ALL.iter().for_each(|wish| customer.order(*wish));
            customer.follow(0);
        });
        let left = || audit::unfinished(&stage.data());
        let eaten = program.until(|| eaten.is_finished(), left);
        play.end();
        // Whatever went wrong, people want to go home.
        let home = program.until(|| people.iter().all(ScopedJoinHandle::is_finished), Vec::new);
        eaten.and(home)?;
        program.until(|| left().is_empty(), left)?;
        program.finish()
    });
    let late = played.map_err(|error| format!("{error}\n{}", stage.last_words()))?;
    states::read(&stage.data());
    let broken = audit::check(&stage.data(), &play.orders(Word::Placed));
    drop(play);
    if broken.is_empty() { Ok((stage, late)) } else { Err(format!("{broken:#?}\n{}", stage.last_words())) }
}

/// Plays these days. What comes too late on one of them gets a day of its own.
fn die_on(days: Vec<Vec<String>>) {
    let (days, failures) = (Mutex::new(days), Mutex::new(Vec::new()));
    let one_after_another = || {
        let next = || days.lock().unwrap_or_else(PoisonError::into_inner).pop();
        while let Some(places) = next() {
            let day = panic::catch_unwind(|| day(&places).map(|(_, late)| late));
            match day.unwrap_or_else(|_| Err("somebody gave up, see above".to_owned())) {
                Ok(late) if late.is_empty() => {}
                Ok(late) => days.lock().unwrap_or_else(PoisonError::into_inner).push(late),
                Err(error) => {
                    let mut failures = failures.lock().unwrap_or_else(PoisonError::into_inner);
                    failures.push(format!("{places:?}: {error}"));
                }
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(one_after_another);
        }
    });
    let failures = failures.into_inner().unwrap_or_else(PoisonError::into_inner);
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    states::visited();
}
