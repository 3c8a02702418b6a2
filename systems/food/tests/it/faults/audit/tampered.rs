//! Every rule can be broken: a day's databases are tampered with, and the audit finds out.

use std::fs;
use std::path::Path;

use food_contracts::OrderId;
use rusqlite::Connection;

use super::{Books, STORES, check, rules};
use crate::faults::failpoints::quiet_day;

/// The ids of all orders, as they are written.
const IDS: &str =
    "SELECT substr(h, 1, 8) || '-' || substr(h, 9, 4) || '-' || substr(h, 13, 4) || '-' || substr(h, 17, 4)
    || '-' || substr(h, 21) FROM (SELECT lower(hex(id)) AS h FROM orders.orders)";

/// A rule and what breaks it.
const TAMPERING: [(&str, &str); 42] = [
    ("every order has ended", "UPDATE orders.orders SET status = 'ready'"),
    ("every ticket has ended", "UPDATE restaurants.tickets SET status = 'ready'"),
    ("every delivery has ended", "UPDATE delivery.deliveries SET status = 'searching'"),
    (
        "no offer waits",
        "UPDATE delivery.offers SET status = 'open' WHERE id = (SELECT min(id) FROM delivery.offers)",
    ),
    ("nobody is waited for who may be lost yet", "UPDATE delivery.drivers SET status = 'stale'"),
    ("every notification is sent", "UPDATE notifications.notifications SET status = 'dead'"),
    ("every saga has ended", "UPDATE orders.partie_sagas SET parked = 'why'"),
    (
        "every word to a saga was heard",
        "INSERT INTO orders.partie_saga_signals (saga, body, cause) VALUES (x'00', 'null', '')",
    ),
    (
        "no timer is set",
        "INSERT INTO delivery.partie_timers (id, kind, key, due_at, data, cause) VALUES (x'00', '', '', 0, '', '')",
    ),
    ("every job is done", "UPDATE notifications.partie_jobs SET state = 'dead'"),
    ("every event has left", "UPDATE delivery.partie_relay SET sent_to = 0"),
    ("every event was handled by all who hear of it", "DELETE FROM notifications.partie_inbox"),
    (
        "no key waits",
        "INSERT INTO broker.partie_stalls (group_name, key, attempts, error) VALUES ('', '', 1, '')",
    ),
    ("no event is held back", "INSERT INTO broker.partie_held (group_name, position, key) VALUES ('', 1, '')"),
    (
        "every order that was answered is there",
        "DELETE FROM orders.orders WHERE id = (SELECT min(id) FROM orders.orders)",
    ),
    (
        "no order is there that was not answered",
        "UPDATE orders.orders SET id = x'00' WHERE id = (SELECT min(id) FROM orders.orders)",
    ),
    ("an order stands where it is", "UPDATE orders.orders SET stage = 'ready'"),
    ("an order's history has no gap", "DELETE FROM orders.order_history WHERE sequence = 2"),
    (
        "an order's history begins with its placing and ends where it stands",
        "UPDATE orders.order_history SET event = 'order.ready' WHERE sequence = 1",
    ),
    ("an order's history goes forward in time", "UPDATE orders.order_history SET at = 0 WHERE sequence = 2"),
    (
        "nothing happens to an order twice",
        "UPDATE orders.order_history SET event = 'order.placed' WHERE sequence = 2",
    ),
    (
        "what was delivered was cooked, picked up and delivered, in this order",
        "UPDATE orders.order_history SET event = 'order.preparing' WHERE event = 'order.ready'",
    ),
    (
        "an order ends as its delivery does",
        "UPDATE delivery.deliveries SET status = 'returned' WHERE status = 'delivered'",
    ),
    (
        "an order ends as its ticket does",
        "UPDATE restaurants.tickets SET status = 'cancelled' WHERE status = 'handed_over'",
    ),
    ("an order has an ending that fits its reason", "UPDATE orders.orders SET reason = NULL"),
    ("a saga ends as its order does", "UPDATE orders.partie_sagas SET phase = 'failed'"),
    ("every order has a saga", "DELETE FROM orders.partie_sagas"),
    (
        "no delivery has two drivers at a time",
        "INSERT INTO delivery.assignments SELECT x'00', delivery_id, driver_id, position, assigned_at, ended_at
         FROM delivery.assignments LIMIT 1",
    ),
    (
        "no driver has deliveries of two offers at a time",
        "INSERT INTO delivery.assignments SELECT x'00', x'00', driver_id, position, assigned_at, ended_at
         FROM delivery.assignments LIMIT 1",
    ),
    ("no driver has more than it can carry", "UPDATE delivery.drivers SET capacity = 0"),
    (
        "no delivery is under way",
        "UPDATE delivery.assignments SET ended_at = NULL WHERE rowid = (SELECT min(rowid) FROM delivery.assignments)",
    ),
    ("no driver is loaded", "UPDATE delivery.drivers SET load = 1"),
    ("what was delivered was assigned", "DELETE FROM delivery.assignments"),
    (
        "all of an accepted offer is assigned, and nothing else",
        "UPDATE delivery.offers SET status = 'declined' WHERE status = 'accepted'",
    ),
    (
        "a delivery goes forward in time, and no food is picked up before it is ready",
        "UPDATE delivery.deliveries SET picked_up_at = ready_at - 1",
    ),
    (
        "nobody delivers what was not ordered",
        "UPDATE delivery.deliveries SET order_id = x'00' WHERE id = (SELECT min(id) FROM delivery.deliveries)",
    ),
    (
        "nobody cooks what was not ordered",
        "UPDATE restaurants.tickets SET order_id = x'00' WHERE id = (SELECT min(id) FROM restaurants.tickets)",
    ),
    (
        "customers hear of what happened to their orders",
        "DELETE FROM notifications.notifications WHERE template = 'order-placed'",
    ),
    (
        "customers hear of nothing else",
        "UPDATE notifications.notifications SET dedupe_key = 'gossip' WHERE template = 'order-rejected'
         AND id = (SELECT min(id) FROM notifications.notifications WHERE template = 'order-rejected')",
    ),
    ("what left is what arrived", "DELETE FROM broker.partie_log"),
    ("nothing arrived that did not leave", "DELETE FROM orders.partie_outbox"),
    ("nobody publishes what is not declared", "UPDATE orders.partie_outbox SET type = 'gossip.heard'"),
];

