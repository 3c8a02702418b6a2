//! From the transaction that publishes to the transaction that handles.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use partie_contract::{Abort, CloudEvent, Deadline, Event, NoContent, NoProblem, Outcome, Platform};
use partie_messaging::{Broker, Group, Handlers, Publish, Published};
use partie_store::Tx;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rig::Rig;
use crate::world::{START, World, call, note};

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Event)]
#[event("meter.read", version = 1, subject = "meter")]
pub(crate) struct Read {
    pub(crate) meter: String,
    pub(crate) value: u32,
}

/// What follows a reading.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Event)]
#[event("bill.written", version = 1, subject = "meter")]
struct Billed {
    meter: String,
}

/// A service that notes readings.
#[derive(Default)]
pub(crate) struct Reader {
    /// Readings that fail, by meter and value: how often.
    pub(crate) fail: Mutex<HashMap<(String, u32), u32>>,
    pub(crate) runs: AtomicU32,
}

impl Reader {
    pub(crate) fn read(&self, tx: &mut Tx, event: &Read) -> Result<(), Abort> {
        self.runs.fetch_add(1, Ordering::SeqCst);
        note(tx, "read", &format!("{}:{}", event.meter, event.value))?;
        let mut fail = self.fail.lock().unwrap();
        match fail.get_mut(&(event.meter.clone(), event.value)) {
            Some(left) if *left > 0 => {
                *left -= 1;
                Err(Abort::because("on purpose"))
            }
            _ => Ok(()),
        }
    }
}

pub(crate) fn handlers() -> Handlers<Reader> {
    Handlers::new().on(Reader::read)
}

