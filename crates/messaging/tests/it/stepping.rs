//! Whether a stepped clock alone takes a whole chain to its end.

use std::time::Duration;

use partie_contract::{Id, Outcome};
use partie_messaging::{Phase, Schedule};

use crate::desk::{Desk, OrderId, RemindKitchen};
use crate::world::{START, World};

#[tokio::test]
async fn a_chain_of_everything_runs_to_its_end_by_stepping() {
    let world = World::new();
    let desk = world.start("orders", Desk::default(), Desk::handlers());
    let order = desk
        .write(|tx| {
            let order = tx.new_id::<OrderId>();
            Desk::place(tx, order)?;
            Ok(order)
        })
        .await;
    world.quiet().await;
    assert_eq!(desk.notes("heard").await, [order.to_string()]);
    assert_eq!(desk.notes("audit").await, [order.to_string()]);
    let saga = desk.worker.saga(order).await.unwrap().unwrap();
    assert_eq!(
        (saga.phase, &*saga.step, saga.next_at),
        (Phase::Waiting, "acceptance", Some(START + Duration::from_secs(300)))
    );

    // The reminder is the next thing due; through an event it makes the saga go on, which then sleeps.
    assert_eq!(world.stepper.next_wake(), Some(START + Duration::from_secs(60)));
    world.pass(Duration::from_secs(60)).await;
    assert_eq!(desk.notes("reminded").await, [format!("{order} {}", START + Duration::from_secs(60))]);
    let saga = desk.worker.saga(order).await.unwrap().unwrap();
    assert_eq!(
        (saga.phase, &*saga.step, saga.next_at),
        (Phase::Waiting, "cooking", Some(START + Duration::from_secs(660)))
    );

    world.pass(Duration::from_secs(3600)).await;
    let completed = format!("completed {}", START + Duration::from_secs(660));
    assert_eq!(desk.notes("saga").await, ["authorised", "accepted by the kitchen", "captured", &completed]);
    let saga = desk.worker.saga(order).await.unwrap().unwrap();
    assert_eq!(saga.phase, Phase::Done);
    world.stop([desk]).await;
}

#[tokio::test]
async fn future_timers_and_periodic_work_do_not_keep_the_system_busy() {
    let world = World::new();
    let desk = world.start("orders", Desk::default(), Desk::handlers());
    let order = OrderId::from_uuid(uuid::Uuid::from_u128(7));
    let far = START + Duration::from_secs(10 * 3600);
    desk.write(move |tx| -> Outcome<()> {
        tx.at(far, &RemindKitchen(order))?;
        Ok(())
    })
    .await;
    world.quiet().await;
    // The hourly sweep comes first.
    assert!(world.stepper.next_wake().is_some_and(|next| next < far));
    world.stop([desk]).await;
}
