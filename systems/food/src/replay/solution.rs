//! What was done on a day, in the three files the public evaluator reads.

mod figures;

use std::fs;
use std::io;
use std::path::Path;

use super::day::Day;
use super::table::{self, Fault, Row, TableError};

#[allow(unused_imports, reason = "named by whoever keeps or compares the figures of a solution")]
pub(crate) use figures::{Figures, Spread};

const ASSIGNMENTS: &str = "solution_info_assignments.txt";
const ORDERS: &str = "solution_info_orders.txt";
const COURIERS: &str = "solution_info_couriers.txt";

/// The origin of a courier's first move.
pub(crate) const START: &str = "0";

/// What stands for a thing that never happened.
const NEVER: &str = "NA";

/// The three files. Names are those of the day, times are minutes since midnight.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Solution {
    pub(crate) assignments: Vec<Assignment>,
    pub(crate) orders: Vec<OrderLine>,
    pub(crate) moves: Vec<Move>,
}

/// A bundle given to a courier.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Assignment {
    /// Minute of the final commitment.
    pub(crate) assigned: i64,
    pub(crate) picked_up: i64,
    pub(crate) courier: String,
    /// In the sequence of delivery.
    pub(crate) orders: Vec<String>,
}

/// What became of an order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OrderLine {
    pub(crate) order: String,
    pub(crate) placed: i64,
    pub(crate) ready: i64,
    pub(crate) picked_up: Option<i64>,
    pub(crate) dropped_off: Option<i64>,
    pub(crate) courier: Option<String>,
}

/// A drive of a courier.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Move {
    pub(crate) courier: String,
    pub(crate) departure: i64,
    /// [`START`], a restaurant or an order.
    pub(crate) origin: String,
    /// A restaurant or an order.
    pub(crate) destination: String,
}

/// One bundle from the offer to the last door, as a replay sees it. Couriers and orders by index in the day.
#[derive(Clone, Debug)]
pub(crate) struct Trip {
    pub(crate) courier: usize,
    pub(crate) assigned: i64,
    /// When the courier left for the restaurant.
    pub(crate) departed: i64,
    pub(crate) picked_up: i64,
    /// Orders with the minute of their drop-off, in sequence.
    pub(crate) stops: Vec<(usize, i64)>,
}

// === impl Solution ===

impl Solution {
    /// The solution that consists of these trips; each drive begins when the service before it ends. Trips
    /// that name orders or couriers the day does not have, or no order at all, are left out.
    pub(crate) fn of(day: &Day, trips: &[Trip]) -> Self {
        let exist = |trip: &&Trip| {
            let orders = trip.stops.iter().all(|&(order, _)| order < day.orders.len());
            trip.courier < day.couriers.len() && orders && !trip.stops.is_empty()
        };
        let mut trips: Vec<&Trip> = trips.iter().filter(exist).collect();
        trips.sort_by_key(|trip| (trip.assigned, trip.picked_up, trip.courier));
        let mut solution = Self {
            orders: (day.orders.iter())
                .map(|order| OrderLine {
                    order: order.name.clone(),
                    placed: order.placed,
                    ready: order.ready,
                    picked_up: None,
                    dropped_off: None,
                    courier: None,
                })
                .collect(),
            ..Self::default()
        };
        for trip in &trips {
            let courier = &day.couriers[trip.courier].name;
            for &(order, dropped_off) in &trip.stops {
                let line = &mut solution.orders[order];
                line.picked_up = Some(trip.picked_up);
                line.dropped_off = Some(dropped_off);
                line.courier = Some(courier.clone());
            }
            solution.assignments.push(Assignment {
                assigned: trip.assigned,
                picked_up: trip.picked_up,
                courier: courier.clone(),
                orders: trip.stops.iter().map(|&(order, _)| day.orders[order].name.clone()).collect(),
            });
        }
        trips.sort_by_key(|trip| (trip.courier, trip.picked_up));
        for shift in trips.chunk_by(|a, b| a.courier == b.courier) {
            solution.moves.extend(moves(day, shift));
        }
        solution
    }

