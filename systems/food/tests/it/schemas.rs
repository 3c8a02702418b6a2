//! What is committed of contracts and events, and whom a change of it would break.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use food::system;
use serde_json::Value;

use crate::program::{Scratch, food};

fn committed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas")
}

/// Who publishes what, as it is committed: service and type.
pub(crate) fn declared() -> Vec<(String, String)> {
    let documents = fs::read_dir(committed().join("events")).unwrap().map(|entry| {
        serde_json::from_str::<Value>(&fs::read_to_string(entry.unwrap().path()).unwrap()).unwrap()
    });
    let each = documents.flat_map(|document| {
        let type_name = document["event"].as_str().map(str::to_owned);
        let publishers = document["publishers"].as_array().cloned().unwrap_or_default();
        publishers
            .into_iter()
            .filter_map(move |service| Some((service.as_str()?.to_owned(), type_name.clone()?)))
    });
    each.collect()
}

/// A copy of what is committed, one file of it as if it had said something else.
fn otherwise(file: &str, change: impl FnOnce(&mut Value)) -> Scratch {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let dir = Scratch::new(&format!("schemas-{}", COUNT.fetch_add(1, Ordering::Relaxed)));
    for below in ["contracts", "events"] {
        fs::create_dir(dir.path().join(below)).unwrap();
        for entry in fs::read_dir(committed().join(below)).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), dir.path().join(below).join(entry.file_name())).unwrap();
        }
    }
    let path = dir.path().join(file);
    let mut value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    change(&mut value);
    fs::write(path, value.to_string()).unwrap();
    dir
}

#[test]
fn what_is_committed_is_current_and_nothing_breaks_it() {
    let comparison = system().compare(&committed()).unwrap();
    assert_eq!((comparison.breaks, comparison.stale), (vec![], vec![]), "cargo xtask contracts");
    assert!(comparison.documents > 40);
}

#[test]
fn every_published_event_that_is_committed_is_read_by_all_its_handlers() {
    let (system, mut count) = (system(), 0);
    for entry in fs::read_dir(committed().join("events")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.to_str().unwrap();
        let Some(document) = name.strip_suffix(".sample.json").map(|start| format!("{start}.json")) else {
            continue;
        };
        let document: Value = serde_json::from_str(&fs::read_to_string(document).unwrap()).unwrap();
        let mut handlers = system.replay(&fs::read_to_string(&path).unwrap()).unwrap();
        handlers.sort_unstable();
        assert_eq!(serde_json::json!(handlers), document["handlers"], "{name}");
        assert_ne!(document["publishers"], serde_json::json!([]), "{name}");
        count += handlers.len();
    }
    // Delivery 2, notifications 6, orders 14, restaurants 1.
    assert_eq!(count, 23);
}

#[test]
fn a_break_names_those_who_call_or_handle() {
    let menu = otherwise("contracts/restaurants.v1.json", |was| {
        let operations = was["operations"].as_object_mut().unwrap();
        let mut gone = operations.values().next().unwrap().clone();
        gone["path"] = "/api/v1/specials".into();
        operations.insert("specials".to_owned(), gone);
    });
    let breaks = system().compare(menu.path()).unwrap().breaks;
    let [one] = &breaks[..] else { panic!("{breaks:?}") };
    assert_eq!((&*one.file, &*one.pointer), ("contracts/restaurants.v1.json", "/operations/specials"));
    assert_eq!(one.whom, ["orders", "users of the gateway"]);

    let ticket = otherwise("events/ticket.accepted.v1.json", |was| {
        was["written"]["TicketAccepted"]["properties"]["chef"] = serde_json::json!({ "type": "string" });
    });
    let breaks = system().compare(ticket.path()).unwrap().breaks;
    let [one] = &breaks[..] else { panic!("{breaks:?}") };
    assert_eq!(one.whom, ["delivery", "orders"]);
    assert_eq!(
        (&*one.pointer, &*one.was, &*one.is),
        ("/written/TicketAccepted/properties/chef", "string", "gone")
    );
}

#[test]
fn an_event_that_no_handler_can_read_any_more_names_its_handlers() {
    let dir = otherwise("events/ticket.accepted.v1.sample.json", |was| {
        was["data"]["ready_by"] = "soon".into();
    });
    let breaks = system().compare(dir.path()).unwrap().breaks;
    let whom: Vec<_> = breaks.iter().flat_map(|one| &one.whom).collect();
    assert_eq!(whom, ["orders", "delivery"], "{breaks:?}");
}

#[test]
fn the_program_says_what_breaks_and_fails() {
    let run = |words: &[&str], dir: &Path| {
        let output = food().arg("contracts").args(words).arg(dir).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let (code, out, _) = run(&["diff", "--current"], &committed());
    assert_eq!(code, Some(0));
    assert!(out.ends_with("contracts and events: no change breaks anybody\n"), "{out}");

    // Something optional was added since: no break, but not current either.
    let older = otherwise("events/ticket.accepted.v1.json", |was| was["handlers"] = serde_json::json!([]));
    let (code, out, _) = run(&["diff"], older.path());
    assert_eq!(code, Some(0));
    assert!(
        out.contains("events/ticket.accepted.v1.json is not what the program says; nothing breaks by it"),
        "{out}"
    );
    assert!(out.contains("`food contracts write "), "{out}");
    assert_eq!(run(&["diff", "--current"], older.path()).0, Some(1));
    assert_eq!(run(&["write"], older.path()).0, Some(0));
    assert_eq!(run(&["diff", "--current"], older.path()).0, Some(0));

    let broken = otherwise("contracts/orders.v1.json", |was| {
        was["operations"]["place"]["body"]["properties"] = serde_json::json!({});
        was["operations"]["place"]["keyed"] = false.into();
    });
    for words in [["diff"], ["write"]] {
        let (code, out, error) = run(&words, broken.path());
        assert_eq!((code, &*out), (Some(1), ""), "{words:?}");
        for part in [
            "error: ",
            "contracts/orders.v1.json#/operations/place/keyed",
            "was: false",
            "is: true",
            "breaks users of the gateway: callers that send no key are refused with 400",
            "instead: leave it, and serve the change as version 2 of `orders` beside it",
        ] {
            assert!(error.contains(part), "{part}: {error}");
        }
    }
    let (code, _, error) = run(&["diff"], &committed().join("contracts/orders.v1.json"));
    assert_eq!(code, Some(2), "{error}");
}
