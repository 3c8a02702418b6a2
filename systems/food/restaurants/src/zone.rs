//! Distances on the globe, and bounds around what is near.

use food_contracts::Place;

/// The mean radius of the Earth, in metres (IUGG).
const RADIUS: f64 = 6_371_008.8;

/// A box of latitudes and longitudes that holds everything within a distance of a place, and some more.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bounds {
    /// South and north.
    pub(crate) lat: (f64, f64),
    /// West and east, in two parts where it crosses the antimeridian, else twice the same.
    pub(crate) lon: [(f64, f64); 2],
}

/// Metres between two places along a great circle.
pub(crate) fn metres(a: Place, b: Place) -> f64 {
    // Haversine: exact enough near and far, and it does not care on which side of the antimeridian the places are.
    let half = |from: f64, to: f64| ((to - from).to_radians() / 2.0).sin().powi(2);
    let along = a.lat.to_radians().cos() * b.lat.to_radians().cos();
    let chord = half(a.lat, b.lat) + along * half(a.lon, b.lon);
    2.0 * RADIUS * chord.clamp(0.0, 1.0).sqrt().asin()
}

/// Metres, rounded: what lists are sorted by.
pub(crate) fn whole_metres(a: Place, b: Place) -> u32 {
    // At most half the circumference, which fits.
    metres(a, b).round() as u32
}

// === impl Bounds ===

impl Bounds {
    /// Around a place, that far in every direction.
    pub(crate) fn around(place: Place, metres: f64) -> Self {
        const ALL: (f64, f64) = (-180.0, 180.0);
        let angle = metres / RADIUS;
        let reach = angle.to_degrees();
        let lat = (place.lat - reach, place.lat + reach);
        if lat.0 <= -90.0 || lat.1 >= 90.0 {
            // A pole is inside, and with it every longitude.
            return Self { lat: (lat.0.max(-90.0), lat.1.min(90.0)), lon: [ALL; 2] };
        }
        // The widest longitudes are not at the place's latitude but where the circle touches a meridian.
        let wide = (angle.sin() / place.lat.to_radians().cos()).min(1.0).asin().to_degrees();
        let (west, east) = (place.lon - wide, place.lon + wide);
        let lon = if west < -180.0 {
            [(west + 360.0, 180.0), (-180.0, east)]
        } else if east > 180.0 {
            [(west, 180.0), (-180.0, east - 360.0)]
        } else {
            [(west, east); 2]
        };
        Self { lat, lon }
    }

    /// Whether a place is inside.
    #[cfg(test)]
    fn holds(&self, place: Place) -> bool {
        let within = |(low, high): (f64, f64), value: f64| low <= value && value <= high;
        within(self.lat, place.lat) && self.lon.iter().any(|lon| within(*lon, place.lon))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place(lat: f64, lon: f64) -> Place {
        Place::new(lat, lon).unwrap()
    }

    #[test]
    fn known_distances() {
        for (a, b, expected) in [
            ((52.52, 13.405), (48.8566, 2.3522), 877_464.0), // Berlin, Paris
            ((0.5, 179.9), (0.5, -179.9), 22_239.0),         // across the antimeridian
            ((0.0, 180.0), (0.0, -180.0), 0.0),              // the same meridian
            ((90.0, 0.0), (-90.0, 0.0), 20_015_115.0),       // pole to pole
            ((90.0, 10.0), (90.0, -170.0), 0.0),             // the same pole
        ] {
            let metres = metres(place(a.0, a.1), place(b.0, b.1));
            assert!((metres - expected).abs() < 2.0, "{a:?} {b:?}: {metres}");
        }
    }

    proptest! {
        #[test]
        fn a_box_holds_everything_within_its_distance(
            lat in -90.0..=90.0_f64, lon in -180.0..=180.0_f64,
            north in -1.0..=1.0_f64, east in -180.0..=180.0_f64,
            slack in 0.0..1000.0_f64,
        ) {
            let here = Place { lat, lon };
            let turned = lon + east;
            let wrapped = if turned > 180.0 { turned - 360.0 } else if turned < -180.0 { turned + 360.0 } else { turned };
            let there = Place { lat: (lat + north).clamp(-90.0, 90.0), lon: wrapped };
            // A millimetre for the rounding of the last digit.
            let reach = metres(here, there) + slack + 0.001;
            prop_assert!(Bounds::around(here, reach).holds(there), "{here:?} {there:?} {reach}");
        }
    }
}