    /// Writes the three files into a directory.
    ///
    /// # Errors
    /// What the file system answers.
    pub(crate) fn write(&self, directory: &Path) -> io::Result<()> {
        let time = |at: Option<i64>| at.map_or_else(|| NEVER.to_owned(), |at| at.to_string());
        let assignments = self.assignments.iter().map(|row| {
            format!("{} {} {} {}", row.assigned, row.picked_up, row.courier, row.orders.join(" "))
        });
        let orders = self.orders.iter().map(|row| {
            let (picked_up, dropped_off) = (time(row.picked_up), time(row.dropped_off));
            let courier = row.courier.as_deref().unwrap_or(NEVER);
            format!("{} {} {} {picked_up} {dropped_off} {courier}", row.order, row.placed, row.ready)
        });
        let moves = (self.moves.iter())
            .map(|row| format!("{} {} {} {}", row.courier, row.departure, row.origin, row.destination));
        fs::write(
            directory.join(ASSIGNMENTS),
            text("assignment_time pickup_time courier orders", assignments),
        )?;
        fs::write(
            directory.join(ORDERS),
            text("order placement_time ready_time pickup_time dropoff_time courier", orders),
        )?;
        fs::write(directory.join(COURIERS), text("courier departure_time origin destination", moves))
    }

    /// Reads the three files of a directory.
    ///
    /// # Errors
    /// The first line that is not of the format, with its file. Whether the content makes sense is for the
    /// checker.
    pub(crate) fn read(directory: &Path) -> Result<Self, TableError> {
        let text = |file| table::text(directory, file);
        Ok(Self {
            assignments: lines(ASSIGNMENTS, &text(ASSIGNMENTS)?, |row| {
                if row.fields.len() < 4 {
                    return Err(row.fault(Fault::Columns { expected: 4, found: row.fields.len() }));
                }
                Ok(Assignment {
                    assigned: row.minutes(0, "assignment_time")?,
                    picked_up: row.minutes(1, "pickup_time")?,
                    courier: row.fields[2].to_owned(),
                    orders: row.fields[3..].iter().map(|&order| order.to_owned()).collect(),
                })
            })?,
            orders: lines(ORDERS, &text(ORDERS)?, |row| {
                row.expect(6)?;
                let happened = |index: usize| row.fields[index] != NEVER;
                Ok(OrderLine {
                    order: row.fields[0].to_owned(),
                    placed: row.minutes(1, "placement_time")?,
                    ready: row.minutes(2, "ready_time")?,
                    picked_up: happened(3).then(|| row.minutes(3, "pickup_time")).transpose()?,
                    dropped_off: happened(4).then(|| row.minutes(4, "dropoff_time")).transpose()?,
                    courier: happened(5).then(|| row.fields[5].to_owned()),
                })
            })?,
            moves: lines(COURIERS, &text(COURIERS)?, |row| {
                row.expect(4)?;
                Ok(Move {
                    courier: row.fields[0].to_owned(),
                    departure: row.minutes(1, "departure_time")?,
                    origin: row.fields[2].to_owned(),
                    destination: row.fields[3].to_owned(),
                })
            })?,
        })
    }
}

fn lines<T>(
    file: &str,
    text: &str,
    parse: impl Fn(&Row<'_>) -> Result<T, TableError>,
) -> Result<Vec<T>, TableError> {
    table::rows(file, text, ' ').map(|row| parse(&row)).collect()
}

/// A table with its header.
fn text(header: &str, rows: impl Iterator<Item = String>) -> String {
    std::iter::once(header.to_owned()).chain(rows).fold(String::new(), |text, row| text + &row + "\n")
}

/// The drives of one courier's trips.
fn moves(day: &Day, trips: &[&Trip]) -> Vec<Move> {
    let (half_pickup, half_dropoff) = (day.parameters.pickup_service / 2, day.parameters.dropoff_service / 2);
    let mut moves = Vec::new();
    let mut origin = START.to_owned();
    let mut go = |courier: usize, departure: i64, destination: &str| {
        let origin = std::mem::replace(&mut origin, destination.to_owned());
        let courier = day.couriers[courier].name.clone();
        moves.push(Move { courier, departure, origin, destination: destination.to_owned() });
    };
    for trip in trips {
        let Some(&(first, _)) = trip.stops.first() else { continue };
        go(trip.courier, trip.departed, &day.restaurants[day.orders[first].restaurant].name);
        let mut departure = trip.picked_up + half_pickup;
        for &(order, dropped_off) in &trip.stops {
            go(trip.courier, departure, &day.orders[order].name);
            departure = dropped_off + half_dropoff;
        }
    }
    moves
}
