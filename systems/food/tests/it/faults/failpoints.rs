//! The program dies at every named place, and goes on from there.

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
    ("PARTIE__SERVICES__RESTAURANTS__TICKET_ACCEPT", "2500ms"),
    ("PARTIE__SERVICES__DELIVERY__DISPATCH_INTERVAL", "100ms"),
    ("PARTIE__SERVICES__DELIVERY__OFFER", "1s"),
    ("PARTIE__SERVICES__DELIVERY__SEARCH", "2500ms"),
    ("PARTIE__SERVICES__DELIVERY__STALE", "2500ms"),
    ("PARTIE__SERVICES__DELIVERY__OFFLINE", "3500ms"),
    ("PARTIE__SERVICES__DELIVERY__METRES_PER_MINUTE", "100000"),
];
/// How long people wait before they look again.
const A_GLANCE: Duration = Duration::from_millis(60);
/// How many programs of one test run at a time.
const AT_A_TIME: usize = 2;

/// Plays a day on which the program dies at a place, if it is given one. Gives back the stage as it was left, or says
/// what is wrong.
pub(super) fn day(place: Option<&str>) -> Result<Stage, String> {
    let stage = Stage::new(&format!("day-{}", place.unwrap_or("without")), SETTINGS);
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
        let mut program = Program::start(&stage, place);
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
    played.map_err(|error| format!("{error}\n{}", stage.last_words()))?;
    states::read(&stage.data());
    let broken = audit::check(&stage.data(), &play.orders(Word::Placed));
    drop(play);
    if broken.is_empty() { Ok(stage) } else { Err(format!("{broken:#?}\n{}", stage.last_words())) }
}

/// Lets the program die at each of these places.
fn die_at(places: Vec<String>) {
    let (todo, failures) = (Mutex::new(places), Mutex::new(Vec::new()));
    let one_after_another = || {
        let next = || todo.lock().unwrap_or_else(PoisonError::into_inner).pop();
        while let Some(place) = next() {
            let day = panic::catch_unwind(|| day(Some(&place)).map(drop));
            if let Err(error) = day.unwrap_or_else(|_| Err("somebody gave up, see above".to_owned())) {
                let mut failures = failures.lock().unwrap_or_else(PoisonError::into_inner);
                failures.push(format!("{place}: {error}"));
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
