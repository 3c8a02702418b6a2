//! The provider of notifications is down: what could not be told stays on record, over a crash, until it is told.

use std::fs;
use std::os::unix::fs::symlink;
use std::thread;
use std::time::Duration;

use food_contracts::notifications::{Notification, NotificationStatus};
use food_contracts::seed::restaurant_id;
use partie::runtime::monotonic;

use super::caller::Caller;
use super::play::{Customer, Kitchen, Play, Word};
use super::stage::Stage;
use super::wish::Wish;
use super::{audit, states};

const SETTINGS: &[(&str, &str)] = &[("PARTIE__SERVICES__NOTIFICATIONS__ATTEMPTS", "3")];
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn what_cannot_be_told_is_told_later() {
    let stage = Stage::new("provider", SETTINGS);
    // Every write to it fails, as on a disk without space.
    let delivery_log = stage.data().join("notifications.jsonl");
    symlink("/dev/full", &delivery_log).unwrap();
    let play = Play::new(&stage, Duration::from_millis(40));
    let food = stage.start(None).unwrap();
    thread::scope(|scope| {
        let kitchen = Kitchen::new(&play, restaurant_id(1));
        scope.spawn(move || kitchen.work());
        let mut customer = Customer::new(&play, 1);
        customer.order(Wish::Declined);
        customer.follow(0);
        play.end();
    });
    let mut admin = Caller::new(&stage, "admin", "admin");
    let all_are = |admin: &mut Caller<'_>, status: NotificationStatus| {
        let until = monotonic() + PATIENCE;
        loop {
            let told: Vec<Notification> =
                serde_json::from_value(admin.get("/api/v1/notifications").json()["data"].clone()).unwrap();
            if told.len() == 2 && told.iter().all(|one| one.status == status) {
                return told;
            }
            assert!(monotonic() < until, "{told:#?}");
        }
    };
    let dead = all_are(&mut admin, NotificationStatus::Dead);
    assert!(dead.iter().all(|one| one.attempts == 3 && one.last_error.is_some()), "{dead:#?}");

    // Nobody writes through the link any more, and the provider is back.
    food.kill();
    fs::remove_file(&delivery_log).unwrap();
    let food = stage.start(None).unwrap();
    for one in &dead {
        let path = format!("/api/v1/notifications/{}/requeue", one.id);
        assert_eq!(admin.post(&path, &format!("requeue-{}", one.id), None).status, 200);
    }
    all_are(&mut admin, NotificationStatus::Sent);
    let until = monotonic() + PATIENCE;
    while !audit::unfinished(&stage.data()).is_empty() {
        assert!(monotonic() < until, "{:#?}", audit::unfinished(&stage.data()));
        thread::sleep(Duration::from_millis(20));
    }
    food.kill();
    let broken = audit::check(&stage.data(), &play.orders(Word::Placed));
    assert!(broken.is_empty(), "{broken:#?}");
    states::visited();
}
