//! Builds a plan and improves it.

use super::insertion::Inserter;
use super::matching;
use super::problem::{MINUTE, Problem};
use super::random::Random;
use super::route::{Plan, Route};

/// Orders that are taken out together, from 2 to one more than this.
const RUIN: usize = 7;

/// How often a related order is taken out as well.
const RELATED: f64 = 0.7;

/// Related orders looked at for each order.
const NEIGHBOURS: usize = 24;

/// Minutes a step may make the plan worse in the beginning, so as to leave a poor corner; it sinks to none.
/// Between 0 and 5 the figures hardly change.
const TOLERANCE: f64 = 2.0;

/// Orders that count for the number of steps: a longer queue is replanned before its end is reached.
const COUNTED: usize = 60;

/// The best plan found, feasible for every courier.
pub(super) fn search(problem: &Problem<'_>) -> Plan {
    let orders = problem.orders.len();
    let mut inserter = Inserter::new(problem);
    let mut plan = Plan::empty(problem);
    let mut sequence: Vec<usize> = (0..orders).collect();
    sequence.sort_by_key(|&order| (problem.orders[order].ready, order));
    for order in sequence {
        inserter.insert(&mut plan, order, None, |_, _| ());
    }
    rematch(problem, &mut plan);
    // A single order is where it belongs, and of no orders none could be drawn below.
    if orders < 2 {
        return plan;
    }

    let steps = problem.config.steps_per_order.min(1_000) * orders.min(COUNTED) + 10;
    let neighbours = neighbours(problem);
    let mut random = Random::new();
    let (mut total, mut least) = (plan.total(problem), plan.total(problem));
    let mut best = plan.clone();
    let mut undo = Vec::new();
    for step in 0..steps {
        ruin_and_recreate(problem, &neighbours, &mut inserter, &mut plan, &mut random, &mut undo);
        let changed = plan.total(problem);
        let tolerance = TOLERANCE * (1.0 - step as f64 / steps as f64) * random.fraction();
        if changed < total + tolerance {
            total = changed;
            if total < least - 1e-9 {
                least = total;
                best.clone_from(&plan);
            }
            undo.clear();
        } else {
            restore(&mut plan, &mut undo);
        }
    }
    rematch(problem, &mut best);
    best
}

/// A courier's chain as it was before a step.
type Saved = (usize, Route, f64);

fn save(undo: &mut Vec<Saved>, plan: &Plan, courier: usize) {
    if !undo.iter().any(|(saved, ..)| *saved == courier) {
        undo.push((courier, plan.routes[courier].clone(), plan.costs[courier]));
    }
}

fn restore(plan: &mut Plan, undo: &mut Vec<Saved>) {
    // Orders that had no courier before the step have none after it, the others are put back with their
    // chains.
    for leg in undo.iter().flat_map(|(courier, ..)| &plan.routes[*courier]) {
        plan.owner[leg.order] = None;
    }
    for (courier, route, cost) in undo.drain(..) {
        plan.put(courier, route, cost);
    }
}

/// Takes out some related orders and puts them back, with all that had no courier, in a new sequence.
fn ruin_and_recreate(
    problem: &Problem<'_>,
    neighbours: &[Vec<usize>],
    inserter: &mut Inserter<'_>,
    plan: &mut Plan,
    random: &mut Random,
    undo: &mut Vec<Saved>,
) {
    let first = random.below(problem.orders.len());
    let size = 2 + random.below(RUIN.min(problem.orders.len()));
    let mut loose = vec![first];
    for &order in &neighbours[first] {
        if loose.len() < size && random.chance(RELATED) {
            loose.push(order);
        }
    }
    for &order in &loose {
        if let Some(courier) = plan.owner[order] {
            save(undo, plan, courier);
            plan.remove(problem, order);
        }
    }
    for order in 0..plan.owner.len() {
        if plan.owner[order].is_none() && !loose.contains(&order) {
            loose.push(order);
        }
    }
    match random.below(3) {
        0 => random.shuffle(&mut loose),
        1 => loose.sort_by_key(|&order| (problem.orders[order].ready, order)),
        _ => loose.sort_by_key(|&order| (problem.orders[order].ready + problem.orders[order].direct, order)),
    }
    for order in loose {
        inserter.insert(plan, order, Some(random), |plan, courier| save(undo, plan, courier));
    }
}

/// For each order the ones it could change places with: near restaurants, ready at the same time.
fn neighbours(problem: &Problem<'_>) -> Vec<Vec<usize>> {
    let travel = &problem.config.travel;
    (0..problem.orders.len())
        .map(|order| {
            let job = &problem.orders[order];
            let distance = |other: &usize| {
                let elsewhere = problem.orders[*other].restaurant != job.restaurant;
                let drive = travel.time(problem.pick_up(order), problem.pick_up(*other));
                let apart = (problem.orders[*other].ready - job.ready).abs();
                (2 * drive + apart + if elsewhere { 4 * MINUTE as i64 } else { 0 }, *other)
            };
            let mut others: Vec<usize> = (0..problem.orders.len()).filter(|&other| other != order).collect();
            if others.len() > NEIGHBOURS {
                others.select_nth_unstable_by_key(NEIGHBOURS, distance);
                others.truncate(NEIGHBOURS);
            }
            others.sort_by_cached_key(distance);
            others
        })
        .collect()
}

/// Gives whole chains to couriers anew, at the least cost. One exchange of many that single moves would not
/// find.
fn rematch(problem: &Problem<'_>, plan: &mut Plan) {
    let couriers = problem.couriers.len();
    let chains: Vec<Route> = plan.routes.iter().filter(|route| !route.is_empty()).cloned().collect();
    let costs: Vec<f64> = (chains.iter())
        .flat_map(|chain| (0..couriers).map(move |courier| problem.cost(courier, chain)))
        .collect();
    let found = matching::assign(chains.len(), couriers, &costs);
    *plan = Plan::empty(problem);
    for (row, chain) in chains.into_iter().enumerate() {
        // Every chain has a courier already, so a column is always found.
        if let Some(courier) = found[row] {
            plan.put(courier, chain, costs[row * couriers + courier]);
        }
    }
}
