//! `kill -9` under load: every order that was answered is there afterwards, once.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::program::{Food, Scratch};

/// Callers at once.
const CALLERS: usize = 16;
/// Answers after which the program is killed, in the middle of the next ones.
const ENOUGH: usize = 200;
const A_MOMENT: Duration = Duration::from_millis(50);

#[test]
fn an_answered_order_survives_kill_9_and_its_key_still_replays() {
    let data = Scratch::new("crash");
    let token = {
        // The key of the tokens is made by the first start.
        let food = Food::start(data.path());
        let token = Food::token(data.path(), "ada", "customer");
        let (basket, answered) = (food.basket(), AtomicUsize::new(0));
        let answers = load(&food, &token, &basket, &answered);
        food.kill();
        assert!(answers.len() >= ENOUGH);

        let food = Food::start(data.path());
        for (key, id) in &answers {
            let order = food.get(&format!("/api/v1/orders/{id}"), &token);
            assert_eq!(order.status, 200, "order {id} was answered and is gone");
            let replay = food.post("/api/v1/orders", &token, key, &basket);
            assert_eq!((replay.status, replay.json()["id"].as_str()), (201, Some(id.as_str())));
        }
        token
    };
    assert!(!token.is_empty());
}

/// Places orders from many threads until enough are answered; the last ones may still be on their way.
fn load(
    food: &Food,
    token: &str,
    basket: &serde_json::Value,
    answered: &AtomicUsize,
) -> BTreeMap<String, String> {
    thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS)
            .map(|caller| {
                scope.spawn(move || {
                    let mut own = Vec::new();
                    while answered.load(Ordering::Relaxed) < ENOUGH {
                        let key = format!("{caller}-{}", own.len());
                        let answer = food.post("/api/v1/orders", token, &key, basket);
                        // So many at once may be more than this machine can follow up on. Who was told so, or told
                        // nothing in time, says the same again under the same key.
                        if [503, 504].contains(&answer.status) {
                            thread::sleep(A_MOMENT);
                            continue;
                        }
                        assert_eq!(answer.status, 201, "{answer:?}");
                        answered.fetch_add(1, Ordering::Relaxed);
                        own.push((key, answer.json()["id"].as_str().unwrap().to_owned()));
                    }
                    own
                })
            })
            .collect();
        callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect()
    })
}