#[test]
fn every_rule_can_be_broken() {
    let stage = quiet_day();
    let found = Books::open(&stage.data()).texts(IDS).unwrap();
    let answered: Vec<OrderId> = found.iter().map(|id| id.parse().unwrap()).collect();
    let names = rules::FINISHED.iter().chain(&rules::KEPT).map(|(rule, _)| rule);
    assert!(names.eq(TAMPERING.iter().map(|(rule, _)| rule)), "every rule has its tampering");

    let told = fs::read_to_string(stage.data().join("notifications.jsonl")).unwrap();
    let tamper = |sql: &str, told: &str| {
        let copy = stage.snapshot();
        fs::write(copy.path().join("notifications.jsonl"), told).unwrap();
        change(copy.path(), sql);
        check(copy.path(), &answered)
    };
    assert_eq!(tamper("", &told), [] as [String; 0]);
    for (rule, sql) in TAMPERING {
        let broken = tamper(sql, &told);
        assert!(broken.iter().any(|what| what.starts_with(rule)), "{rule}: {broken:#?}");
    }

    let (first, rest) = told.split_once('\n').unwrap();
    let stranger = first.replace(&first[7..11], "ffff");
    for told in [rest.to_owned(), format!("{told}{first}\n{first}\n"), format!("{told}{stranger}\n")] {
        assert_eq!(tamper("", &told).len(), 1);
    }
}

fn change(databases: &Path, sql: &str) {
    let all = Connection::open_in_memory().unwrap();
    all.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
    for store in STORES {
        let path = databases.join(format!("{store}.db"));
        all.execute(&format!("ATTACH ?1 AS {store}"), [path.to_str().unwrap()]).unwrap();
    }
    all.execute_batch(sql).unwrap_or_else(|error| panic!("{error}: {sql}"));
}
