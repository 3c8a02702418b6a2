//! Checks a solution against all rules of the problem.
//!
//! The public evaluator leaves some rules unchecked; here they count: half a service time before and after
//! every handing over, click-to-door within the maximum, one restaurant a bundle, no drive without an
//! assignment made before it. Partial commitment and prepositioning are not known here yet: a drive that
//! serves no assignment is a violation.

mod violation;

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

use super::day::{Day, Place};
use super::solution::{Assignment, Move, OrderLine, START, Solution};

pub(crate) use violation::Violation;

/// Everything a solution does wrong, none if it is feasible. The files are read with [`Solution::read`].
pub(crate) fn check(day: &Day, solution: &Solution) -> Vec<Violation> {
    let mut checker = Checker {
        day,
        orders: day.orders.iter().enumerate().map(|(index, order)| (&*order.name, index)).collect(),
        couriers: day.couriers.iter().enumerate().map(|(index, courier)| (&*courier.name, index)).collect(),
        lines: HashMap::new(),
        found: Vec::new(),
    };
    checker.order_lines(solution);
    checker.assignments(solution);
    checker.moves(solution);
    checker.found
}

struct Checker<'a> {
    day: &'a Day,
    /// Index of each order of the day.
    orders: HashMap<&'a str, usize>,
    /// Index of each courier of the day.
    couriers: HashMap<&'a str, usize>,
    /// What the solution says about each order of the day.
    lines: HashMap<usize, &'a OrderLine>,
    found: Vec<Violation>,
}

/// Where a courier has to drive next, and what happens there.
enum Errand<'a> {
    PickUp(&'a Assignment, usize),
    DropOff(usize),
}

impl<'a> Checker<'a> {
    /// One line an order, with the day's times, and either delivered within the maximum or not at all.
    fn order_lines(&mut self, solution: &'a Solution) {
        for line in &solution.orders {
            let order = || line.order.clone();
            let Some(&index) = self.orders.get(&*line.order) else {
                self.found.push(Violation::UnknownOrder { order: order() });
                continue;
            };
            if self.lines.insert(index, line).is_some() {
                self.found.push(Violation::ListedTwice { order: order() });
            }
            let given = &self.day.orders[index];
            if (line.placed, line.ready) != (given.placed, given.ready) {
                self.found.push(Violation::TimesChanged { order: order() });
            }
            match (line.picked_up, line.dropped_off, &line.courier) {
                (Some(_), Some(dropped_off), Some(_)) => {
                    let (minutes, maximum) =
                        (dropped_off - given.placed, self.day.parameters.max_click_to_door);
                    if minutes > maximum {
                        self.found.push(Violation::ClickToDoor { order: order(), minutes, maximum });
                    }
                }
                (None, None, None) => {}
                _ => self.found.push(Violation::HalfDelivered { order: order() }),
            }
        }
        for (index, order) in self.day.orders.iter().enumerate() {
            if !self.lines.contains_key(&index) {
                self.found.push(Violation::NotListed { order: order.name.clone() });
            }
        }
    }

    /// An order once, after placement, from one restaurant, picked up ready and within the shift.
    fn assignments(&mut self, solution: &Solution) {
        let mut assigned = HashSet::new();
        for assignment in &solution.assignments {
            let (pick_up, courier) = (assignment.picked_up, || assignment.courier.clone());
            match self.couriers.get(&*assignment.courier) {
                None => self.found.push(Violation::UnknownCourier { courier: courier() }),
                Some(&index) if pick_up > self.day.couriers[index].off => {
                    let off = self.day.couriers[index].off;
                    self.found.push(Violation::PickupAfterShift { courier: courier(), pick_up, off });
                }
                Some(_) => {}
            }
            let mut restaurant = None;
            for name in &assignment.orders {
                let order = || name.clone();
                let Some(&index) = self.orders.get(&**name) else {
                    self.found.push(Violation::UnknownOrder { order: order() });
                    continue;
                };
                let given = &self.day.orders[index];
                if !assigned.insert(index) {
                    self.found.push(Violation::AssignedTwice { order: order() });
                }
                if assignment.assigned < given.placed {
                    let (assigned, placed) = (assignment.assigned, given.placed);
                    self.found.push(Violation::AssignedBeforePlacement { order: order(), assigned, placed });
                }
                if pick_up < given.ready {
                    self.found.push(Violation::PickupBeforeReady {
                        order: order(),
                        pick_up,
                        ready: given.ready,
                    });
                }
                if *restaurant.get_or_insert(given.restaurant) != given.restaurant {
                    self.found.push(Violation::SeveralRestaurants {
                        order: order(),
                        courier: courier(),
                        pick_up,
                    });
                }
                if let Some(line) = self.lines.get(&index)
                    && (line.picked_up, line.courier.as_ref()) != (Some(pick_up), Some(&assignment.courier))
                {
                    self.found.push(Violation::LineDiffers { order: order(), courier: courier(), pick_up });
                }
            }
        }
        for (index, order) in self.day.orders.iter().enumerate() {
            let delivered = self.lines.get(&index).is_some_and(|line| line.dropped_off.is_some());
            if delivered && !assigned.contains(&index) {
                self.found.push(Violation::NeverAssigned { order: order.name.clone() });
            }
        }
    }

