//! Keys whose events cannot be handled.

use std::sync::Arc;

use partie_messaging::{Broker, Message, Skip};

use crate::events::{Reader, handlers, per_meter, publish};
use crate::world::{START, World};

#[tokio::test]
async fn a_parked_key_stops_nobody_else_and_can_be_requeued_or_skipped() {
    let world = World::new();
    let reader = Arc::new(Reader::default());
    for meter in ["bad", "worse"] {
        reader.fail.lock().unwrap().insert((meter.to_owned(), 1), u32::MAX);
    }
    let service = world.start("meters", Arc::clone(&reader), handlers());
    service
        .write(|tx| {
            for value in 0..3 {
                for meter in ["bad", "good", "worse"] {
                    publish(tx, meter, value)?;
                }
            }
            Ok(())
        })
        .await;
    // A parked key is nothing going on.
    world.quiet().await;
    let group = "meters/meter.read";
    assert_eq!(per_meter(&service.notes("read").await, "good"), [0, 1, 2]);
    assert_eq!(per_meter(&service.notes("read").await, "bad"), [0]);
    let parked = world.broker.parked(group).await.unwrap();
    let keys: Vec<_> = parked.iter().map(|parked| (&*parked.key, parked.attempts, parked.waiting)).collect();
    assert_eq!(keys, [("meters/bad", 3, 2), ("meters/worse", 3, 2)]);
    assert!(parked[0].error.contains("on purpose"), "{}", parked[0].error);

    // What comes later stands behind.
    service.write(|tx| Ok(publish(tx, "bad", 3)?)).await;
    world.quiet().await;
    assert_eq!(world.broker.parked(group).await.unwrap()[0].waiting, 3);

    // Requeued while it is still bad, it parks again; then it resumes from the parked event.
    assert!(world.broker.requeue(group, "meters/bad").await.unwrap());
    world.quiet().await;
    assert_eq!(world.broker.parked(group).await.unwrap().len(), 2);
    reader.fail.lock().unwrap().clear();
    assert!(world.broker.requeue(group, "meters/bad").await.unwrap());
    world.quiet().await;
    assert_eq!(per_meter(&service.notes("read").await, "bad"), [0, 1, 2, 3]);
    assert!(!world.broker.requeue(group, "meters/bad").await.unwrap());

    // A skip names the event, its author and the reason, and the key goes on behind it.
    let event = parked[1].message.id;
    let skip = |event| Skip {
        key: "meters/worse".to_owned(),
        event,
        actor: "ada".to_owned(),
        reason: "a test".to_owned(),
    };
    assert!(!world.broker.skip(group, skip(parked[0].message.id)).await.unwrap());
    assert!(world.broker.skip(group, skip(event)).await.unwrap());
    world.quiet().await;
    assert_eq!(per_meter(&service.notes("read").await, "worse"), [0, 2]);
    let skipped = world.broker.skipped(group).await.unwrap();
    assert_eq!((skipped.len(), &skipped[0].skip, skipped[0].at), (1, &skip(event), START));
    assert_eq!(world.broker.parked(group).await.unwrap(), []);

    // And it is as if it had never failed.
    service.write(|tx| Ok(publish(tx, "worse", 4)?)).await;
    world.quiet().await;
    assert_eq!(per_meter(&service.notes("read").await, "worse"), [0, 2, 4]);
    world.stop([service]).await;
}

#[tokio::test]
async fn what_is_parked_and_what_waits_behind_it_survives_a_restart() {
    let world = World::new();
    let reader = Arc::new(Reader::default());
    reader.fail.lock().unwrap().insert(("bad".to_owned(), 0), u32::MAX);
    let service = world.start("meters", Arc::clone(&reader), handlers());
    // More than a group keeps of one failing key in memory.
    service
        .write(|tx| (0..100).try_for_each(|value| publish(tx, "bad", value).map(drop)).map_err(Into::into))
        .await;
    world.quiet().await;
    let (dir, now) = world.stop([service]).await;

    let world = World::again(dir, now);
    let service = world.start("meters", Arc::clone(&reader), handlers());
    service.write(|tx| Ok(publish(tx, "bad", 100)?)).await;
    world.quiet().await;
    assert_eq!(service.notes("read").await, [""; 0]);
    assert_eq!(world.broker.parked("meters/meter.read").await.unwrap()[0].waiting, 101);
    reader.fail.lock().unwrap().clear();
    assert!(world.broker.requeue("meters/meter.read", "meters/bad").await.unwrap());
    world.quiet().await;
    assert_eq!(per_meter(&service.notes("read").await, "bad"), (0..=100).collect::<Vec<_>>());
    world.stop([service]).await;
}

#[tokio::test]
async fn an_event_nobody_can_read_parks_its_key_at_once() {
    let world = World::new();
    let service = world.start("meters", Reader::default(), handlers());
    let message = Message {
        id: uuid::Uuid::from_u128(9),
        type_name: "meter.read".into(),
        key: "elsewhere/a".into(),
        body: "{}".into(),
    };
    world.broker.publish(vec![message]).await.unwrap();
    world.quiet().await;
    let parked = world.broker.parked("meters/meter.read").await.unwrap();
    assert_eq!((parked.len(), parked[0].attempts), (1, 1));
    world.stop([service]).await;
}
