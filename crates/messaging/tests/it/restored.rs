//! One store is put back to an earlier state while the others are ahead.

use std::sync::Arc;
use std::time::Duration;

use partie_contract::{CloudEvent, Timestamp};
use partie_messaging::{Broker, Handlers, Skip};
use partie_store::{IdleStore, Store};

use crate::events::{Reader, handlers, publish};
use crate::line::{Line, On};
use crate::world::{Dir, LIMIT, Service, World};

const GROUP: &str = "readers/meter.read";

/// A service that publishes, and one that reads.
struct Town {
    world: World,
    /// How they reach the broker.
    on: On,
    lines: [Line; 2],
    meters: Service,
    readers: Service,
}

// === impl Town ===

impl Town {
    fn new() -> Self {
        Self::on(World::new(), Arc::default())
    }

    fn on(world: World, reader: Arc<Reader>) -> Self {
        Self::over(On::Here, world, reader)
    }

    fn over(on: On, world: World, reader: Arc<Reader>) -> Self {
        let lines = ["meters", "readers"].map(|service| on.open_as(&world, service));
        let [to_meters, to_readers] = lines.each_ref().map(|line| Arc::clone(&line.broker));
        let meters = world.start_on("meters", to_meters, Reader::default(), Handlers::<Reader>::new());
        let readers = world.start_on("readers", to_readers, reader, handlers());
        Self { world, on, lines, meters, readers }
    }

    /// Publishes, and waits until everybody knows.
    async fn read(&self, meter: &'static str, value: u32) {
        self.meters.write(move |tx| Ok(publish(tx, meter, value)?)).await;
        self.world.quiet().await;
    }

