//! What every engine has to do, one scenario after another, each on a log of its own.

use std::collections::BTreeMap;
use std::time::Duration;

use partie_messaging::{Backoff, Delivery, Group, Message, Skip, Subscription, Verdict};

use super::{Engine, message, world};
use crate::world::{LIMIT, World};

/// Runs all scenarios. Each call gives an engine whose log is empty.
pub(crate) async fn conforms(fresh: &dyn Fn() -> Engine) {
    keys_are_in_order_for_a_group_that_is_new(&fresh()).await;
    keys_do_not_wait_for_each_other(&fresh()).await;
    progress_survives_a_restart(&fresh()).await;
    an_earlier_subscriber_settles_nothing(&fresh()).await;
    what_fails_is_counted_parked_requeued_and_skipped(&fresh()).await;
    what_is_published_twice(&fresh()).await;
    odd_names_and_large_messages(&fresh()).await;
}

pub(crate) fn group(name: &str) -> Group {
    Group {
        name: format!("g/{name}"),
        types: vec!["t.t".to_owned()],
        attempts: 3,
        backoff: Backoff::new(Duration::from_millis(1), Duration::from_millis(4)),
    }
}

/// Waits for the next message.
pub(crate) async fn next(subscription: &mut Box<dyn Subscription>) -> Delivery {
    let next = tokio::time::timeout(LIMIT, subscription.next(1)).await;
    next.expect("a message is missing").unwrap().remove(0)
}

/// Takes and settles that many messages; gives back the numbers by key.
pub(crate) async fn take(
    subscription: &mut Box<dyn Subscription>,
    count: usize,
) -> BTreeMap<String, Vec<u32>> {
    let mut taken: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    let mut left = count;
    while left > 0 {
        let next = tokio::time::timeout(LIMIT, subscription.next(left.min(7))).await;
        for delivery in next.expect("a message is missing").unwrap() {
            let number = delivery.message.body.parse().unwrap();
            taken.entry(delivery.message.key.to_string()).or_default().push(number);
            delivery.settle.settle(Verdict::Done).await.unwrap();
            left -= 1;
        }
    }
    taken
}

/// Publishes until nobody doubts that it is there, and says what was refused.
pub(crate) async fn publish(open: &super::Open, batch: Vec<Message>) -> Vec<usize> {
    let sure = async {
        loop {
            if let Ok(refused) = open.broker.publish(batch.clone()).await {
                return refused.into_iter().map(|refused| refused.index).collect();
            }
        }
    };
    tokio::time::timeout(LIMIT, sure).await.expect("nothing can be published")
}

async fn keys_are_in_order_for_a_group_that_is_new(engine: &Engine) {
    let world = world();
    let open = engine.open(&world);
    let batch = |numbers: std::ops::Range<u32>| -> Vec<Message> {
        numbers.map(|n| message(n, ["a", "b", "c", "unwanted"][n as usize % 4])).collect()
    };
    publish(&open, batch(0..600)).await;
    let mut first = open.broker.subscribe(group("first")).await.unwrap();
    let mut taken = take(&mut first, 300).await;
    publish(&open, batch(600..1000)).await;
    for (key, numbers) in take(&mut first, 450).await {
        taken.entry(key).or_default().extend(numbers);
    }
    // A group that comes later begins with the oldest as well.
    let mut second = open.broker.subscribe(group("second")).await.unwrap();
    for taken in [taken, take(&mut second, 750).await] {
        for (rest, key) in ["a", "b", "c"].into_iter().enumerate() {
            let expected: Vec<_> = (0..1000).filter(|n| *n as usize % 4 == rest).collect();
            assert_eq!(taken[key], expected, "{key}");
        }
    }
    drop((first, second));
    end(world, open).await;
}

