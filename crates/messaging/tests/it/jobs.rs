//! Jobs: effects outside the store.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use partie_contract::{Abort, Call, Outcome};
use partie_messaging::{AfterCrash, Enqueue, Found, HandlerError, Handlers, Job, JobError, JobId};
use partie_store::{Store, Tx};
use serde::{Deserialize, Serialize};

use crate::world::{START, World};

macro_rules! jobs {
    ($($name:ident $kind:literal $after:ident;)+) => {$(
        #[derive(Serialize, Deserialize)]
        struct $name;

        impl Job for $name {
            const KIND: &'static str = $kind;
            const AFTER_CRASH: AfterCrash = AfterCrash::$after;
        }
    )+};
}

jobs! {
    Mail "mail" Retry;
    Charge "charge" Ask;
    Fax "fax" GiveUp;
}

/// What a provider saw and answers.
#[derive(Default)]
struct Provider {
    /// Kind and key of each call.
    seen: Mutex<Vec<String>>,
    /// What to answer, one after the other; then it is a success.
    answers: Mutex<Vec<JobError>>,
    asked: AtomicU32,
    was_done: Mutex<Option<Found>>,
}

impl Provider {
    fn take(&self, kind: &str, cx: &Call) -> Result<(), JobError> {
        let key = cx.key().unwrap().key.to_string();
        self.seen.lock().unwrap().push(format!("{kind} {key} {}", cx.attempt()));
        self.answers.lock().unwrap().pop().map_or(Ok(()), Err)
    }

    async fn mail(&self, cx: &Call, _: &Mail) -> Result<(), JobError> {
        self.take("mail", cx)
    }

    async fn charge(&self, cx: &Call, _: &Charge) -> Result<(), JobError> {
        self.take("charge", cx)
    }

    async fn was_charged(&self, cx: &Call, _: &Charge) -> Result<Found, JobError> {
        assert!(cx.key().is_some());
        self.asked.fetch_add(1, Ordering::SeqCst);
        let found = *self.was_done.lock().unwrap();
        found.ok_or_else(|| JobError::retry("the provider does not know yet"))
    }

    async fn fax(&self, cx: &Call, _: &Fax) -> Result<(), JobError> {
        self.take("fax", cx)
    }

    async fn tick(&self, _: &Call) -> Result<(), Abort> {
        self.seen.lock().unwrap().push("tick".to_owned());
        Ok(())
    }
}

fn handlers() -> Handlers<Provider> {
    Handlers::new().job(Provider::mail).job_asking(Provider::charge, Provider::was_charged).job(Provider::fax)
}

#[tokio::test]
async fn a_job_keeps_its_id_through_its_attempts() {
    let world = World::new();
    let provider = Arc::<Provider>::default();
    provider.answers.lock().unwrap().extend([JobError::retry("busy"), JobError::retry("busy")]);
    let service = world.start("jobs", Arc::clone(&provider), handlers());
    let id = service.write(|tx| Ok(tx.enqueue(&Mail)?)).await;
    world.quiet().await;
    let seen = |attempt| format!("mail {id} {attempt}");
    assert_eq!(*provider.seen.lock().unwrap(), [seen(1), seen(2), seen(3)]);
    assert_eq!(state(&service.store, id).await, "done");
    world.stop([service]).await;
}

#[tokio::test]
async fn a_rolled_back_job_is_not_done() {
    let world = World::new();
    let provider = Arc::<Provider>::default();
    let service = world.start("jobs", Arc::clone(&provider), handlers());
    let undone: Outcome<()> = service
        .store
        .write(|tx| {
            tx.enqueue(&Mail)?;
            Err(partie_contract::Platform::internal("on purpose").into())
        })
        .await;
    assert!(undone.is_err());
    world.quiet().await;
    assert!(provider.seen.lock().unwrap().is_empty());
    world.stop([service]).await;
}

#[tokio::test]
async fn dead_letters_are_listed_and_requeued_under_their_id() {
    let world = World::new();
    let provider = Arc::<Provider>::default();
    let busy = || JobError::retry("busy");
    provider.answers.lock().unwrap().extend([busy(), busy(), busy(), JobError::failed("no such address")]);
    let service = world.start("jobs", Arc::clone(&provider), handlers());
    let refused = service.write(|tx| Ok(tx.enqueue(&Mail)?)).await;
    world.quiet().await;
    let tired = service.write(|tx| Ok(tx.enqueue(&Mail)?)).await;
    world.quiet().await;
    let dead = service.worker.dead_jobs().await.unwrap();
    let dead: Vec<_> = dead.iter().map(|dead| (dead.id, dead.attempts, &*dead.error, dead.since)).collect();
    assert_eq!(dead, [(refused, 1, "no such address", START), (tired, 3, "busy", START)]);
    assert!(service.worker.requeue_job(tired).await.unwrap());
    world.quiet().await;
    assert_eq!(state(&service.store, tired).await, "done");
    assert!(!service.worker.requeue_job(tired).await.unwrap());
    world.stop([service]).await;
}

