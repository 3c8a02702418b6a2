//! Which states were visited: in answers, in histories, and in what a crash left behind.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use food_contracts::delivery::{DeliveryStatus, DriverStatus};
use food_contracts::notifications::NotificationStatus;
use food_contracts::orders::OrderStatus;
use food_contracts::tickets::TicketStatus;
use schemars::{JsonSchema, schema_for};
use serde_json::Value;

use super::audit::Books;
use crate::program::Answer;

/// A thing and its state, over all tests of this program.
static SEEN: Mutex<BTreeSet<(&str, String)>> = Mutex::new(BTreeSet::new());

/// How many tests visit states: four families of failpoints, and the provider that is down.
const TESTS: usize = 5;

/// What nothing visits, and why.
const NOWHERE: [(&str, &str, &str); 3] = [
    ("delivery", "pending", "its driver is searched in the transaction that makes it"),
    ("driver", "suspended", "nobody can suspend a driver yet"),
    ("notification", "suppressed", "preferences are another issue"),
];

/// Where answers say the state of what.
const PATHS: [(&str, &str); 5] = [
    ("/api/v1/orders", "order"),
    ("/api/v1/tickets", "ticket"),
    ("/api/v1/deliveries", "delivery"),
    ("/api/v1/drivers", "driver"),
    ("/api/v1/notifications", "notification"),
];

/// Where databases do.
const COLUMNS: [(&str, &str); 6] = [
    ("order", "SELECT status FROM orders.orders"),
    ("order", "SELECT status FROM orders.order_history"),
    ("ticket", "SELECT status FROM restaurants.tickets"),
    ("delivery", "SELECT status FROM delivery.deliveries"),
    ("driver", "SELECT status FROM delivery.drivers"),
    ("notification", "SELECT status FROM notifications.notifications"),
];

/// Where events do: of states that are over in the commit they begin in, or before anybody looks.
const EVENTS: [(&str, &str); 2] = [
    ("delivery", "SELECT DISTINCT 'failed' FROM broker.partie_log WHERE type = 'delivery.failed'"),
    ("driver", "SELECT DISTINCT 'stale' FROM broker.partie_log WHERE type = 'driver.stale'"),
];

/// Takes note of the states in an answer.
pub(crate) fn hear(path: &str, answer: &Answer) {
    let Some((_, thing)) = PATHS.iter().find(|(prefix, _)| path.starts_with(prefix)) else { return };
    if path.ends_with("/offers") {
        return;
    }
    let body = answer.json();
    let one = std::iter::once(&body);
    let all = one.chain(body["data"].as_array().into_iter().flatten());
    note(thing, all.filter_map(|entry| entry["status"].as_str()).map(str::to_owned));
}

/// Takes note of the states in the databases of that directory.
pub(crate) fn read(databases: &Path) {
    let books = Books::open(databases);
    for (thing, states) in COLUMNS.into_iter().chain(EVENTS) {
        // A process that died early has left no table.
        note(thing, books.texts(states).unwrap_or_default());
    }
}

/// A test that visits states is done. The last one finds that nothing was left out.
pub(crate) fn visited() {
    static TESTS_LEFT: AtomicUsize = AtomicUsize::new(TESTS);
    if TESTS_LEFT.fetch_sub(1, Ordering::AcqRel) == 1 {
        assert_eq!(missing(), []);
    }
}

fn missing() -> Vec<(&'static str, String)> {
    let seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut missing = all();
    missing.retain(|(thing, state)| {
        let is_nowhere =
            NOWHERE.iter().any(|(nowhere, never, _)| (nowhere, never) == (thing, &state.as_str()));
        !is_nowhere && !seen.contains(&(*thing, state.clone()))
    });
    missing
}

fn note(thing: &'static str, states: impl IntoIterator<Item = String>) {
    let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    seen.extend(states.into_iter().map(|state| (thing, state)));
}

/// Every state of the contracts.
fn all() -> Vec<(&'static str, String)> {
    let things: [(&str, Vec<String>); 5] = [
        ("order", names::<OrderStatus>()),
        ("ticket", names::<TicketStatus>()),
        ("delivery", names::<DeliveryStatus>()),
        ("driver", names::<DriverStatus>()),
        ("notification", names::<NotificationStatus>()),
    ];
    things.into_iter().flat_map(|(thing, names)| names.into_iter().map(move |name| (thing, name))).collect()
}

/// The names of an enum on the wire.
fn names<E: JsonSchema>() -> Vec<String> {
    let schema = schema_for!(E).to_value();
    let named = schema["oneOf"].as_array().into_iter().flatten().filter_map(|one| one["const"].as_str());
    let listed = schema["enum"].as_array().into_iter().flatten().filter_map(Value::as_str);
    named.chain(listed).map(str::to_owned).collect()
}

#[test]
fn the_states_in_scope_are_those_of_the_contracts() {
    let all = all();
    assert!(
        NOWHERE
            .iter()
            .filter(|(_, state, _)| *state != "suppressed")
            .all(|(thing, state, _)| { all.contains(&(thing, (*state).to_owned())) })
    );
    for (thing, count) in [("order", 12), ("ticket", 8), ("delivery", 16), ("driver", 7), ("notification", 5)]
    {
        assert!(all.iter().filter(|(known, _)| *known == thing).count() >= count, "{thing}: {all:?}");
    }
}
