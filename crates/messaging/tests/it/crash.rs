//! Processes that die at every named place, and what the next one makes of it.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use partie_contract::{Abort, Call, CloudEvent, Id, Outcome, Timestamp};
use partie_messaging::{
    AfterCrash, BrokerConfig, Enqueue, EntryState, Failure, Handlers, Job, JobError, Next, Phase, Publish,
    Saga, SagaData, Sagas, Schedule, Step,
};
use partie_store::Tx;
use serde::{Deserialize, Serialize};

use crate::desk::{OrderId, OrderPlaced, RemindKitchen, TicketAccepted};
use crate::world::{Dir, START, Service, World, note};

/// Where the child works, and what it does there.
const DIR: &str = "PARTIE_TEST_DIR";
const SCENARIO: &str = "PARTIE_TEST_SCENARIO";
const FAILPOINT: &str = "PARTIE_FAILPOINT";

/// A saga with a command on either side of the pivot, and its provider in a file that outlives the process.
struct Kitchen {
    log: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Serve {
    order: OrderId,
}

impl SagaData for Serve {
    const KIND: &'static str = "serve";
    const VERSION: u32 = 1;
}

#[derive(Serialize, Deserialize)]
struct Thank;

impl Job for Thank {
    const KIND: &'static str = "thank";
    const AFTER_CRASH: AfterCrash = AfterCrash::Retry;
}

impl Kitchen {
    fn handlers() -> Handlers<Self> {
        Handlers::new()
            .on(Self::placed)
            .on(Self::accepted)
            .timer(Self::remind)
            .job(Self::thank)
            .saga(Self::serve())
    }

    fn serve() -> Saga<Self, Serve> {
        Saga::new()
            .step(Step::command("reserve", Self::call, Self::reserved).undo(Self::call))
            .step(Step::command("ticket", Self::call, Self::ticketed).undo(Self::call))
            .step(Step::wait("acceptance", Self::until, Self::go).pivot())
            .step(Step::command("capture", Self::call, Self::captured))
            .step(Step::local("complete", Self::complete))
            .on_failed(Self::failed)
    }

    /// The world outside: every call leaves a line with its key.
    fn outside(&self, cx: &Call) {
        let key = &cx.key().unwrap().key;
        let mut log = OpenOptions::new().append(true).create(true).open(&self.log).unwrap();
        writeln!(log, "{key}").unwrap();
    }

    fn placed(&self, tx: &mut Tx, event: &OrderPlaced) -> Result<(), Abort> {
        Ok(note(tx, "effects", &format!("placed {}", event.order))?)
    }

    fn remind(&self, tx: &mut Tx, due: &RemindKitchen) -> Result<(), Abort> {
        note(tx, "effects", "reminded")?;
        tx.publish(&TicketAccepted { order: due.0 })?;
        Ok(())
    }

    fn accepted(&self, tx: &mut Tx, event: &TicketAccepted) -> Result<(), Abort> {
        note(tx, "effects", "accepted")?;
        tx.resume_saga(event.order, "acceptance", &())?;
        Ok(())
    }

    async fn thank(&self, cx: &Call, _: &Thank) -> Result<(), JobError> {
        self.outside(cx);
        Ok(())
    }

    async fn call(&self, cx: &Call, _: &Serve) -> Outcome<()> {
        self.outside(cx);
        Ok(())
    }

    fn reserved(&self, tx: &mut Tx, _: &mut Serve, (): &()) -> Result<Next, Abort> {
        note(tx, "effects", "reserved")?;
        Ok(Next::Step)
    }

    fn ticketed(&self, tx: &mut Tx, _: &mut Serve, (): &()) -> Result<Next, Abort> {
        note(tx, "effects", "ticketed")?;
        Ok(Next::Step)
    }

    fn until(&self, _: &Serve, now: Timestamp) -> Timestamp {
        now + Duration::from_secs(300)
    }

    fn go(&self, _: &mut Tx, _: &mut Serve, (): &()) -> Result<Next, Abort> {
        Ok(Next::Step)
    }

