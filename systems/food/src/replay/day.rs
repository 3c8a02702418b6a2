//! A delivery day as the public Meal Delivery Routing Problem set writes it.
//!
//! Four tab-separated files in a directory, a header line each. Times are whole minutes since midnight,
//! places are metres on a plane.

#[cfg(test)]
mod generated;

use std::collections::HashMap;
use std::path::Path;

use super::table::{self, Fault, Row, TableError};

const RESTAURANTS: &str = "restaurants.txt";
const ORDERS: &str = "orders.txt";
const COURIERS: &str = "couriers.txt";
const PARAMETERS: &str = "instance_parameters.txt";

/// Everything that is given about a day.
#[derive(Clone, Debug)]
pub(crate) struct Day {
    pub(crate) restaurants: Vec<Restaurant>,
    pub(crate) orders: Vec<Order>,
    pub(crate) couriers: Vec<Courier>,
    pub(crate) parameters: Parameters,
}

/// A place in metres on a plane.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Place {
    pub(crate) x: f64,
    pub(crate) y: f64,
}

/// Where food is picked up.
#[derive(Clone, Debug)]
pub(crate) struct Restaurant {
    pub(crate) name: String,
    pub(crate) place: Place,
}

/// An order of the day.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) name: String,
    pub(crate) drop_off: Place,
    /// Minute of placement; nobody may know of the order before.
    pub(crate) placed: i64,
    /// Index of the restaurant.
    pub(crate) restaurant: usize,
    /// Minute the food is ready, known from placement.
    pub(crate) ready: i64,
}

/// A courier's shift.
#[derive(Clone, Debug)]
pub(crate) struct Courier {
    pub(crate) name: String,
    /// Where the shift starts.
    pub(crate) place: Place,
    /// First minute of the shift.
    pub(crate) on: i64,
    /// Last minute for a pickup.
    pub(crate) off: i64,
}

/// The constants of a day that dispatch and its rules need; times in minutes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parameters {
    pub(crate) metres_per_minute: f64,
    pub(crate) pickup_service: i64,
    pub(crate) dropoff_service: i64,
    pub(crate) target_click_to_door: i64,
    pub(crate) max_click_to_door: i64,
}

// === impl Day ===

impl Day {
    /// Reads the four files of a directory.
    ///
    /// # Errors
    /// The first thing found wrong, with file and line: unreadable files, fields that are missing or are no
    /// numbers, unknown restaurants, names given twice, times that contradict each other.
    pub(crate) fn read(directory: &Path) -> Result<Self, TableError> {
        let text = |file| table::text(directory, file);
        Self::parse(&text(RESTAURANTS)?, &text(ORDERS)?, &text(COURIERS)?, &text(PARAMETERS)?)
    }

    /// Like [`read`](Self::read), from the texts of the files.
    pub(crate) fn parse(
        restaurants: &str,
        orders: &str,
        couriers: &str,
        parameters: &str,
    ) -> Result<Self, TableError> {
        let restaurants = named(RESTAURANTS, restaurants, restaurant, |restaurant| &restaurant.name)?;
        let index: HashMap<&str, usize> =
            restaurants.iter().enumerate().map(|(index, restaurant)| (&*restaurant.name, index)).collect();
        let orders = named(ORDERS, orders, |row| order(row, &index), |order| &order.name)?;
        let couriers = named(COURIERS, couriers, courier, |courier| &courier.name)?;
        let row = table::rows(PARAMETERS, parameters, '\t').next();
        let row = row.ok_or_else(|| table::whole(PARAMETERS, Fault::Empty))?;
        Ok(Self { parameters: constants(&row)?, restaurants, orders, couriers })
    }

    /// Whole minutes from one place to another: the straight line at constant speed, rounded up.
    pub(crate) fn travel(&self, from: Place, to: Place) -> i64 {
        let (dx, dy) = (from.x - to.x, from.y - to.y);
        // Not `hypot`: the square root of an exact sum is exact, and a whole minute must not be rounded to
        // the next.
        ((dx * dx + dy * dy).sqrt() / self.parameters.metres_per_minute).ceil() as i64
    }
}

