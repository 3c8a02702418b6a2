//! What customers are told of their orders.

use std::collections::BTreeMap;

use food_contracts::notifications::{Channel, NewNotification};
use food_contracts::orders::{
    AssignedDriver, EndReason, OrderCancelled, OrderConfirmed, OrderDelivered, OrderPickedUp, OrderPlaced,
    OrderRejected,
};
use food_contracts::{Contact, OrderId};
use notifications::{Desk, Provider};
use notifications_contracts::Wording;
use partie::contract::{Abort, Event, Money, Timestamp};
use partie::store::Tx;

use crate::templates;

/// An event customers hear of.
pub(crate) trait News: Event {
    const TEMPLATE: Wording;

    fn facts(&self) -> Facts<'_>;
}

/// What every event of an order says.
pub(crate) struct Facts<'e> {
    order: OrderId,
    contact: &'e Contact,
    restaurant: &'e str,
    total: Money,
    reason: Option<EndReason>,
    driver: Option<&'e AssignedDriver>,
    eta: Option<Timestamp>,
}

macro_rules! news {
    ($($event:ident: $template:ident;)+) => {$(
        impl News for $event {
            const TEMPLATE: Wording = templates::$template;

            fn facts(&self) -> Facts<'_> {
                Facts {
                    order: self.order_id,
                    contact: &self.contact,
                    restaurant: &self.restaurant_name,
                    total: self.total,
                    reason: self.reason,
                    driver: self.driver.as_ref(),
                    eta: self.eta,
                }
            }
        }
    )+};
}

news! {
    OrderPlaced: ORDER_PLACED;
    OrderConfirmed: ORDER_CONFIRMED;
    OrderRejected: ORDER_REJECTED;
    OrderPickedUp: ORDER_PICKED_UP;
    OrderDelivered: ORDER_DELIVERED;
    OrderCancelled: ORDER_CANCELLED;
}

/// Tells a customer what happened to an order.
pub(crate) fn tell<P: Provider, E: News>(desk: &Desk<P>, tx: &mut Tx, event: &E) -> Result<(), Abort> {
    if let Some(new) = notification(event, tx.now()) {
        desk.tell(tx, new)?;
    }
    Ok(())
}

/// The notification of an event, if its customer can be reached by text message. Without a phone number there is no
/// recipient, and so nothing to keep.
fn notification<E: News>(event: &E, now: Timestamp) -> Option<NewNotification> {
    let facts = event.facts();
    let phone = facts.contact.phone.as_ref()?;
    Some(NewNotification {
        channel: Channel::Sms,
        recipient: phone.to_string(),
        template: E::TEMPLATE.name.to_owned(),
        variables: facts.variables(now),
        dedupe_key: format!("{}/{}", facts.order, E::TYPE),
        until: None,
    })
}

impl Facts<'_> {
    /// All there is to say; each template takes what it needs.
    fn variables(&self, now: Timestamp) -> BTreeMap<String, String> {
        let driver = self.driver.map_or("A driver", |driver| &driver.name);
        let pairs = [
            ("restaurant", self.restaurant.to_owned()),
            ("total", in_words(self.total)),
            ("reason", reason(self.reason).to_owned()),
            ("driver", driver.to_owned()),
            ("eta", eta(self.eta, now)),
        ];
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// 1299 cents are `12.99 USD`.
fn in_words(price: Money) -> String {
    let (currency, digits) = (price.currency(), price.currency().exponent() as usize);
    let sign = if price.amount() < 0 { "-" } else { "" };
    let padded = format!("{:0width$}", price.amount().unsigned_abs(), width = digits + 1);
    let (units, rest) = padded.split_at(padded.len() - digits);
    let point = if digits == 0 { "" } else { "." };
    format!("{sign}{units}{point}{rest} {}", currency.code())
}

fn reason(reason: Option<EndReason>) -> &'static str {
    match reason {
        Some(EndReason::RestaurantClosed) => "it has closed",
        Some(EndReason::ItemUnavailable) => "something is sold out",
        Some(EndReason::RestaurantDeclined) => "the kitchen declined",
        Some(EndReason::RestaurantTimeout) => "the kitchen did not answer",
        Some(EndReason::RestaurantCancelled) => "the kitchen had to give it up",
        Some(EndReason::NoDriver) => "no driver was found",
        Some(EndReason::CustomerCancelled) => "as you wished",
        None => "we are sorry",
    }
}

/// From now, because nobody knows the customer's time zone.
fn eta(eta: Option<Timestamp>, now: Timestamp) -> String {
    match eta.map(|eta| eta.since(now).as_secs().div_ceil(60)) {
        None => "soon".to_owned(),
        Some(0 | 1) => "in a minute".to_owned(),
        Some(minutes) => format!("in about {minutes} minutes"),
    }
}

#[cfg(test)]
mod tests;