    fn captured(&self, tx: &mut Tx, _: &mut Serve, (): &()) -> Result<Next, Abort> {
        note(tx, "effects", "captured")?;
        tx.enqueue(&Thank)?;
        Ok(Next::Step)
    }

    fn complete(&self, tx: &mut Tx, _: &mut Serve) -> Result<Next, Abort> {
        note(tx, "effects", "completed")?;
        Ok(Next::Step)
    }

    fn failed(&self, tx: &mut Tx, _: &mut Serve, why: &Failure) -> Result<(), Abort> {
        Ok(note(tx, "effects", &format!("failed {}", why.code))?)
    }
}

fn order() -> OrderId {
    OrderId::from_uuid(uuid::Uuid::from_u128(0x0193_a0a0_0000_7000_8000_0000_0000_0001))
}

/// Not a test of its own: what a child process does. Without a directory it does nothing.
#[tokio::test]
async fn child() {
    let Some(dir) = std::env::var_os(DIR).map(PathBuf::from) else { return };
    let kind = std::env::var(SCENARIO).unwrap();
    let clock = dir.join("clock");
    let now = fs::read_to_string(&clock).map_or(START, |text| text.parse().unwrap());
    let (world, service) = begin(Dir::at(dir), now);
    let placed: Outcome<bool> = service
        .store
        .write(move |tx| {
            let known =
                tx.query_opt("SELECT 1 FROM facts WHERE name = 'placed'", &[], |row| row.get::<i64>(0))?;
            if known.is_some() {
                return Ok(false);
            }
            tx.execute("INSERT INTO facts (name, value) VALUES ('placed', 'yes')", &[])?;
            tx.publish(&OrderPlaced { order: order() })?;
            tx.start_saga(order(), &Serve { order: order() })?;
            if kind == "forward" {
                tx.at(START + Duration::from_secs(60), &RemindKitchen(order()))?;
            }
            Ok(true)
        })
        .await;
    placed.unwrap();
    world.quiet().await;
    while let Some(next) = world.stepper.next_wake() {
        // A process that is started again does not go back in time.
        fs::write(&clock, next.to_string()).unwrap();
        world.stepper.step_to(next, &world.activity.begin());
        world.quiet().await;
    }
    world.stop([service]).await;
}

fn begin(dir: Arc<Dir>, now: Timestamp) -> (World, Service) {
    let log = dir.path().join("outside");
    let world = World::at(dir, now, BrokerConfig::default());
    let service = world.start("kitchen", Kitchen { log }, Kitchen::handlers());
    (world, service)
}

/// Runs a child, and says whether it came to its end.
fn run(dir: &Path, scenario: &str, failpoint: Option<&str>) -> bool {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "crash::child", "--test-threads=1"]).env(DIR, dir).env(SCENARIO, scenario);
    child.env("RUST_BACKTRACE", "0").stdout(Stdio::null()).stderr(Stdio::null());
    match failpoint {
        Some(name) => child.env(FAILPOINT, name),
        None => child.env_remove(FAILPOINT),
    };
    child.status().unwrap().success()
}

/// Lets a process die at the n-th passing of a place, lets the next one go on, and looks at what there is. Says whether
/// the place was passed that often.
async fn dies(scenario: &str, place: &str, nth: usize) -> bool {
    let dir = Dir::new();
    let died = !run(dir.path(), scenario, Some(&format!("{place}@{nth}")));
    if died {
        assert!(run(dir.path(), scenario, None), "{scenario} {place}@{nth}: it does not recover");
    }
    let at = format!("{scenario} {place}@{nth}");
    let outside = fs::read_to_string(dir.path().join("outside")).unwrap();
    let now = fs::read_to_string(dir.path().join("clock")).unwrap().parse().unwrap();
    let (world, service) = begin(dir, now);
    world.quiet().await;
    check(&service, scenario, &at, &outside).await;
    world.stop([service]).await;
    died
}

