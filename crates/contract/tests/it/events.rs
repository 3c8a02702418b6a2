//! `#[derive(Event)]`.

use partie_contract::{Event, id};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

id! {
    /// Names an order.
    pub(crate) struct OrderId;
}

#[derive(Debug, Serialize, Deserialize, JsonSchema, Event)]
#[event("order.placed", version = 3, subject = "order_id")]
struct OrderPlaced {
    order_id: OrderId,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema, Event)]
#[event("table.sat_down-at", version = 1, subject = "0")]
struct SatDown(u32, String);

#[derive(Debug, Serialize, Deserialize, JsonSchema, Event)]
#[event("door.opened", version = 1, subject = "type")]
struct Opened {
    r#type: String,
}

macro_rules! events {
    ($($name:ident = $type_name:literal;)+) => {$(
        #[derive(Debug, Serialize, Deserialize, JsonSchema, Event)]
        #[event($type_name, version = 1, subject = "n")]
        struct $name {
            n: u8,
        }
    )+};
}

events! {
    First = "number.first";
    Second = "number.second";
}

#[test]
fn events_know_their_type_version_and_subject() {
    fn check<E: Event>(event: &E, type_name: &str, version: u16, subject: &str) {
        assert_eq!((E::TYPE, E::VERSION, event.subject().as_str()), (type_name, version, subject));
    }
    let order_id = "01931f0e-7f2a-7c3e-9a51-0d6d5f1c2b3a";
    check(&OrderPlaced { order_id: order_id.parse().unwrap() }, "order.placed", 3, order_id);
    check(&SatDown(4, "window".into()), "table.sat_down-at", 1, "4");
    check(&Opened { r#type: "front".into() }, "door.opened", 1, "front");
    check(&First { n: 1 }, "number.first", 1, "1");
    check(&Second { n: 2 }, "number.second", 1, "2");
}
