//! Idempotency keys: one effect, one answer, however often and however concurrently it is asked for.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use partie_contract::{
    Abort, Call, Created, Deadline, Entity, Fault, FaultKind, Outcome, Platform, Rendered, Timestamp, Trace,
};
use partie_runtime::{Activity, Clock, Ids};
use partie_store::{Handles, Replay, Store};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::support::{Dir, Engine, Refusal, call, ids, keyed, open, open_with, plain, platform, quick};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Item {
    id: i64,
}

impl Entity for Item {
    const COLLECTION: &'static str = "/api/v1/items";

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn version(&self) -> Option<i64> {
        Some(7)
    }
}

/// An operation as a service has it: under the call's key it makes one more item.
async fn make(store: &Store, cx: &Call) -> Outcome<Created<Item>, Refusal> {
    store
        .once(cx, |tx| {
            let id = tx.query_one("SELECT count(*) FROM items", &[], |row| row.get(0))?;
            tx.execute("INSERT INTO items (id) VALUES ($1)", &[&id])?;
            Ok(Created(Item { id }))
        })
        .await
}

async fn stored(store: &Store, cx: &Call) -> Option<Rendered> {
    match store.replay(cx).await.unwrap() {
        Replay::Stored(answer) => Some(answer),
        Replay::New(_) => None,
    }
}

