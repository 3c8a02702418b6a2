//! The wire protocol of the broker: bad lines, dead subscribers, somebody else's groups.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use partie_messaging::{Backoff, Group, Message, Skip, Subscription, Verdict};
use uuid::Uuid;

use crate::line::On;
use crate::world::{LIMIT, World};

fn message(number: u32, key: &str) -> Message {
    Message {
        id: Uuid::from_u128(u128::from(number) + 1),
        type_name: "t".into(),
        key: key.into(),
        body: number.to_string().into(),
    }
}

fn group() -> Group {
    let backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(1));
    Group { name: "g/t".to_owned(), types: vec!["t".to_owned()], attempts: 2, backoff }
}

/// Takes and settles that many messages; gives back the numbers by key.
async fn take(subscription: &mut Box<dyn Subscription>, count: usize) -> BTreeMap<String, Vec<u32>> {
    let mut taken: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    let mut left = count;
    while left > 0 {
        let next = tokio::time::timeout(LIMIT, subscription.next(left)).await;
        for delivery in next.expect("a message is missing").unwrap() {
            let number = delivery.message.body.parse().unwrap();
            taken.entry(delivery.message.key.to_string()).or_default().push(number);
            delivery.settle.settle(Verdict::Done).await.unwrap();
            left -= 1;
        }
    }
    taken
}

#[tokio::test]
async fn what_a_bad_line_swallows_is_said_again() {
    let world = World::new();
    let line = On::OverTheWire.open(&world);
    let mut subscription = line.broker.subscribe(group()).await.unwrap();
    for round in 0..20 {
        // Deliveries, verdicts, and what is only asked.
        line.faults.lose.store(round % 4, Ordering::SeqCst);
        line.faults.break_off.store(round % 3, Ordering::SeqCst);
        let batch: Vec<_> = (0..8).map(|n| message(round * 8 + n, ["a", "b", "c"][n as usize % 3])).collect();
        // Whoever is not sure publishes again.
        while line.broker.publish(batch.clone()).await.is_err() {}
        let taken = take(&mut subscription, 8).await;
        let expected =
            |rest: u32| (0..8).filter(|n| n % 3 == rest).map(|n| round * 8 + n).collect::<Vec<_>>();
        for (rest, key) in (0..).zip(["a", "b", "c"]) {
            assert_eq!(taken[key], expected(rest), "{round} {key}");
        }
    }
    drop(subscription);
    line.left().await;
    world.quiet().await;
}

#[tokio::test]
async fn whoever_subscribes_last_has_what_an_earlier_one_had_on_loan() {
    let world = World::new();
    let line = On::OverTheWire.open(&world);
    line.broker.publish(vec![message(1, "a"), message(2, "b")]).await.unwrap();
    let mut first = line.broker.subscribe(group()).await.unwrap();
    let mut loans = Vec::new();
    while loans.len() < 2 {
        loans.extend(first.next(2).await.unwrap());
    }
    let mut second = line.broker.subscribe(group()).await.unwrap();
    assert_eq!(line.subscriptions(), 1);
    assert_eq!(take(&mut second, 2).await.len(), 2);
    let over = tokio::time::timeout(LIMIT, first.next(1)).await.unwrap().unwrap_err();
    assert!(over.to_string().contains("over"), "{over}");
    for loan in loans {
        assert!(loan.settle.settle(Verdict::Poison("late".to_owned())).await.is_err(), "it is told so");
    }
    assert!(line.broker.parked("g/t").await.unwrap().is_empty());
    drop((first, second));
    line.left().await;
    world.quiet().await;
}

#[tokio::test]
async fn a_subscriber_that_is_not_heard_of_loses_what_it_has_on_loan() {
    let world = World::new();
    let line = On::OverTheWire.open(&world);
    line.broker.publish(vec![message(1, "a")]).await.unwrap();
    let mut first = line.broker.subscribe(group()).await.unwrap();
    let loan = first.next(1).await.unwrap().remove(0);
    assert_eq!(&*loan.message.body, "1");
    // Nothing arrives from now on, not even the goodbye; the poll that waits ends by itself.
    line.close();
    line.faults.break_off.store(u32::MAX, Ordering::SeqCst);
    tokio::time::timeout(LIMIT, line.left()).await.expect("the lease does not end");
    line.faults.break_off.store(0, Ordering::SeqCst);
    let mut second = line.broker.subscribe(group()).await.unwrap();
    assert_eq!(take(&mut second, 1).await["a"], [1]);
    drop((loan, first, second));
    line.left().await;
    world.quiet().await;
}

#[tokio::test]
async fn an_idle_subscription_asks_seldom() {
    let world = World::new();
    let line = On::OverTheWire.open(&world);
    let mut subscription = line.broker.subscribe(group()).await.unwrap();
    let waited = tokio::time::timeout(Duration::from_millis(300), subscription.next(1)).await;
    assert!(waited.is_err(), "there is nothing");
    // One to subscribe, one that waits.
    assert_eq!(line.faults.asked.load(Ordering::SeqCst), 2);
    // Cancelled waits lose nothing.
    line.broker.publish(vec![message(1, "a")]).await.unwrap();
    assert_eq!(take(&mut subscription, 1).await["a"], [1]);
    // Told to go, nobody runs in circles.
    line.close();
    let before = line.faults.asked.load(Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let asked = line.faults.asked.load(Ordering::SeqCst) - before;
    assert!(asked < 20, "{asked} polls");
    drop(subscription);
}

#[tokio::test]
async fn a_parked_key_is_seen_requeued_and_skipped_over_the_wire() {
    let world = World::new();
    let line = On::OverTheWire.open(&world);
    line.broker.publish(vec![message(1, "a"), message(2, "a")]).await.unwrap();
    let mut subscription = line.broker.subscribe(group()).await.unwrap();
    let poison = |reason: &str| Verdict::Poison(reason.to_owned());
    let first = subscription.next(1).await.unwrap().remove(0);
    first.settle.settle(poison("no")).await.unwrap();
    let parked = line.broker.parked("g/t").await.unwrap();
    assert_eq!((parked.len(), &*parked[0].error, parked[0].waiting), (1, "no", 2));
    assert!(line.broker.requeue("g/t", "a").await.unwrap());
    assert!(!line.broker.requeue("g/t", "b").await.unwrap());
    let again = subscription.next(1).await.unwrap().remove(0);
    assert_eq!((&*again.message.body, again.attempt), ("1", 1));
    again.settle.settle(poison("still no")).await.unwrap();
    let skip = Skip {
        key: "a".to_owned(),
        event: parked[0].message.id,
        actor: "ada".to_owned(),
        reason: "it is wrong".to_owned(),
    };
    assert!(line.broker.skip("g/t", skip.clone()).await.unwrap());
    assert_eq!(line.broker.skipped("g/t").await.unwrap()[0].skip, skip);
    assert_eq!(take(&mut subscription, 1).await["a"], [2]);
    drop((subscription, first.busy, again.busy));
    line.left().await;
    world.quiet().await;
}

#[tokio::test]
async fn a_group_is_its_services_own() {
    let world = World::new();
    let line = On::OverTheWire.open_as(&world, "other");
    for name in ["g/t", "otherwise/t", ""] {
        let refused = line.broker.subscribe(Group { name: name.to_owned(), ..group() }).await;
        let reason = refused.err().expect(name).to_string();
        assert!(reason.contains("forbidden"), "{name}: {reason}");
        assert!(line.broker.parked(name).await.is_err(), "{name}");
    }
    let name = "other/t".to_owned();
    drop(line.broker.subscribe(Group { name, ..group() }).await.unwrap());
    line.left().await;
}
