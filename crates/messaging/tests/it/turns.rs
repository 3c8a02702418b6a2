//! Sagas that get no turn: what begins more of them is refused until they do.

use std::sync::Arc;
use std::time::Duration;

use partie_contract::{Abort, Call, NoProblem, Outcome, id};
use partie_messaging::{Handlers, Next, Saga, SagaData, Sagas, Step};
use partie_store::Tx;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use crate::events::until;
use crate::world::World;

id! {
    /// Names an order.
    struct OrderId;
}

#[derive(Serialize, Deserialize)]
struct Cook;

impl SagaData for Cook {
    const KIND: &'static str = "cook";
    const VERSION: u32 = 1;
}

/// A kitchen that answers once for each permit.
struct Kitchen(Semaphore);

impl Kitchen {
    async fn cook(&self, _: &Call, _: &Cook) -> Outcome<(), NoProblem> {
        self.0.acquire().await.unwrap().forget();
        Ok(())
    }

    fn cooked(&self, _: &mut Tx, _: &mut Cook, (): &()) -> Result<Next, Abort> {
        Ok(Next::Step)
    }
}

#[tokio::test]
async fn sagas_that_wait_for_their_turn_are_a_backlog() {
    let mut world = World::new();
    (world.config.sagas.concurrency, world.config.sagas.backlog_limit) = (1, Duration::ZERO);
    let saga = Saga::new().step(Step::command("cook", Kitchen::cook, Kitchen::cooked));
    let kitchen = Arc::new(Kitchen(Semaphore::new(0)));
    let service = world.start("orders", Arc::clone(&kitchen), Handlers::new().saga(saga));
    world.quiet().await;
    service.worker.admit().unwrap();
    for _ in 0..2 {
        service.write(|tx| Ok(tx.start_saga(tx.new_id::<OrderId>(), &Cook)?)).await;
    }
    // One is in the kitchen, and the other one waits.
    until(|| service.worker.admit().is_err()).await;
    let refusal = service.worker.admit().unwrap_err();
    assert_eq!((refusal.kind().code(), refusal.retry_after_hint()), ("degraded", Some(Duration::ZERO)));
    kitchen.0.add_permits(2);
    world.quiet().await;
    service.worker.admit().unwrap();
    world.stop([service]).await;
}
