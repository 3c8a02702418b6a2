//! `kill -9` of each process in turn, the platform and the supervisor too, while orders come in.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use food_contracts::seed::restaurant_id;

use super::company::{A_MOMENT, Company, lives, until, within};
use crate::faults::audit;
use crate::faults::play::{Customer, Driver, Habit, Kitchen, Play, Word};
use crate::faults::stage::Stage;
use crate::faults::wish::Wish;

const SETTINGS: &[(&str, &str)] = &[
    ("PARTIE__SERVICES__RESTAURANTS__TICKET_ACCEPT", "30s"),
    ("PARTIE__SERVICES__DELIVERY__DISPATCH_INTERVAL", "200ms"),
    ("PARTIE__SERVICES__DELIVERY__OFFER", "10s"),
    ("PARTIE__SERVICES__DELIVERY__SEARCH", "30s"),
    ("PARTIE__SERVICES__DELIVERY__STALE", "40s"),
    ("PARTIE__SERVICES__DELIVERY__OFFLINE", "60s"),
    ("PARTIE__SERVICES__DELIVERY__METRES_PER_MINUTE", "100000"),
];
/// How long people wait before they look again.
const A_GLANCE: Duration = Duration::from_millis(150);
const CUSTOMERS: usize = 3;
const DRIVERS: usize = 8;
/// How many orders have to be placed after each death before the next one.
const A_FEW: usize = 4;
/// Processes whose supervisor is gone drain and exit within the time a drain may take.
const EXIT: Duration = Duration::from_secs(35);

#[test]
fn whatever_is_killed_nothing_is_lost_or_doubled() {
    let stage = Stage::new("processes", SETTINGS).unwatched();
    let (play, enough) = (Play::new(&stage, A_GLANCE), AtomicBool::new(false));
    let company = thread::scope(|scope| {
        let mut company = Company::start(&stage);
        let mut people = Vec::new();
        for number in [1, 2, 3] {
            let kitchen = Kitchen::new(&play, restaurant_id(number));
            people.push(scope.spawn(move || kitchen.work()));
        }
        for number in 0..DRIVERS {
            let driver = Driver::new(&play, &format!("driver-{number}"), Habit::Busy);
            people.push(scope.spawn(move || driver.work()));
        }
        let eating: Vec<_> = (0..CUSTOMERS)
            .map(|number| {
                let (mut customer, enough) = (Customer::new(&play, number), &enough);
                scope.spawn(move || {
                    while !enough.load(Ordering::Relaxed) {
                        customer.order(Wish::Delivered);
                        customer.follow(3);
                    }
                    customer.follow(0);
                })
            })
            .collect();
        let goes_on = |what: &str| {
            let before = play.placed();
            until(&format!("orders after the death of {what}"), || play.placed() >= before + A_FEW);
        };
        goes_on("nobody");
        for part in ["restaurants", "orders", "delivery", "notifications", "platform", "gateway"] {
            let old = company.kill_one(part);
            company.wait_for_another(part, old);
            goes_on(part);
        }
        // Two at a time: nobody can tell the other.
        let old = [company.kill_one("platform"), company.kill_one("orders")];
        company.wait_for_another("platform", old[0]);
        company.wait_for_another("orders", old[1]);
        goes_on("platform and orders");

        let orphans = company.kill();
        assert_eq!(orphans.len(), 6);
        within(EXIT, "processes without a supervisor go by themselves", || {
            orphans.iter().all(|pid| !lives(*pid))
        });
        company = Company::start(&stage);
        goes_on("the supervisor");

        // The next one does not wait for what is left of this one.
        company.kill();
        company = Company::start(&stage);
        goes_on("the supervisor, at once");

        enough.store(true, Ordering::Relaxed);
        let left = || audit::unfinished(&stage.data());
        until("the last orders", || eating.iter().all(thread::ScopedJoinHandle::is_finished));
        play.end();
        until("people go home", || people.iter().all(thread::ScopedJoinHandle::is_finished));
        until("what is left is done", || left().is_empty());
        company
    });
    assert_eq!(company.drain(), Some(0), "{}", stage.last_words());
    thread::sleep(A_MOMENT);
    let broken = audit::check(&stage.data(), &play.orders(Word::Placed));
    assert!(broken.is_empty(), "{broken:#?}\n{}", stage.last_words());
}
