//! A rolling restart of everything: no request fails, although nobody tries again.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use super::company::{A_MOMENT, Company, until};
use crate::faults::stage::Stage;
use crate::program::{Food, food};

/// Callers at once.
const CALLERS: usize = 4;
/// Every so many requests one is an order.
const AN_ORDER: usize = 3;

#[test]
fn a_rolling_restart_of_everything_fails_no_request() {
    let stage = Stage::new("rolling", &[]).unwatched();
    let company = Company::start(&stage);
    let token = Food::token(&stage.data(), "ada", "customer");
    let before = company.processes();
    let basket = company.food().basket();
    let (done, answered, failed) = (AtomicBool::new(false), AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for caller in 0..CALLERS {
            let (done, answered, failed) = (&done, &answered, &failed);
            let (food, token, basket) = (company.food(), &token, &basket);
            scope.spawn(move || {
                for number in 0.. {
                    if done.load(Ordering::Relaxed) {
                        return;
                    }
                    let answer = match number % AN_ORDER {
                        0 => food.post("/api/v1/orders", token, &format!("{caller}-{number}"), basket),
                        1 => food.get("/api/v1/orders", token),
                        _ => food.request("GET", "/api/v1/restaurants", &[], None),
                    };
                    match answer.status {
                        200..300 => _ = answered.fetch_add(1, Ordering::Relaxed),
                        // Other tests may want the whole machine; that is told as what it is.
                        503 if answer.code() == "overloaded" => thread::sleep(A_MOMENT),
                        _ => failed.lock().unwrap().push(answer),
                    }
                }
            });
        }
        until("requests", || answered.load(Ordering::Relaxed) > 100);
        let restarted = food().args(["restart", "--data"]).arg(stage.data()).output().unwrap();
        let so_far = answered.load(Ordering::Relaxed);
        until("requests afterwards", || answered.load(Ordering::Relaxed) > so_far + 100);
        done.store(true, Ordering::Relaxed);
        assert!(restarted.status.success(), "{restarted:?}");
        let told = String::from_utf8(restarted.stdout).unwrap();
        let told: Vec<&str> = told.lines().filter_map(|line| line.split(" in ").next()).collect();
        assert_eq!(told.first(), Some(&"restarted platform"));
        assert_eq!(told.last(), Some(&"restarted gateway"));
        assert_eq!(told.len(), 7);
    });
    let failed = failed.into_inner().unwrap();
    let answered = answered.into_inner();
    assert!(failed.is_empty(), "{} of {answered}: {failed:#?}\n{}", failed.len(), stage.last_words());
    let after = company.processes();
    assert_eq!(after.len(), before.len());
    assert!(after.iter().all(|(part, pid)| before[part] != *pid), "{before:?} {after:?}");
    assert_eq!(company.drain(), Some(0));
}
