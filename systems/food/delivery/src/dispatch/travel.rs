//! How long driving and handing over take.

use super::snapshot::Point;

/// Longer than any drive that matters (115 days), short enough that sums of thousands stay exact.
pub(super) const FAR: i64 = 10_000_000_000;

const MINUTE: f64 = 60_000.0;

/// Travel and service times of a city.
///
/// A courier parks for half of a service time, the food changes hands, and the courier leaves another half
/// later.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TravelModel {
    /// Average speed as the crow flies, metres a minute.
    pub metres_per_minute: f64,
    /// Time a courier spends at the restaurant besides waiting, milliseconds.
    pub pickup_service: i64,
    /// Time a courier spends at a door, milliseconds.
    pub dropoff_service: i64,
    /// Granularity of a drive, milliseconds, upwards. The instances of the literature count whole minutes,
    /// live service does not round.
    pub round_up_to: Option<i64>,
}

impl TravelModel {
    /// Milliseconds from one place to another. Nonsense (no speed, no place) is far away.
    #[must_use]
    pub fn time(&self, from: Point, to: Point) -> i64 {
        let (dx, dy) = (from.x - to.x, from.y - to.y);
        // Not `hypot`: the square root of an exact sum is exact, and a whole minute must not be rounded to
        // the next.
        let metres = (dx * dx + dy * dy).sqrt();
        if metres == 0.0 {
            return 0;
        }
        let unit = self.round_up_to.filter(|unit| (1..FAR).contains(unit));
        let time = match unit {
            Some(unit) => (metres / (self.metres_per_minute * (unit as f64 / MINUTE))).ceil() * unit as f64,
            None => (metres / self.metres_per_minute * MINUTE).round(),
        };
        // The comparison is false for NaN, so that nonsense is far and not here.
        if time >= 0.0 && time < FAR as f64 { time as i64 } else { FAR }
    }

    /// Half the service time at the restaurant, milliseconds: before the food is picked up, and again after.
    #[must_use]
    pub fn half_pickup(&self) -> i64 {
        self.pickup_service.clamp(0, FAR) / 2
    }

    /// Half the service time at a door, milliseconds: before the food is handed over, and again after.
    #[must_use]
    pub fn half_dropoff(&self) -> i64 {
        self.dropoff_service.clamp(0, FAR) / 2
    }
}

impl Default for TravelModel {
    /// A city by bicycle and scooter: the speed and the service times of the public instances, unrounded.
    fn default() -> Self {
        Self {
            metres_per_minute: 320.0,
            pickup_service: 240_000,
            dropoff_service: 240_000,
            round_up_to: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(metres: f64, round_up_to: Option<i64>) -> i64 {
        let model = TravelModel { round_up_to, ..TravelModel::default() };
        model.time(Point::default(), Point { x: metres, y: 0.0 })
    }

    #[test]
    fn whole_minutes_are_rounded_up_and_exact_ones_kept() {
        assert_eq!(time(0.0, Some(60_000)), 0);
        assert_eq!(time(1.0, Some(60_000)), 60_000);
        assert_eq!(time(320.0, Some(60_000)), 60_000);
        assert_eq!(time(320.1, Some(60_000)), 120_000);
        assert_eq!(time(160.0, None), 30_000);
    }

    #[test]
    fn nonsense_is_far() {
        assert_eq!(time(f64::NAN, None), FAR);
        assert_eq!(time(f64::INFINITY, Some(60_000)), FAR);
        assert_eq!(time(f64::MAX, None), FAR);
        let stuck = TravelModel { metres_per_minute: 0.0, ..TravelModel::default() };
        assert_eq!(stuck.time(Point::default(), Point { x: 1.0, y: 1.0 }), FAR);
        let backwards = TravelModel { metres_per_minute: -1.0, ..TravelModel::default() };
        assert_eq!(backwards.time(Point::default(), Point { x: 1.0, y: 1.0 }), FAR);
    }
}
