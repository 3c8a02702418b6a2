//! A group by itself: no disk, no clock.

use std::sync::Arc;
use std::time::{Duration, Instant};

use partie_runtime::{Activity, Ids, monotonic};
use uuid::Uuid;

use super::*;
use partie_runtime::Backoff;

const WAIT: Duration = Duration::from_secs(10);

fn message(number: i64, key: &str) -> (i64, Arc<Message>) {
    let id = Uuid::from_u128(u128::try_from(number).unwrap());
    let (type_name, key) = ("t".into(), key.into());
    (number, Arc::new(Message { id, type_name, key, body: "".into() }))
}

struct Bench {
    state: GroupState,
    activity: Activity,
    now: Instant,
}

impl Bench {
    fn new(limit: usize, remembered: Remembered, end: i64) -> Self {
        let group = Group {
            name: "g".to_owned(),
            types: vec!["t".to_owned()],
            attempts: 2,
            backoff: Backoff::new(WAIT, WAIT),
        };
        let activity = Activity::default();
        let state = GroupState::new(group, limit, remembered, end, activity.clone(), Ids::seeded(1));
        Self { state, activity, now: monotonic() }
    }

    fn fresh() -> Self {
        Self::new(100, Remembered { settled: 0, stalls: Vec::new() }, 0)
    }

    fn offer(&mut self, messages: &[(i64, &str)]) {
        let rows: Vec<_> = messages.iter().map(|(number, key)| message(*number, key)).collect();
        self.state.offer(&rows, self.now);
    }

    /// The numbers and attempts of what is ready.
    fn take(&mut self) -> Vec<(u128, u32)> {
        let turns = self.state.take(100, self.now);
        turns.iter().map(|turn| (turn.message.id.as_u128(), turn.attempt)).collect()
    }

    fn settle(&mut self, key: &str, verdict: Verdict) {
        self.state.settle(&Arc::from(key), verdict, self.now);
    }

    fn fail(&mut self, key: &str) {
        self.settle(key, Verdict::Failed("no".to_owned()));
    }

    fn changes(&mut self) -> (i64, Vec<Op>) {
        self.state.changes().map_or((-1, Vec::new()), |changes| (changes.settled, changes.ops))
    }
}

fn hold(position: i64, key: &str) -> Op {
    let (position, message) = message(position, key);
    Op::Hold { position, message }
}

fn stall(key: &str, attempts: u32, parked: bool) -> Op {
    Op::Stall { key: key.into(), stall: Stall { attempts, error: "no".to_owned() }, parked }
}

#[test]
fn one_message_of_a_key_is_out_at_a_time_and_the_position_follows_the_oldest() {
    let mut bench = Bench::fresh();
    bench.offer(&[(1, "a"), (2, "b"), (3, "a")]);
    assert_eq!((bench.take(), bench.take()), (vec![(1, 1), (2, 1)], vec![]));
    bench.settle("b", Verdict::Done);
    assert_eq!(bench.changes(), (-1, vec![]), "the first is still out");
    bench.settle("a", Verdict::Done);
    assert_eq!(bench.changes(), (2, vec![]));
    assert_eq!(bench.take(), [(3, 1)]);
    assert!(!bench.activity.is_quiet());
    bench.settle("a", Verdict::Done);
    assert_eq!(bench.changes(), (3, vec![]));
    assert!(bench.activity.is_quiet());
}

#[test]
fn a_failing_key_is_held_so_that_the_position_moves_on() {
    let mut bench = Bench::fresh();
    bench.offer(&[(1, "a"), (2, "a"), (3, "b")]);
    bench.take();
    bench.fail("a");
    bench.settle("b", Verdict::Done);
    bench.offer(&[(4, "a")]);
    assert_eq!(bench.changes(), (4, vec![hold(1, "a"), hold(2, "a"), stall("a", 1, false), hold(4, "a")]));
    assert_eq!(bench.take(), [], "it waits for the clock");
    assert!(!bench.activity.is_quiet(), "waiting is something going on");
    bench.now += WAIT;
    assert_eq!(bench.take(), [(1, 2)]);
    for _ in 0..3 {
        bench.settle("a", Verdict::Done);
        bench.take();
    }
    let release = |position| Op::Release { position };
    let expected =
        vec![release(1), stall("a", 0, false), release(2), release(4), Op::Unstall { key: "a".into() }];
    assert_eq!(bench.changes(), (4, expected));
    assert!(bench.activity.is_quiet());
}

