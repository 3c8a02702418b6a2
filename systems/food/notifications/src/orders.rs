//! What customers are told of their orders.

use std::collections::BTreeMap;

use food_contracts::notifications::Channel;
use food_contracts::orders::{
    AssignedDriver, EndReason, OrderCancelled, OrderConfirmed, OrderDelivered, OrderPickedUp, OrderPlaced,
    OrderRejected,
};
use food_contracts::{Contact, OrderId};
use partie::contract::{Abort, Event, Money, Timestamp};

use crate::queue::New;
use crate::render::render;
use crate::templates::{self, Template};

/// An event customers hear of.
pub(crate) trait News: Event {
    const TEMPLATE: Template;

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
            const TEMPLATE: Template = templates::$template;

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

/// The notification of an event, if its customer can be reached by text message. Without a phone number there is no
/// recipient, and so nothing to keep.
pub(crate) fn notification<E: News>(event: &E, now: Timestamp) -> Result<Option<New>, Abort> {
    let facts = event.facts();
    let Some(phone) = &facts.contact.phone else { return Ok(None) };
    let text = render(E::TEMPLATE.text, &facts.variables(now))
        .map_err(|missing| Abort::because(format!("{} needs {missing:?}", E::TEMPLATE.name)))?;
    Ok(Some(New {
        channel: Channel::Sms,
        recipient: phone.clone(),
        template: E::TEMPLATE,
        text,
        dedupe_key: format!("{}/{}", facts.order, E::TYPE),
    }))
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
