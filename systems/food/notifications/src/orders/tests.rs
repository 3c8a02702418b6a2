//! What customers read.

use std::time::Duration;

use food_contracts::DriverId;
use partie::contract::{Currency, Id};

use super::*;

fn money(amount: i64, currency: &str) -> Money {
    Money::new(amount, currency.parse::<Currency>().unwrap()).unwrap()
}

/// The events of an order all look the same.
macro_rules! event {
    ($name:ident $($field:ident)*) => {{
        let raw = || "01931f0e-7f2a-7c3e-9a51-0d6d5f1c2b3a".parse().unwrap();
        let plain = $name {
            order_id: Id::from_uuid(raw()),
            customer: "ann".to_owned(),
            contact: Contact { phone: Some("+4930123456".parse().unwrap()), email: None },
            restaurant_id: Id::from_uuid(raw()),
            restaurant_name: "Pizza {total}".to_owned(),
            total: money(1299, "USD"),
            reason: None,
            driver: None,
            eta: None,
        };
        $name { $($field,)* ..plain }
    }};
}

fn told<E: News>(event: &E) -> NewNotification {
    notification(event, Timestamp::EPOCH).unwrap()
}

#[test]
fn every_event_has_its_text() {
    let id = DriverId::from_uuid("01931f0e-7f2a-7c3e-9a51-0d6d5f1c2b3b".parse().unwrap());
    let driver = Some(AssignedDriver { id, name: "Kim".to_owned() });
    let eta = Some(Timestamp::EPOCH + Duration::from_secs(601));
    let reason = Some(EndReason::RestaurantTimeout);
    for (new, text) in [
        (
            told(&event!(OrderPlaced)),
            "Pizza {total} has your order over 12.99 USD. You will hear when it is confirmed.",
        ),
        (told(&event!(OrderConfirmed)), "Pizza {total} has confirmed your order."),
        (
            told(&event!(OrderRejected reason)),
            "Pizza {total} could not take your order: the kitchen did not answer.",
        ),
        (
            told(&event!(OrderPickedUp driver eta)),
            "Kim has picked up your order from Pizza {total} and will be there in about 11 minutes.",
        ),
        (
            told(&event!(OrderPickedUp)),
            "A driver has picked up your order from Pizza {total} and will be there soon.",
        ),
        (told(&event!(OrderDelivered)), "Your order from Pizza {total} was delivered. Enjoy your meal!"),
        (
            told(&event!(OrderCancelled reason)),
            "Your order from Pizza {total} was cancelled: the kitchen did not answer.",
        ),
    ] {
        let template = templates::ALL.into_iter().find(|wording| wording.name == new.template).unwrap();
        let words = template.said(&new.variables).unwrap();
        assert_eq!((words.text.as_str(), new.recipient.as_str()), (text, "+4930123456"));
    }
}

#[test]
fn an_order_and_what_happened_to_it_are_told_once() {
    let new = told(&event!(OrderConfirmed));
    assert_eq!(new.template, "order-confirmed");
    assert_eq!(new.dedupe_key, "01931f0e-7f2a-7c3e-9a51-0d6d5f1c2b3a/order.confirmed");
}

#[test]
fn who_has_no_phone_is_not_told() {
    let contact = Contact { phone: None, email: Some("ann@example.org".parse().unwrap()) };
    let event = event!(OrderPlaced contact);
    assert!(notification(&event, Timestamp::EPOCH).is_none());
}

#[test]
fn money_reads_as_people_write_it() {
    for (amount, currency, words) in [
        (1299, "USD", "12.99 USD"),
        (5, "EUR", "0.05 EUR"),
        (0, "USD", "0.00 USD"),
        (-150, "USD", "-1.50 USD"),
        (1299, "JPY", "1299 JPY"),
        (1, "KWD", "0.001 KWD"),
    ] {
        assert_eq!(in_words(money(amount, currency)), words);
    }
}

#[test]
fn arrivals_are_counted_from_now() {
    let now = Timestamp::EPOCH + Duration::from_secs(3600);
    let at = |seconds: i64| Some(Timestamp::from_millis((3600 + seconds) * 1000));
    for (arrival, words) in [
        (None, "soon"),
        (at(-60), "in a minute"),
        (at(0), "in a minute"),
        (at(60), "in a minute"),
        (at(61), "in about 2 minutes"),
    ] {
        assert_eq!(eta(arrival, now), words);
    }
}
