//! A snapshot made ready for planning: cleaned, indexed, with every drive looked up.
//!
//! Times are milliseconds from now and clamped to [`FAR`], costs are minutes late. Whatever a snapshot says,
//! after this no sum overflows and no cost is NaN.

use std::collections::HashMap;

use super::config::{Config, Overdue};
use super::selection::{lost, restaurants, staff, waiting};
use super::snapshot::{Point, Snapshot};
use super::travel::FAR;

/// Milliseconds in a minute.
pub(super) const MINUTE: f64 = 60_000.0;

/// Breaking the maximum click-to-door where it can be avoided, minutes late: more than any detour, less than
/// leaving an order out.
const BREACH: f64 = 5_000.0;

/// How much more the oldest order counts once it is overdue: its next minute outweighs any queue behind it.
const URGENT: f64 = 1_000.0;

/// Recent orders that measure where demand is; older ones of a longer list say nothing new.
const DEMAND: usize = 512;

pub(super) struct Problem<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) config: &'a Config,
    pub(super) orders: Vec<Job>,
    pub(super) couriers: Vec<Worker>,
    /// Cost of a breach; infinite if breaches are refused.
    pub(super) breach: f64,
    pub(super) work_weight: f64,
    pub(super) half_pickup: i64,
    pub(super) half_dropoff: i64,
    restaurants: usize,
    from_courier: Vec<i64>,
    from_door: Vec<i64>,
    between_doors: Vec<i64>,
    barred: Vec<bool>,
}

/// An order to plan.
pub(super) struct Job {
    /// Index in the snapshot.
    pub(super) source: usize,
    pub(super) restaurant: usize,
    pub(super) ready: i64,
    /// Drive from the restaurant to the door.
    pub(super) direct: i64,
    /// Latest drop-off within the maximum click-to-door; never, if that is lost already.
    pub(super) limit: i64,
    /// What a minute late counts, at least 1.
    pub(super) weight: f64,
    /// What it costs to end a trip at this door.
    pub(super) remoteness: f64,
}

/// A courier to plan.
pub(super) struct Worker {
    /// Index in the snapshot.
    pub(super) source: usize,
    pub(super) free: i64,
    pub(super) until: i64,
    pub(super) capacity: usize,
    pub(super) idle: bool,
    /// What is gained by leaving this place.
    pub(super) remoteness: f64,
}

impl<'a> Problem<'a> {
    pub(super) fn new(snapshot: &'a Snapshot, config: &'a Config) -> Self {
        let travel = &config.travel;
        let waiting = waiting(snapshot, config);
        let (restaurant_of, restaurants) = restaurants(snapshot, &waiting);
        let staff = staff(snapshot, config, &waiting, &restaurant_of, &restaurants);
        let demand = demand(snapshot, &waiting);
        let remoteness = |place| remoteness(place, &demand, config);

        let orders: Vec<Job> = (waiting.iter().zip(&restaurant_of))
            .map(|(&source, &restaurant)| {
                let order = &snapshot.orders[source];
                let limit = match lost(order, snapshot.now, config) {
                    true => i64::MAX,
                    false => since(order.placed_at, snapshot.now) + config.max_click_to_door.clamp(0, FAR),
                };
                Job {
                    source,
                    restaurant,
                    ready: since(order.ready_at, snapshot.now),
                    direct: travel.time(order.pick_up, order.drop_off),
                    limit,
                    weight: weight(-since(order.placed_at, snapshot.now), config),
                    remoteness: remoteness(order.drop_off),
                }
            })
            .collect();
        let couriers: Vec<Worker> = (staff.iter().map(|&source| (source, &snapshot.couriers[source])))
            .map(|(source, courier)| Worker {
                source,
                free: since(courier.free_at, snapshot.now).max(0),
                until: since(courier.available_until, snapshot.now),
                capacity: courier.capacity.min(config.bundle_cap),
                idle: courier.idle,
                remoteness: remoteness(courier.place),
            })
            .collect();

        let place = |order: &Job| snapshot.orders[order.source].drop_off;
        let drives = |from: Point| restaurants.iter().map(move |&to| travel.time(from, to));
        let from_courier = staff.iter().flat_map(|&source| drives(snapshot.couriers[source].place)).collect();
        let from_door = orders.iter().flat_map(|order| drives(place(order))).collect();
        let mut between_doors = vec![0; orders.len() * orders.len()];
        for (row, from) in orders.iter().enumerate() {
            // Only orders of one restaurant ever follow each other from door to door.
            for (column, to) in orders.iter().enumerate().filter(|(_, to)| to.restaurant == from.restaurant) {
                between_doors[row * orders.len() + column] = travel.time(place(from), place(to));
            }
        }
        let mut problem = Self {
            barred: barred(snapshot, &orders, &couriers),
            breach: if config.overdue == Overdue::Refuse { f64::INFINITY } else { BREACH },
            work_weight: sane(config.work_weight) / MINUTE,
            half_pickup: travel.half_pickup(),
            half_dropoff: travel.half_dropoff(),
            restaurants: restaurants.len(),
            snapshot,
            config,
            orders,
            couriers,
            from_courier,
            from_door,
            between_doors,
        };
        problem.hurry_oldest();
        problem
    }

