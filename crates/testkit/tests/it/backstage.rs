//! What the platform answers beside the services: sagas, and what is not tried any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use partie::messaging::{
    AfterCrash, Backoff, Enqueue as _, Job, JobError, Next, Phase, Publish as _, Saga, SagaData, Sagas as _,
    Schedule as _, Step, Timer,
};
use partie::platform::{DeadLetter, DeadLetterKind, DeadLettersClient, SagasClient, SkipEvent};
use partie::store::{Store, Tx};
use partie::{Config, Service};
use partie_contract::{Abort, Call, Event, Fault, Outcome, Timestamp, id};
use partie_testkit::{Conformance, Example, TestRun, TestSystem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

id! {
    /// Names a letter.
    struct LetterId;
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Event)]
#[event("letter.came", version = 1, subject = "letter")]
struct LetterCame {
    letter: LetterId,
}

#[derive(Serialize, Deserialize)]
struct Remind(LetterId);

impl Timer for Remind {
    const KIND: &'static str = "remind";

    fn key(&self) -> String {
        self.0.to_string()
    }
}

#[derive(Serialize, Deserialize)]
struct Answer(LetterId);

impl Job for Answer {
    const KIND: &'static str = "answer";
    const AFTER_CRASH: AfterCrash = AfterCrash::Retry;
}

#[derive(Serialize, Deserialize)]
struct File(LetterId);

impl SagaData for File {
    const KIND: &'static str = "file";
    const VERSION: u32 = 1;
}

/// Does nothing while in a bad mood.
struct Clerk {
    in_bad_mood: Arc<AtomicBool>,
}

impl Clerk {
    fn mood(&self) -> Result<(), Abort> {
        if self.in_bad_mood.load(Ordering::SeqCst) { Err(Abort::because("not today")) } else { Ok(()) }
    }

    fn came(&self, _: &mut Tx, _: &LetterCame) -> Result<(), Abort> {
        self.mood()
    }

    fn remind(&self, _: &mut Tx, _: &Remind) -> Result<(), Abort> {
        self.mood()
    }

    async fn answer(&self, _: &Call, _: &Answer) -> Result<(), JobError> {
        self.mood().map_err(|abort| JobError::failed(abort.to_string()))
    }

    fn service(in_bad_mood: &Arc<AtomicBool>) -> Service {
        let in_bad_mood = Arc::clone(in_bad_mood);
        Service::new("clerk")
            .store(&[])
            .start(async |_| Ok(Self { in_bad_mood }))
            .on(Self::came)
            .timer(Self::remind)
            .job(Self::answer)
            .saga(Saga::<Self, File>::new().step(Step::local("file", |_, _, _| Ok(Next::Step))))
            .into()
    }
}

struct Office {
    run: TestRun,
    in_bad_mood: Arc<AtomicBool>,
}

impl Office {
    async fn open() -> Self {
        let in_bad_mood = Arc::new(AtomicBool::new(true));
        let impatient = |config: &mut Config| {
            config.messaging.consumers.attempts = 2;
            config.messaging.timers.attempts = 2;
            let backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(1));
            config.messaging.consumers.backoff = backoff;
            config.messaging.timers.backoff = backoff;
        };
        let system = TestSystem::new().service(Clerk::service(&in_bad_mood));
        Self { run: system.configure(impatient).start().await, in_bad_mood }
    }

    fn store(&self) -> &Store {
        self.run.store("clerk").unwrap()
    }

    /// A letter with everything that follows from it.
    async fn letter(&self) -> LetterId {
        let written: Outcome<LetterId> = self
            .store()
            .write(|tx| {
                let letter: LetterId = tx.new_id();
                tx.publish(&LetterCame { letter })?;
                tx.at(Timestamp::EPOCH, &Remind(letter))?;
                tx.enqueue(&Answer(letter))?;
                tx.start_saga(letter, &File(letter))?;
                Ok(letter)
            })
            .await;
        self.run.activity().quiet().await;
        written.unwrap()
    }

    fn letters(&self) -> DeadLettersClient {
        self.run.client()
    }

    fn admin(&self) -> Call {
        self.run.call_by("root", &["admin"])
    }

    async fn dead(&self) -> Vec<DeadLetter> {
        self.letters().list(&self.admin()).await.unwrap().data
    }
}

