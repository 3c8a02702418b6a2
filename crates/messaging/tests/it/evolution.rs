//! Events of the versions before, and of the version after.

use partie_contract::{Abort, Event};
use partie_messaging::{Broker, Handlers, Publish};
use partie_store::Tx;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::events::Read;
use crate::world::{World, note};

/// A reading of later: in another unit.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Event)]
#[event("meter.read", version = 2, subject = "meter", from = Read)]
struct ReadMilli {
    meter: String,
    milli: u64,
}

impl From<Read> for ReadMilli {
    fn from(Read { meter, value }: Read) -> Self {
        Self { meter, milli: u64::from(value) * 1_000 }
    }
}

/// A handler that has moved on.
fn later() -> Handlers<()> {
    Handlers::new().on(|_: &(), tx: &mut Tx, event: &ReadMilli| -> Result<(), Abort> {
        Ok(note(tx, "milli", &event.milli.to_string())?)
    })
}

/// A handler that has not.
fn earlier() -> Handlers<()> {
    Handlers::new().on(|_: &(), tx: &mut Tx, event: &Read| -> Result<(), Abort> {
        Ok(note(tx, "plain", &event.value.to_string())?)
    })
}

#[tokio::test]
async fn a_handler_takes_events_of_its_version_and_of_the_one_before() {
    let world = World::new();
    let service = world.start("meters", (), later());
    let write = |tx: &mut Tx| {
        tx.publish(&Read { meter: "a".into(), value: 7 })?;
        tx.publish(&ReadMilli { meter: "a".into(), milli: 8 })?;
        Ok(())
    };
    service.write(write).await;
    world.quiet().await;
    assert_eq!(service.notes("milli").await, ["7000", "8"]);
    world.stop([service]).await;
}

#[tokio::test]
async fn an_event_of_a_later_version_parks_until_a_program_comes_that_reads_it() {
    let world = World::new();
    let service = world.start("meters", (), earlier());
    // It would fit, and mean something else.
    let write = |tx: &mut Tx| {
        tx.publish(&Read { meter: "a".into(), value: 1 })?;
        tx.publish(&ReadMilli { meter: "a".into(), milli: 2 })?;
        tx.publish(&Read { meter: "b".into(), value: 3 })?;
        Ok(())
    };
    service.write(write).await;
    world.quiet().await;
    let mut plain = service.notes("plain").await;
    plain.sort_unstable();
    assert_eq!(plain, ["1", "3"]);
    let group = "meters/meter.read";
    let parked = world.broker.parked(group).await.unwrap();
    let keys: Vec<_> = parked.iter().map(|parked| (&*parked.key, parked.attempts)).collect();
    assert_eq!(keys, [("meters/a", 3)], "another replica had its chance");
    let error = &parked[0].error;
    assert!(error.contains("`meter.read` is of version 2; this program reads none later than 1"), "{error}");

    let (dir, now) = world.stop([service]).await;
    let world = World::again(dir, now);
    let service = world.start("meters", (), later());
    assert!(world.broker.requeue(group, "meters/a").await.unwrap());
    world.quiet().await;
    assert_eq!(service.notes("milli").await, ["2"]);
    world.stop([service]).await;
}
