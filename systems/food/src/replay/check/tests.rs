//! A valid solution passes, and every way to spoil it is caught by its own rule.

use super::super::day::{Day, Parameters};
use super::super::solution::{Move, Solution, Trip};
use super::{Violation, check};

/// Two restaurants a kilometre apart, three orders, two couriers; a minute is 100 metres.
fn day() -> Day {
    let day = Day::parse(
        "restaurant\tx\ty\nr1\t0\t0\nr2\t1000\t0\n",
        "order\tx\ty\tplacement_time\trestaurant\tready_time\n\
         o1\t300\t400\t100\tr1\t110\no2\t300\t800\t104\tr1\t112\no3\t1000\t600\t120\tr2\t130\n",
        "courier\tx\ty\ton_time\toff_time\nc1\t0\t200\t90\t180\nc2\t500\t0\t0\t60\n",
        "header\n100\t4\t4\t40\t90\t10\t15\n",
    );
    day.unwrap()
}

/// One bundle of two and one single order, both by the first courier.
fn trips() -> Vec<Trip> {
    vec![
        // Two minutes to r1 and two of service, then wait for o2; five minutes to o1 and four on to o2.
        Trip { courier: 0, assigned: 105, departed: 106, picked_up: 112, stops: vec![(0, 121), (1, 129)] },
        // From o2 it is 10.6 minutes to r2, and 6 from there to o3.
        Trip { courier: 0, assigned: 125, departed: 131, picked_up: 144, stops: vec![(2, 154)] },
    ]
}

#[test]
fn a_valid_solution_passes() {
    assert_eq!(check(&day(), &Solution::of(&day(), &trips())), []);
}

#[test]
fn a_solution_that_does_nothing_passes() {
    assert_eq!(check(&day(), &Solution::of(&day(), &[])), []);
}

/// Expects the violation, whatever else the change breaks.
#[track_caller]
fn caught(change: impl FnOnce(&mut Solution), expect: &str) {
    let mut solution = Solution::of(&day(), &trips());
    change(&mut solution);
    let found: Vec<String> = check(&day(), &solution).iter().map(ToString::to_string).collect();
    assert!(found.iter().any(|violation| violation == expect), "expected {expect:?} in {found:#?}");
}

#[test]
fn changed_order_lines_are_caught() {
    caught(|s| s.orders[0].order = "o9".into(), "order o9: the day has no such order");
    caught(|s| drop(s.orders.remove(1)), "order o2: has no line");
    caught(|s| s.orders.push(s.orders[1].clone()), "order o2: has more than one line");
    caught(|s| s.orders[0].placed = 99, "order o1: placement or ready time is not the day's");
    caught(|s| s.orders[0].ready = 109, "order o1: placement or ready time is not the day's");
    let half = "order o1: pickup, drop-off and courier must all be there, or none of them";
    caught(|s| s.orders[0].picked_up = None, half);
    caught(|s| s.orders[0].courier = None, half);
    let late = "order o3: 91 minutes from click to door, the maximum is 90";
    caught(|s| s.orders[2].dropped_off = Some(211), late);
}

#[test]
fn changed_assignments_are_caught() {
    caught(|s| s.assignments[0].courier = "c9".into(), "courier c9: the day has no such courier");
    caught(|s| s.assignments[0].orders[0] = "o9".into(), "order o9: the day has no such order");
    caught(|s| s.assignments[1].orders = vec!["o1".into()], "order o1: assigned more than once");
    caught(|s| s.assignments[0].orders.push("o2".into()), "order o2: assigned more than once");
    caught(|s| drop(s.assignments.pop()), "order o3: delivered without an assignment");
    caught(|s| s.assignments[0].assigned = 103, "order o2: assigned at 103, placed at 104");
    caught(|s| s.assignments[0].picked_up = 111, "order o2: picked up at 111, ready at 112");
    caught(|s| s.assignments[1].picked_up = 181, "courier c1: picks up at 181, the shift ends at 180");
    let mixed = "courier c1: order o3 of the pickup at 112 is of another restaurant";
    caught(|s| s.assignments[0].orders.push("o3".into()), mixed);
    caught(
        |s| s.orders[0].picked_up = Some(113),
        "order o1: its line does not say that c1 picks it up at 112",
    );
    let undelivered = "order o3: its line does not say that c1 picks it up at 144";
    caught(
        |s| (s.orders[2].picked_up, s.orders[2].dropped_off, s.orders[2].courier) = Default::default(),
        undelivered,
    );
}

#[test]
fn changed_moves_are_caught() {
    caught(|s| s.moves[0].courier = "c9".into(), "courier c9: the day has no such courier");
    caught(|s| s.moves[1].courier = "c2".into(), "courier c1: the moves are not one block");
    caught(|s| drop(s.moves.pop()), "courier c1: no move to o3, which is assigned");
    caught(|s| s.moves.swap(1, 2), "courier c1: the move at 123 to o2 is not what is assigned next");
    let extra = |courier: &str, departure, origin: &str, destination: &str| {
        let [courier, origin, destination] = [courier, origin, destination].map(str::to_owned);
        Move { courier, departure, origin, destination }
    };
    let home = extra("c1", 160, "o3", "r1");
    caught(|s| s.moves.push(home), "courier c1: the move at 160 to r1 is not what is assigned next");
    let idle = extra("c2", 0, "0", "r2");
    caught(|s| s.moves.push(idle), "courier c2: the move at 0 to r2 is not what is assigned next");
    caught(|s| s.moves[1].origin = "r2".into(), "courier c1: the move at 114 must start at r1");
    caught(|s| s.moves[0].origin = "r1".into(), "courier c1: the move at 106 must start at 0");
    caught(|s| s.moves[0].departure = 104, "courier c1: moves at 104 for what is assigned at 105");
    caught(|s| s.moves[1].departure = 113, "courier c1: leaves r1 at 113, is busy there until 114");
    caught(|s| s.moves[3].departure = 130, "courier c1: leaves o2 at 130, is busy there until 131");
    caught(|s| s.moves[0].departure = 89, "courier c1: moves at 89, the shift starts at 90");
}