    /// Gives the oldest overdue order that anybody can take the next courier who can take it. A weight that
    /// grows with age is not enough against starvation: where orders keep coming faster than couriers
    /// deliver, a far order of any age loses to near ones half its age. So overdue orders leave one by one,
    /// oldest first, and each becomes the oldest in its turn.
    fn hurry_oldest(&mut self) {
        let possible = |order: usize| (0..self.couriers.len()).any(|c| self.cost_alone(c, order).is_finite());
        let placed = |order: &usize| (self.snapshot.orders[self.orders[*order].source].placed_at, *order);
        let overdue = (0..self.orders.len()).filter(|&order| self.orders[order].limit == i64::MAX);
        if let Some(order) = overdue.filter(|&order| possible(order)).min_by_key(placed) {
            self.orders[order].weight *= URGENT;
        }
    }

    /// Drive to a restaurant from where the courier is free, or from the last door of the trip before.
    pub(super) fn approach(&self, courier: usize, last: Option<usize>, restaurant: usize) -> i64 {
        match last {
            None => self.from_courier[courier * self.restaurants + restaurant],
            Some(door) => self.from_door[door * self.restaurants + restaurant],
        }
    }

    /// Drive to the door of an order from the restaurant, or from the door before.
    pub(super) fn delivery(&self, last: Option<usize>, order: usize) -> i64 {
        match last {
            None => self.orders[order].direct,
            Some(door) => self.between_doors[door * self.orders.len() + order],
        }
    }

    /// Whether this courier must not be offered this order.
    pub(super) fn is_barred(&self, courier: usize, order: usize) -> bool {
        !self.barred.is_empty() && self.barred[order * self.couriers.len() + courier]
    }

    /// The restaurant's place of an order.
    pub(super) fn pick_up(&self, order: usize) -> Point {
        self.snapshot.orders[self.orders[order].source].pick_up
    }
}

/// Milliseconds from now, clamped.
pub(super) fn since(at: i64, now: i64) -> i64 {
    at.saturating_sub(now).clamp(-FAR, FAR)
}

/// A weight that can be calculated with: finite and not negative.
fn sane(weight: f64) -> f64 {
    if weight.is_finite() { weight.clamp(0.0, 1e6) } else { 0.0 }
}

/// Whether a place can be driven to at all.
pub(super) fn is_somewhere(place: Point) -> bool {
    place.x.is_finite() && place.y.is_finite()
}

/// Where orders come from, each place with its number of orders.
fn demand(snapshot: &Snapshot, waiting: &[usize]) -> Vec<(Point, f64)> {
    let recent = &snapshot.demand[snapshot.demand.len().saturating_sub(DEMAND)..];
    let mut places: Vec<Point> = match recent.is_empty() {
        true => waiting.iter().map(|&source| snapshot.orders[source].pick_up).collect(),
        false => recent.iter().copied().filter(|&place| is_somewhere(place)).collect(),
    };
    places.sort_by(|a, b| a.x.total_cmp(&b.x).then(a.y.total_cmp(&b.y)));
    places.chunk_by(|a, b| a == b).map(|same| (same[0], same.len() as f64)).collect()
}

/// What being at a place costs: the average drive to where orders come from, flattening with distance.
fn remoteness(place: Point, demand: &[(Point, f64)], config: &Config) -> f64 {
    let scale = config.place_scale.clamp(1, FAR) as f64;
    let (mut sum, mut count) = (0.0, 0.0);
    for &(to, orders) in demand {
        let drive = config.travel.time(place, to) as f64;
        sum += orders * drive * scale / (drive + scale);
        count += orders;
    }
    if count > 0.0 { sane(config.place_weight) * sum / count / MINUTE } else { 0.0 }
}

/// What a minute late of an order of this age counts.
fn weight(age: i64, config: &Config) -> f64 {
    let age = age.max(0) as f64 / config.target_click_to_door.clamp(1, FAR) as f64;
    let excess = (age - 1.0).max(0.0);
    (1.0 + sane(config.age_weight) * (age + 10.0 * excess * excess)).min(1e6)
}

/// Who must not get what, a row an order; empty if everybody may everything.
fn barred(snapshot: &Snapshot, orders: &[Job], couriers: &[Worker]) -> Vec<bool> {
    if orders.iter().all(|order| snapshot.orders[order.source].excluded.is_empty()) {
        return Vec::new();
    }
    let index: HashMap<u64, usize> = (couriers.iter().enumerate())
        .map(|(courier, worker)| (snapshot.couriers[worker.source].id, courier))
        .collect();
    let mut barred = vec![false; orders.len() * couriers.len()];
    for (order, job) in orders.iter().enumerate() {
        for courier in snapshot.orders[job.source].excluded.iter().filter_map(|id| index.get(id)) {
            barred[order * couriers.len() + courier] = true;
        }
    }
    barred
}
