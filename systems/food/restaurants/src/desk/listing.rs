//! The list of restaurants, by name or nearest first.

use food_contracts::restaurants::{self as api, ListRestaurants, RestaurantError};
use food_contracts::{Place, RestaurantId};
use partie::contract::{Cursor, Id, Limit, Outcome, Page, Platform, Timestamp, Violation};
use partie::store::Tx;
use serde::Serialize;
use uuid::Uuid;

use crate::restaurant::Restaurant;
use crate::rows;
use crate::rows::restaurants::ByName;
use crate::zone::{Bounds, whole_metres};

/// How many restaurants one request looks at. When hardly any of them is open, the page is short and goes on.
const MOST_LOOKED_AT: usize = 1_000;
/// How far the first look around a place goes, in metres; each further one goes this many times as far.
const FIRST_REACH: u32 = 2_000;
const REACH_GROWTH: u32 = 4;
/// Half way around the globe, in metres: nothing is farther.
const EVERYWHERE: u32 = 20_020_000;

/// What somebody wants to see.
#[derive(Debug)]
pub(crate) struct Listing {
    cuisine: Option<String>,
    open_now: bool,
    limit: Limit,
    order: Order,
}

/// The order, and the place in it where the page starts.
#[derive(Debug)]
enum Order {
    Name(ByName),
    Distance { from: Place, most: u32, after: ByDistance },
}

/// Whole metres, so that a cursor means exactly the place it was made at.
type ByDistance = (u32, RestaurantId);

/// Collects a page.
struct Gathered<K> {
    limit: Limit,
    now: Timestamp,
    /// Whether closed ones are left out.
    open_now: bool,
    rows: Vec<(K, api::Restaurant)>,
    looked_at: usize,
    last: Option<K>,
}

// === impl Listing ===

impl Listing {
    /// # Errors
    /// What is wrong with the query, or its cursor.
    pub(crate) fn new(query: ListRestaurants) -> Result<Self, Platform> {
        let ListRestaurants { near, radius, cuisine, open_now, limit, after } = query;
        let order = match near.as_deref().map(place) {
            None if radius.is_some() => {
                return Err(Platform::invalid(vec![Violation::new("/radius", "needs `near`")]));
            }
            None => {
                let start = || (String::new(), RestaurantId::from_uuid(Uuid::nil()));
                Order::Name(after.map_or_else(|| Ok(start()), |after| after.key())?)
            }
            Some(Err(detail)) => return Err(Platform::invalid(vec![Violation::new("/near", detail)])),
            Some(Ok(from)) => {
                let start = || (0, RestaurantId::from_uuid(Uuid::nil()));
                let after = after.map_or_else(|| Ok(start()), |after| after.key())?;
                Order::Distance { from, most: radius.unwrap_or(EVERYWHERE).min(EVERYWHERE), after }
            }
        };
        Ok(Self { cuisine, open_now: open_now.unwrap_or(false), limit, order })
    }

    /// The page.
    pub(crate) fn page(self, tx: &mut Tx) -> Outcome<Page<api::Restaurant>, RestaurantError> {
        Ok(match &self.order {
            Order::Name(after) => self.by_name(tx, after.clone())?,
            Order::Distance { from, most, after } => self.by_distance(tx, *from, *most, *after)?,
        })
    }

    fn by_name(&self, tx: &mut Tx, mut after: ByName) -> Result<Page<api::Restaurant>, Platform> {
        let mut gathered = self.gather(tx.now());
        let at_once = self.limit.get() as usize + 1;
        loop {
            let some = rows::restaurants::by_name(tx, self.cuisine.as_deref(), &after, at_once)?;
            let is_end = some.len() < at_once;
            for restaurant in some {
                after = (restaurant.name.clone(), restaurant.id);
                if gathered.is_full_with(after.clone(), restaurant) {
                    return gathered.page(false);
                }
            }
            if is_end {
                return gathered.page(true);
            }
        }
    }

    /// Looks around in growing circles: near a city centre the first one is enough, and nobody has read the world.
    fn by_distance(
        &self,
        tx: &mut Tx,
        from: Place,
        most: u32,
        mut after: ByDistance,
    ) -> Result<Page<api::Restaurant>, Platform> {
        let mut gathered = self.gather(tx.now());
        let mut reach = FIRST_REACH.max(after.0.saturating_mul(2)).min(most);
        loop {
            // A metre more: distances are rounded.
            let bounds = Bounds::around(from, f64::from(reach) + 1.0);
            let around = rows::restaurants::within(tx, self.cuisine.as_deref(), &bounds)?;
            let mut ring: Vec<ByDistance> = around
                .into_iter()
                .map(|(id, place)| (whole_metres(from, place), id))
                .filter(|key| *key > after && key.0 <= reach)
                .collect();
            ring.sort_unstable();
            for key in ring {
                let Some(restaurant) = rows::restaurants::find(tx, key.1)? else { continue };
                if gathered.is_full_with(key, restaurant) {
                    return gathered.page(false);
                }
            }
            if reach >= most {
                return gathered.page(true);
            }
            after = (reach, RestaurantId::from_uuid(Uuid::max()));
            reach = reach.saturating_mul(REACH_GROWTH).min(most);
        }
    }

    fn gather<K>(&self, now: Timestamp) -> Gathered<K> {
        let Self { limit, open_now, .. } = *self;
        Gathered { limit, now, open_now, rows: Vec::new(), looked_at: 0, last: None }
    }
}

// === impl Gathered ===

impl<K: Serialize + Clone> Gathered<K> {
    /// Takes the next one in the order, if it is wanted, and says whether that was enough.
    fn is_full_with(&mut self, key: K, restaurant: Restaurant) -> bool {
        self.looked_at += 1;
        self.last = Some(key.clone());
        if !self.open_now || restaurant.is_open(self.now) {
            self.rows.push((key, restaurant.view(self.now)));
        }
        self.rows.len() > self.limit.get() as usize || self.looked_at >= MOST_LOOKED_AT
    }

    /// The page. `is_end` says that there are no more to look at.
    fn page(self, is_end: bool) -> Result<Page<api::Restaurant>, Platform> {
        let Self { limit, rows, last, .. } = self;
        // Stopped for having looked at enough: the next page starts behind the last one looked at.
        let next = last.filter(|_| !is_end && rows.len() <= limit.get() as usize);
        let Page { data, next: after_row } = Page::from_rows(rows, limit, |(key, _)| key.clone())?;
        let next = next.map(|key| Cursor::after(&key)).transpose()?;
        Ok(Page {
            data: data.into_iter().map(|(_, restaurant)| restaurant).collect(),
            next: after_row.or(next),
        })
    }
}

/// `lat,lon`.
fn place(text: &str) -> Result<Place, String> {
    let number = |text: &str| text.trim().parse::<f64>().ok();
    let both = text.split_once(',').and_then(|(lat, lon)| number(lat).zip(number(lon)));
    let (lat, lon) = both.ok_or("is not a latitude and a longitude, like `52.52,13.405`")?;
    Place::new(lat, lon).map_err(|error| error.to_string())
}
