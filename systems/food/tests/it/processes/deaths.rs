//! `kill -9` of each process in turn, the platform and the supervisor too, while orders come in.

use std::thread;
use std::time::Duration;

use super::company::{A_MOMENT, Company, PATIENCE, lives, until, within};
use crate::faults::audit;
use crate::faults::play::{Play, Town, Word};
use crate::faults::stage::Stage;

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
    let play = Play::new(&stage, A_GLANCE);
    let mut company = Company::start(&stage);
    let town = Town { drivers: DRIVERS, customers: CUSTOMERS, last_orders: PATIENCE, home: PATIENCE };
    let company = town.during(&play, || {
        let goes_on = |what: &str| {
            let before = play.placed();
            until(&format!("orders after the death of {what}"), || play.placed() >= before + A_FEW);
        };
        goes_on("nobody");
        for part in ["restaurants", "orders", "delivery", "notifications", "users", "platform", "gateway"] {
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
        assert_eq!(orphans.len(), 7);
        within(EXIT, "processes without a supervisor go by themselves", || {
            orphans.iter().all(|pid| !lives(*pid))
        });
        company = Company::start(&stage);
        goes_on("the supervisor");

        // The next one does not wait for what is left of this one.
        company.kill();
        company = Company::start(&stage);
        goes_on("the supervisor, at once");
        company
    });
    until("what is left is done", || audit::unfinished(&stage.data()).is_empty());
    assert_eq!(company.drain(), Some(0), "{}", stage.last_words());
    thread::sleep(A_MOMENT);
    let broken = audit::check(&stage.data(), &play.orders(Word::Placed));
    assert!(broken.is_empty(), "{broken:#?}\n{}", stage.last_words());
}
