//! What dispatch promises, on small cases and on whole made-up days.

use std::collections::HashSet;

use super::random::Random;
use super::simulate::{Shift, Trip, simulate};
use super::{Assignment, Config, Courier, Order, Overdue, Point, Snapshot, TravelModel, plan};

const MINUTE: i64 = 60_000;

/// A replay where a minute's drive is 100 metres and times are whole minutes.
fn config() -> Config {
    Config::replay(TravelModel {
        metres_per_minute: 100.0,
        round_up_to: Some(MINUTE),
        ..TravelModel::default()
    })
}

/// An order of the restaurant at `x` minutes for a door at `to` minutes on the same road.
fn order(id: u64, x: i64, to: i64, placed: i64, ready: i64) -> Order {
    Order {
        id,
        restaurant: x as u64,
        pick_up: at(x),
        drop_off: at(to),
        placed_at: placed * MINUTE,
        ready_at: ready * MINUTE,
        excluded: Vec::new(),
    }
}

/// A courier at `x` minutes along the road; idle if free at 0.
fn courier(id: u64, x: i64, free: i64) -> Courier {
    Courier {
        id,
        place: at(x),
        free_at: free * MINUTE,
        idle: free == 0,
        available_until: 1_000 * MINUTE,
        capacity: 3,
    }
}

fn at(x: i64) -> Point {
    Point { x: x as f64 * 100.0, y: 0.0 }
}

fn snapshot(orders: Vec<Order>, couriers: Vec<Courier>) -> Snapshot {
    Snapshot { now: 0, orders, couriers, demand: Vec::new() }
}

/// The answer as (courier, orders).
fn given(answer: &[Assignment]) -> Vec<(u64, Vec<u64>)> {
    answer.iter().map(|one| (one.courier, one.stops.iter().map(|stop| stop.order).collect())).collect()
}

#[track_caller]
fn check(orders: Vec<Order>, couriers: Vec<Courier>, expect: &[(u64, &[u64])]) {
    let expect: Vec<(u64, Vec<u64>)> =
        expect.iter().map(|(courier, orders)| (*courier, orders.to_vec())).collect();
    assert_eq!(given(&plan(&snapshot(orders, couriers), &config())), expect);
}

#[test]
fn nothing_comes_of_nothing() {
    check(vec![], vec![], &[]);
    check(vec![order(1, 0, 5, 0, 0)], vec![], &[]);
    check(vec![], vec![courier(1, 0, 0)], &[]);
}

#[test]
fn expected_times_follow_the_rules_of_service() {
    let answer = plan(&snapshot(vec![order(7, 10, 15, 0, 3)], vec![courier(9, 0, 0)]), &config());
    assert_eq!((answer[0].courier, answer[0].restaurant), (9, 10));
    assert_eq!(answer[0].pick_up_at, 12 * MINUTE, "ten minutes of driving and half a service");
    assert_eq!(answer[0].stops[0].drop_off_at, 21 * MINUTE, "two halves and five minutes of driving later");
}

#[test]
fn an_offer_waits_as_long_as_waiting_is_free() {
    // Ten minutes of driving and two of service: the courier has to go 12 minutes before the food is ready.
    check(vec![order(1, 10, 15, 0, 13)], vec![courier(1, 0, 0)], &[]);
    check(vec![order(1, 10, 15, 0, 12)], vec![courier(1, 0, 0)], &[(1, &[1])]);
}

#[test]
fn an_order_waits_for_a_near_courier_who_is_free_soon() {
    let far = courier(1, 40, 0);
    check(vec![order(1, 0, 5, 0, 0)], vec![far.clone(), courier(2, 0, 3)], &[]);
    check(vec![order(1, 0, 5, 0, 0)], vec![far, courier(2, 0, 60)], &[(1, &[1])]);
}

#[test]
fn bundles_come_with_pressure() {
    let orders = || vec![order(1, 0, 10, 0, 0), order(2, 0, 11, 0, 0)];
    check(orders(), vec![courier(1, 0, 0), courier(2, 0, 0)], &[(1, &[1]), (2, &[2])]);
    check(orders(), vec![courier(1, 0, 0)], &[(1, &[1, 2])]);
}

#[test]
fn a_bundle_is_limited_by_the_courier_and_by_the_cap() {
    let orders = || (1..=5).map(|id| order(id, 0, 10, 0, 0)).collect::<Vec<_>>();
    let sizes = |capacity, bundle_cap| {
        let couriers = vec![Courier { capacity, ..courier(1, 0, 0) }];
        let answer = plan(&snapshot(orders(), couriers), &Config { bundle_cap, ..config() });
        answer.iter().map(|one| one.stops.len()).collect::<Vec<_>>()
    };
    assert_eq!(sizes(2, 3), [2]);
    assert_eq!(sizes(9, 3), [3]);
    assert_eq!(sizes(1, 3), [1]);
    assert_eq!(sizes(0, 3), [0; 0]);
    assert_eq!(sizes(3, 0), [0; 0]);
}