/// The rows of a table whose first column is a unique name.
fn named<T>(
    file: &str,
    text: &str,
    parse: impl Fn(&Row<'_>) -> Result<T, TableError>,
    name: impl Fn(&T) -> &String,
) -> Result<Vec<T>, TableError> {
    let mut seen = HashMap::new();
    let mut found = Vec::new();
    for row in table::rows(file, text, '\t') {
        let item = parse(&row)?;
        if seen.insert(name(&item).clone(), ()).is_some() {
            return Err(row.fault(Fault::Duplicate { name: name(&item).clone() }));
        }
        found.push(item);
    }
    Ok(found)
}

fn restaurant(row: &Row<'_>) -> Result<Restaurant, TableError> {
    row.expect(3)?;
    Ok(Restaurant { name: row.fields[0].to_owned(), place: place(row)? })
}

fn order(row: &Row<'_>, restaurants: &HashMap<&str, usize>) -> Result<Order, TableError> {
    row.expect(6)?;
    let name = row.fields[4];
    let restaurant = restaurants
        .get(name)
        .copied()
        .ok_or_else(|| row.fault(Fault::Unknown { column: "restaurant", name: name.to_owned() }))?;
    let (placed, ready) = (row.minutes(3, "placement_time")?, row.minutes(5, "ready_time")?);
    if ready < placed {
        return Err(row.fault(Fault::Contradiction("the food is ready before the order is placed")));
    }
    Ok(Order { name: row.fields[0].to_owned(), drop_off: place(row)?, placed, restaurant, ready })
}

fn courier(row: &Row<'_>) -> Result<Courier, TableError> {
    row.expect(5)?;
    let (on, off) = (row.minutes(3, "on_time")?, row.minutes(4, "off_time")?);
    if off < on {
        return Err(row.fault(Fault::Contradiction("the shift ends before it begins")));
    }
    Ok(Courier { name: row.fields[0].to_owned(), place: place(row)?, on, off })
}

fn place(row: &Row<'_>) -> Result<Place, TableError> {
    Ok(Place { x: row.number(1, "x")?, y: row.number(2, "y")? })
}

fn constants(row: &Row<'_>) -> Result<Parameters, TableError> {
    // The last two columns are about pay, which dispatch does not look at.
    row.expect(7)?;
    let parameters = Parameters {
        metres_per_minute: row.number(0, "meters_per_minute")?,
        pickup_service: row.minutes(1, "pickup service minutes")?,
        dropoff_service: row.minutes(2, "dropoff service minutes")?,
        target_click_to_door: row.minutes(3, "target click-to-door")?,
        max_click_to_door: row.minutes(4, "maximum click-to-door")?,
    };
    // Below a metre a minute, travel times would leave the range in which sums are safe.
    if parameters.metres_per_minute < 1.0 {
        return Err(row.fault(Fault::Contradiction("a speed is at least a metre a minute")));
    }
    // A service counts half before and half after the handing over, in whole minutes.
    if [parameters.pickup_service, parameters.dropoff_service].iter().any(|&time| time < 0 || time % 2 != 0) {
        return Err(row.fault(Fault::Contradiction("a service time is an even number of minutes")));
    }
    Ok(parameters)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESTAURANT: &str = "restaurant\tx\ty\nr1\t0\t0\n";
    const ORDER: &str = "order\tx\ty\tplacement_time\trestaurant\tready_time\no1\t300\t400\t5\tr1\t15\n";
    const COURIER: &str = "courier\tx\ty\ton_time\toff_time\nc1\t0\t100\t0\t90\n";
    const CONSTANTS: &str = "header\n250\t4\t4\t40\t90\t10\t15\n";

    #[test]
    fn a_day_is_read() {
        let day = Day::parse(RESTAURANT, ORDER, COURIER, CONSTANTS).unwrap();
        assert_eq!((day.orders[0].placed, day.orders[0].restaurant, day.orders[0].ready), (5, 0, 15));
        assert_eq!((day.couriers[0].on, day.couriers[0].off), (0, 90));
        assert_eq!(
            day.travel(day.restaurants[0].place, day.orders[0].drop_off),
            2,
            "500 m at 250 m a minute"
        );
        assert_eq!(day.travel(day.couriers[0].place, day.restaurants[0].place), 1, "rounded up");
    }

    #[test]
    fn bad_input_is_named_with_file_and_line() {
        let check = |file: &str, from: &str, to: &str, expect: &str| {
            let text = |name, text: &str| if name == file { text.replace(from, to) } else { text.to_owned() };
            let error = Day::parse(
                &text(RESTAURANTS, RESTAURANT),
                &text(ORDERS, ORDER),
                &text(COURIERS, COURIER),
                &text(PARAMETERS, CONSTANTS),
            );
            assert_eq!(error.unwrap_err().to_string(), expect);
        };
        check(ORDERS, "o1\t300", "o1\t3oo", "orders.txt:2: x is \"3oo\", which is not a usable number");
        check(ORDERS, "o1\t300", "o1\tNaN", "orders.txt:2: x is \"NaN\", which is not a usable number");
        check(
            ORDERS,
            "\t5\t",
            "\t5.5\t",
            "orders.txt:2: placement_time is \"5.5\", which is not a usable number",
        );
        check(ORDERS, "r1", "r2", "orders.txt:2: restaurant \"r2\" is unknown");
        check(ORDERS, "\t15", "\t4", "orders.txt:2: the food is ready before the order is placed");
        check(ORDERS, "\t15", "", "orders.txt:2: 5 fields where 6 are expected");
        check(
            RESTAURANTS,
            "\nr1\t0\t0",
            "\nr1\t0\t0\n\nr1\t1\t1",
            "restaurants.txt:4: \"r1\" is there twice",
        );
        check(COURIERS, "\t90", "\t-90", "couriers.txt:2: the shift ends before it begins");
        check(PARAMETERS, "250", "0", "instance_parameters.txt:2: a speed is at least a metre a minute");
        check(
            PARAMETERS,
            "\t4\t4",
            "\t4\t3",
            "instance_parameters.txt:2: a service time is an even number of minutes",
        );
        check(
            PARAMETERS,
            "250\t4\t4\t40\t90\t10\t15\n",
            "",
            "instance_parameters.txt: has no line below the header",
        );
    }

    #[test]
    fn a_missing_directory_is_an_error() {
        let error = Day::read(Path::new("/nowhere/at/all")).unwrap_err();
        assert!(error.to_string().starts_with("restaurants.txt: cannot be read"), "{error}");
    }
}
