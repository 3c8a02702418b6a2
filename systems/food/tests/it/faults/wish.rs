//! What is to become of an order: everybody on the stage can tell by looking at it.

use food_contracts::Place;
use food_contracts::seed::{item_id, restaurant_id};
use serde_json::{Value, json};

/// Where the demo restaurants are, by their numbers.
const RESTAURANTS: [(f64, f64); 3] = [(52.5200, 13.4050), (52.5304, 13.3847), (52.4986, 13.4037)];
/// The one nobody drives for.
const OUT_OF_THE_WAY: u32 = 2;
/// How far north of the restaurant an order goes for each step down the list of wishes, in degrees.
const STEP: f64 = 0.001;

/// What customer, kitchen and drivers are to make of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wish {
    /// Cooked, driven and delivered.
    Delivered,
    /// The same, with the driver before the kitchen.
    DriverFirst,
    /// The kitchen refuses.
    Declined,
    /// The kitchen refuses what a driver has taken already.
    DeclinedTooLate,
    /// The kitchen says nothing.
    Ignored,
    /// The customer cancels before the kitchen has answered.
    CancelledPending,
    /// The customer cancels before the kitchen cooks.
    CancelledConfirmed,
    /// The customer wants to cancel when the kitchen cooks.
    CancelledTooLate,
    /// Nobody opens the door, and the food goes back.
    NobodyAtDoor,
    /// Every driver declines.
    NoDriver,
    /// Every driver declines, and the kitchen is never asked.
    NoDriverFirst,
    /// Every driver declines, and the kitchen gives the food to nobody knows whom.
    HandedToNobody,
    /// The kitchen gives up what it has begun to cook.
    Burnt,
    /// The first driver gives up before the pickup.
    GivenUp,
    /// The first driver does not answer.
    OfferIgnored,
}

// === impl Wish ===

impl Wish {
    pub(crate) const ALL: [Self; 15] = [
        Self::Delivered,
        Self::DriverFirst,
        Self::Declined,
        Self::DeclinedTooLate,
        Self::Ignored,
        Self::CancelledPending,
        Self::CancelledConfirmed,
        Self::CancelledTooLate,
        Self::NobodyAtDoor,
        Self::NoDriver,
        Self::NoDriverFirst,
        Self::HandedToNobody,
        Self::Burnt,
        Self::GivenUp,
        Self::OfferIgnored,
    ];

    /// The order of somebody who wishes that: the kitchen sees it by the quantity, drivers by the door.
    pub(crate) fn order(self, favourite: u32, phone: &str) -> Value {
        // Nobody is to decline an order that was only bundled with one that is to be declined.
        let number = if self.is_for_nobody() { OUT_OF_THE_WAY } else { favourite };
        let (lat, lon) = RESTAURANTS[number as usize - 1];
        let first = matches!(self, Self::DriverFirst | Self::DeclinedTooLate | Self::NoDriverFirst);
        json!({
            "restaurant_id": restaurant_id(number),
            "items": [{ "item_id": item_id(number, 1), "quantity": self.number() }],
            "drop_off": { "lat": lat + f64::from(self.number()) * STEP, "lon": lon },
            "contact": { "phone": phone },
            "assignment": if first { "at_order" } else { "at_ready" },
        })
    }

    /// The wish of an order of that quantity.
    pub(crate) fn of_quantity(quantity: u32) -> Self {
        Self::ALL[quantity as usize - 1]
    }

    /// The wish of an order that goes from there to there.
    pub(crate) fn of_way(pick_up: Place, drop_off: Place) -> Self {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is 1 to 15")]
        Self::of_quantity(((drop_off.lat - pick_up.lat) / STEP).round() as u32)
    }

    /// Whether every driver declines.
    pub(crate) fn is_for_nobody(self) -> bool {
        matches!(self, Self::NoDriver | Self::NoDriverFirst | Self::HandedToNobody)
    }

    fn number(self) -> u32 {
        self as u32 + 1
    }
}