#[test]
fn orders_of_two_restaurants_never_share_a_trip() {
    check(vec![order(1, 0, 10, 0, 0), order(2, 1, 10, 0, 0)], vec![courier(1, 0, 0)], &[(1, &[1])]);
}

#[test]
fn nobody_picks_up_after_the_shift() {
    let ending = |until| Courier { available_until: until * MINUTE, ..courier(1, 10, 0) };
    check(vec![order(1, 0, 5, 0, 0)], vec![ending(11)], &[]);
    check(vec![order(1, 0, 5, 0, 0)], vec![ending(12)], &[(1, &[1])]);
}

#[test]
fn who_declined_an_order_is_not_asked_again() {
    let declined = Order { excluded: vec![1], ..order(1, 0, 5, 0, 0) };
    check(vec![declined.clone()], vec![courier(1, 0, 0)], &[]);
    check(vec![declined], vec![courier(1, 0, 0), courier(2, 20, 0)], &[(2, &[1])]);
}

#[test]
fn the_maximum_click_to_door_is_kept_where_it_can_be() {
    // The near order would be quicker first, but then the old one would arrive after 90 minutes.
    let (old, near) = (order(1, 20, 25, -55, -10), order(2, 0, 1, 0, 0));
    check(vec![near, old], vec![courier(1, 0, 0)], &[(1, &[1])]);
}

#[test]
fn an_order_that_must_be_late_is_delivered_or_refused_as_configured() {
    let late = snapshot(vec![order(1, 0, 30, -70, 0)], vec![courier(1, 0, 0)]);
    assert_eq!(given(&plan(&late, &config())), []);
    let deliver = Config { overdue: Overdue::Deliver, ..config() };
    assert_eq!(given(&plan(&late, &deliver)), [(1, vec![1])]);
}

#[test]
fn the_oldest_order_is_never_starved() {
    // One courier, three times the orders it can carry, and all are nearer than the one at the end of the
    // road.
    let near = |id: u64| order(id, 0, 3, id as i64 * 4, id as i64 * 4);
    let orders: Vec<Order> = (1..60).map(near).chain([order(1_000, 20, 40, 30, 30)]).collect();
    let shift = Shift { courier: 1, place: at(0), on: 0, off: 10_000 * MINUTE };
    let config = Config { overdue: Overdue::Deliver, bundle_cap: 1, steps_per_order: 1, ..config() };
    let trips = simulate(&orders, &[shift], &config, plan);
    let served = trips.iter().position(|trip| trip.assignment.stops[0].order == 1_000).unwrap();
    let overdue = (30 + 90) * MINUTE;
    let before = trips[..served].iter().filter(|trip| trip.assigned_at > overdue).count();
    assert!(before <= 4, "{before} trips began after it was overdue, which only older orders may");
    // From then on it is first come, first served.
    let placed = |trip: &Trip| {
        orders.iter().find(|order| order.id == trip.assignment.stops[0].order).unwrap().placed_at
    };
    assert!(trips[served..].windows(2).all(|pair| placed(&pair[0]) <= placed(&pair[1])));
}

#[test]
fn odd_input_is_survived() {
    let extremes = [i64::MIN, -1, 0, 1, i64::MAX];
    let places = [f64::NAN, f64::INFINITY, f64::MIN, -0.0, 1e300];
    let mut random = Random::new();
    for case in 0..300 {
        let mut time = || extremes[random.below(extremes.len())];
        let times: Vec<i64> = (0..40).map(|_| time()).collect();
        let mut place =
            || Point { x: places[random.below(places.len())], y: places[random.below(places.len())] };
        let orders = (0..6)
            .map(|n| Order {
                id: n as u64 / 2,
                restaurant: n as u64 % 2,
                pick_up: place(),
                drop_off: place(),
                placed_at: times[n],
                ready_at: times[n + 6],
                excluded: vec![n as u64, 77],
            })
            .collect();
        let couriers = (0..5)
            .map(|n| Courier {
                id: n as u64 / 2,
                place: place(),
                free_at: times[n + 12],
                idle: n != 3,
                available_until: times[n + 17],
                capacity: [0, 1, usize::MAX][n % 3],
            })
            .collect();
        let snapshot = Snapshot { now: times[22], orders, couriers, demand: vec![place(), place()] };
        let config = Config {
            travel: TravelModel {
                metres_per_minute: [0.0, -1.0, f64::NAN, 1e-300, 320.0][case % 5],
                pickup_service: times[23],
                dropoff_service: times[24],
                round_up_to: Some(times[25]),
            },
            round: times[26],
            accept_margin: times[27],
            bundle_cap: [0, 1, usize::MAX][case % 3],
            target_click_to_door: times[28],
            max_click_to_door: times[29],
            overdue: if case % 2 == 0 { Overdue::Deliver } else { Overdue::Refuse },
            age_weight: places[case % 5],
            work_weight: places[case % 4],
            place_weight: places[case % 3],
            place_scale: times[30],
            steps_per_order: 3,
            max_orders: [0, 1, 300][case % 3],
            max_couriers: [0, 2, 300][case % 3],
        };
        let answer = plan(&snapshot, &config);
        let couriers: HashSet<u64> = answer.iter().map(|one| one.courier).collect();
        let orders: HashSet<u64> = answer.iter().flat_map(|one| &one.stops).map(|stop| stop.order).collect();
        assert_eq!(couriers.len(), answer.len(), "a courier gets one offer");
        assert_eq!(
            orders.len(),
            answer.iter().map(|one| one.stops.len()).sum::<usize>(),
            "an order goes once"
        );
    }
}

