//! Real days of orders, and `kill -9` at any moment of them.

use std::thread;
use std::time::Duration;

use food_contracts::seed::restaurant_id;
use partie::runtime::{Ids, monotonic};

use super::audit;
use super::play::{Customer, Driver, Habit, Kitchen, Play, Word};
use super::stage::Stage;
use super::wish::Wish;

const ORDERS: usize = 5000;
const DRIVERS: usize = 50;
const CUSTOMERS: usize = 12;
/// How many orders a customer waits for at a time: there are no more than drivers can carry.
const AT_A_TIME: usize = 12;
/// How many are ordered together.
const A_COURSE: usize = 4;
/// How often it is killed while orders come in, at least; now and then it is killed again while it recovers.
const KILLS: usize = 9;
const SEED: u64 = 20;
const SETTINGS: &[(&str, &str)] = &[
    ("PARTIE__SERVICES__RESTAURANTS__TICKET_ACCEPT", "10s"),
    ("PARTIE__SERVICES__DELIVERY__DISPATCH_INTERVAL", "200ms"),
    ("PARTIE__SERVICES__DELIVERY__OFFER", "5s"),
    ("PARTIE__SERVICES__DELIVERY__SEARCH", "10s"),
    ("PARTIE__SERVICES__DELIVERY__STALE", "20s"),
    ("PARTIE__SERVICES__DELIVERY__OFFLINE", "40s"),
    ("PARTIE__SERVICES__DELIVERY__METRES_PER_MINUTE", "100000"),
];
/// The longest timer plus 30 s, counted from the last order.
const PATIENCE: Duration = Duration::from_secs(50);
/// How long people wait before they look again.
const A_GLANCE: Duration = Duration::from_millis(400);
const A_MOMENT: Duration = Duration::from_millis(20);

#[test]
fn five_thousand_orders_survive_kills_at_any_moment() {
    let stage = Stage::new("load", SETTINGS).unwatched();
    let (play, ids) = (Play::new(&stage, A_GLANCE), Ids::seeded(SEED));
    let food = thread::scope(|scope| {
        let mut food = stage.start(None).unwrap();
        let mut people = Vec::new();
        for number in [1, 2, 3] {
            for hand in Kitchen::hands(&play, restaurant_id(number)) {
                people.push(scope.spawn(move || hand.work()));
            }
        }
        for number in 0..DRIVERS {
            let driver = Driver::new(&play, &format!("driver-{number}"), Habit::Busy);
            people.push(scope.spawn(move || driver.work()));
        }
        let mut eating = Vec::new();
        for number in 0..CUSTOMERS {
            let mut customer = Customer::new(&play, number);
            let wishes = Ids::seeded(SEED + 1 + number as u64);
            let share = (ORDERS + number) / CUSTOMERS;
            eating.push(scope.spawn(move || {
                for number in 1..=share {
                    customer.order(wish(&wishes));
                    if number.is_multiple_of(A_COURSE) {
                        customer.follow(AT_A_TIME - A_COURSE);
                    }
                }
                customer.follow(0);
            }));
        }

        for kill in 1..=KILLS {
            let spread = ids.below(ORDERS as u64 / 12) as usize;
            let at = ORDERS * kill / (KILLS + 1) + spread;
            while play.placed() < at && !eating.iter().all(thread::ScopedJoinHandle::is_finished) {
                thread::sleep(A_MOMENT);
            }
            food.kill();
            food = stage.start(None).unwrap();
            if ids.below(3) == 0 {
                thread::sleep(Duration::from_millis(ids.below(300)));
                food.kill();
                food = stage.start(None).unwrap();
            }
        }
        while play.placed() < ORDERS && !eating.iter().any(thread::ScopedJoinHandle::is_finished) {
            thread::sleep(A_MOMENT);
        }
        let until = monotonic() + PATIENCE;
        let is_done = || eating.iter().all(thread::ScopedJoinHandle::is_finished);
        while !is_done() && monotonic() < until {
            thread::sleep(A_MOMENT);
        }
        let late = !is_done();
        let left = audit::unfinished(&stage.data());
        play.end();
        assert!(!late, "the last order was long ago, and there is still: {left:#?}");
        food
    });
    let until = monotonic() + PATIENCE;
    while !audit::unfinished(&stage.data()).is_empty() {
        assert!(monotonic() < until, "{:#?}\n{}", audit::unfinished(&stage.data()), stage.last_words());
        thread::sleep(A_MOMENT);
    }
    food.kill();
    assert_eq!(play.placed(), ORDERS);
    let broken = audit::check(&stage.data(), &play.orders(Word::Placed));
    assert!(broken.is_empty(), "{broken:#?}");
}

/// Most orders are just eaten.
fn wish(ids: &Ids) -> Wish {
    match ids.below(400) {
        0..320 => Wish::Delivered,
        320..350 => Wish::DriverFirst,
        350..360 => Wish::CancelledPending,
        360..370 => Wish::CancelledConfirmed,
        370..378 => Wish::CancelledTooLate,
        378..384 => Wish::Declined,
        384..388 => Wish::DeclinedTooLate,
        388..394 => Wish::NobodyAtDoor,
        394 => Wish::GivenUp,
        395 => Wish::Burnt,
        396 => Wish::OfferIgnored,
        397 => Wish::Ignored,
        398 => Wish::NoDriver,
        _ => Wish::NoDriverFirst,
    }
}