async fn keys_do_not_wait_for_each_other(engine: &Engine) {
    let world = world();
    let open = engine.open(&world);
    publish(&open, vec![message(0, "a"), message(1, "a"), message(2, "b"), message(3, "b")]).await;
    let mut subscription = open.broker.subscribe(group("g")).await.unwrap();
    let mut held = next(&mut subscription).await;
    if &*held.message.key != "a" {
        held.settle.settle(Verdict::Done).await.unwrap();
        held = next(&mut subscription).await;
        while &*held.message.key != "a" {
            held.settle.settle(Verdict::Done).await.unwrap();
            held = next(&mut subscription).await;
        }
    }
    assert_eq!(&*held.message.body, "0");
    publish(&open, vec![message(4, "b")]).await;
    // However much of b comes, a has one out.
    loop {
        let other = next(&mut subscription).await;
        assert_eq!(&*other.message.key, "b");
        let last = &*other.message.body == "4";
        other.settle.settle(Verdict::Done).await.unwrap();
        if last {
            break;
        }
    }
    // What nobody settled is delivered again.
    drop(held);
    assert_eq!(take(&mut subscription, 2).await["a"], [0, 1]);
    drop(subscription);
    end(world, open).await;
}

async fn progress_survives_a_restart(engine: &Engine) {
    let first = world();
    let open = engine.open(&first);
    publish(&open, (0..100).map(|n| message(n, "a")).collect()).await;
    let mut subscription = open.broker.subscribe(group("g")).await.unwrap();
    take(&mut subscription, 40).await;
    let out = next(&mut subscription).await;
    assert_eq!(&*out.message.body, "40");
    drop((out, subscription));
    open.close().await;
    let (dir, now) = first.stop([]).await;

    let world = World::again(dir, now);
    let open = engine.open(&world);
    let mut subscription = open.broker.subscribe(group("g")).await.unwrap();
    assert_eq!(take(&mut subscription, 60).await["a"], (40..100).collect::<Vec<_>>());
    drop(subscription);
    end(world, open).await;
}

async fn an_earlier_subscriber_settles_nothing(engine: &Engine) {
    let world = world();
    let open = engine.open(&world);
    publish(&open, vec![message(1, "a"), message(2, "a")]).await;
    let mut first = open.broker.subscribe(group("g")).await.unwrap();
    let late = next(&mut first).await;
    drop(first);
    let mut second = open.broker.subscribe(group("g")).await.unwrap();
    let again = next(&mut second).await;
    assert_eq!(again.message, late.message);
    // It may be told so.
    late.settle.settle(Verdict::Poison("late".to_owned())).await.ok();
    again.settle.settle(Verdict::Failed("no".to_owned())).await.unwrap();
    drop((late.busy, again.busy));
    assert_eq!(take(&mut second, 2).await["a"], [1, 2]);
    drop(second);
    end(world, open).await;
}

async fn what_fails_is_counted_parked_requeued_and_skipped(engine: &Engine) {
    let first = world();
    let open = engine.open(&first);
    let batch = (0..60).map(|n| message(n, ["bad", "good"][n as usize % 2])).collect();
    publish(&open, batch).await;
    let mut subscription = open.broker.subscribe(group("g")).await.unwrap();
    let (mut attempts, mut good) = (Vec::new(), Vec::new());
    while attempts.len() < 3 || good.len() < 30 {
        let delivery = next(&mut subscription).await;
        let number: u32 = delivery.message.body.parse().unwrap();
        let verdict = if &*delivery.message.key == "good" {
            good.push(number);
            Verdict::Done
        } else {
            assert_eq!(number, 0);
            attempts.push(delivery.attempt);
            Verdict::Failed("on purpose".to_owned())
        };
        delivery.settle.settle(verdict).await.unwrap();
    }
    assert_eq!((attempts, good.len()), (vec![1, 2, 3], 30));
    let until_parked = async {
        // What is behind it may still be on its way.
        while open.broker.parked("g/g").await.unwrap().first().is_none_or(|parked| parked.waiting < 30) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LIMIT, until_parked).await.expect("it is not parked");
    drop(subscription);
    open.close().await;
    let (dir, now) = first.stop([]).await;

    // It is parked wherever one looks, and what comes later stands behind it.
    let world = World::again(dir, now);
    let open = engine.open(&world);
    publish(&open, vec![message(60, "bad"), message(61, "good")]).await;
    let mut subscription = open.broker.subscribe(group("g")).await.unwrap();
    assert_eq!(take(&mut subscription, 1).await["good"], [61]);
    let parked = open.broker.parked("g/g").await.unwrap();
    assert_eq!((parked.len(), &*parked[0].key, parked[0].attempts), (1, "bad", 3));
    assert_eq!((&*parked[0].message.body, &*parked[0].error), ("0", "on purpose"));
    assert!(!open.broker.requeue("g/g", "good").await.unwrap());
    assert!(open.broker.requeue("g/g", "bad").await.unwrap());
    let again = next(&mut subscription).await;
    assert_eq!((&*again.message.body, again.attempt), ("0", 1));
    again.settle.settle(Verdict::Poison("never".to_owned())).await.unwrap();
    let skip = |event| Skip {
        key: "bad".to_owned(),
        event,
        actor: "ada".to_owned(),
        reason: "it is wrong".to_owned(),
    };
    assert!(!open.broker.skip("g/g", skip(message(2, "").id)).await.unwrap(), "that is not the one");
    assert!(open.broker.skip("g/g", skip(again.message.id)).await.unwrap());
    assert_eq!(open.broker.skipped("g/g").await.unwrap()[0].skip, skip(again.message.id));
    let expected: Vec<_> = (1..=30).map(|n| 2 * n).collect();
    assert_eq!(take(&mut subscription, 30).await["bad"], expected);
    assert_eq!(open.broker.parked("g/g").await.unwrap(), []);
    // And it is as if it had never failed.
    publish(&open, vec![message(62, "bad")]).await;
    assert_eq!(take(&mut subscription, 1).await["bad"], [62]);
    drop((subscription, again.busy));
    end(world, open).await;
}

