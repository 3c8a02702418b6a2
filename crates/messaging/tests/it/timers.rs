//! Durable timers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use partie_contract::{Abort, Timestamp};
use partie_messaging::{Handlers, Schedule, Timer};
use partie_store::Tx;
use serde::{Deserialize, Serialize};

use crate::world::{START, World, note};

#[derive(Serialize, Deserialize)]
struct Ring(String);

impl Timer for Ring {
    const KIND: &'static str = "ring";

    fn key(&self) -> String {
        self.0.clone()
    }
}

#[derive(Default)]
struct Bells {
    /// Whether the bell `broken` rings.
    fixed: AtomicBool,
}

impl Bells {
    fn ring(&self, tx: &mut Tx, due: &Ring) -> Result<(), Abort> {
        note(tx, "rung", &format!("{} {}", due.0, tx.now().since(START).as_secs()))?;
        if due.0 == "broken" && !self.fixed.load(Ordering::SeqCst) {
            return Err(Abort::because("on purpose"));
        }
        Ok(())
    }
}

fn handlers() -> Handlers<Bells> {
    Handlers::new().timer(Bells::ring)
}

fn at(seconds: u64) -> Timestamp {
    START + Duration::from_secs(seconds)
}

#[tokio::test]
async fn timers_survive_a_restart_and_fire_once_in_order() {
    let world = World::new();
    let service = world.start("bells", Bells::default(), handlers());
    service
        .write(|tx| {
            for (name, seconds) in [("c", 30), ("a", 10), ("b", 20), ("late", 400)] {
                tx.at(at(seconds), &Ring(name.to_owned()))?;
            }
            Ok(())
        })
        .await;
    world.pass(Duration::from_secs(15)).await;
    assert_eq!(service.notes("rung").await, ["a 10"]);
    let (dir, _) = world.stop([service]).await;

    // While nobody was there, time went on.
    let world = World::again(dir, at(100));
    let service = world.start("bells", Bells::default(), handlers());
    world.quiet().await;
    assert_eq!(service.notes("rung").await, ["a 10", "b 100", "c 100"]);
    world.pass(Duration::from_secs(1000)).await;
    assert_eq!(service.notes("rung").await, ["a 10", "b 100", "c 100", "late 400"]);
    world.stop([service]).await;
}

#[tokio::test]
async fn many_due_timers_fire_in_the_order_of_their_moments() {
    let world = World::new();
    let service = world.start("bells", Bells::default(), handlers());
    service
        .write(|tx| {
            for number in (0..700_u64).map(|number| number * 263 % 700) {
                tx.at(at(number), &Ring(format!("{number:03}")))?;
            }
            Ok(())
        })
        .await;
    world.quiet().await;
    world.stepper.step_to(at(10_000), &world.activity.begin());
    world.quiet().await;
    let rung = service.notes("rung").await;
    assert_eq!(rung.len(), 700);
    assert!(rung.is_sorted(), "{rung:?}");
    world.stop([service]).await;
}

#[tokio::test]
async fn a_timer_is_replaced_and_cancelled_by_kind_and_key() {
    let world = World::new();
    let service = world.start("bells", Bells::default(), handlers());
    let ring = || Ring("a".to_owned());
    let first = service.write(move |tx| Ok(tx.at(at(10), &ring())?)).await;
    let second = service.write(move |tx| Ok(tx.at(at(20), &ring())?)).await;
    assert_ne!(first, second);
    world.pass(Duration::from_secs(15)).await;
    assert_eq!(service.notes("rung").await, [""; 0]);
    world.pass(Duration::from_secs(15)).await;
    assert_eq!(service.notes("rung").await, ["a 20"]);
    service.write(move |tx| Ok(tx.at(at(50), &ring())?)).await;
    assert!(service.write(|tx| Ok(tx.cancel::<Ring>("a")?)).await);
    assert!(!service.write(|tx| Ok(tx.cancel::<Ring>("a")?)).await);
    world.pass(Duration::from_secs(100)).await;
    assert_eq!(service.notes("rung").await, ["a 20"]);
    world.stop([service]).await;
}

#[tokio::test]
async fn a_timer_that_keeps_failing_is_parked_and_the_others_fire() {
    let world = World::new();
    let bells = Arc::<Bells>::default();
    let service = world.start("bells", Arc::clone(&bells), handlers());
    service
        .write(|tx| {
            tx.at(at(10), &Ring("broken".to_owned()))?;
            tx.at(at(10), &Ring("whole".to_owned()))?;
            Ok(())
        })
        .await;
    world.pass(Duration::from_secs(10)).await;
    assert_eq!(service.notes("rung").await, ["whole 10"]);
    let parked = service.worker.parked_timers().await.unwrap();
    assert_eq!((parked.len(), &*parked[0].key, parked[0].attempts), (1, "broken", 3));
    assert_eq!((parked[0].due_at, parked[0].since), (at(10), at(10)));
    bells.fixed.store(true, Ordering::SeqCst);
    assert!(service.worker.requeue_timer(parked[0].id).await.unwrap());
    world.quiet().await;
    assert_eq!(service.notes("rung").await, ["whole 10", "broken 10"]);
    assert!(!service.worker.requeue_timer(parked[0].id).await.unwrap());
    world.stop([service]).await;
}

#[tokio::test]
async fn a_timer_nobody_handles_is_parked() {
    let world = World::new();
    let service = world.start("bells", (), Handlers::new());
    service.write(|tx| Ok(tx.at(at(1), &Ring("x".to_owned()))?)).await;
    world.pass(Duration::from_secs(1)).await;
    let parked = service.worker.parked_timers().await.unwrap();
    assert!(parked[0].error.contains("no timer of the kind ring"), "{parked:?}");
    world.stop([service]).await;
}
