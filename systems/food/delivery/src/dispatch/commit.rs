//! Picks from a plan what has to be offered now.

use super::problem::Problem;
use super::route::{Leg, Plan, trips};
use super::snapshot::{Assignment, Stop};
use super::travel::FAR;

/// The first trips of idle couriers that would suffer from waiting another round.
pub(super) fn commit(problem: &Problem<'_>, plan: &Plan) -> Vec<Assignment> {
    (plan.routes.iter().enumerate())
        .filter(|&(courier, _)| problem.couriers[courier].idle)
        .filter_map(|(courier, route)| trips(route).next().map(|trip| (courier, trip)))
        .filter(|&(courier, trip)| !can_wait(problem, courier, trip))
        .map(|(courier, trip)| assignment(problem, courier, trip))
        .collect()
}

/// Whether the courier is still at the restaurant by the ready time if the offer is made a round later. Until
/// then a better plan may turn up at no cost.
fn can_wait(problem: &Problem<'_>, courier: usize, trip: &[Leg]) -> bool {
    let config = problem.config;
    let later = config.round.clamp(1, FAR) + config.accept_margin.clamp(0, FAR);
    problem.couriers[courier].free + later + to_counter(problem, courier, trip) <= problem.ready(trip)
}

/// From setting off to the earliest pickup.
fn to_counter(problem: &Problem<'_>, courier: usize, trip: &[Leg]) -> i64 {
    problem.approach(courier, None, problem.orders[trip[0].order].restaurant) + problem.half_pickup
}

fn assignment(problem: &Problem<'_>, courier: usize, trip: &[Leg]) -> Assignment {
    let (snapshot, worker) = (problem.snapshot, &problem.couriers[courier]);
    let pick_up = (worker.free + to_counter(problem, courier, trip)).max(problem.ready(trip));
    let mut at = pick_up + problem.half_pickup;
    let mut door = None;
    let mut stops = Vec::with_capacity(trip.len());
    for leg in trip {
        at += problem.delivery(door, leg.order) + problem.half_dropoff;
        let order = snapshot.orders[problem.orders[leg.order].source].id;
        stops.push(Stop { order, drop_off_at: snapshot.now.saturating_add(at) });
        at += problem.half_dropoff;
        door = Some(leg.order);
    }
    Assignment {
        courier: snapshot.couriers[worker.source].id,
        restaurant: snapshot.orders[problem.orders[trip[0].order].source].restaurant,
        pick_up_at: snapshot.now.saturating_add(pick_up),
        stops,
    }
}
