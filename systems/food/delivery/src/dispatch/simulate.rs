//! Plays a day of dispatch without any service around it: for tuning, tests and benchmarks.
//!
//! Rounds run at whole multiples of the round interval of business time, after everything else of the same
//! instant. Couriers accept at once and do exactly what they are told; an order is known from its placement
//! on, its ready time with it; a courier is known from the start of the shift on.

use super::config::Config;
use super::snapshot::{Assignment, Courier, Order, Point, Snapshot};

/// How long a placed order counts as recent demand, milliseconds. Tuned: 20 to 120 minutes make no
/// difference.
const RECENT: i64 = 60 * 60_000;

/// A courier's day.
#[derive(Clone, Debug)]
pub struct Shift {
    /// Names the courier.
    pub courier: u64,
    /// Where the shift begins.
    pub place: Point,
    /// Begin of the shift, milliseconds of business time.
    pub on: i64,
    /// End of the shift, milliseconds of business time.
    pub off: i64,
}

/// What happened to one assignment. Its expected times are the real ones, as nothing goes wrong here.
#[derive(Clone, Debug)]
pub struct Trip {
    /// When it was offered, accepted and begun, milliseconds of business time.
    pub assigned_at: i64,
    /// What was done.
    pub assignment: Assignment,
}

/// Plays a day: all trips in the sequence of their assignment. `plan` is called once a round; to measure it,
/// wrap [`dispatch::plan`](super::plan). Orders nobody could take within the maximum click-to-door after the
/// last one was placed are in no trip.
pub fn simulate(
    orders: &[Order],
    shifts: &[Shift],
    config: &Config,
    mut plan: impl FnMut(&Snapshot, &Config) -> Vec<Assignment>,
) -> Vec<Trip> {
    let mut trips = Vec::new();
    let mut waiting: Vec<Order> = Vec::new();
    let mut coming: Vec<&Order> = orders.iter().collect();
    coming.sort_by_key(|order| (order.placed_at, order.id));
    let mut couriers: Vec<(&Shift, Courier)> =
        shifts.iter().map(|shift| (shift, begin(shift, config))).collect();

    let (Some(first), Some(last)) = (coming.first(), coming.last()) else { return trips };
    let round = config.round.max(1);
    let end = last.placed_at.saturating_add(config.max_click_to_door);
    let mut now = first.placed_at.div_euclid(round) * round;
    let mut next = 0;
    while now <= end && (next < coming.len() || !waiting.is_empty()) {
        while next < coming.len() && coming[next].placed_at <= now {
            waiting.push(coming[next].clone());
            next += 1;
        }
        let recent = coming[..next].partition_point(|order| order.placed_at <= now.saturating_sub(RECENT));
        let snapshot = Snapshot {
            now,
            orders: waiting.clone(),
            couriers: (couriers.iter())
                .filter(|(shift, courier)| shift.on <= now && now.max(courier.free_at) <= shift.off)
                .map(|(_, courier)| Courier { idle: courier.free_at <= now, ..courier.clone() })
                .collect(),
            demand: coming[recent..next].iter().map(|order| order.pick_up).collect(),
        };
        for assignment in plan(&snapshot, config) {
            let ends = assignment.stops.last();
            let door = ends.and_then(|stop| waiting.iter().find(|order| order.id == stop.order));
            let courier = couriers.iter_mut().find(|(shift, _)| shift.courier == assignment.courier);
            if let (Some(stop), Some(door), Some((_, courier))) = (ends, door, courier) {
                courier.place = door.drop_off;
                courier.free_at = stop.drop_off_at + config.travel.half_dropoff();
            }
            waiting.retain(|order| assignment.stops.iter().all(|stop| stop.order != order.id));
            trips.push(Trip { assigned_at: now, assignment });
        }
        now += round;
    }
    trips
}

fn begin(shift: &Shift, config: &Config) -> Courier {
    Courier {
        id: shift.courier,
        place: shift.place,
        free_at: shift.on,
        idle: false,
        available_until: shift.off,
        capacity: config.bundle_cap,
    }
}
