//! Kitchens, drivers and customers, at work while something happens to the program.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

use food_contracts::seed::restaurant_id;

use super::{Customer, Driver, Habit, Kitchen, Play};
use crate::faults::wish::Wish;
use crate::processes::company::within;

/// Who is there, and how long they are waited for. Three kitchens always are.
pub(crate) struct Town {
    pub(crate) drivers: usize,
    /// They order again and again.
    pub(crate) customers: usize,
    /// How long the last orders may take.
    pub(crate) last_orders: Duration,
    /// How long it may take until everybody has gone home.
    pub(crate) home: Duration,
}

/// Lets everybody go home, whatever happens.
struct Closing<'p>(&'p Play<'p>, &'p AtomicBool);

// === impl Town ===

impl Town {
    /// Has them at work while somebody does something. Then the customers' orders are brought to their ends, and all of
    /// them go home, as they do if that fails.
    pub(crate) fn during<T>(&self, play: &Play<'_>, what: impl FnOnce() -> T) -> T {
        let enough = AtomicBool::new(false);
        thread::scope(|scope| {
            let closing = Closing(play, &enough);
            let mut people = Vec::new();
            for number in [1, 2, 3] {
                let kitchen = Kitchen::new(play, restaurant_id(number));
                people.push(scope.spawn(move || kitchen.work()));
            }
            for number in 0..self.drivers {
                let driver = Driver::new(play, &format!("driver-{number}"), Habit::Busy);
                people.push(scope.spawn(move || driver.work()));
            }
            let eating: Vec<_> = (0..self.customers)
                .map(|number| {
                    let (mut customer, enough) = (Customer::new(play, number), &enough);
                    scope.spawn(move || {
                        while !enough.load(Ordering::Relaxed) {
                            customer.order(Wish::Delivered);
                            customer.follow(3);
                        }
                        customer.follow(0);
                    })
                })
                .collect();
            let done = what();
            enough.store(true, Ordering::Relaxed);
            within(self.last_orders, "the last orders", || eating.iter().all(ScopedJoinHandle::is_finished));
            drop(closing);
            within(self.home, "people go home", || people.iter().all(ScopedJoinHandle::is_finished));
            done
        })
    }
}

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.1.store(true, Ordering::Relaxed);
        self.0.end();
    }
}
