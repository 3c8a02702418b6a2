//! Three replicas of orders and of delivery on PostgreSQL and NATS: processes and servers are killed at random, and the
//! databases hold what they must.

use std::thread;
use std::time::Duration;

use partie::runtime::{Ids, monotonic};
use partie_testkit::Engines;
use partie_testservers::{Nats, Postgres};

use super::company::{A_MOMENT, Company, signal, within};
use crate::faults::audit;
use crate::faults::play::{Play, Town, Word};
use crate::faults::stage::Stage;
use crate::program::{food, use_engines};

const SETTINGS: &[(&str, &str)] = &[
    // Whoever is on duty dies several times a minute.
    ("PARTIE__STORE__LEASE_TIME", "3s"),
    ("PARTIE__SERVICES__RESTAURANTS__TICKET_ACCEPT", "60s"),
    ("PARTIE__SERVICES__DELIVERY__DISPATCH_INTERVAL", "200ms"),
    ("PARTIE__SERVICES__DELIVERY__OFFER", "20s"),
    ("PARTIE__SERVICES__DELIVERY__SEARCH", "60s"),
    ("PARTIE__SERVICES__DELIVERY__STALE", "60s"),
    ("PARTIE__SERVICES__DELIVERY__OFFLINE", "90s"),
    ("PARTIE__SERVICES__DELIVERY__METRES_PER_MINUTE", "100000"),
];
/// Another seed than that of the day, to see a failure again.
const SEED: &str = "FOOD_SEED";
/// How long somebody is killed every now and then.
const A_WHILE: Duration = Duration::from_secs(40);
/// How long anything is waited for.
const PATIENCE: Duration = Duration::from_secs(90);
/// How long people wait before they look again.
const A_GLANCE: Duration = Duration::from_millis(250);
/// How long it is quiet between two deaths, in milliseconds at most.
const QUIET: u64 = 2000;
const CUSTOMERS: usize = 5;
const DRIVERS: usize = 8;

#[test]
fn replicas_and_servers_are_killed_at_random_and_nothing_is_lost_or_doubled() {
    let seed = std::env::var(SEED).ok().map(|seed| seed.parse().unwrap());
    let seed = seed.unwrap_or_else(|| Ids::from_entropy().below(u64::from(u32::MAX)));
    println!("{SEED}={seed}");
    let (postgres, nats) = (Postgres::start(&[], &[]), Nats::start());
    let stage = Stage::new("replicas", SETTINGS).unwatched();
    use_engines(&stage.data(), Engines::on(&postgres, &nats));
    let play = Play::new(&stage, A_GLANCE);
    let mut command = food();
    command.args(["up", "--processes", "--replicas", "orders=3", "--replicas", "delivery=3"]);
    let company = Company::launch(&stage, command);
    assert_eq!(company.all().len(), 11, "{:?}", company.all());
    let town = Town { drivers: DRIVERS, customers: CUSTOMERS, last_orders: PATIENCE, home: PATIENCE };
    let deaths = town.during(&play, || {
        within(PATIENCE, "orders", || play.placed() > CUSTOMERS);
        kill_at_random(&Ids::seeded(seed), &company, (&postgres, &nats), &play)
    });
    let until = monotonic() + PATIENCE;
    loop {
        let left = audit::unfinished(&stage.data());
        if left.is_empty() {
            break;
        }
        assert!(monotonic() < until, "{left:#?}\n{}", stage.last_words());
        thread::sleep(Duration::from_millis(500));
    }
    assert_eq!(company.drain(), Some(0), "{}", stage.last_words());
    let broken = audit::check(&stage.data(), &play.orders(Word::Placed));
    println!("{} orders, and these died: {}", play.placed(), deaths.join(" "));
    assert!(broken.is_empty(), "{broken:#?}\n{}", stage.last_words());
}

/// Kills somebody every now and then, for a while: one process or two at once, or a server, which comes back.
fn kill_at_random(ids: &Ids, company: &Company, servers: (&Postgres, &Nats), play: &Play<'_>) -> Vec<String> {
    let (postgres, nats) = servers;
    let mut deaths = Vec::new();
    let until = monotonic() + A_WHILE;
    while monotonic() < until {
        let placed = play.placed();
        let a_pause = || thread::sleep(Duration::from_millis(ids.below(QUIET)));
        match ids.below(6) {
            0 => {
                postgres.kill();
                a_pause();
                postgres.restart();
                deaths.push("postgres".to_owned());
            }
            1 => {
                nats.kill();
                a_pause();
                nats.restart();
                deaths.push("nats".to_owned());
            }
            how => {
                let mut all = company.all();
                for _ in 0..if how == 2 { 2 } else { 1 } {
                    // Those who have just died may not have come back yet.
                    if !all.is_empty() {
                        let at = usize::try_from(ids.below(all.len() as u64)).unwrap_or(0);
                        let (part, pid) = all.swap_remove(at);
                        signal(pid, "-KILL");
                        deaths.push(part);
                    }
                }
            }
        }
        a_pause();
        let words = deaths.join(" ");
        within(PATIENCE, &format!("orders after {words}"), || play.placed() > placed);
        thread::sleep(A_MOMENT);
    }
    deaths
}