    /// A block of drives a courier, and in it exactly the drives of the courier's assignments.
    fn moves(&mut self, solution: &Solution) {
        let mut drives: HashMap<&str, &[Move]> = HashMap::new();
        for block in solution.moves.chunk_by(|a, b| a.courier == b.courier) {
            let courier = &*block[0].courier;
            if !self.couriers.contains_key(courier) {
                self.found.push(Violation::UnknownCourier { courier: courier.to_owned() });
            }
            if drives.insert(courier, block).is_some() {
                self.found.push(Violation::BlockSplit { courier: courier.to_owned() });
            }
        }
        for (courier, given) in self.day.couriers.iter().enumerate() {
            let mut assignments: Vec<&Assignment> =
                solution.assignments.iter().filter(|assignment| assignment.courier == given.name).collect();
            assignments.sort_by_key(|assignment| assignment.picked_up);
            let errands = assignments.iter().flat_map(|assignment| self.errands(assignment)).collect();
            self.shift(courier, errands, drives.get(&*given.name).copied().unwrap_or_default());
        }
    }

    /// The places an assignment leads to. Unknown orders are reported elsewhere.
    fn errands<'b>(&self, assignment: &'b Assignment) -> Vec<Errand<'b>> {
        let orders: Vec<usize> =
            assignment.orders.iter().filter_map(|name| self.orders.get(&**name)).copied().collect();
        let pick_up =
            orders.first().map(|&order| Errand::PickUp(assignment, self.day.orders[order].restaurant));
        pick_up.into_iter().chain(orders.into_iter().map(Errand::DropOff)).collect()
    }

    /// Follows a courier through the day: each drive starts where and not before the last one's errand ended,
    /// and each handing over happens as soon as the drive allows.
    fn shift(&mut self, courier: usize, errands: Vec<Errand<'_>>, moves: &[Move]) {
        let (day, given) = (self.day, &self.day.couriers[courier]);
        let (half_pickup, half_dropoff) =
            (day.parameters.pickup_service / 2, day.parameters.dropoff_service / 2);
        let name = || given.name.clone();
        let (mut place, mut at, mut free) = (given.place, START, given.on);
        let mut moves = moves.iter();
        for errand in errands {
            let (destination, to): (&str, Place) = match errand {
                Errand::PickUp(_, index) => (&day.restaurants[index].name, day.restaurants[index].place),
                Errand::DropOff(index) => (&day.orders[index].name, day.orders[index].drop_off),
            };
            let Some(drive) = moves.next() else {
                self.found
                    .push(Violation::MoveMissing { courier: name(), destination: destination.to_owned() });
                return;
            };
            let departure = drive.departure;
            if drive.destination != destination {
                // From here on nothing fits any more; one violation says it.
                self.found.push(Violation::Unassigned {
                    courier: name(),
                    departure,
                    to: drive.destination.clone(),
                });
                return;
            }
            if drive.origin != at {
                self.found.push(Violation::Disconnected { courier: name(), departure, at: at.to_owned() });
            }
            if departure < free {
                self.found.push(match at {
                    START => Violation::BeforeShift { courier: name(), departure, on: free },
                    _ => Violation::LeavesEarly { courier: name(), departure, free, at: at.to_owned() },
                });
            }
            let arrival = departure + day.travel(place, to);
            free = match errand {
                Errand::PickUp(assignment, _) => {
                    if departure < assignment.assigned {
                        let assigned = assignment.assigned;
                        self.found.push(Violation::BeforeAssignment { courier: name(), departure, assigned });
                    }
                    let orders = assignment.orders.iter().filter_map(|name| self.orders.get(&**name));
                    let ready = orders.map(|&order| day.orders[order].ready).max().unwrap_or(arrival);
                    let expected = ready.max(arrival + half_pickup);
                    let pick_up = assignment.picked_up;
                    if pick_up != expected {
                        self.found.push(Violation::PickupTime { courier: name(), pick_up, expected });
                    }
                    pick_up + half_pickup
                }
                Errand::DropOff(index) => {
                    let expected = arrival + half_dropoff;
                    let drop_off = self.lines.get(&index).and_then(|line| line.dropped_off);
                    if let Some(drop_off) = drop_off.filter(|&drop_off| drop_off != expected) {
                        let order = destination.to_owned();
                        self.found.push(Violation::DropOffTime { order, drop_off, expected });
                    }
                    drop_off.unwrap_or(expected) + half_dropoff
                }
            };
            (place, at) = (to, destination);
        }
        if let Some(drive) = moves.next() {
            let (departure, to) = (drive.departure, drive.destination.clone());
            self.found.push(Violation::Unassigned { courier: name(), departure, to });
        }
    }
}
