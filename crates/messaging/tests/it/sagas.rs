//! Sagas: forward, back, late, stale, unknown, and across a crash.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use partie_contract::{Id, Outcome};
use partie_messaging::{
    Accepted, CommandId, Compensation, EntryState, Handlers, Participate, Phase, SagaView, Sagas, Signalled,
};

use crate::desk::{Desk, OrderId};
use crate::world::{Service, World, call};

async fn place(desk: &Service) -> OrderId {
    desk.write(|tx| {
        let order = tx.new_id::<OrderId>();
        Desk::place(tx, order)?;
        Ok(order)
    })
    .await
}

pub(crate) async fn saga(desk: &Service, order: OrderId) -> SagaView {
    desk.worker.saga(order).await.unwrap().unwrap()
}

fn states(view: &SagaView) -> Vec<(&str, EntryState)> {
    view.history.iter().map(|entry| (&*entry.step, entry.state)).collect()
}

#[tokio::test]
async fn a_refusal_before_the_pivot_fails_the_saga_and_undoes_nothing_of_the_refused_step() {
    let world = World::new();
    let state = Arc::new(Desk { decline: true, ..Desk::default() });
    let desk = world.start("orders", Arc::clone(&state), Desk::handlers());
    let order = place(&desk).await;
    world.quiet().await;
    let view = saga(&desk, order).await;
    assert_eq!((view.phase, states(&view)), (Phase::Failed, vec![("authorise", EntryState::Refused)]));
    assert_eq!(view.failure.unwrap().code, "payment-declined");
    assert_eq!(*state.payments.lock().unwrap(), [format!("{order}/authorise/1")]);
    assert_eq!(
        desk.notes("saga").await,
        ["rejecting payment-declined at authorise", "rejected payment-declined"]
    );
    world.stop([desk]).await;
}

#[tokio::test]
async fn a_deadline_that_passes_compensates_what_was_done_under_the_commands_id() {
    let world = World::new();
    let state = Arc::<Desk>::default();
    let desk = world.start("orders", Arc::clone(&state), Desk::handlers());
    let order = desk
        .write(|tx| {
            let order = tx.new_id::<OrderId>();
            tx.start_saga(order, &crate::desk::PlaceOrder { order, authorisation: None })?;
            Ok(order)
        })
        .await;
    world.pass(Duration::from_secs(299)).await;
    assert_eq!(saga(&desk, order).await.phase, Phase::Waiting);
    world.pass(Duration::from_secs(1)).await;
    let view = saga(&desk, order).await;
    let expected = [("authorise", EntryState::Undone), ("acceptance", EntryState::Abandoned)];
    assert_eq!((view.phase, states(&view)), (Phase::Failed, expected.to_vec()));
    assert_eq!(view.failure.unwrap().code, "timeout");
    let command = format!("{order}/authorise/1");
    assert_eq!(*state.payments.lock().unwrap(), [command.clone(), format!("{command}/undo")]);
    world.stop([desk]).await;
}

#[tokio::test]
async fn an_attempt_that_is_repeated_keeps_the_commands_id() {
    let world = World::new();
    let state = Arc::<Desk>::default();
    state.flaky.store(2, Ordering::SeqCst);
    let desk = world.start("orders", Arc::clone(&state), Desk::handlers());
    let order = place(&desk).await;
    world.quiet().await;
    assert_eq!(*state.payments.lock().unwrap(), vec![format!("{order}/authorise/1"); 3]);
    assert_eq!(saga(&desk, order).await.phase, Phase::Waiting);
    world.stop([desk]).await;
}

#[tokio::test]
async fn a_command_without_an_answer_is_given_up_and_compensated_to_be_sure() {
    let world = World::new();
    let state = Arc::<Desk>::default();
    // Three attempts, then one failing compensation.
    state.flaky.store(4, Ordering::SeqCst);
    let desk = world.start("orders", Arc::clone(&state), Desk::handlers());
    let order = place(&desk).await;
    world.quiet().await;
    let view = saga(&desk, order).await;
    assert_eq!((view.phase, states(&view)), (Phase::Failed, vec![("authorise", EntryState::Undone)]));
    let (command, undo) = (format!("{order}/authorise/1"), format!("{order}/authorise/1/undo"));
    let mut expected = vec![command; 3];
    expected.extend([undo.clone(), undo]);
    assert_eq!(*state.payments.lock().unwrap(), expected);
    assert_eq!(view.failure.unwrap().code, "no-answer");
    world.stop([desk]).await;
}

#[tokio::test]
async fn after_the_pivot_a_command_is_tried_until_it_succeeds_and_wishes_to_fail_come_too_late() {
    let world = World::new();
    let state = Arc::<Desk>::default();
    let desk = world.start("orders", Arc::clone(&state), Desk::handlers());
    let order = place(&desk).await;
    world.pass(Duration::from_secs(60)).await;
    assert_eq!(saga(&desk, order).await.step, "cooking");
    assert_eq!(desk.write(move |tx| Ok(Desk::cancel(tx, order)?)).await, Signalled::TooLate);
    // More failures than attempts before the pivot.
    state.flaky.store(10, Ordering::SeqCst);
    world.pass(Duration::from_secs(600)).await;
    let view = saga(&desk, order).await;
    assert_eq!(view.phase, Phase::Done);
    assert_eq!(state.payments.lock().unwrap().len(), 1 + 11);
    assert_eq!(state.mails.lock().unwrap().len(), 1);
    world.stop([desk]).await;
}