async fn what_is_published_twice(engine: &Engine) {
    let world = world();
    let open = engine.open(&world);
    publish(&open, vec![message(1, "a"), message(2, "a")]).await;
    publish(&open, vec![message(2, "a"), message(3, "a")]).await;
    let mut subscription = open.broker.subscribe(group("g")).await.unwrap();
    let expected: &[u32] = if engine.holds().drops_duplicates { &[1, 2, 3] } else { &[1, 2, 2, 3] };
    assert_eq!(take(&mut subscription, expected.len()).await["a"], expected);

    // What is skipped is skipped with its copies.
    publish(&open, vec![message(10, "b")]).await;
    publish(&open, vec![message(10, "b"), message(11, "b")]).await;
    let bad = next(&mut subscription).await;
    bad.settle.settle(Verdict::Poison("no".to_owned())).await.unwrap();
    let waiting = if engine.holds().drops_duplicates { 2 } else { 3 };
    let parked = async {
        while open.broker.parked("g/g").await.unwrap().first().is_none_or(|it| it.waiting < waiting) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LIMIT, parked).await.expect("it is not parked");
    let (key, actor, reason) = ("b".to_owned(), "ada".to_owned(), "it is wrong".to_owned());
    let skip = Skip { key, event: bad.message.id, actor, reason };
    assert!(open.broker.skip("g/g", skip).await.unwrap());
    assert_eq!(take(&mut subscription, 1).await["b"], [11]);
    drop((subscription, bad.busy));
    end(world, open).await;
}

async fn odd_names_and_large_messages(engine: &Engine) {
    let world = world();
    let open = engine.open(&world);
    let body = |size: usize| format!("\"{}\"", "ü".repeat(size / 2)).into();
    let odd = "a b/ü%\r\n*>.";
    let ordinary = Message { body: body(200_000), ..message(1, odd) };
    let mut subscription = open.broker.subscribe(group("g")).await.unwrap();
    assert!(publish(&open, vec![ordinary.clone()]).await.is_empty());
    let delivery = next(&mut subscription).await;
    assert_eq!(*delivery.message, ordinary);
    delivery.settle.settle(Verdict::Done).await.unwrap();

    // One that is too large is refused, with what comes behind it, and nobody else.
    if let Some(largest) = engine.holds().largest {
        let large = Message { body: body(largest + 1000), ..message(2, odd) };
        let batch = vec![message(3, "other"), large, message(4, odd), message(5, "other")];
        let mut refused = publish(&open, batch).await;
        // Over the wire the rest of the batch waits as well, whatever its key.
        refused.retain(|index| *index != 3);
        assert_eq!(refused, [1, 2]);
        let delivery = next(&mut subscription).await;
        assert_eq!((&*delivery.message.key, &*delivery.message.body), ("other", "3"));
        delivery.settle.settle(Verdict::Done).await.unwrap();
        drop(delivery.busy);
    }
    drop((subscription, delivery.busy));
    end(world, open).await;
}

async fn end(world: World, open: super::Open) {
    open.close().await;
    world.stop([]).await;
}
