//! A disk without space, and one that fails at a sync: system calls on one store's log are answered with errors.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::thread;
use std::time::Duration;

use partie::runtime::monotonic;

use super::backup::{A_GLANCE, A_MOMENT, SETTINGS};
use crate::faults::audit;
use crate::faults::play::{Play, Town, Word};
use crate::faults::stage::Stage;
use crate::faults::wish::Wish;
use crate::processes::company::{self, Company, signal, until};
use crate::program::{Answer, Food};

const CALLERS: usize = 4;
const PATIENCE: Duration = Duration::from_secs(40);
/// Processes that died again and again are waited for longer each time.
const LAST_ORDERS: Duration = Duration::from_secs(100);
const READY: &str = "/health/ready";

/// The program under strace, which answers calls on the log of a store with an error. Detached, so that it is the program
/// that is started, and that goes on when strace ends.
fn strace(stage: &Stage, store: &str, call: &str, error: &str) -> Command {
    let mut strace = Command::new("strace");
    strace
        .args(["-D", "-I", "1", "-f", "-qq", "-o", "/dev/null", "-P"])
        .arg(stage.data().join(format!("{store}.db-wal")));
    strace.args(["-e", &format!("trace={call}"), "-e", &format!("inject={call}:error={error}")]);
    strace.arg(env!("CARGO_BIN_EXE_food"));
    strace
}

/// The disk is well again: whoever injects errors into a process goes.
fn repair(pid: u32) {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let tracer = status.lines().find_map(|line| line.strip_prefix("TracerPid:")).unwrap().trim();
    assert_ne!(tracer, "0", "strace is gone already");
    signal(tracer.parse().unwrap(), "-TERM");
}

/// What callers were answered to their orders.
#[derive(Default)]
struct Answers {
    /// Orders by key.
    placed: BTreeMap<String, String>,
    refused: Vec<Answer>,
    /// Keys whose answer never came.
    unanswered: Vec<String>,
}

/// Places orders until they are not taken any more.
fn load(food: &Food, token: &str) -> Answers {
    let basket = Wish::Ignored.order(1, "+4930123456");
    let callers = thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS)
            .map(|caller| {
                let basket = &basket;
                scope.spawn(move || {
                    let (mut own, begun) = (Answers::default(), monotonic());
                    for number in 0.. {
                        assert!(begun.elapsed() < PATIENCE, "the disk never failed");
                        let key = format!("{caller}-{number}");
                        match food.try_post("/api/v1/orders", token, &key, basket) {
                            Ok(answer) if answer.status == 201 => {
                                own.placed.insert(key, answer.json()["id"].as_str().unwrap().to_owned());
                            }
                            Ok(answer) => {
                                own.refused.push(answer);
                                break;
                            }
                            Err(_) => {
                                own.unanswered.push(key);
                                break;
                            }
                        }
                    }
                    own
                })
            })
            .collect();
        callers.into_iter().map(|caller| caller.join().unwrap()).collect::<Vec<_>>()
    });
    callers.into_iter().fold(Answers::default(), |mut all, own| {
        all.placed.extend(own.placed);
        all.refused.extend(own.refused);
        all.unanswered.extend(own.unanswered);
        all
    })
}

/// Everything that was answered is there, and is there once.
fn check_kept(food: &Food, token: &str, answers: &Answers) {
    let basket = Wish::Ignored.order(1, "+4930123456");
    for (key, id) in &answers.placed {
        assert_eq!(food.get(&format!("/api/v1/orders/{id}"), token).status, 200, "order {id} was answered");
        let replay = food.post("/api/v1/orders", token, key, &basket);
        assert_eq!((replay.status, replay.json()["id"].as_str()), (201, Some(id.as_str())), "{replay:?}");
    }
}