#[tokio::test]
async fn a_wish_to_fail_is_heeded_while_waiting_and_told_apart_afterwards() {
    let world = World::new();
    let desk = world.start("orders", Desk::default(), Desk::handlers());
    let order = place(&desk).await;
    world.quiet().await;
    assert_eq!(desk.write(move |tx| Ok(Desk::cancel(tx, order)?)).await, Signalled::Accepted);
    world.quiet().await;
    let view = saga(&desk, order).await;
    assert_eq!((view.phase, view.failure.unwrap().code), (Phase::Failed, "customer-cancelled".to_owned()));
    assert_eq!(desk.write(move |tx| Ok(Desk::cancel(tx, order)?)).await, Signalled::Accepted);
    let nobody = OrderId::from_uuid(uuid::Uuid::from_u128(1));
    assert_eq!(desk.write(move |tx| Ok(Desk::cancel(tx, nobody)?)).await, Signalled::Unknown);
    assert_eq!(
        desk.write(move |tx| Ok(tx.resume_saga(order, "acceptance", &"late")?)).await,
        Signalled::TooLate
    );
    world.stop([desk]).await;
}

#[tokio::test]
async fn a_wish_that_loses_the_race_against_the_pivot_is_answered() {
    let world = World::new();
    let desk = world.start("orders", Desk::default(), Desk::handlers());
    let order = place(&desk).await;
    world.quiet().await;
    // In one transaction, so that both stand before the saga when it looks: the first one counts.
    let both = desk
        .write(move |tx| {
            let resumed = tx.resume_saga(order, "acceptance", &"somebody".to_owned())?;
            Ok((resumed, Desk::cancel(tx, order)?))
        })
        .await;
    assert_eq!(both, (Signalled::Accepted, Signalled::Accepted));
    world.pass(Duration::from_secs(600)).await;
    assert_eq!(saga(&desk, order).await.phase, Phase::Done);
    let notes = desk.notes("saga").await;
    assert!(notes.contains(&"kept in spite of customer-cancelled".to_owned()), "{notes:?}");
    world.stop([desk]).await;
}

#[tokio::test]
async fn a_stale_timer_does_nothing() {
    let world = World::new();
    let desk = world.start("orders", Desk::default(), Desk::handlers());
    let order = place(&desk).await;
    world.quiet().await;
    // A copy of the deadline, under another key: it outlives the step it was set for.
    desk.write(|tx| {
        tx.execute(
            "INSERT INTO partie_timers (kind, key, id, due_at, data, cause)
             SELECT kind, 'stale', randomblob(16), due_at, data, cause FROM partie_timers WHERE kind = 'partie.saga'",
            &[],
        )?;
        Ok(())
    })
    .await;
    world.pass(Duration::from_secs(301)).await;
    let view = saga(&desk, order).await;
    assert_eq!((view.phase, &*view.step), (Phase::Waiting, "cooking"));
    world.pass(Duration::from_secs(600)).await;
    assert_eq!(saga(&desk, order).await.phase, Phase::Done);
    world.stop([desk]).await;
}

#[tokio::test]
async fn an_unknown_version_parks_until_a_program_knows_it() {
    let world = World::new();
    let desk = world.start("orders", Desk::default(), Desk::handlers());
    let order = place(&desk).await;
    world.quiet().await;
    let (dir, now) = world.stop([desk]).await;

    // A program without the saga: what comes due parks it, and nothing is lost.
    let world = World::again(dir, now);
    let desk = world.start("orders", Desk::default(), Handlers::new());
    desk.write(move |tx| Ok(tx.resume_saga(order, "acceptance", &"somebody".to_owned())?)).await;
    world.quiet().await;
    let view = saga(&desk, order).await;
    assert_eq!(view.parked.as_deref(), Some("the service has no saga place-order of version 1"));
    let (dir, now) = world.stop([desk]).await;

    let world = World::again(dir, now);
    let desk = world.start("orders", Desk::default(), Desk::handlers());
    world.quiet().await;
    let view = saga(&desk, order).await;
    assert_eq!((view.parked, &*view.step), (None, "cooking"));
    world.stop([desk]).await;
}

#[tokio::test]
async fn a_late_command_meets_its_tombstone() {
    let world = World::new();
    let store = world.store("tickets");
    let id = "0193a0a0-0000-7000-8000-000000000001/create-ticket/1";
    let (command, undo) = (call().with_key(id), call().with_key(format!("{id}/undo")));
    assert_eq!(CommandId::of(&command), CommandId::of(&undo));
    let other = call().with_key("0193a0a0-0000-7000-8000-000000000001/create-ticket/2");
    let both: Outcome<_> = store
        .write(move |tx| {
            // Compensated before it arrived.
            let first =
                (tx.compensate_command(&undo)?, tx.compensate_command(&undo)?, tx.accept_command(&command)?);
            // Carried out, repeated, compensated.
            let second =
                (tx.accept_command(&other)?, tx.accept_command(&other)?, tx.compensate_command(&other)?);
            Ok((first, second, tx.accept_command(&other)?, tx.accept_command(&call())?))
        })
        .await;
    let (first, second, late, plain) = both.unwrap();
    assert_eq!(first, (Compensation::NeverArrived, Compensation::Again, Accepted::Compensated));
    assert_eq!(second, (Accepted::New, Accepted::Again, Compensation::Undo));
    assert_eq!((late, plain), (Accepted::Compensated, Accepted::New));
}