    /// Waits until the reader has noted that much. Over the wire something may be under way that nobody counts.
    async fn hears(&self, notes: &[&str]) {
        let heard = async {
            while self.heard().await != notes {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        if tokio::time::timeout(LIMIT, heard).await.is_err() {
            panic!("{:?} and not {notes:?}", self.heard().await);
        }
    }

    async fn stop(self) -> (Arc<Dir>, Timestamp) {
        let stopped = self.world.stop([self.meters, self.readers]).await;
        drop(self.lines);
        stopped
    }

    /// Stops everything, puts one store back, and starts again.
    async fn restored(self, name: &str, epoch: i64) -> Self {
        let on = self.on;
        let (dir, now) = self.stop().await;
        let beside = dir.path().join("restoring");
        std::fs::copy(copy_of(&dir, name), &beside).unwrap();
        IdleStore::take(dir.path(), name).unwrap().replace(&beside, epoch).unwrap();
        let town = Self::over(on, World::again(dir, now), Arc::default());
        town.world.quiet().await;
        town
    }

    /// In order for each meter; meters do not wait for each other.
    async fn heard(&self) -> Vec<String> {
        let mut heard = self.readers.notes("read").await;
        heard.sort_by_key(|note| note.split(':').next().map(str::to_owned));
        heard
    }
}

fn copy_of(dir: &Dir, name: &str) -> std::path::PathBuf {
    dir.path().join(format!("{name}.copy"))
}

async fn back_up(store: &Store, dir: &Dir) {
    store.backup(&copy_of(dir, store.name())).await.unwrap();
}

#[tokio::test]
async fn a_reader_that_was_restored_hears_again_what_it_forgot_and_nothing_twice() {
    let town = Town::new();
    town.read("a", 1).await;
    back_up(&town.readers.store, &town.world.dir).await;
    town.read("a", 2).await;
    town.read("b", 1).await;
    let town = town.restored("readers", 1).await;
    assert_eq!(town.heard().await, ["a:1", "a:2", "b:1"]);
    town.read("a", 3).await;
    assert_eq!(town.heard().await, ["a:1", "a:2", "a:3", "b:1"]);

    // Once for each epoch: a start is not a restore.
    let (dir, now) = town.stop().await;
    let reader = Arc::<Reader>::default();
    let town = Town::on(World::again(dir, now), Arc::clone(&reader));
    town.world.quiet().await;
    assert_eq!(reader.runs.load(std::sync::atomic::Ordering::SeqCst), 0);
    // Put back once more, it hears once more.
    let town = town.restored("readers", 2).await;
    assert_eq!(town.heard().await, ["a:1", "a:2", "a:3", "b:1"]);
    town.stop().await;
}

#[tokio::test]
async fn what_was_skipped_stays_so_and_what_was_parked_is_tried_again() {
    let world = World::new();
    let reader = Arc::new(Reader::default());
    for meter in ["bad", "worse"] {
        reader.fail.lock().unwrap().insert((meter.to_owned(), 1), u32::MAX);
    }
    let town = Town::on(world, Arc::clone(&reader));
    back_up(&town.readers.store, &town.world.dir).await;
    for meter in ["bad", "worse"] {
        town.read(meter, 1).await;
        town.read(meter, 2).await;
    }
    let parked = town.world.broker.parked(GROUP).await.unwrap();
    let bad = parked.iter().find(|parked| parked.key == "meters/bad").unwrap();
    let skip = Skip {
        key: bad.key.clone(),
        event: bad.message.id,
        actor: "ada".to_owned(),
        reason: "it never was".to_owned(),
    };
    assert!(town.world.broker.skip(GROUP, skip).await.unwrap());
    town.world.quiet().await;
    assert_eq!(town.heard().await, ["bad:2"]);

    let town = town.restored("readers", 1).await;
    assert_eq!(town.heard().await, ["bad:2", "worse:1", "worse:2"], "the new reader can read everything");
    assert!(town.world.broker.parked(GROUP).await.unwrap().is_empty());
    assert_eq!(town.world.broker.skipped(GROUP).await.unwrap().len(), 1, "who skipped it stays on record");
    town.stop().await;
}

#[tokio::test]
async fn the_sequences_of_a_publisher_that_was_restored_come_again_in_a_new_epoch() {
    let town = Town::new();
    town.read("a", 1).await;
    back_up(&town.meters.store, &town.world.dir).await;
    town.read("a", 2).await;
    let town = town.restored("meters", 5).await;
    assert_eq!(town.heard().await, ["a:1", "a:2"], "what was said is said");
    town.read("a", 20).await;
    assert_eq!(town.heard().await, ["a:1", "a:2", "a:20"]);
    let bodies: Vec<String> = town
        .meters
        .store
        .read(|tx| -> partie_contract::Outcome<Vec<String>> {
            Ok(tx.query("SELECT body FROM partie_outbox ORDER BY position", &[], |row| row.get(0))?)
        })
        .await
        .unwrap();
    let events: Vec<CloudEvent> = bodies.iter().map(|body| serde_json::from_str(body).unwrap()).collect();
    let places: Vec<_> = events.iter().map(|event| (event.epoch, event.sequence)).collect();
    assert_eq!(places, [(0, 1), (5, 2)], "the number 2 was another event's before");
    assert!(!bodies[0].contains("epoch"), "who was never restored does not speak of it: {}", bodies[0]);
    town.stop().await;
}

#[tokio::test]
async fn events_that_a_restored_publisher_has_not_marked_as_sent_do_nothing_twice() {
    let world = World::new();
    let meters = world.store("meters");
    // Nobody takes it to the broker before the copy is made.
    meters.write(|tx| -> partie_contract::Outcome<_> { Ok(publish(tx, "a", 1)?) }).await.unwrap();
    back_up(&meters, &world.dir).await;
    meters.close().await;
    let town = Town::on(world, Arc::default());
    town.world.quiet().await;
    assert_eq!(town.heard().await, ["a:1"]);
    let town = town.restored("meters", 1).await;
    assert_eq!(town.heard().await, ["a:1"]);
    town.stop().await;
}

#[tokio::test]
async fn a_broker_that_was_restored_gets_again_what_it_forgot_and_parks_nothing_for_good() {
    let reader = Arc::new(Reader::default());
    reader.fail.lock().unwrap().insert(("bad".to_owned(), 1), u32::MAX);
    let town = Town::on(World::new(), Arc::clone(&reader));
    town.read("a", 1).await;
    town.read("bad", 1).await;
    assert_eq!(town.world.broker.parked(GROUP).await.unwrap().len(), 1);
    back_up(town.world.broker.store(), &town.world.dir).await;
    // Then somebody repairs the reader, and requeues.
    reader.fail.lock().unwrap().clear();
    assert!(town.world.broker.requeue(GROUP, "meters/bad").await.unwrap());
    town.world.quiet().await;
    town.read("a", 2).await;
    town.readers.worker.stop().await;
    // This one the reader never heard.
    town.read("a", 3).await;

    let town = town.restored("broker", 9).await;
    assert_eq!(town.heard().await, ["a:1", "a:2", "a:3", "bad:1"]);
    assert!(town.world.broker.parked(GROUP).await.unwrap().is_empty());
    // The next start sends nothing again.
    let (dir, now) = town.stop().await;
    let town = Town::on(World::again(dir, now), Arc::default());
    town.read("a", 4).await;
    assert_eq!(town.heard().await, ["a:1", "a:2", "a:3", "a:4", "bad:1"]);
    town.stop().await;
}

#[tokio::test]
async fn everything_restored_from_one_backup_goes_on_from_there() {
    let town = Town::new();
    town.read("a", 1).await;
    // One after another, while events go on.
    back_up(&town.readers.store, &town.world.dir).await;
    town.read("a", 2).await;
    back_up(&town.meters.store, &town.world.dir).await;
    town.read("a", 3).await;
    back_up(town.world.broker.store(), &town.world.dir).await;
    town.read("a", 4).await;
    let (dir, now) = town.stop().await;
    for name in ["meters", "readers", "broker"] {
        let beside = dir.path().join("restoring");
        std::fs::copy(copy_of(&dir, name), &beside).unwrap();
        IdleStore::take(dir.path(), name).unwrap().replace(&beside, 1).unwrap();
    }
    let town = Town::on(World::again(dir, now), Arc::default());
    town.world.quiet().await;
    assert_eq!(town.heard().await, ["a:1", "a:2", "a:3"], "as far as the latest of the copies knows");
    town.read("a", 30).await;
    assert_eq!(town.heard().await, ["a:1", "a:2", "a:3", "a:30"]);
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_the_wire_a_reader_hears_again_and_a_publisher_sends_again() {
    let town = Town::over(On::OverTheWire, World::new(), Arc::default());
    town.meters.write(|tx| Ok(publish(tx, "a", 1)?)).await;
    town.hears(&["a:1"]).await;
    back_up(&town.readers.store, &town.world.dir).await;
    back_up(town.world.broker.store(), &town.world.dir).await;
    town.meters.write(|tx| Ok(publish(tx, "a", 2)?)).await;
    town.hears(&["a:1", "a:2"]).await;

    let town = town.restored("readers", 1).await;
    town.hears(&["a:1", "a:2"]).await;
    // The broker forgets the second one, and so does the reader: only the outbox still has it.
    let (dir, now) = town.stop().await;
    for name in ["broker", "readers"] {
        let beside = dir.path().join("restoring");
        std::fs::copy(copy_of(&dir, name), &beside).unwrap();
        IdleStore::take(dir.path(), name).unwrap().replace(&beside, 2).unwrap();
    }
    let town = Town::over(On::OverTheWire, World::again(dir, now), Arc::default());
    // It has nothing new to say, and hears of it all the same.
    town.hears(&["a:1", "a:2"]).await;
    town.stop().await;
}