pub(crate) async fn an_answer_is_stored_with_its_effect_and_replayed_whole(engine: Engine) {
    let dir = Dir::of(engine);
    let store = open(&dir, quick());
    let first = keyed("k", 1);
    assert_eq!(stored(&store, &first).await, None);
    assert_eq!(make(&store, &first).await.unwrap(), Created(Item { id: 0 }));
    assert!(first.is_recorded() && !first.is_replayed());

    let again = keyed("k", 1);
    let answer = stored(&store, &again).await.unwrap();
    assert_eq!((answer.status, answer.location.as_deref()), (201, Some("/api/v1/items/0")));
    assert_eq!((answer.etag.as_deref(), &answer.body[..]), (Some("\"7\""), &br#"{"id":0}"#[..]));
    assert!(again.is_replayed());

    let without_asking = keyed("k", 1);
    assert_eq!(make(&store, &without_asking).await.unwrap(), Created(Item { id: 0 }));
    assert!(without_asking.is_recorded() && without_asking.is_replayed());
    assert_eq!(ids(&store).await, [0]);
}

pub(crate) async fn a_key_belongs_to_its_scope_and_to_one_request(engine: Engine) {
    let dir = Dir::of(engine);
    let store = open(&dir, quick());
    make(&store, &keyed("k", 1)).await.unwrap();
    let other = keyed("k", 2);
    assert_eq!(store.replay(&other).await.unwrap_err().kind(), FaultKind::IdempotencyKeyReused);
    let fault = platform(make(&store, &other).await.unwrap_err());
    assert_eq!(fault.kind(), FaultKind::IdempotencyKeyReused);
    assert!(!other.is_recorded());
    let somebody_else = call().with_key("k").with_bound_key("bob POST /items".into(), [2; 32]);
    assert_eq!(make(&store, &somebody_else).await.unwrap(), Created(Item { id: 1 }));
}

pub(crate) async fn what_rolled_back_is_not_stored_and_is_evaluated_again(engine: Engine) {
    let dir = Dir::of(engine);
    let store = open(&dir, quick());
    for _ in 0..2 {
        let cx = keyed("k", 1);
        let refused: Outcome<i64, Refusal> = store
            .once(&cx, |tx| {
                tx.execute("INSERT INTO items (id) VALUES (1)", &[])?;
                Err(Refusal::Closed.into())
            })
            .await;
        assert!(matches!(refused, Err(Fault::Domain(Refusal::Closed))));
        let failed: Outcome<i64, Refusal> = store.once(&cx, |_| Err(Abort::because("no").into())).await;
        assert!(failed.is_err() && !cx.is_recorded());
    }
    assert_eq!(stored(&store, &keyed("k", 1)).await, None);
    assert_eq!(make(&store, &keyed("k", 1)).await.unwrap(), Created(Item { id: 0 }));
}

pub(crate) async fn a_problem_that_commits_is_stored_and_replayed(engine: Engine) {
    let dir = Dir::of(engine);
    let store = open(&dir, quick());
    let declined = || Refusal::Declined { reason: "no funds".to_owned() };
    for round in 0..3 {
        let cx = keyed("k", 1);
        let answer: Outcome<i64, Refusal> = store
            .once(&cx, move |tx| {
                tx.execute("INSERT INTO items (id) VALUES (1)", &[])?;
                Err(tx.commit_problem(declined()))
            })
            .await;
        assert!(matches!(answer, Err(Fault::Domain(problem)) if problem == declined()));
        assert_eq!((cx.is_recorded(), cx.is_replayed()), (true, round > 0));
    }
    assert_eq!(ids(&store).await, [1]);
    let answer = stored(&store, &keyed("k", 1)).await.unwrap();
    assert_eq!(answer.status, 402);
    let details: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!((&details["code"], &details["reason"]), (&"declined".into(), &"no funds".into()));
}

pub(crate) async fn without_a_key_it_is_a_write_that_knows_its_call(engine: Engine) {
    let dir = Dir::of(engine);
    let store = open(&dir, quick());
    let cx = call();
    let write = store.once(&cx, |tx| Ok(tx.call().map(|call| call.request_id().to_owned())));
    assert_eq!(plain(write.await).unwrap().as_deref(), Some(cx.request_id()));
    assert!(!cx.is_recorded());
    assert!(matches!(store.replay(&cx).await.unwrap(), Replay::New(_)));
    assert!(plain(store.write(|tx| Ok(tx.call().is_none())).await).unwrap());
}

pub(crate) async fn sixty_four_at_once_have_one_effect_and_one_answer(engine: Engine) {
    let dir = Dir::of(engine);
    let store = open(&dir, quick());
    for key in ["a", "b", "c"] {
        let expected = make(&store, &keyed(key, 9).with_key(format!("{key}-first"))).await.unwrap().0.id + 1;
        let callers: Vec<_> = (0..64)
            .map(|_| {
                let (store, cx) = (store.clone(), keyed(key, 1));
                tokio::spawn(async move { (make(&store, &cx).await.unwrap().0.id, cx.is_replayed()) })
            })
            .collect();
        let mut replayed = 0;
        for caller in callers {
            let (id, is_replayed) = caller.await.unwrap();
            assert_eq!(id, expected);
            replayed += usize::from(is_replayed);
        }
        assert_eq!(replayed, 63);
    }
    assert_eq!(ids(&store).await.len(), 6);
}

pub(crate) async fn a_request_waits_for_the_one_with_its_key_and_its_handler_does_not_run(engine: Engine) {
    let dir = Dir::of(engine);
    let store = open(&dir, quick());
    let handlers = Arc::new(AtomicUsize::new(0));
    let callers: Vec<_> = (0..64)
        .map(|_| {
            let (store, cx, handlers) = (store.clone(), keyed("k", 1), Arc::clone(&handlers));
            tokio::spawn(async move {
                match store.replay(&cx).await.unwrap() {
                    Replay::Stored(answer) => answer.location.unwrap(),
                    Replay::New(_claim) => {
                        handlers.fetch_add(1, Ordering::SeqCst);
                        // The handler calls other services meanwhile.
                        tokio::task::yield_now().await;
                        format!("/api/v1/items/{}", make(&store, &cx).await.unwrap().0.id)
                    }
                }
            })
        })
        .collect();
    for caller in callers {
        assert_eq!(caller.await.unwrap(), "/api/v1/items/0");
    }
    assert_eq!(handlers.load(Ordering::SeqCst), 1);
}

pub(crate) async fn in_progress_is_said_only_when_the_own_deadline_ends_first(engine: Engine) {
    let dir = Dir::of(engine);
    let store = open(&dir, quick());
    let Replay::New(claim) = store.replay(&keyed("k", 1)).await.unwrap() else { panic!("the key is new") };
    let hurried = Call::new(Deadline::after(Duration::from_millis(20)), Trace::new(1, 2));
    let hurried = hurried.with_key("k").with_bound_key("alice POST /items".into(), [1; 32]);
    let fault: Platform = store.replay(&hurried).await.unwrap_err();
    assert_eq!(fault.kind(), FaultKind::IdempotencyInProgress);
    // Another key waits for nobody.
    assert!(matches!(store.replay(&keyed("other", 1)).await.unwrap(), Replay::New(_)));
    // The first one failed: the next one runs.
    let patient = tokio::spawn(store.replay(&keyed("k", 1)));
    tokio::task::yield_now().await;
    assert!(!patient.is_finished());
    drop(claim);
    assert!(matches!(patient.await.unwrap().unwrap(), Replay::New(_)));
}

pub(crate) async fn keys_survive_the_process(engine: Engine) {
    let dir = Dir::of(engine);
    for round in 0..3 {
        let store = open(&dir, quick());
        assert_eq!(stored(&store, &keyed("k", 1)).await.is_some(), round > 0);
        assert_eq!(make(&store, &keyed("k", 1)).await.unwrap(), Created(Item { id: 0 }));
        // Once the keys are read, nothing changes for the old one nor for a new one.
        store.activity().quiet().await;
        assert!(stored(&store, &keyed("k", 1)).await.is_some());
        assert!(stored(&store, &keyed("new", 1)).await.is_none());
        store.close().await;
    }
}

#[tokio::test]
async fn every_one_of_many_keys_is_found_before_and_after_they_are_read_back() {
    let dir = Dir::new();
    let mut config = quick();
    config.run_twice = false;
    let many = |store: Store| async move {
        let (store, waiting) = (&store, 0..9_000);
        for key in waiting {
            let write = store.once(&keyed(&format!("k{key}"), 1), move |_| Ok(key));
            assert_eq!(plain(write.await).unwrap(), key);
        }
    };
    let store = open(&dir, config.clone());
    many(store.clone()).await;
    store.close().await;
    let store = open(&dir, config);
    let (before, scan) = (store.stats().commits, 0..9_000);
    for key in scan.step_by(97).chain([8_999]) {
        let answer = stored(&store, &keyed(&format!("k{key}"), 1)).await.unwrap();
        assert_eq!(answer.body, key.to_string());
    }
    store.activity().quiet().await;
    many(store.clone()).await;
    assert_eq!(store.stats().commits, before, "nothing was written again");
    store.close().await;
}

pub(crate) async fn keys_are_kept_for_a_day_and_pruned_in_small_batches(engine: Engine) {
    let dir = Dir::of(engine);
    let (clock, stepper) = Clock::stepped(Timestamp::EPOCH);
    let handles = Handles { clock, ids: Ids::seeded(1), activity: Activity::default() };
    let store = open_with(&dir, handles, quick());
    for key in 0..1100 {
        make(&store, &keyed(&format!("old-{key}"), 1)).await.unwrap();
    }
    let step = |hours| {
        let busy = store.activity().begin();
        stepper.step_to(Timestamp::EPOCH + Duration::from_hours(hours), &busy);
    };
    step(23);
    make(&store, &keyed("young", 1)).await.unwrap();
    assert_eq!(store.prune().await.unwrap(), 0);
    step(25);
    let before = store.stats().writes;
    assert_eq!(store.prune().await.unwrap(), 1100);
    assert_eq!(store.stats().writes - before, 3, "three small transactions");
    assert!(stored(&store, &keyed("old-7", 1)).await.is_none());
    assert!(stored(&store, &keyed("young", 1)).await.is_some());
}
