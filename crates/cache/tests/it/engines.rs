//! What every engine does, whichever it is: the same tests on each of them.

use std::sync::Arc;
use std::time::Duration;

use partie_cache::{Engine, Entry, Token};

use crate::support::{MINUTE, memory, within};

type Texts = Arc<dyn Engine<String>>;

const A: Token = Token(1);
const B: Token = Token(u64::MAX);

/// What is in a slot: token, floor, and the entry's version and value.
type Seen = (Token, i64, Option<(i64, Option<String>)>);

async fn read(engine: &Texts, fresh: Token) -> Seen {
    let slot = engine.read("key", fresh, MINUTE).await.unwrap();
    let entry = slot.entry.map(|entry| (entry.version, entry.value.map(|value| (*value).clone())));
    (slot.token, slot.floor, entry)
}

async fn put(engine: &Texts, token: Token, version: i64) -> bool {
    engine.put("key", token, Entry::new(version, version.to_string()), MINUTE).await.unwrap()
}

async fn invalidate(engine: &Texts, version: i64) {
    engine.invalidate("key", version, B, MINUTE).await.unwrap();
}

fn entry(version: i64) -> Option<(i64, Option<String>)> {
    Some((version, Some(version.to_string())))
}

async fn an_entry_is_kept_by_who_opened_the_slot(engine: Texts) {
    assert_eq!(read(&engine, A).await, (A, i64::MIN, None));
    assert_eq!(read(&engine, B).await, (A, i64::MIN, None), "it is open already");
    assert!(!put(&engine, B, 7).await, "that is another slot");
    assert!(put(&engine, A, 7).await);
    assert_eq!(read(&engine, B).await, (A, i64::MIN, entry(7)));
    let other = engine.read("other", B, MINUTE).await.unwrap();
    assert!(other.entry.is_none() && other.token == B);
}

async fn a_slot_that_is_not_open_takes_nothing(engine: Texts) {
    assert!(!put(&engine, A, 7).await);
    assert_eq!(read(&engine, A).await, (A, i64::MIN, None));
}

async fn a_lower_version_never_replaces_a_higher_one(engine: Texts) {
    read(&engine, A).await;
    for (version, is_kept, then) in [(5, true, 5), (4, false, 5), (5, true, 5), (6, true, 6), (-3, false, 6)]
    {
        assert_eq!(put(&engine, A, version).await, is_kept, "{version}");
        assert_eq!(read(&engine, B).await.2, entry(then));
    }
}

async fn an_absence_is_an_entry(engine: Texts) {
    read(&engine, A).await;
    assert!(put(&engine, A, 1).await);
    assert!(engine.put("key", A, Entry::absent(2), MINUTE).await.unwrap());
    assert_eq!(read(&engine, B).await.2, Some((2, None)));
    assert!(put(&engine, A, 3).await);
    assert_eq!(read(&engine, B).await.2, entry(3));
}

async fn an_invalidation_ends_what_lies_below_and_keeps_it_out(engine: Texts) {
    read(&engine, A).await;
    assert!(put(&engine, A, 7).await);
    invalidate(&engine, 7).await;
    assert_eq!(read(&engine, B).await, (A, 7, entry(7)), "it is not below");
    invalidate(&engine, 8).await;
    assert_eq!(read(&engine, B).await, (A, 8, None));
    assert!(!put(&engine, A, 7).await, "it was read before");
    assert!(put(&engine, A, 8).await);
    assert_eq!(read(&engine, B).await, (A, 8, entry(8)));
}

async fn invalidations_may_come_in_any_order_and_again(engine: Texts) {
    for (version, floor) in [(5, 5), (3, 5), (5, 5), (9, 9), (-1, 9)] {
        invalidate(&engine, version).await;
        assert_eq!(read(&engine, A).await, (B, floor, None), "{version}");
    }
    assert!(!put(&engine, B, 8).await);
    assert!(put(&engine, B, 10).await);
    for version in [9, 10] {
        invalidate(&engine, version).await;
        assert_eq!(read(&engine, A).await, (B, version, entry(10)));
    }
}

