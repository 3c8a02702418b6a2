//! A saga that goes round, and what a definition has to keep to.

use std::time::Duration;

use partie_contract::{Abort, Call, Outcome, Timestamp};
use partie_messaging::{
    EntryState, HandlerError, Handlers, Next, Phase, Saga, SagaData, Sagas, Step, StepKind,
};
use partie_store::Tx;
use serde::{Deserialize, Serialize};

use crate::desk::{Desk, OrderId};
use crate::sagas::saga;
use crate::world::{World, note};

/// A saga that goes round: asks driver after driver.
#[derive(Serialize, Deserialize)]
struct Search {
    asked: u32,
}

impl SagaData for Search {
    const KIND: &'static str = "search";
    const VERSION: u32 = 3;
}

struct Dispatch;

impl Dispatch {
    fn search() -> Saga<Self, Search> {
        Saga::new()
            .step(Step::command("offer", Self::offer, Self::offered).undo(Self::withdraw))
            .step(Step::wait("answer", Self::until, Self::answered).on_timeout(Self::unanswered))
            .step(Step::local("assign", Self::assign).pivot())
    }

    async fn offer(&self, _: &Call, data: &Search) -> Outcome<u32> {
        Ok(data.asked + 1)
    }

    fn offered(&self, _: &mut Tx, data: &mut Search, asked: &u32) -> Result<Next, Abort> {
        data.asked = *asked;
        Ok(Next::Step)
    }

    async fn withdraw(&self, _: &Call, _: &Search) -> Outcome<()> {
        Ok(())
    }

    fn until(&self, _: &Search, now: Timestamp) -> Timestamp {
        now + Duration::from_secs(30)
    }

    fn answered(&self, tx: &mut Tx, data: &mut Search, (driver, yes): &(u32, bool)) -> Result<Next, Abort> {
        note(tx, "answers", &format!("{driver} {yes}"))?;
        Ok(match yes {
            // An answer to an earlier offer.
            _ if *driver != data.asked => Next::Stay,
            true => Next::Step,
            false => Next::To("offer"),
        })
    }

    fn unanswered(&self, _: &mut Tx, data: &mut Search) -> Result<Next, Abort> {
        Ok(if data.asked < 4 { Next::To("offer") } else { Next::fail("no-driver") })
    }

    fn assign(&self, tx: &mut Tx, data: &mut Search) -> Result<Next, Abort> {
        note(tx, "assigned", &data.asked.to_string())?;
        Ok(Next::Step)
    }
}

#[tokio::test]
async fn a_new_intent_is_a_new_iteration_and_each_is_undone() {
    let world = World::new();
    let dispatch = world.start("dispatch", Dispatch, Handlers::new().saga(Dispatch::search()));
    let start = |tx: &mut Tx| -> Outcome<OrderId> {
        let id = tx.new_id();
        tx.start_saga(id, &Search { asked: 0 })?;
        // Early messages wait for their step; one for another offer changes nothing.
        tx.resume_saga(id, "answer", &(9, true))?;
        tx.resume_saga(id, "answer", &(1, false))?;
        Ok(id)
    };
    let id = dispatch.write(start).await;
    world.quiet().await;
    let view = saga(&dispatch, id).await;
    assert_eq!((&*view.step, view.iteration), ("answer", 2));
    // The second does not answer, the third says yes.
    world.pass(Duration::from_secs(30)).await;
    dispatch.write(move |tx| Ok(tx.resume_saga(id, "answer", &(3, true))?)).await;
    world.quiet().await;
    assert_eq!(saga(&dispatch, id).await.phase, Phase::Done);
    assert_eq!(dispatch.notes("assigned").await, ["3"]);

    let id = dispatch.write(start).await;
    world.pass(Duration::from_secs(120)).await;
    let view = saga(&dispatch, id).await;
    assert_eq!((view.phase, view.failure.unwrap().code), (Phase::Failed, "no-driver".to_owned()));
    let undone = view.history.iter().filter(|entry| entry.state == EntryState::Undone);
    assert_eq!(undone.map(|entry| entry.iteration).collect::<Vec<_>>(), [1, 2, 3, 4]);
    world.stop([dispatch]).await;
}

#[tokio::test]
async fn a_definition_is_checked_before_anything_starts() {
    let steps = Desk::place_order().steps();
    let table: Vec<_> =
        steps.iter().map(|step| (step.name, step.kind, step.is_pivot, step.has_undo)).collect();
    assert_eq!(
        table,
        [
            ("authorise", StepKind::Command, false, true),
            ("acceptance", StepKind::Wait, true, false),
            ("cooking", StepKind::Sleep, false, false),
            ("capture", StepKind::Command, false, false),
            ("complete", StepKind::Local, false, false),
        ]
    );
    let complaint = |saga| match Handlers::new().saga(saga).check("dispatch") {
        Err(HandlerError::Definition { reason, .. }) => reason,
        other => panic!("{other:?}"),
    };
    let local = |name| Step::local(name, Dispatch::assign);
    assert_eq!(complaint(Saga::new()), "there are no steps");
    assert_eq!(complaint(Saga::new().step(local("a")).step(local("a"))), "there are two steps `a`");
    assert!(complaint(Saga::new().step(local("A b"))).contains("cannot name a step"));
    let two = Saga::new().step(local("a").pivot()).step(local("b").pivot());
    assert_eq!(complaint(two), "`b` and `a` are both the pivot");
    let late = Saga::new().step(local("a").pivot()).step(local("b").undo(Dispatch::withdraw));
    assert_eq!(complaint(late), "`b` comes after the pivot and cannot be undone");
    let wait =
        Saga::new().step(local("a").pivot()).step(Step::wait("b", Dispatch::until, Dispatch::answered));
    assert_eq!(complaint(wait), "`b` comes after the pivot: say what follows its timeout");
    let left_out = Saga::new().step(local("a").pivot().when(|_, _| true));
    assert_eq!(complaint(left_out), "`a` is the pivot and cannot be left out");
    let twice = Handlers::new().saga(Dispatch::search()).saga(Dispatch::search()).check("dispatch");
    assert_eq!(twice, Err(HandlerError::Saga { kind: "search", version: 3 }));
}
