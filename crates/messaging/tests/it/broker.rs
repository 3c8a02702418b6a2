//! The broker, here and over the wire: its log, its groups' progress, and what it keeps.

use std::collections::BTreeMap;
use std::time::Duration;

use partie_contract::Outcome;
use partie_messaging::{Backoff, BrokerConfig, Group, Message, Subscription, Verdict};
use uuid::Uuid;

use crate::line::On;
use crate::world::{Dir, LIMIT, START, World};

macro_rules! on_both {
    ($($name:ident,)*) => {$(
        mod $name {
            #[tokio::test]
            async fn here() {
                super::$name(super::On::Here).await;
            }

            #[tokio::test]
            async fn over_the_wire() {
                super::$name(super::On::OverTheWire).await;
            }
        }
    )*};
}

on_both! {
    a_group_that_lags_behind_reads_the_log_in_order,
    a_message_is_logged_once_however_often_it_is_published,
    progress_survives_a_restart,
    a_delivery_of_an_earlier_subscriber_settles_nothing,
    only_what_every_group_has_settled_is_removed_in_the_end,
}

fn message(number: u32, key: &str) -> Message {
    Message {
        id: Uuid::from_u128(u128::from(number) + 1),
        type_name: if key == "unwanted" { "other" } else { "t" }.into(),
        key: key.into(),
        body: number.to_string().into(),
    }
}

fn group() -> Group {
    Group {
        name: "g".to_owned(),
        types: vec!["t".to_owned()],
        attempts: 3,
        backoff: Backoff::new(Duration::from_millis(1), Duration::from_millis(1)),
    }
}

/// Takes and settles that many messages; gives back the numbers by key.
async fn take(subscription: &mut Box<dyn Subscription>, count: usize) -> BTreeMap<String, Vec<u32>> {
    let mut taken: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    let mut left = count;
    while left > 0 {
        let next = tokio::time::timeout(LIMIT, subscription.next(left.min(7))).await;
        for delivery in next.expect("a message is missing").unwrap() {
            let of_key = taken.entry(delivery.message.key.to_string()).or_default();
            of_key.push(delivery.message.body.parse().unwrap());
            delivery.settle.settle(Verdict::Done).await.unwrap();
            left -= 1;
        }
    }
    taken
}

async fn logged(world: &World) -> i64 {
    let count: Outcome<i64> = world
        .broker
        .store()
        .read(|tx| Ok(tx.query_one("SELECT COUNT(*) FROM partie_log", &[], |row| row.get(0))?))
        .await;
    count.unwrap()
}

async fn a_group_that_lags_behind_reads_the_log_in_order(on: On) {
    let mut config = BrokerConfig::default();
    config.buffer = 10;
    let world = World::at(Dir::new(), START, config);
    let line = on.open(&world);
    let batch = |numbers: std::ops::Range<u32>| -> Vec<Message> {
        numbers.map(|n| message(n, ["a", "b", "c", "unwanted"][n as usize % 4])).collect()
    };
    line.broker.publish(batch(0..2000)).await.unwrap();
    let mut subscription = line.broker.subscribe(group()).await.unwrap();
    let mut taken = take(&mut subscription, 600).await;
    line.broker.publish(batch(2000..4000)).await.unwrap();
    for (key, numbers) in take(&mut subscription, 2400).await {
        taken.entry(key).or_default().extend(numbers);
    }
    for (rest, key) in ["a", "b", "c"].into_iter().enumerate() {
        let expected: Vec<_> = (0..4000).filter(|n| *n as usize % 4 == rest).collect();
        assert_eq!(taken[key], expected, "{key}");
    }
    drop(subscription);
    line.left().await;
    world.quiet().await;
}

async fn a_message_is_logged_once_however_often_it_is_published(on: On) {
    let world = World::new();
    let line = on.open(&world);
    line.broker.publish(vec![message(1, "a"), message(1, "a")]).await.unwrap();
    line.broker.publish(vec![message(1, "a"), message(2, "a")]).await.unwrap();
    assert_eq!(logged(&world).await, 2);
    let mut subscription = line.broker.subscribe(group()).await.unwrap();
    assert_eq!(take(&mut subscription, 2).await["a"], [1, 2]);
    drop(subscription);
    line.left().await;
    world.quiet().await;
}

