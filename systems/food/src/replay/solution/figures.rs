//! The figures by which solutions are compared.

use std::collections::HashMap;
use std::fmt;

use super::super::day::{Day, Place};
use super::{START, Solution};

/// What a day's solution is worth. Times in minutes, over the delivered orders.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Figures {
    /// Orders of the day.
    pub(crate) orders: usize,
    /// Orders that arrived.
    pub(crate) delivered: usize,
    /// From placement to the door.
    pub(crate) click_to_door: Spread,
    /// From ready food to the door.
    pub(crate) ready_to_door: Spread,
    /// From ready food to the courier's hands.
    pub(crate) ready_to_pickup: Spread,
    /// Share of the couriers' time on duty spent driving and handing over, from 0 to about 1.
    pub(crate) utilisation: f64,
    /// Orders carried in one trip on average.
    pub(crate) orders_per_bundle: f64,
}

/// How a time is spread over orders. All zero if there are none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Spread {
    pub(crate) mean: f64,
    /// Half of the orders take at most this.
    pub(crate) p50: i64,
    /// Nine of ten orders take at most this.
    pub(crate) p90: i64,
    pub(crate) max: i64,
}

impl Solution {
    /// The figures of this solution. Whether it keeps the rules is for the checker to say.
    pub(crate) fn figures(&self, day: &Day) -> Figures {
        let done = || self.orders.iter().filter_map(|line| Some((line, line.picked_up?, line.dropped_off?)));
        let bundled: usize = self.assignments.iter().map(|assignment| assignment.orders.len()).sum();
        Figures {
            orders: day.orders.len(),
            delivered: done().count(),
            click_to_door: Spread::of(done().map(|(line, _, dropped_off)| dropped_off - line.placed)),
            ready_to_door: Spread::of(done().map(|(line, _, dropped_off)| dropped_off - line.ready)),
            ready_to_pickup: Spread::of(done().map(|(line, picked_up, _)| picked_up - line.ready)),
            utilisation: ratio(
                self.work(day) as f64,
                day.couriers.iter().map(|c| c.off - c.on).sum::<i64>() as f64,
            ),
            orders_per_bundle: ratio(bundled as f64, self.assignments.len() as f64),
        }
    }

    /// Minutes all couriers drive and hand over.
    fn work(&self, day: &Day) -> i64 {
        let places: HashMap<&str, Place> = (day.restaurants.iter().map(|r| (&*r.name, r.place)))
            .chain(day.orders.iter().map(|order| (&*order.name, order.drop_off)))
            .collect();
        let starts: HashMap<&str, Place> = day.couriers.iter().map(|c| (&*c.name, c.place)).collect();
        let drive = |origin: &str, destination: &str, courier: &str| {
            let from = if origin == START { starts.get(courier) } else { places.get(origin) };
            from.zip(places.get(destination)).map_or(0, |(&from, &to)| day.travel(from, to))
        };
        let drives: i64 = self.moves.iter().map(|m| drive(&m.origin, &m.destination, &m.courier)).sum();
        let doors = self.orders.iter().filter(|line| line.dropped_off.is_some()).count() as i64;
        let counters = self.assignments.len() as i64;
        drives + counters * day.parameters.pickup_service + doors * day.parameters.dropoff_service
    }
}

impl Spread {
    fn of(times: impl Iterator<Item = i64>) -> Self {
        let mut times: Vec<i64> = times.collect();
        times.sort_unstable();
        // Nearest rank: the smallest time that at least this share of all does not exceed.
        let rank = |percent: usize| times.get((times.len() * percent).div_ceil(100).saturating_sub(1));
        Self {
            mean: ratio(times.iter().sum::<i64>() as f64, times.len() as f64),
            p50: rank(50).copied().unwrap_or(0),
            p90: rank(90).copied().unwrap_or(0),
            max: times.last().copied().unwrap_or(0),
        }
    }
}

fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "delivered          {} of {}", self.delivered, self.orders)?;
        writeln!(f, "click-to-door      {}", self.click_to_door)?;
        writeln!(f, "ready-to-door      {}", self.ready_to_door)?;
        writeln!(f, "ready-to-pickup    {}", self.ready_to_pickup)?;
        writeln!(f, "utilisation        {:.1} %", self.utilisation * 100.0)?;
        write!(f, "orders per bundle  {:.3}", self.orders_per_bundle)
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mean {:.2}, p50 {}, p90 {}, max {} min", self.mean, self.p50, self.p90, self.max)
    }
}
