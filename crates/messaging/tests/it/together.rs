//! What shares a transaction shares no failure, and what waits too long for one keeps new work out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use partie_contract::{Abort, Outcome};
use partie_messaging::{Handlers, Next, Phase, Saga, SagaData, Sagas, Step};
use partie_runtime::monotonic;
use partie_store::Tx;
use serde::{Deserialize, Serialize};

use crate::events::{Read, publish, until};
use crate::world::World;

partie_contract::id! {
    /// Names a dish.
    struct DishId;
}

#[derive(Serialize, Deserialize)]
struct Cook {
    is_hard: bool,
}

impl SagaData for Cook {
    const KIND: &'static str = "cook";
    const VERSION: u32 = 1;
}

/// A kitchen that cannot do what is hard, until it can.
#[derive(Default)]
struct Kitchen {
    has_learned: AtomicBool,
}

impl Kitchen {
    fn recipe() -> Saga<Self, Cook> {
        Saga::new()
            .step(Step::local("think", |_, _, _| Ok(Next::Step)).when(|_, dish: &Cook| dish.is_hard))
            .step(Step::local("cook", Self::cook))
    }

    fn cook(&self, _: &mut Tx, dish: &mut Cook) -> Result<Next, Abort> {
        match dish.is_hard && !self.has_learned.load(Ordering::SeqCst) {
            true => Err(Abort::because("too hard")),
            false => Ok(Next::Step),
        }
    }
}

#[tokio::test]
async fn a_saga_that_cannot_move_stops_nobody_else() {
    let world = World::new();
    let kitchen = Arc::<Kitchen>::default();
    let service = world.start("kitchen", Arc::clone(&kitchen), Handlers::new().saga(Kitchen::recipe()));
    let dishes: Vec<DishId> = service
        .write(|tx| {
            let dishes: Vec<DishId> = (0..10).map(|_| tx.new_id()).collect();
            for (number, dish) in dishes.iter().enumerate() {
                tx.start_saga(*dish, &Cook { is_hard: number == 4 })?;
            }
            Ok(dishes)
        })
        .await;
    let view = async |dish: DishId| service.worker.saga(dish).await.unwrap().unwrap();
    let phase = async |dish: DishId| view(dish).await.phase;
    for (number, dish) in dishes.iter().enumerate().filter(|(number, _)| *number != 4) {
        tokio::time::timeout(crate::world::LIMIT, async {
            while phase(*dish).await != Phase::Done {
                tokio::task::yield_now().await;
            }
        })
        .await
        .unwrap_or_else(|_| panic!("dish {number} is not cooked"));
    }
    assert_eq!(phase(dishes[4]).await, Phase::Starting);
    kitchen.has_learned.store(true, Ordering::SeqCst);
    world.quiet().await;
    assert_eq!(phase(dishes[4]).await, Phase::Done);
    // Nobody has to think about what is easy.
    let steps = async |dish| view(dish).await.history.into_iter().map(|entry| entry.step).collect::<Vec<_>>();
    assert_eq!(
        (steps(dishes[3]).await, steps(dishes[4]).await),
        (vec!["cook".to_owned()], vec!["think".to_owned(), "cook".to_owned()])
    );
    world.stop([service]).await;
}

/// Reads values up to the highest that it may.
#[derive(Default)]
struct Slow {
    highest: AtomicU32,
}

impl Slow {
    fn read(&self, _: &mut Tx, event: &Read) -> Result<(), Abort> {
        while self.highest.load(Ordering::SeqCst) < event.value {
            std::thread::yield_now();
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_wait_for_their_handler_are_a_backlog() {
    let mut world = World::new();
    let limit = Duration::from_millis(20);
    (world.config.consumers.concurrency, world.config.consumers.backlog_limit) = (1, limit);
    let slow = Arc::<Slow>::default();
    let service = world.start("meters", Arc::clone(&slow), Handlers::new().on(Slow::read));
    world.quiet().await;
    service.worker.admit().unwrap();
    let published = monotonic();
    service
        .store
        .write(|tx| -> Outcome<()> {
            for (meter, value) in [("a", 1), ("b", 2), ("c", 3)] {
                publish(tx, meter, value)?;
            }
            Ok(())
        })
        .await
        .unwrap();
    // One is being read, and the next one waits for too long.
    until(|| published.elapsed() > 2 * limit).await;
    slow.highest.store(1, Ordering::SeqCst);
    until(|| service.worker.admit().is_err()).await;
    let refusal = service.worker.admit().unwrap_err();
    assert_eq!((refusal.kind().code(), refusal.retry_after_hint()), ("degraded", Some(limit)));
    slow.highest.store(3, Ordering::SeqCst);
    world.quiet().await;
    // Nobody waits any more, so nobody is kept out.
    service.worker.admit().unwrap();
    world.stop([service]).await;
}