/// A crowded hour on a plane.
fn crowd(orders: u64, couriers: u64) -> Snapshot {
    let mut random = Random::new();
    let mut place = || Point { x: random.fraction() * 1_000.0, y: random.fraction() * 1_000.0 };
    let restaurants: Vec<Point> = (0..20).map(|_| place()).collect();
    let orders = (0..orders)
        .map(|id| Order {
            pick_up: restaurants[id as usize % 20],
            drop_off: place(),
            ..order(id, id as i64 % 20, 0, -(id as i64 % 10), id as i64 % 15)
        })
        .collect();
    let couriers =
        (0..couriers).map(|id| Courier { place: place(), ..courier(id, 0, id as i64 % 9) }).collect();
    snapshot(orders, couriers)
}

#[test]
fn the_same_snapshot_gets_the_same_answer() {
    let crowd = crowd(60, 40);
    let answer = plan(&crowd, &config());
    assert!(!answer.is_empty());
    assert_eq!(answer, plan(&crowd, &config()));
}

#[test]
fn a_crowd_beyond_the_limits_is_planned_in_part() {
    let config = Config { max_orders: 50, max_couriers: 30, steps_per_order: 1, ..config() };
    let answer = plan(&crowd(1_000, 500), &config);
    let taken: usize = answer.iter().map(|one| one.stops.len()).sum();
    assert!((1..=50).contains(&taken), "{taken} of the oldest 50");
}

#[test]
fn a_crowd_that_declined_leaves_somebody() {
    let declined = Order { excluded: (0..50).collect(), ..order(1, 0, 5, 0, 0) };
    let couriers = (0..100).map(|id| courier(id, id as i64 / 10, 0)).collect();
    let answer = plan(&snapshot(vec![declined], couriers), &Config { max_couriers: 10, ..config() });
    assert_eq!(given(&answer), [(50, vec![1])]);
}

#[test]
fn a_simulated_day_keeps_the_rules() {
    let mut random = Random::new();
    let orders: Vec<Order> = (0..150)
        .map(|id| {
            let placed = random.below(300) as i64;
            let restaurant = random.below(12) as i64;
            order(id, restaurant, random.below(20) as i64, placed, placed + 5 + random.below(20) as i64)
        })
        .collect();
    let shifts: Vec<Shift> = (0..25)
        .map(|courier| Shift { courier, place: at(random.below(20) as i64), on: 0, off: 400 * MINUTE })
        .collect();
    let config = config();
    let trips = simulate(&orders, &shifts, &config, plan);
    let mut delivered = HashSet::new();
    let mut busy_until = [0; 25];
    for trip in &trips {
        let courier = trip.assignment.courier as usize;
        assert!(trip.assigned_at >= busy_until[courier], "one trip at a time");
        assert!(trip.assignment.pick_up_at <= 400 * MINUTE, "no pickup after the shift");
        assert_eq!(trip.assigned_at % config.round, 0, "rounds are whole");
        for stop in &trip.assignment.stops {
            let order = &orders[stop.order as usize];
            assert!(delivered.insert(stop.order), "delivered once");
            assert_eq!(order.restaurant, trip.assignment.restaurant);
            assert!(order.placed_at <= trip.assigned_at && order.ready_at <= trip.assignment.pick_up_at);
            assert!(stop.drop_off_at - order.placed_at <= config.max_click_to_door);
            busy_until[courier] = stop.drop_off_at + config.travel.half_dropoff();
        }
    }
    assert_eq!(delivered.len(), orders.len());
}