async fn versions_are_whole_numbers_of_64_bits(engine: Texts) {
    read(&engine, A).await;
    let big = (1 << 53) + 1;
    for version in [i64::MIN, -2, -1, 0, big, big + 1, i64::MAX] {
        assert!(put(&engine, A, version).await, "{version}");
        assert!(version == i64::MIN || !put(&engine, A, version - 1).await, "{version}");
        invalidate(&engine, version).await;
        assert_eq!(read(&engine, A).await, (A, version, entry(version)));
    }
}

async fn an_entry_ends_with_its_time_and_its_slot_with_it(engine: Texts) {
    read(&engine, A).await;
    let entry = Entry::new(1, "1".to_owned());
    assert!(engine.put("key", A, entry, Duration::from_millis(30)).await.unwrap());
    gone(&engine).await;
    assert!(!put(&engine, A, 2).await, "another slot was opened since");
    assert!(put(&engine, B, 2).await);
}

async fn a_floor_ends_with_its_time_and_its_slot_with_it(engine: Texts) {
    assert_eq!(read(&engine, A).await.0, A);
    engine.invalidate("key", 9, B, Duration::from_millis(30)).await.unwrap();
    // Who looks keeps a slot open, so that nobody does before it is over.
    tokio::time::sleep(Duration::from_millis(60)).await;
    assert!(!put(&engine, A, 8).await, "the floor is forgotten, and so is the token");
    assert_eq!(read(&engine, B).await, (B, i64::MIN, None));
}

async fn an_invalidation_does_not_lengthen_an_entrys_time(engine: Texts) {
    read(&engine, A).await;
    let entry = Entry::new(5, "5".to_owned());
    assert!(engine.put("key", A, entry, Duration::from_secs(1)).await.unwrap());
    invalidate(&engine, 5).await;
    assert_eq!(read(&engine, B).await.1, 5);
    gone(&engine).await;
}

/// Waits until there is no entry.
async fn gone(engine: &Texts) {
    within(async {
        while read(engine, B).await.2.is_some() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

async fn many_at_once_leave_the_highest(engine: Texts) {
    read(&engine, A).await;
    let mut tasks = tokio::task::JoinSet::new();
    for version in 0..50 {
        let engine = Arc::clone(&engine);
        tasks.spawn(async move {
            if version % 2 == 0 {
                put(&engine, A, version).await
            } else {
                invalidate(&engine, version).await;
                true
            }
        });
    }
    within(tasks.join_all()).await;
    assert_eq!(read(&engine, B).await, (A, 49, None));
    assert!(!put(&engine, A, 48).await);
}

macro_rules! suite {
    ($($test:ident)+) => {
        mod in_process {
            use super::*;
            $(#[tokio::test] async fn $test() { within(super::$test(memory())).await; })+
        }

        #[cfg(feature = "redis")]
        mod on_redis {
            use super::*;
            use crate::redis::Server;
            $(#[tokio::test] async fn $test() {
                let server = Server::start().await;
                within(super::$test(server.engine())).await;
            })+
        }
    };
}

suite! {
    an_entry_is_kept_by_who_opened_the_slot
    a_slot_that_is_not_open_takes_nothing
    a_lower_version_never_replaces_a_higher_one
    an_absence_is_an_entry
    an_invalidation_ends_what_lies_below_and_keeps_it_out
    invalidations_may_come_in_any_order_and_again
    versions_are_whole_numbers_of_64_bits
    an_entry_ends_with_its_time_and_its_slot_with_it
    a_floor_ends_with_its_time_and_its_slot_with_it
    an_invalidation_does_not_lengthen_an_entrys_time
    many_at_once_leave_the_highest
}
