//! `kill -9` proves nothing about disks, so the system calls are watched: nothing is said that is not on disk.

mod trace;

use std::fs;
use std::process::Command;
use std::thread;
use std::time::Duration;

use partie::runtime::monotonic;

use self::trace::Trace;
use super::audit::Books;
use super::caller::Caller;
use super::stage::Stage;
use super::wish::Wish;

/// In the order and in the event that tells of it, and nowhere else.
const PHONE: &str = "+49301234567890";
/// In the row that says how far the relay is.
const MARK: &str = "the-outbox";
const ORDERS: &str = "/orders.db-wal>";
const BROKER: &str = "/broker.db-wal>";
const RELAXED: &[(&str, &str)] =
    &[("PARTIE__STORE__DURABILITY", "relaxed"), ("PARTIE__BROKER__STORE__DURABILITY", "relaxed")];
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn an_order_is_on_disk_before_its_201_and_its_event_before_it_is_marked_as_sent() {
    let trace = watch("durability-full", &[]);
    let written = trace.first_write(ORDERS, PHONE, 0).expect("the order is written");
    let synced = trace.first_sync(ORDERS, written.ended).expect("and the log is synced");
    let answered = trace.first_write("<", "HTTP/1.1 201 ", 0).expect("and it is answered");
    assert!(synced.ended < answered.begun, "{written:?}\n{synced:?}\n{answered:?}");

    let appended = trace.first_write(BROKER, PHONE, written.ended).expect("the event is appended");
    let synced = trace.first_sync(BROKER, appended.ended).expect("and the log is synced");
    let marked = trace.first_write(ORDERS, MARK, appended.begun).expect("and it is marked as sent");
    assert!(synced.ended < marked.begun, "{appended:?}\n{synced:?}\n{marked:?}");
}

#[test]
fn the_same_look_finds_a_store_that_does_not_wait_for_the_disk() {
    let trace = watch("durability-relaxed", RELAXED);
    for log in [ORDERS, BROKER] {
        let written = trace.first_write(log, PHONE, 0).expect("it is written");
        assert!(trace.first_sync(log, written.ended).is_none());
    }
}

/// Places an order with a program whose system calls are written down, until its event has left.
fn watch(name: &str, settings: &'static [(&str, &str)]) -> Trace {
    let stage = Stage::new(name, settings);
    let file = stage.data().join("strace");
    let mut strace = Command::new("strace");
    // Detached, so that it is the program that is started, and killed. Descriptors with their paths, pages whole.
    strace.args(["-D", "-f", "-y", "-s", "5000", "-e", "trace=/sync|write|send", "-o"]).arg(&file);
    strace.arg(env!("CARGO_BIN_EXE_food"));
    let food = stage.start_as(strace).expect("it starts; is strace installed, and allowed?");
    let mut customer = Caller::new(&stage, "customer", "customer");
    assert_eq!(customer.post("/api/v1/orders", "key", Some(&Wish::Ignored.order(1, PHONE))).status, 201);
    let until = monotonic() + PATIENCE;
    let wait_for = |what: &str, is_there: &dyn Fn() -> bool| {
        while !is_there() {
            assert!(monotonic() < until, "{what}");
            thread::sleep(Duration::from_millis(20));
        }
    };
    let sent = "SELECT 'sent' FROM orders.partie_relay WHERE sent_to > 0";
    wait_for("the event has left", &|| !Books::open(&stage.data()).texts(sent).unwrap().is_empty());
    food.kill();
    let ended = || fs::read_to_string(&file).unwrap().trim_end().ends_with("+++ killed by SIGKILL +++");
    wait_for("strace has written everything down", &ended);
    Trace::parse(&fs::read_to_string(&file).unwrap())
}
