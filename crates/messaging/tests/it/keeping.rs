//! What stands still until somebody helps, and what goes when it is old.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use partie_contract::{Abort, Call, Id, Outcome, Problem, Timestamp};
use partie_messaging::{
    CommandId, Handlers, Next, Participate, Phase, Saga, SagaData, Sagas, Signalled, Step,
};
use partie_store::Tx;
use serde::{Deserialize, Serialize};

use crate::desk::OrderId;
use crate::sagas::saga;
use crate::world::{World, call};

#[derive(Serialize, Deserialize)]
struct Loan;

impl SagaData for Loan {
    const KIND: &'static str = "loan";
    const VERSION: u32 = 1;
}

#[derive(Debug, Problem)]
enum Closed {
    #[problem(409, "closed")]
    Closed,
}

/// Lends, and takes back unless it is closed.
#[derive(Default)]
struct Library {
    is_closed: AtomicBool,
    asked: AtomicU32,
}

impl Library {
    fn loan() -> Saga<Self, Loan> {
        Saga::new()
            .step(Step::command("lend", Self::lend, Self::lent).undo(Self::take_back))
            .step(Step::wait("return", Self::until, Self::returned))
    }

    async fn lend(&self, _: &Call, _: &Loan) -> Outcome<(), Closed> {
        Ok(())
    }

    fn lent(&self, _: &mut Tx, _: &mut Loan, (): &()) -> Result<Next, Abort> {
        Ok(Next::Step)
    }

    async fn take_back(&self, _: &Call, _: &Loan) -> Outcome<(), Closed> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.is_closed.load(Ordering::SeqCst) { Err(Closed::Closed.into()) } else { Ok(()) }
    }

    fn until(&self, _: &Loan, now: Timestamp) -> Timestamp {
        now + Duration::from_hours(1)
    }

    fn returned(&self, _: &mut Tx, _: &mut Loan, (): &()) -> Result<Next, Abort> {
        Ok(Next::Step)
    }
}

fn begin(tx: &mut Tx) -> Outcome<OrderId> {
    let id = tx.new_id::<OrderId>();
    tx.start_saga(id, &Loan)?;
    Ok(id)
}

#[tokio::test]
async fn a_compensation_that_is_refused_again_and_again_waits_for_somebody() {
    let mut world = World::new();
    world.config.sagas.alert_after = 3;
    let library = Arc::<Library>::default();
    library.is_closed.store(true, Ordering::SeqCst);
    let service = world.start("library", Arc::clone(&library), Handlers::new().saga(Library::loan()));
    let id = service.write(begin).await;
    world.quiet().await;
    assert_eq!(service.write(move |tx| Ok(tx.fail_saga(id, "lost")?)).await, Signalled::Accepted);
    world.quiet().await;
    assert_eq!(library.asked.load(Ordering::SeqCst), 3, "a no is no, but not at the first time");
    let parked = service.worker.parked_sagas().await.unwrap();
    assert_eq!((parked.len(), parked[0].id, &*parked[0].kind), (1, id.as_uuid(), "loan"));
    assert!(parked[0].reason.contains("lend/1 is refused"), "{}", parked[0].reason);
    assert_eq!(saga(&service, id).await.parked.as_deref(), Some(&*parked[0].reason));

    // Tried again while it is still closed it is parked again.
    assert!(service.worker.requeue_saga(id).await.unwrap());
    world.quiet().await;
    assert_eq!(service.worker.parked_sagas().await.unwrap().len(), 1);
    library.is_closed.store(false, Ordering::SeqCst);
    assert!(service.worker.requeue_saga(id).await.unwrap());
    world.quiet().await;
    assert_eq!(saga(&service, id).await.phase, Phase::Failed);
    assert!(service.worker.parked_sagas().await.unwrap().is_empty());
    assert!(!service.worker.requeue_saga(id).await.unwrap());
    world.stop([service]).await;
}

#[tokio::test]
async fn what_is_over_goes_when_it_is_old_and_what_is_not_stays() {
    let world = World::new();
    let library = Arc::<Library>::default();
    let service = world.start("library", Arc::clone(&library), Handlers::new().saga(Library::loan()));
    let (over, late) = (service.write(begin).await, service.write(begin).await);
    world.quiet().await;
    service.write(move |tx| Ok(tx.resume_saga(over, "return", &())?)).await;
    let carried_out = call().with_key(format!("{}/lend/1", over.as_uuid()));
    let never_arrived = call().with_key(format!("{}/lend/2/undo", over.as_uuid()));
    assert!(CommandId::of(&carried_out).is_some());
    let commands = (carried_out.clone(), never_arrived.clone());
    service
        .write(move |tx| {
            tx.accept_command(&commands.0)?;
            tx.compensate_command(&commands.1)?;
            Ok(())
        })
        .await;
    world.quiet().await;
    assert_eq!(saga(&service, over).await.phase, Phase::Done);
    let keep = world.config.sagas.keep_ended;
    // One is still under way when the other one has become old.
    service.write(move |tx| Ok(tx.fail_saga(late, "lost")?)).await;
    world.quiet().await;
    let young = service.write(begin).await;
    assert_eq!(service.worker.prune().await.unwrap(), 0, "nothing is old");
    world.pass(Duration::from_mins(30)).await;
    world.stepper.step_to(world.clock.now() + keep, &world.activity.begin());
    world.quiet().await;
    let again = service.write(begin).await;
    service.worker.prune().await.unwrap();
    assert!(service.worker.saga(over).await.unwrap().is_none());
    assert!(service.worker.saga(again).await.unwrap().is_some());
    assert!(service.worker.saga(young).await.unwrap().is_some(), "it ended a moment ago");
    let left = move |tx: &mut Tx| -> Outcome<(i64, Vec<String>)> {
        let history = "SELECT COUNT(*) FROM partie_saga_history
                       WHERE saga NOT IN (SELECT id FROM partie_sagas)";
        Ok((
            tx.query_one(history, &[], |row| row.get(0))?,
            tx.query("SELECT state FROM partie_commands", &[], |row| row.get(0))?,
        ))
    };
    let (orphans, commands) = service.store.read(left).await.unwrap();
    assert_eq!((orphans, commands), (0, vec!["done".to_owned()]), "what was carried out may be undone later");
    world.stop([service]).await;
}