/// What an attempt that was never finished leaves behind, as a process that dies during the call does.
async fn interrupted(store: &Store, enqueue: fn(&mut Tx) -> Result<JobId, partie_store::Error>) -> JobId {
    let left: Outcome<JobId> = store
        .write(move |tx| {
            let id = enqueue(tx)?;
            tx.execute("UPDATE partie_jobs SET state = 'running', attempts = 1 WHERE id = $1", &[&id])?;
            Ok(id)
        })
        .await;
    left.unwrap()
}

#[tokio::test]
async fn after_a_crash_each_kind_goes_on_as_it_declares() {
    // What the provider says when asked, whether a call follows, and what becomes of the job.
    for (enqueue, found, calls, becomes) in [
        ((|tx| tx.enqueue(&Mail)) as fn(&mut Tx) -> Result<JobId, partie_store::Error>, None, 1, "done"),
        (|tx| tx.enqueue(&Charge), Some(Found::Done), 0, "done"),
        (|tx| tx.enqueue(&Charge), Some(Found::NotDone), 1, "done"),
        (|tx| tx.enqueue(&Fax), None, 0, "dead"),
    ] {
        let world = World::new();
        let store = world.store("jobs");
        let id = interrupted(&store, enqueue).await;
        store.close().await;
        let provider = Arc::<Provider>::default();
        *provider.was_done.lock().unwrap() = found;
        let service = world.start("jobs", Arc::clone(&provider), handlers());
        world.quiet().await;
        assert_eq!(provider.seen.lock().unwrap().len(), calls);
        assert_eq!(state(&service.store, id).await, becomes);
        for dead in service.worker.dead_jobs().await.unwrap() {
            assert_eq!(dead.error, "outcome unknown: the process ended during the attempt");
        }
        world.stop([service]).await;
    }
}

#[tokio::test]
async fn an_attempt_without_an_answer_is_unknown_too() {
    let mut world = World::new();
    world.config.jobs.timeout = Duration::from_millis(5);
    let provider = Arc::<Provider>::default();
    let hangs = |_: &(), _: &Call, _: &Fax| std::future::pending::<Result<(), JobError>>();
    let service = world.start("jobs", (), Handlers::new().job(hangs));
    service.write(|tx| Ok(tx.enqueue(&Fax)?)).await;
    world.quiet().await;
    let dead = service.worker.dead_jobs().await.unwrap();
    assert_eq!(dead[0].error, "outcome unknown: the time of the attempt was over");

    provider.answers.lock().unwrap().push(JobError::unknown("the line broke"));
    let second = world.start("others", Arc::clone(&provider), handlers());
    let id = second.write(|tx| Ok(tx.enqueue(&Charge)?)).await;
    // The provider does not know yet: it is asked again, and nothing is done meanwhile.
    crate::events::until(|| provider.asked.load(Ordering::SeqCst) >= 3).await;
    assert_eq!(provider.seen.lock().unwrap().len(), 1);
    *provider.was_done.lock().unwrap() = Some(Found::Done);
    world.quiet().await;
    assert_eq!(state(&second.store, id).await, "done");
    assert_eq!(provider.seen.lock().unwrap().len(), 1);
    world.stop([service, second]).await;
}

#[tokio::test]
async fn registrations_that_do_not_go_together_are_refused() {
    assert_eq!(
        Handlers::new().job(Provider::mail).job(Provider::mail).check("jobs"),
        Err(HandlerError::Job("mail"))
    );
    let plain = Handlers::new().job(Provider::charge).check("jobs").unwrap_err();
    assert!(plain.to_string().contains("AfterCrash::Ask: register them with `job_asking`"), "{plain}");
}

#[tokio::test]
async fn periodic_work_follows_business_time() {
    let world = World::new();
    let provider = Arc::<Provider>::default();
    let handlers = Handlers::new().every(Duration::from_secs(600), Provider::tick);
    let service = world.start("jobs", Arc::clone(&provider), handlers);
    world.pass(Duration::from_secs(3600)).await;
    assert_eq!(provider.seen.lock().unwrap().len(), 6);
    world.stop([service]).await;
}

async fn state(store: &Store, id: JobId) -> String {
    let state: Outcome<String> = store
        .read(move |tx| {
            Ok(tx.query_one("SELECT state FROM partie_jobs WHERE id = $1", &[&id], |row| row.get(0))?)
        })
        .await;
    state.unwrap()
}