pub(crate) fn publish(tx: &mut Tx, meter: &str, value: u32) -> Result<Published, partie_store::Error> {
    tx.publish(&Read { meter: meter.to_owned(), value })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_under_way_when_the_worker_came_leaves_too() {
    let world = World::new();
    let store = world.store("meters");
    let (runs, may_end) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
    // The service begins to work on its own before the worker is there to be told of it.
    let writing = tokio::spawn(store.write({
        let (runs, may_end) = (Arc::clone(&runs), Arc::clone(&may_end));
        move |tx| -> Outcome<Published> {
            let published = publish(tx, "a", 1)?;
            // The second run is the one that counts.
            let is_rehearsal = runs.fetch_add(1, Ordering::SeqCst) == 0;
            while !is_rehearsal && !may_end.load(Ordering::SeqCst) {
                std::thread::yield_now();
            }
            Ok(published)
        }
    }));
    while runs.load(Ordering::SeqCst) < 2 {
        tokio::task::yield_now().await;
    }
    let reads = store.stats().reads;
    let broker = Arc::new(world.broker.clone());
    let service = world.start_with("meters", store, broker, Reader::default(), handlers());
    // The relay, the timers and the sagas look what there is; whoever looks too early has done so by then.
    let looks = async {
        while service.store.stats().reads < reads + 3 {
            tokio::task::yield_now().await;
        }
    };
    drop(tokio::time::timeout(Duration::from_millis(200), looks).await);
    may_end.store(true, Ordering::SeqCst);
    writing.await.unwrap().unwrap();
    world.quiet().await;
    assert_eq!(service.notes("read").await, ["a:1"]);
    world.stop([service]).await;
}

#[tokio::test]
async fn the_effect_happens_once_however_often_an_event_comes() {
    let world = World::new();
    let (broker, faults) = Rig::new(world.broker.clone());
    faults.redeliver.store(5, Ordering::SeqCst);
    faults.lose_acks.store(3, Ordering::SeqCst);
    let service = world.start_on("meters", broker, Reader::default(), handlers());
    let published = service.write(|tx| Ok(publish(tx, "a", 1)?)).await;
    world.quiet().await;
    assert_eq!(service.notes("read").await, ["a:1"]);
    assert_eq!(faults.delivered.load(Ordering::SeqCst), 6);
    assert_eq!(*faults.tried.lock().unwrap(), [published.id; 4], "the same id, until it is acknowledged");
    world.stop([service]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_stay_in_order_under_failures() {
    const KEYS: u32 = 8;
    const EACH: u32 = 60;
    let world = World::new();
    let reader = Reader::default();
    for key in 0..KEYS {
        for value in (key % 5..EACH).step_by(7) {
            reader.fail.lock().unwrap().insert((format!("m{key}"), value), 1 + value % 2);
        }
    }
    let service = world.start("meters", reader, handlers());
    let writes = (0..KEYS).map(|key| {
        let store = service.store.clone();
        tokio::spawn(async move {
            for value in 0..EACH {
                let written: Outcome<_> =
                    store.write(move |tx| Ok(publish(tx, &format!("m{key}"), value)?)).await;
                assert_eq!(written.unwrap().sequence, i64::from(value) + 1);
            }
        })
    });
    for write in writes.collect::<Vec<_>>() {
        write.await.unwrap();
    }
    world.quiet().await;
    let notes = service.notes("read").await;
    for key in 0..KEYS {
        let prefix = format!("m{key}:");
        let values: Vec<u32> = notes
            .iter()
            .filter_map(|note| note.strip_prefix(&*prefix))
            .map(|value| value.parse().unwrap())
            .collect();
        assert_eq!(values, (0..EACH).collect::<Vec<_>>(), "{prefix}");
    }
    world.stop([service]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sequences_have_no_gaps_under_parallel_writers_and_rollbacks() {
    let world = World::new();
    let store = world.store("meters");
    let writers = (0..16_u32).map(|writer| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut kept = Vec::new();
            for round in 0..20_u32 {
                let undo = (writer + round).is_multiple_of(3);
                let written: Outcome<Published> = store
                    .write(move |tx| {
                        let published = publish(tx, "one", round)?;
                        if undo { Err(Platform::internal("on purpose").into()) } else { Ok(published) }
                    })
                    .await;
                kept.extend(written.ok().map(|published| published.sequence));
            }
            kept
        })
    });
    let mut all = Vec::new();
    for writer in writers.collect::<Vec<_>>() {
        let kept = writer.await.unwrap();
        assert!(kept.is_sorted());
        all.extend(kept);
    }
    all.sort_unstable();
    assert_eq!(all, (1..=i64::try_from(all.len()).unwrap()).collect::<Vec<_>>());
    let bodies: Outcome<Vec<String>> = store
        .read(|tx| Ok(tx.query("SELECT body FROM partie_outbox ORDER BY position", &[], |row| row.get(0))?))
        .await;
    let in_commit_order = bodies
        .unwrap()
        .iter()
        .map(|body| serde_json::from_str::<CloudEvent>(body).unwrap().sequence)
        .collect::<Vec<_>>();
    assert_eq!(in_commit_order, all);
}

#[tokio::test]
async fn a_refused_key_waits_and_the_others_leave() {
    let world = World::new();
    let (broker, faults) = Rig::new(world.broker.clone());
    faults.refuse.lock().unwrap().insert("meters/slow".to_owned());
    let service = world.start_on("meters", broker, Reader::default(), handlers());
    service
        .write(|tx| {
            for value in 0..3 {
                publish(tx, "slow", value)?;
                publish(tx, "quick", value)?;
            }
            Ok(())
        })
        .await;
    until(|| faults.delivered.load(Ordering::SeqCst) == 3).await;
    assert!(!world.activity.is_quiet(), "waiting for the next attempt is something going on");
    faults.refuse.lock().unwrap().clear();
    world.quiet().await;
    let notes = service.notes("read").await;
    assert_eq!((per_meter(&notes, "slow"), per_meter(&notes, "quick")), (vec![0, 1, 2], vec![0, 1, 2]));
    world.stop([service]).await;
}

#[tokio::test]
async fn a_backlog_is_noticed_and_ends_when_events_leave() {
    let mut world = World::new();
    world.config.relay.backlog_limit = Duration::ZERO;
    let (broker, faults) = Rig::new(world.broker.clone());
    let service = world.start_on("meters", broker, Reader::default(), handlers());
    world.quiet().await;
    assert_eq!(service.worker.backlog(), None);
    service.worker.admit().unwrap();
    faults.down.store(true, Ordering::SeqCst);
    service.write(|tx| Ok(publish(tx, "a", 0)?)).await;
    until(|| service.worker.backlog().is_some()).await;
    let refusal = service.worker.admit().unwrap_err();
    assert_eq!((refusal.kind().code(), refusal.retry_after_hint()), ("degraded", Some(Duration::ZERO)));
    faults.down.store(false, Ordering::SeqCst);
    world.quiet().await;
    assert_eq!(service.worker.backlog(), None);
    world.stop([service]).await;
}

#[tokio::test]
async fn a_story_keeps_its_name_and_its_time_through_every_handler() {
    let world = World::new();
    // The bills are written on a machine whose clock is an hour behind.
    let behind = World::again(crate::world::Dir::new(), START - Duration::from_secs(3600));
    let meters = world.start("meters", (), Handlers::new());
    let bill = |_: &(), tx: &mut Tx, event: &Read| -> Result<(), Abort> {
        let published = tx.publish(&Billed { meter: event.meter.clone() })?;
        assert_eq!((published.time, tx.now()), (START, START));
        Ok(())
    };
    let bills = behind.start_on("bills", Arc::new(world.broker.clone()), (), Handlers::new().on(bill));
    let request = call().with_request_id("the-request");
    let read: Outcome<NoContent, NoProblem> = meters
        .store
        .once(&request, |tx| {
            publish(tx, "a", 1)?;
            Ok(NoContent)
        })
        .await;
    read.unwrap();
    world.quiet().await;
    behind.quiet().await;
    let first = only_event(&meters.store).await;
    let second = only_event(&bills.store).await;
    assert_eq!((&*first.source, &*first.type_name, first.sequence), ("meters", "meter.read", 1));
    assert_eq!(first.correlationid.as_deref(), Some("the-request"));
    assert_eq!(second.correlationid.as_deref(), Some("the-request"));
    assert_eq!(second.causationid, Some(first.id.to_string()));
    assert_eq!(first.traceparent.as_deref(), Some(&*request.trace().to_string()));
    assert_eq!(second.traceparent, first.traceparent);
    world.stop([meters]).await;
    behind.stop([bills]).await;
}

#[tokio::test]
async fn a_group_has_one_subscriber_and_a_new_one_begins_where_it_stopped() {
    let world = World::new();
    let group = Group {
        name: "g".to_owned(),
        types: vec!["meter.read".to_owned()],
        attempts: 3,
        backoff: partie_messaging::Backoff::default(),
    };
    let first = world.broker.subscribe(group.clone()).await.unwrap();
    assert!(world.broker.subscribe(group.clone()).await.is_err());
    drop(first);
    drop(world.broker.subscribe(group).await.unwrap());
    world.quiet().await;
}

/// The values of one meter, in order.
pub(crate) fn per_meter(notes: &[String], meter: &str) -> Vec<u32> {
    let values = notes.iter().filter_map(|note| note.strip_prefix(meter)?.strip_prefix(':')?.parse().ok());
    values.collect()
}

async fn only_event(store: &partie_store::Store) -> CloudEvent {
    let body: Outcome<String> =
        store.read(|tx| Ok(tx.query_one("SELECT body FROM partie_outbox", &[], |row| row.get(0))?)).await;
    serde_json::from_str(&body.unwrap()).unwrap()
}

/// Waits for something that has no event of its own.
pub(crate) async fn until(done: impl Fn() -> bool) {
    let deadline = Deadline::after(crate::world::LIMIT);
    while !done() {
        assert!(!deadline.has_passed(), "it never happened");
        tokio::task::yield_now().await;
    }
}
