//! The chain of trips of one courier, and what it costs.

use super::problem::{MINUTE, Problem};

/// Leaving an order without any courier, minutes late: worse than every late delivery.
const LEFT: f64 = 10_000.0;

/// One order in a chain of trips.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Leg {
    pub(super) order: usize,
    /// Whether a new trip begins with this order: the courier drives to its restaurant first.
    pub(super) first: bool,
}

pub(super) type Route = Vec<Leg>;

/// Who does what, in which sequence. Every route in it is feasible, so every cost is finite.
#[derive(Clone)]
pub(super) struct Plan {
    /// For each courier the trips ahead.
    pub(super) routes: Vec<Route>,
    /// For each courier the cost of these trips.
    pub(super) costs: Vec<f64>,
    /// For each order its courier.
    pub(super) owner: Vec<Option<usize>>,
}

/// The trips of a chain, in sequence.
pub(super) fn trips(route: &[Leg]) -> impl Iterator<Item = &[Leg]> {
    route.chunk_by(|_, next| !next.first)
}

// === impl Plan ===

impl Plan {
    pub(super) fn empty(problem: &Problem<'_>) -> Self {
        Self {
            routes: vec![Route::new(); problem.couriers.len()],
            costs: vec![0.0; problem.couriers.len()],
            owner: vec![None; problem.orders.len()],
        }
    }

    /// The cost of the whole plan.
    pub(super) fn total(&self, problem: &Problem<'_>) -> f64 {
        let left = (self.owner.iter().zip(0..)).filter(|(owner, _)| owner.is_none());
        self.costs.iter().sum::<f64>() + left.map(|(_, order)| problem.left(order)).sum::<f64>()
    }

    /// Gives a courier another chain of trips.
    pub(super) fn put(&mut self, courier: usize, route: Route, cost: f64) {
        for leg in &route {
            self.owner[leg.order] = Some(courier);
        }
        self.routes[courier] = route;
        self.costs[courier] = cost;
    }

    /// Takes an order out of the plan; the rest of its trip stays together.
    pub(super) fn remove(&mut self, problem: &Problem<'_>, order: usize) {
        let Some(courier) = self.owner[order].take() else { return };
        let route = &mut self.routes[courier];
        if let Some(at) = route.iter().position(|leg| leg.order == order) {
            let taken = route.remove(at);
            if let Some(next) = route.get_mut(at) {
                next.first |= taken.first;
            }
        }
        self.costs[courier] = problem.cost(courier, &self.routes[courier]);
    }
}

// === impl Problem ===

impl Problem<'_> {
    /// Minutes late of all orders of a chain, plus the small terms that settle ties; infinite if it cannot be
    /// done.
    pub(super) fn cost(&self, courier: usize, route: &[Leg]) -> f64 {
        let worker = &self.couriers[courier];
        let (mut at, mut last, mut work, mut cost) = (worker.free, None, 0, 0.0);
        for trip in trips(route) {
            let restaurant = self.orders[trip[0].order].restaurant;
            let approach = self.approach(courier, last, restaurant);
            let pick_up = (at + approach + self.half_pickup).max(self.ready(trip));
            if pick_up > worker.until || trip.len() > worker.capacity {
                return f64::INFINITY;
            }
            work += approach + 2 * self.half_pickup;
            at = pick_up + self.half_pickup;
            let mut door = None;
            for leg in trip {
                if self.is_barred(courier, leg.order) {
                    return f64::INFINITY;
                }
                let drive = self.delivery(door, leg.order);
                let drop_off = at + drive + self.half_dropoff;
                cost += self.lateness(leg.order, drop_off);
                work += drive + 2 * self.half_dropoff;
                at = drop_off + self.half_dropoff;
                door = Some(leg.order);
            }
            last = door;
        }
        match last {
            None => 0.0,
            Some(door) => {
                cost + self.work_weight * work as f64 + self.orders[door].remoteness - worker.remoteness
            }
        }
    }

    /// What [`cost`](Self::cost) says of a chain of a single order, without the loops: most questions are of
    /// this kind.
    pub(super) fn cost_alone(&self, courier: usize, order: usize) -> f64 {
        let (worker, job) = (&self.couriers[courier], &self.orders[order]);
        let approach = self.approach(courier, None, job.restaurant);
        let pick_up = (worker.free + approach + self.half_pickup).max(job.ready);
        if pick_up > worker.until || worker.capacity == 0 || self.is_barred(courier, order) {
            return f64::INFINITY;
        }
        let drop_off = pick_up + self.half_pickup + job.direct + self.half_dropoff;
        let work = approach + job.direct + 2 * self.half_pickup + 2 * self.half_dropoff;
        self.lateness(order, drop_off) + self.work_weight * work as f64 + job.remoteness - worker.remoteness
    }

    /// About the least it can cost to add this order to a courier with trips ahead: drives obey the triangle
    /// inequality, so no detour brings a courier to the restaurant earlier than the direct way. (Only the
    /// worth of places could make it less, by a fraction of a minute.) Spares the search from looking into
    /// most chains.
    pub(super) fn cost_at_least(&self, courier: usize, order: usize) -> f64 {
        let job = &self.orders[order];
        let arrival =
            self.couriers[courier].free + self.approach(courier, None, job.restaurant) + self.half_pickup;
        job.weight * (arrival - job.ready).max(0) as f64 / MINUTE
    }

    /// The cost of leaving an order without a courier.
    pub(super) fn left(&self, order: usize) -> f64 {
        LEFT * self.orders[order].weight
    }

    /// When the last order of a trip is ready.
    pub(super) fn ready(&self, trip: &[Leg]) -> i64 {
        trip.iter().map(|leg| self.orders[leg.order].ready).max().unwrap_or(0)
    }

    /// Weighted minutes behind an instant pickup at the ready time and a direct drive.
    fn lateness(&self, order: usize, drop_off: i64) -> f64 {
        let job = &self.orders[order];
        let late = drop_off - job.ready - self.half_pickup - job.direct - self.half_dropoff;
        let breach = if drop_off > job.limit { self.breach } else { 0.0 };
        breach + job.weight * late as f64 / MINUTE
    }
}
