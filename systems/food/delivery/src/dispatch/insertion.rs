//! Finds the cheapest place for an order in a plan.

use super::problem::Problem;
use super::random::Random;
use super::route::{Leg, Plan, Route};

/// How often a place is overlooked on purpose, so that the search does not always walk into the same corner.
const BLINK: f64 = 0.03;

/// Where in a chain an order goes.
#[derive(Clone, Copy)]
enum Slot {
    /// A trip of its own before this index.
    Alone(usize),
    /// In front of the trip that begins at this index.
    Leading(usize),
    /// Into the trip of the leg before this index.
    Following(usize),
}

/// Puts orders into a plan, one at a time.
pub(super) struct Inserter<'a> {
    problem: &'a Problem<'a>,
    /// The chain under consideration; kept to allocate once.
    trial: Route,
}

impl<'a> Inserter<'a> {
    pub(super) fn new(problem: &'a Problem<'a>) -> Self {
        Self { problem, trial: Route::new() }
    }

    /// Puts the order where it costs least, and tells `before` which courier's chain is about to change. It
    /// stays without a courier if nobody can take it or everybody would cost more than leaving it. With
    /// `random`, places are overlooked now and then.
    pub(super) fn insert(
        &mut self,
        plan: &mut Plan,
        order: usize,
        mut random: Option<&mut Random>,
        mut before: impl FnMut(&Plan, usize),
    ) {
        let mut overlooked = || random.as_mut().is_some_and(|random| random.chance(BLINK));
        let problem = self.problem;
        let mut least = problem.left(order);
        let mut found = None;
        // Free couriers first: their cost is one formula, and a good one saves looking into most chains.
        for courier in (0..plan.routes.len()).filter(|&courier| plan.routes[courier].is_empty()) {
            let cost = problem.cost_alone(courier, order);
            if cost < least && !overlooked() {
                (least, found) = (cost, Some((courier, Slot::Alone(0))));
            }
        }
        for courier in (0..plan.routes.len()).filter(|&courier| !plan.routes[courier].is_empty()) {
            if problem.cost_at_least(courier, order) >= least {
                continue;
            }
            for slot in slots(problem, &plan.routes[courier], order) {
                splice(&plan.routes[courier], slot, order, &mut self.trial);
                let cost = problem.cost(courier, &self.trial) - plan.costs[courier];
                if cost < least && !overlooked() {
                    (least, found) = (cost, Some((courier, slot)));
                }
            }
        }
        if let Some((courier, slot)) = found {
            before(plan, courier);
            splice(&plan.routes[courier], slot, order, &mut self.trial);
            let cost = problem.cost(courier, &self.trial);
            plan.put(courier, self.trial.clone(), cost);
        }
    }
}

/// All places for an order in a chain. Trips that get too long are sorted out by their cost.
fn slots<'a>(
    problem: &'a Problem<'_>,
    route: &'a [Leg],
    order: usize,
) -> impl Iterator<Item = Slot> + use<'a> {
    let same = move |leg: &Leg| problem.orders[leg.order].restaurant == problem.orders[order].restaurant;
    (0..=route.len()).flat_map(move |at| {
        let begins = route.get(at).is_none_or(|leg| leg.first);
        let leads = route.get(at).is_some_and(|leg| leg.first && same(leg));
        let follows = at > 0 && same(&route[at - 1]);
        [
            begins.then_some(Slot::Alone(at)),
            leads.then_some(Slot::Leading(at)),
            follows.then_some(Slot::Following(at)),
        ]
        .into_iter()
        .flatten()
    })
}

/// The chain with the order in its place.
fn splice(route: &[Leg], slot: Slot, order: usize, into: &mut Route) {
    let (at, first) = match slot {
        Slot::Alone(at) | Slot::Leading(at) => (at, true),
        Slot::Following(at) => (at, false),
    };
    into.clear();
    into.extend_from_slice(&route[..at]);
    into.push(Leg { order, first });
    into.extend_from_slice(&route[at..]);
    if let Slot::Leading(at) = slot {
        into[at + 1].first = false;
    }
}