#[tokio::test]
async fn what_is_not_tried_any_more_is_listed_and_tried_again() {
    let office = Office::open().await;
    let letter = office.letter().await;
    office.letter().await;
    let dead = office.dead().await;
    let mut kinds: Vec<(&str, &str)> =
        dead.iter().map(|letter| (letter.service.as_str(), letter.handler.as_str())).collect();
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds, [("clerk", "answer"), ("clerk", "clerk/letter.came"), ("clerk", "remind")]);
    assert_eq!(dead.len(), 6);
    assert!(dead.iter().all(|letter| letter.error.contains("not today")), "{dead:?}");
    assert!(dead.iter().any(|dead| dead.key == Some(letter.to_string())));

    office.in_bad_mood.store(false, Ordering::SeqCst);
    for letter in dead {
        office.letters().requeue(&office.admin(), letter.id).await.unwrap();
    }
    office.run.activity().quiet().await;
    assert_eq!(office.dead().await, []);
}

#[tokio::test]
async fn an_event_is_given_up_by_somebody_for_a_reason() {
    let office = Office::open().await;
    office.letter().await;
    let event = office.dead().await.into_iter().find(|dead| dead.kind == DeadLetterKind::Event).unwrap();
    assert_eq!((event.attempts, event.waiting), (2, Some(1)));
    let skip = SkipEvent { handler: event.handler.clone(), reason: "the letter burned".to_owned() };
    let wrong = SkipEvent { handler: "clerk/else".to_owned(), ..skip.clone() };
    let fault = office.letters().skip(&office.admin(), event.id, wrong).await.unwrap_err();
    assert!(matches!(fault, Fault::Domain(_)), "{fault:?}");
    office.letters().skip(&office.admin(), event.id, skip).await.unwrap();
    assert!(office.dead().await.iter().all(|dead| dead.kind != DeadLetterKind::Event));
    let skipped = office.letters().skipped(&office.admin()).await.unwrap().data;
    let [skipped] = &skipped[..] else { panic!("{skipped:?}") };
    assert_eq!((skipped.id, &skipped.handler, &skipped.key), (event.id, &event.handler, &event.key.unwrap()));
    assert_eq!((skipped.actor.as_str(), skipped.reason.as_str()), ("root", "the letter burned"));
    let nobody = office.run.call_by("eve", &["customer"]);
    assert!(office.letters().skipped(&nobody).await.is_err(), "it is for those who run the system");
}

#[tokio::test]
async fn a_saga_is_looked_at_by_its_id() {
    let office = Office::open().await;
    let letter = office.letter().await;
    let sagas: SagasClient = office.run.client();
    let view = sagas.saga(&office.admin(), letter.to_string().parse().unwrap()).await.unwrap();
    assert_eq!((view.kind.as_str(), view.phase, view.history.len()), ("file", Phase::Done, 1));
}

#[tokio::test]
async fn what_the_platform_answers_keeps_its_contract() {
    let office = Office::open().await;
    let admin: (&str, &[&str]) = ("root", &["admin"]);
    let event = async || {
        office.letter().await;
        office.dead().await.into_iter().find(|dead| dead.kind == DeadLetterKind::Event).unwrap()
    };
    Conformance::new(&office.run)
        .only(&["platform"])
        .example("platform.sagas.saga", async |_| Example::new().param("id", office.letter().await))
        .example("platform.dead_letters.list", async |_| Example::new().by(admin.0, admin.1))
        .example("platform.dead_letters.skipped", async |_| Example::new().by(admin.0, admin.1))
        .example("platform.dead_letters.requeue", async |_| Example::new().param("id", event().await.id))
        .example("platform.dead_letters.skip", async |_| {
            let event = event().await;
            let skip = SkipEvent { handler: event.handler, reason: "for the test's sake".to_owned() };
            Example::new().param("id", event.id).body(skip)
        })
        .run()
        .await
        .unwrap();
}
