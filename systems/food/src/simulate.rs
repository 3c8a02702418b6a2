//! `food simulate`: plays recorded days through dispatch alone, without the services: what its decisions are worth, and
//! what they cost in time.

use std::fs;
use std::io::{Write, stderr, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use food_delivery::dispatch::simulate::{Shift, simulate};
use food_delivery::dispatch::{self, Config, Order, Overdue, Point, TravelModel};
use partie::System;
use partie::clap::{self, Arg, ArgAction, ArgMatches};
use partie::runtime::monotonic;

use crate::replay::check::check;
use crate::replay::day::{Day, Place};
use crate::replay::solution::{Solution, Trip};

/// A day's times are minutes, dispatch's are milliseconds.
const MINUTE: i64 = 60_000;

/// Why a day cannot be played.
type Failure = Box<dyn std::error::Error>;

pub(crate) fn command() -> clap::Command {
    clap::Command::new("simulate")
        .about("Play recorded days through dispatch alone and print what came of them")
        .arg(
            Arg::new("days")
                .value_name("DIR")
                .num_args(1..)
                .required(true)
                .help("Days of the public set's format"),
        )
        .arg(
            Arg::new("out")
                .long("out")
                .value_name("DIR")
                .help("Where the solution files go, a directory a day"),
        )
        .arg(
            Arg::new("deliver-overdue")
                .long("deliver-overdue")
                .action(ArgAction::SetTrue)
                .help("Also deliver orders that can no longer arrive within the day's maximum"),
        )
}

/// Exit code 1 when a day broke a rule, 2 when one cannot be read.
pub(crate) fn main(_: System, flags: &ArgMatches) -> ExitCode {
    let out = flags.get_one::<String>("out").map(PathBuf::from);
    let mut clean = true;
    for day in flags.get_many::<String>("days").into_iter().flatten() {
        match play(Path::new(day), out.as_deref(), flags.get_flag("deliver-overdue")) {
            Ok(without_violation) => clean &= without_violation,
            Err(error) => {
                writeln!(stderr(), "error: {error}").ok();
                return ExitCode::from(2);
            }
        }
    }
    if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Whether the day was played without breaking a rule.
fn play(directory: &Path, out: Option<&Path>, deliver_overdue: bool) -> Result<bool, Failure> {
    let day = Day::read(directory)?;
    let name = directory.file_name().unwrap_or(directory.as_os_str());
    let mut config = config(&day);
    if deliver_overdue {
        config.overdue = Overdue::Deliver;
    }
    let mut rounds = Vec::new();
    let trips = simulate(&orders(&day), &shifts(&day), &config, |snapshot, config| {
        let start = monotonic();
        let answer = dispatch::plan(snapshot, config);
        if !snapshot.orders.is_empty() {
            rounds.push(start.elapsed().as_micros());
        }
        answer
    });
    let trips: Vec<Trip> = trips.iter().map(in_minutes).collect();
    let mut solution = Solution::of(&day, &trips);
    if let Some(out) = out {
        let out = out.join(name);
        fs::create_dir_all(&out)?;
        solution.write(&out)?;
        // What is judged is what others will read.
        solution = Solution::read(&out)?;
    }
    let violations = check(&day, &solution);

    let mut page = stdout().lock();
    writeln!(page, "{}\n{}", name.display(), solution.figures(&day))?;
    rounds.sort_unstable();
    let at = |percent: usize| {
        rounds.get(rounds.len() * percent / 100).or_else(|| rounds.last()).copied().unwrap_or(0)
    };
    let mean = rounds.iter().sum::<u128>() / rounds.len().max(1) as u128;
    let (median, worst) = (at(50), at(100));
    writeln!(page, "microseconds       mean {mean}, p50 {median}, p99 {}, max {worst} a round", at(99))?;
    writeln!(page, "violations         {}\n", violations.len())?;
    for violation in &violations {
        writeln!(page, "  {violation}")?;
    }
    Ok(violations.is_empty())
}

fn in_minutes(trip: &dispatch::simulate::Trip) -> Trip {
    let stops = trip.assignment.stops.iter();
    Trip {
        courier: trip.assignment.courier as usize,
        assigned: trip.assigned_at / MINUTE,
        departed: trip.assigned_at / MINUTE,
        picked_up: trip.assignment.pick_up_at / MINUTE,
        stops: stops.map(|stop| (stop.order as usize, stop.drop_off_at / MINUTE)).collect(),
    }
}

fn config(day: &Day) -> Config {
    let given = &day.parameters;
    let mut config = Config::replay(TravelModel {
        metres_per_minute: given.metres_per_minute,
        pickup_service: given.pickup_service * MINUTE,
        dropoff_service: given.dropoff_service * MINUTE,
        round_up_to: Some(MINUTE),
    });
    config.target_click_to_door = given.target_click_to_door * MINUTE;
    config.max_click_to_door = given.max_click_to_door * MINUTE;
    config
}

fn orders(day: &Day) -> Vec<Order> {
    (day.orders.iter().zip(0..))
        .map(|(order, id)| Order {
            id,
            restaurant: order.restaurant as u64,
            pick_up: point(day.restaurants[order.restaurant].place),
            drop_off: point(order.drop_off),
            placed_at: order.placed * MINUTE,
            ready_at: order.ready * MINUTE,
            excluded: Vec::new(),
        })
        .collect()
}

fn shifts(day: &Day) -> Vec<Shift> {
    (day.couriers.iter().zip(0..))
        .map(|(courier, id)| Shift {
            courier: id,
            place: point(courier.place),
            on: courier.on * MINUTE,
            off: courier.off * MINUTE,
        })
        .collect()
}

fn point(place: Place) -> Point {
    Point { x: place.x, y: place.y }
}
