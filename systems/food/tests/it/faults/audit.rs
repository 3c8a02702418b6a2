//! What the databases must hold when all is over: rules as SQL over all of them, each selecting what breaks it.

mod books;
mod rules;
mod tampered;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use food_contracts::OrderId;
use partie::contract::Id;
use serde_json::Value;

pub(crate) use self::books::{Books, STORES};
use crate::schemas;

/// What is still to be done.
pub(crate) fn unfinished(data: &Path) -> Vec<String> {
    broken(&Books::open(data), &rules::FINISHED)
}

/// Everything that is not as it must be after the end, given the orders that were answered with 201.
pub(crate) fn check(data: &Path, answered: &[OrderId]) -> Vec<String> {
    let books = Books::complete(data);
    books.0.execute("CREATE TABLE answered (id BLOB PRIMARY KEY)", []).unwrap();
    for id in answered {
        let added = books.0.execute("INSERT INTO answered (id) VALUES (?1)", [id.as_uuid().as_bytes()]);
        added.expect("every 201 is about an order of its own");
    }
    books.0.execute("CREATE TABLE declared (service TEXT, type TEXT)", []).unwrap();
    for (service, type_name) in schemas::declared() {
        books
            .0
            .execute("INSERT INTO declared (service, type) VALUES (?1, ?2)", [service, type_name])
            .unwrap();
    }
    let mut found = broken(&books, &rules::FINISHED);
    found.extend(broken(&books, &rules::KEPT));
    found.extend(told(&books, data));
    found
}

/// Compares the notifications with what the provider was given.
fn told(books: &Books, data: &Path) -> Vec<String> {
    let log = fs::read_to_string(data.join("notifications.jsonl")).unwrap();
    let mut told: BTreeMap<String, i64> = BTreeMap::new();
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        *told.entry(line["id"].as_str().unwrap().replace('-', "").to_uppercase()).or_default() += 1;
    }
    let mut rows = books.0.prepare("SELECT hex(id), attempts FROM notifications.notifications").unwrap();
    let known: BTreeMap<String, i64> =
        rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect();
    let mut broken = Vec::new();
    for (id, attempts) in &known {
        let times = told.get(id).copied().unwrap_or(0);
        // More than once only if an attempt ended without a result, which the next one counts.
        if times == 0 || times > *attempts {
            broken
                .push(format!("a notification is told once an attempt at most: {id} {times} of {attempts}"));
        }
    }
    let unknown: BTreeSet<_> = told.keys().filter(|id| !known.contains_key(*id)).collect();
    broken.extend(unknown.into_iter().map(|id| format!("nobody is told what is not on record: {id}")));
    broken
}

/// What breaks these rules. A rule about messaging is one about every service's store.
fn broken(books: &Books, rules: &[(&str, &str)]) -> Vec<String> {
    let mut broken = Vec::new();
    for (rule, sql) in rules {
        let services = if sql.contains("{service}") { &STORES[..4] } else { &[""] };
        for service in services {
            let sql = sql.replace("{service}", service);
            let found = books.texts(&sql).unwrap_or_else(|error| panic!("{rule}: {error}: {sql}"));
            broken.extend(found.iter().map(|what| format!("{rule}: {service} {what}")));
        }
    }
    broken
}