#[test]
fn impossible_handovers_are_caught() {
    // The half service before a pickup and before a drop-off, which the public evaluator does not ask for.
    caught(|s| s.assignments[1].picked_up = 143, "courier c1: picks up at 143, which should be 144");
    caught(|s| s.assignments[1].picked_up = 145, "courier c1: picks up at 145, which should be 144");
    caught(|s| s.orders[0].dropped_off = Some(120), "order o1: dropped off at 120, which should be 121");
    caught(|s| s.orders[1].dropped_off = Some(130), "order o2: dropped off at 130, which should be 129");
    // A courier in two places: the same trip at the same time by somebody far away.
    caught(|s| s.moves[3].departure = 125, "courier c1: leaves o2 at 125, is busy there until 131");
}

#[test]
fn bundles_deliver_in_their_sequence() {
    caught(
        |s| s.assignments[0].orders.reverse(),
        "courier c1: the move at 114 to o1 is not what is assigned next",
    );
}

#[test]
fn a_violation_says_who_and_when() {
    let violation = Violation::ClickToDoor { order: "o7".into(), minutes: 93, maximum: 90 };
    assert_eq!(violation.to_string(), "order o7: 93 minutes from click to door, the maximum is 90");
}

#[test]
fn the_files_come_back_as_written() {
    let directory = std::env::temp_dir().join(format!("partie-solution-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let solution = Solution::of(&day(), &trips()[..1]);
    solution.write(&directory).unwrap();
    let back = Solution::read(&directory);
    let orders = directory.join("solution_info_orders.txt");
    let text = std::fs::read_to_string(&orders).unwrap();
    std::fs::write(&orders, text.replace("121", "12x")).unwrap();
    let spoiled = Solution::read(&directory);
    std::fs::remove_dir_all(&directory).unwrap();
    assert_eq!(back.unwrap(), solution);
    let expect = "solution_info_orders.txt:2: dropoff_time is \"12x\", which is not a usable number";
    assert_eq!(spoiled.unwrap_err().to_string(), expect);
    assert!(text.contains("o3 120 130 NA NA NA\n"), "{text}");
}

#[test]
fn figures_of_the_small_day() {
    let figures = Solution::of(&day(), &trips()).figures(&day());
    assert_eq!((figures.orders, figures.delivered), (3, 3));
    assert_eq!(
        (figures.click_to_door.p50, figures.click_to_door.p90, figures.click_to_door.max),
        (25, 34, 34)
    );
    assert!((figures.click_to_door.mean - 80.0 / 3.0).abs() < 1e-9, "21, 25 and 34 minutes");
    assert!((figures.ready_to_pickup.mean - 16.0 / 3.0).abs() < 1e-9, "2, 0 and 14 minutes");
    assert!((figures.orders_per_bundle - 1.5).abs() < 1e-9);
    // Drives of 2, 5, 4, 11 and 6 minutes, five services of 4, in shifts of 90 and 60 minutes.
    assert!((figures.utilisation - 48.0 / 150.0).abs() < 1e-9, "{figures}");
}

/// The next order in turn goes to whoever can be there first. Nobody would dispatch like that, but it keeps
/// the rules.
fn first_come_first_served(day: &Day) -> Vec<Trip> {
    let Parameters { pickup_service, dropoff_service, max_click_to_door, .. } = day.parameters;
    let mut free: Vec<_> = day.couriers.iter().map(|courier| (courier.on, courier.place)).collect();
    let mut sequence: Vec<usize> = (0..day.orders.len()).collect();
    sequence.sort_by_key(|&order| day.orders[order].placed);
    let mut trips = Vec::new();
    for index in sequence {
        let order = &day.orders[index];
        let restaurant = day.restaurants[order.restaurant].place;
        let pick_up = |courier: usize| {
            let (at, place): (i64, _) = free[courier];
            (at.max(order.placed) + day.travel(place, restaurant) + pickup_service / 2).max(order.ready)
        };
        let can = |&courier: &usize| pick_up(courier) <= day.couriers[courier].off;
        let Some(courier) = (0..free.len()).filter(can).min_by_key(|&courier| pick_up(courier)) else {
            continue;
        };
        let (picked_up, departed) = (pick_up(courier), free[courier].0.max(order.placed));
        let drive = day.travel(restaurant, order.drop_off);
        let door = picked_up + pickup_service / 2 + drive + dropoff_service / 2;
        if door - order.placed <= max_click_to_door {
            free[courier] = (door + dropoff_service / 2, order.drop_off);
            trips.push(Trip { courier, assigned: departed, departed, picked_up, stops: vec![(index, door)] });
        }
    }
    trips
}

#[test]
fn whole_days_pass_if_the_rules_are_kept() {
    for seed in 0..5 {
        let day = Day::generated(seed, 200, 40);
        let trips = first_come_first_served(&day);
        assert!(trips.len() > 100, "the day is not trivial");
        assert_eq!(check(&day, &Solution::of(&day, &trips)), []);
    }
}