async fn check(service: &Service, scenario: &str, at: &str, outside: &str) {
    let mut effects = service.notes("effects").await;
    effects.sort();
    let placed = format!("placed {}", order());
    let expected = match scenario {
        "forward" => {
            vec!["accepted", "captured", "completed", &placed, "reminded", "reserved", "ticketed"]
        }
        _ => vec!["failed timeout", &placed, "reserved", "ticketed"],
    };
    assert_eq!(effects, expected, "{at}: every effect once");

    let saga = service.worker.saga(order()).await.unwrap().unwrap();
    let states: Vec<_> = saga.history.iter().map(|entry| entry.state).collect();
    use EntryState::{Abandoned, Done, Undone};
    match scenario {
        "forward" => assert_eq!((saga.phase, states), (Phase::Done, vec![Done; 5]), "{at}"),
        _ => assert_eq!((saga.phase, states), (Phase::Failed, vec![Undone, Undone, Abandoned]), "{at}"),
    }

    // Outside, calls may have been repeated, under the same ids and in order.
    let mut keys: Vec<_> = outside.lines().collect();
    keys.dedup();
    let saga_keys: Vec<_> = keys.iter().filter(|key| key.contains('/')).copied().collect();
    let id = order();
    let name = |key: &str| format!("{id}/{key}");
    let expected = match scenario {
        "forward" => vec![name("reserve/1"), name("ticket/1"), name("capture/1")],
        _ => vec![name("reserve/1"), name("ticket/1"), name("ticket/1/undo"), name("reserve/1/undo")],
    };
    assert_eq!(saga_keys, expected, "{at}");
    assert_eq!(keys.len() - saga_keys.len(), usize::from(scenario == "forward"), "{at}: one job, one key");

    // Events are in the log once, each with its own sequence.
    let bodies: Outcome<Vec<String>> = service
        .store
        .read(|tx| {
            Ok(tx.query(
                "SELECT body FROM partie_outbox WHERE position <= (SELECT sent_to FROM partie_relay) ORDER BY position",
                &[],
                |row| row.get(0),
            )?)
        })
        .await;
    let sequences: Vec<_> = bodies
        .unwrap()
        .iter()
        .map(|body| serde_json::from_str::<CloudEvent>(body).unwrap().sequence)
        .collect();
    let events = if scenario == "forward" { 2 } else { 1 };
    assert_eq!(sequences, (1..=events).collect::<Vec<_>>(), "{at}");
}

/// Every passing of these places, in both scenarios.
async fn everywhere(places: &[String]) {
    for place in places {
        let mut passings = 0;
        for scenario in ["forward", "back"] {
            for nth in 1.. {
                if !dies(scenario, place, nth).await {
                    break;
                }
                passings += 1;
            }
        }
        assert!(passings > 0, "{place} is nowhere");
    }
}

#[tokio::test]
async fn a_process_may_die_between_outbox_and_inbox() {
    let places = [
        "relay.before_publish",
        "relay.after_publish",
        "relay.after_mark",
        "broker.after_commit",
        "consumer.before_ack",
        "consumer.after_ack",
    ];
    everywhere(&places.map(str::to_owned)).await;
}

#[tokio::test]
async fn a_process_may_die_around_a_timer_and_a_job() {
    let places = ["timer.before_fire", "timer.after_fire", "job.thank.before_call", "job.thank.after_call"];
    everywhere(&places.map(str::to_owned)).await;
}

#[tokio::test]
async fn a_process_may_die_at_every_step_of_a_saga() {
    let steps = Kitchen::serve().steps();
    let places: Vec<_> = steps.iter().flat_map(|step| step.failpoints(Serve::KIND)).collect();
    assert_eq!(places.len(), 3 * 2 + 2 * 2, "{places:?}");
    everywhere(&places).await;
}

#[tokio::test]
async fn a_process_may_die_before_and_after_every_commit() {
    let places = [
        "store.kitchen.before_commit",
        "store.kitchen.after_commit",
        "store.broker.before_commit",
        "store.broker.after_commit",
    ];
    everywhere(&places.map(str::to_owned)).await;
}