async fn progress_survives_a_restart(on: On) {
    let world = World::new();
    let line = on.open(&world);
    line.broker.publish((0..100).map(|n| message(n, "a")).collect()).await.unwrap();
    let mut subscription = line.broker.subscribe(group()).await.unwrap();
    take(&mut subscription, 40).await;
    // One is out and comes again.
    let out = subscription.next(1).await.unwrap();
    assert_eq!(&*out[0].message.body, "40");
    drop((out, subscription));
    line.left().await;
    let (dir, now) = world.stop([]).await;

    let world = World::again(dir, now);
    let line = on.open(&world);
    let mut subscription = line.broker.subscribe(group()).await.unwrap();
    assert_eq!(take(&mut subscription, 60).await["a"], (40..100).collect::<Vec<_>>());
    drop(subscription);
    line.left().await;
    world.quiet().await;
}

async fn a_delivery_of_an_earlier_subscriber_settles_nothing(on: On) {
    let world = World::new();
    let line = on.open(&world);
    line.broker.publish(vec![message(1, "a"), message(2, "a")]).await.unwrap();
    let mut first = line.broker.subscribe(group()).await.unwrap();
    let late = first.next(1).await.unwrap().remove(0);
    drop(first);
    let mut second = line.broker.subscribe(group()).await.unwrap();
    let again = second.next(1).await.unwrap().remove(0);
    assert_eq!(again.message, late.message);
    // It may be told so.
    late.settle.settle(Verdict::Done).await.ok();
    again.settle.settle(Verdict::Failed("no".to_owned())).await.unwrap();
    drop((late.busy, again.busy));
    assert_eq!(take(&mut second, 2).await["a"], [1, 2]);
    drop(second);
    line.left().await;
    world.quiet().await;
}

async fn only_what_every_group_has_settled_is_removed_in_the_end(on: On) {
    let world = World::new();
    let line = on.open(&world);
    line.broker.publish((0..10).map(|n| message(n, "a")).collect()).await.unwrap();
    let mut one = line.broker.subscribe(group()).await.unwrap();
    let mut other = line.broker.subscribe(Group { name: "g/other".to_owned(), ..group() }).await.unwrap();
    take(&mut one, 10).await;
    take(&mut other, 4).await;
    drop((one, other));
    line.left().await;
    world.quiet().await;
    world.stepper.step_to(START + Duration::from_hours(6 * 24), &world.activity.begin());
    assert_eq!(world.broker.prune().await.unwrap(), 0, "it is kept for a week");
    world.stepper.step_to(START + Duration::from_hours(8 * 24), &world.activity.begin());
    assert_eq!(world.broker.prune().await.unwrap(), 4);
    drop(line.broker.subscribe(Group { name: "g/gone".to_owned(), ..group() }).await.unwrap());
    let mut other = line.broker.subscribe(Group { name: "g/other".to_owned(), ..group() }).await.unwrap();
    assert_eq!(take(&mut other, 6).await["a"], (4..10).collect::<Vec<_>>());
    assert!(world.broker.forget("g/other").await.is_err(), "it has a subscriber");
    drop(other);
    line.left().await;
    world.quiet().await;
    assert_eq!(world.broker.prune().await.unwrap(), 0, "nobody knows whether this group comes back");
    assert!(world.broker.forget("g/gone").await.unwrap());
    assert!(!world.broker.forget("g/gone").await.unwrap());
    // The last one stays, so that the log goes on where it was.
    assert_eq!((world.broker.prune().await.unwrap(), logged(&world).await), (5, 1));
    line.broker.publish(vec![message(50, "a")]).await.unwrap();
    let mut one = line.broker.subscribe(group()).await.unwrap();
    assert_eq!(take(&mut one, 1).await["a"], [50]);
}