#[test]
fn a_parked_key_leaves_the_memory_and_comes_back_from_the_disk() {
    let mut bench = Bench::fresh();
    bench.offer(&[(1, "a"), (2, "a")]);
    bench.take();
    bench.fail("a");
    bench.now += WAIT;
    bench.take();
    bench.fail("a");
    assert!(bench.activity.is_quiet(), "nothing happens to a parked key");
    bench.offer(&[(3, "a")]);
    let (settled, ops) = bench.changes();
    assert_eq!((settled, &ops[2..]), (3, &[stall("a", 1, false), stall("a", 2, true), hold(3, "a")][..]));
    assert_eq!((bench.state.refill_wanted(), bench.take()), (None, vec![]));

    bench.state.unpark("a");
    assert!(!bench.activity.is_quiet());
    let (key, asked_to) = bench.state.refill_wanted().unwrap();
    assert_eq!(asked_to, 3);
    // While the disk is read, one more comes.
    bench.offer(&[(4, "a")]);
    bench.state.refill(&key, vec![message(1, "a"), message(2, "a"), message(3, "a")], asked_to, bench.now);
    for number in 1..=3 {
        assert_eq!(bench.take(), [(number, 1)]);
        bench.settle("a", Verdict::Done);
    }
    let (key, asked_to) = bench.state.refill_wanted().unwrap();
    bench.state.refill(&key, vec![message(4, "a")], asked_to, bench.now);
    assert_eq!(bench.take(), [(4, 1)]);
    bench.settle("a", Verdict::Done);
    assert!(bench.activity.is_quiet());
}

#[test]
fn a_skipped_last_message_frees_its_key() {
    let stalls = vec![("a".into(), Stall { attempts: 2, error: "no".to_owned() }, true, 5)];
    let mut bench = Bench::new(100, Remembered { settled: 5, stalls }, 5);
    assert!(bench.activity.is_quiet());
    bench.state.unpark("a");
    let (key, asked_to) = bench.state.refill_wanted().unwrap();
    bench.state.refill(&key, Vec::new(), asked_to, bench.now);
    assert_eq!(bench.changes().1, [Op::Unstall { key: "a".into() }]);
    assert!(bench.activity.is_quiet());
    bench.offer(&[(6, "a")]);
    assert_eq!(bench.take(), [(6, 1)]);
}

#[test]
fn what_does_not_fit_is_read_from_the_log_in_order() {
    let mut bench = Bench::new(2, Remembered { settled: 0, stalls: Vec::new() }, 0);
    bench.offer(&[(1, "a"), (2, "b"), (3, "c")]);
    bench.offer(&[(4, "d")]);
    assert_eq!((bench.take(), bench.state.lag()), (vec![(1, 1), (2, 1)], None));
    bench.settle("a", Verdict::Done);
    bench.settle("b", Verdict::Done);
    assert_eq!(bench.state.lag(), Some(2));
    // A late answer to an earlier question changes nothing.
    bench.state.load(0, &[message(1, "a")], 1, bench.now);
    bench.state.load(2, &[message(3, "c"), message(4, "d")], 4, bench.now);
    assert_eq!((bench.take(), bench.state.lag()), (vec![(3, 1), (4, 1)], None));
    bench.settle("c", Verdict::Done);
    bench.settle("d", Verdict::Done);
    bench.offer(&[(5, "e")]);
    assert_eq!(bench.take(), [(5, 1)]);
    assert_eq!(bench.changes(), (4, vec![]));
}

#[test]
fn what_could_not_be_tried_does_not_count_and_nothing_overtakes_it() {
    let mut bench = Bench::fresh();
    bench.offer(&[(1, "a"), (2, "a")]);
    for _ in 0..10 {
        assert_eq!(bench.take(), [(1, 1)]);
        bench.settle("a", Verdict::Later("no room".to_owned()));
        assert_eq!(bench.take(), []);
        bench.now += WAIT;
    }
    assert_eq!(bench.changes(), (-1, vec![]), "its position stays");
    assert_eq!(bench.take(), [(1, 1)]);
    bench.settle("a", Verdict::Done);
    assert_eq!(bench.take(), [(2, 1)]);
}

#[test]
fn a_message_knows_since_when_it_was_its_turn() {
    let mut bench = Bench::fresh();
    let begun = bench.now;
    bench.offer(&[(1, "a"), (2, "a")]);
    bench.now += WAIT;
    let since = |bench: &mut Bench| bench.state.take(1, bench.now).first().map(|turn| turn.since);
    assert_eq!(since(&mut bench), Some(begun));
    // The next one of its key could not have been taken earlier, and one that failed not before its next attempt.
    bench.settle("a", Verdict::Done);
    assert_eq!(since(&mut bench), Some(begun + WAIT));
    bench.fail("a");
    bench.now += WAIT;
    assert_eq!(since(&mut bench), Some(bench.now));
}
