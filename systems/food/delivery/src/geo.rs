//! Places on Earth as points on a plane, and the distance between them.

use food_contracts::Place;

use crate::dispatch::Point;

/// The mean radius of the Earth in metres (IUGG).
const RADIUS: f64 = 6_371_008.8;

/// The equirectangular projection: metres east and north of an origin. True within a city, where dispatch works.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Projection {
    origin: Place,
    /// Whether points are whole metres: a replay's places come back exactly, whatever the way through degrees did.
    snap: bool,
}

impl Projection {
    /// A projection around an origin; with `snap` to whole metres.
    pub fn around(origin: Place, snap: bool) -> Self {
        Self { origin, snap }
    }

    /// The point of a place. The shorter way around the Earth counts, so that the antimeridian is no edge.
    pub fn point(&self, place: Place) -> Point {
        let east = wrapped(place.lon - self.origin.lon).to_radians() * self.origin.lat.to_radians().cos();
        let north = (place.lat - self.origin.lat).to_radians();
        let (x, y) = (east * RADIUS, north * RADIUS);
        if self.snap { Point { x: x.round(), y: y.round() } } else { Point { x, y } }
    }

    /// The place of a point: the other way round.
    pub fn place(&self, point: Point) -> Place {
        let lat = self.origin.lat + (point.y / RADIUS).to_degrees();
        let east = point.x / (RADIUS * self.origin.lat.to_radians().cos());
        Place { lat, lon: wrapped(self.origin.lon + east.to_degrees()) }
    }
}

/// Metres between two places along a great circle (the haversine formula).
pub(crate) fn metres(from: Place, to: Place) -> f64 {
    let (lat, lon) = ((to.lat - from.lat).to_radians(), (to.lon - from.lon).to_radians());
    let a = (lat / 2.0).sin().powi(2)
        + from.lat.to_radians().cos() * to.lat.to_radians().cos() * (lon / 2.0).sin().powi(2);
    2.0 * RADIUS * a.sqrt().clamp(0.0, 1.0).asin()
}

/// Degrees of longitude, -180 to 180.
fn wrapped(degrees: f64) -> f64 {
    if (-180.0..=180.0).contains(&degrees) { degrees } else { (degrees + 180.0).rem_euclid(360.0) - 180.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BERLIN: Place = Place { lat: 52.52, lon: 13.405 };

    #[test]
    fn whole_metres_survive_the_way_through_degrees() {
        let projection = Projection::around(BERLIN, true);
        for (x, y) in [(0.0, 0.0), (1.0, -1.0), (12_345.0, 6_789.0), (-20_000.0, 20_000.0)] {
            let point = Point { x, y };
            assert_eq!(projection.point(projection.place(point)), point);
        }
    }

    #[test]
    fn the_antimeridian_is_no_edge() {
        let projection = Projection::around(Place { lat: 0.0, lon: 179.999 }, false);
        let point = projection.point(Place { lat: 0.0, lon: -179.999 });
        assert!((point.x - 222.39).abs() < 0.1, "{point:?}");
        assert!(
            (metres(Place { lat: 0.0, lon: 179.999 }, Place { lat: 0.0, lon: -179.999 }) - 222.39).abs()
                < 0.1
        );
        assert!(projection.place(Point { x: 500.0, y: 0.0 }).lon < -179.9);
    }

    #[test]
    fn plane_and_sphere_agree_within_a_city() {
        let to = Place { lat: 52.4986, lon: 13.4537 };
        let point = Projection::around(BERLIN, false).point(to);
        let plane = point.x.hypot(point.y);
        assert!((plane / metres(BERLIN, to) - 1.0).abs() < 0.001, "{plane}");
    }
}