#[test]
fn a_full_disk_refuses_writes_says_so_and_recovers_by_itself() {
    let stage = Stage::new("disk-full", SETTINGS).unwatched();
    // The tables are made before the space is gone.
    stage.start(None).unwrap().kill();
    let mut food = stage.start_as(strace(&stage, "orders", "pwrite64", "ENOSPC:when=400+")).unwrap();
    let token = stage.token("ada", "customer");
    let answers = load(&food, &token);
    assert!(!answers.placed.is_empty() && answers.unanswered.is_empty());
    for refused in &answers.refused {
        assert_eq!((refused.status, &*refused.code()), (503, "degraded"), "{refused:?}");
        assert!(refused.head.contains("retry-after"), "{refused:?}");
    }
    // It says so, reads go on, and nothing ends.
    let ready = food.get(READY, &token);
    assert_eq!(ready.status, 503, "{ready:?}");
    assert!(ready.text.contains("orders") && ready.text.contains("the disk is full"), "{ready:?}");
    assert_eq!(food.get("/health", &token).status, 200);
    let known = answers.placed.values().next().unwrap();
    assert_eq!(food.get(&format!("/api/v1/orders/{known}"), &token).status, 200);
    thread::sleep(Duration::from_millis(2500));
    assert!(food.ended().is_none(), "{}", stage.last_words());
    assert_eq!(food.get(READY, &token).status, 503);

    repair(food.id());
    until("it is ready again", || food.get(READY, &token).status == 200);
    let basket = Wish::Ignored.order(1, "+4930123456");
    until("it takes orders again", || food.post("/api/v1/orders", &token, "again", &basket).status == 201);
    check_kept(&food, &token, &answers);
    assert_eq!(stage.said("the disk is full: writes are refused"), 1, "{}", stage.last_words());
    assert_eq!(stage.said("there is space again"), 1, "{}", stage.last_words());
    food.kill();
    let food = stage.start(None).unwrap();
    check_kept(&food, &token, &answers);
    food.kill();
}

#[test]
fn a_sync_that_fails_ends_the_process_and_the_next_one_knows_what_is_on_disk() {
    let stage = Stage::new("disk-sync", SETTINGS).unwatched();
    stage.start(None).unwrap().kill();
    let mut food = stage.start_as(strace(&stage, "orders", "fsync,fdatasync", "EIO:when=60")).unwrap();
    let token = stage.token("ada", "customer");
    let answers = load(&food, &token);
    assert!(!answers.placed.is_empty());
    for refused in &answers.refused {
        assert_eq!(refused.status, 503, "{refused:?}");
    }
    until("the process ends", || food.ended().is_some());
    assert_eq!(food.ended().unwrap().code(), Some(1), "{}", stage.last_words());
    assert_eq!(stage.said("error: the store orders failed: a commit failed on its way to the disk"), 1);

    let food = stage.start(None).unwrap();
    check_kept(&food, &token, &answers);
    food.kill();
    let books = audit::Books::open(&stage.data());
    let twice = "SELECT key FROM orders.partie_keys GROUP BY scope, key HAVING count(*) > 1";
    assert!(books.texts(twice).unwrap().is_empty());
}

/// A fault of one store's disk under `up --processes`, while people order, cook and drive; and the disk is repaired.
fn in_company(name: &str, store: &str, call: &str, error: &str, has_shown: impl Fn(&Stage) -> bool) -> Stage {
    let stage = Stage::new(name, SETTINGS).unwatched();
    stage.start(None).unwrap().kill();
    let play = Play::new(&stage, A_GLANCE);
    let company = Company::start_as(&stage, strace(&stage, store, call, error));
    let town = Town { drivers: 6, customers: 3, last_orders: LAST_ORDERS, home: company::PATIENCE };
    town.during(&play, || {
        until("the fault shows", || has_shown(&stage));
        thread::sleep(Duration::from_secs(2));
        repair(company.food().id());
        let before = play.placed();
        until("orders after the repair", || play.placed() > before + 3);
    });
    until("what is left is done", || audit::unfinished(&stage.data()).is_empty());
    assert_eq!(company.drain(), Some(0), "{}", stage.last_words());
    thread::sleep(A_MOMENT);
    let broken = audit::check(&stage.data(), &play.orders(Word::Placed));
    assert!(broken.is_empty(), "{broken:#?}\n{}", stage.last_words());
    stage
}

#[test]
fn a_process_whose_syncs_fail_is_started_again_and_nothing_is_lost_or_doubled() {
    for store in ["orders", "broker"] {
        let part = if store == "broker" { "platform" } else { "orders-1" };
        let stage = in_company(&format!("sync-{store}"), store, "fsync,fdatasync", "EIO:when=40", |stage| {
            stage.said(&format!("{part} ended after")) > 0
        });
        let reason = format!("the store {store} failed: a commit failed on its way to the disk");
        assert!(stage.said(&reason) > 0, "{}", stage.last_words());
    }
}

#[test]
fn a_process_whose_disk_is_full_waits_for_space_and_nothing_is_lost_or_doubled() {
    for store in ["delivery", "broker"] {
        let stage = in_company(&format!("full-{store}"), store, "pwrite64", "ENOSPC:when=150+", |stage| {
            stage.said("the disk is full: writes are refused") > 0
        });
        assert_eq!(stage.said("ended after"), 0, "no process ends over it: {}", stage.last_words());
        assert!(stage.said("there is space again") > 0);
    }
}
