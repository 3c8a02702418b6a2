//! `#[derive(Event)]`.

use partie_contract::{CloudEvent, Event, EventSpec, Unreadable, id};
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

/// A reading in three versions: of what, in which unit, and then how exactly.
mod v1 {
    use super::{Deserialize, Event, JsonSchema, Serialize};

    #[derive(Debug, Serialize, Deserialize, JsonSchema, Event)]
    #[event("meter.read", version = 1, subject = "meter")]
    pub(super) struct Read {
        pub(super) meter: String,
        pub(super) value: u32,
    }
}

mod v2 {
    use super::{Deserialize, Event, JsonSchema, Serialize, v1};

    #[derive(Debug, Serialize, Deserialize, JsonSchema, Event)]
    #[event("meter.read", version = 2, subject = "meter", from = v1::Read)]
    pub(super) struct Read {
        pub(super) meter: String,
        pub(super) watts: u32,
    }

    impl From<v1::Read> for Read {
        fn from(v1::Read { meter, value }: v1::Read) -> Self {
            Self { meter, watts: value }
        }
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema, Event)]
#[event("meter.read", version = 4, subject = "meter", from = v2::Read)]
struct Read {
    meter: String,
    milliwatts: u64,
}

impl From<v2::Read> for Read {
    fn from(v2::Read { meter, watts }: v2::Read) -> Self {
        Self { meter, milliwatts: u64::from(watts) * 1_000 }
    }
}

fn envelope(version: u16, data: &str) -> String {
    format!(
        r#"{{"specversion":"1.0","id":"01931f0e-7f2a-7c3e-9a51-0d6d5f1c2b3a","source":"meters","type":"meter.read",
        "dataversion":{version},"subject":"m","time":"2026-01-01T00:00:00.000Z","sequence":1,"later":true,"data":{data}}}"#
    )
}

#[test]
fn earlier_versions_are_read_by_what_they_become() {
    let read = |version, data| CloudEvent::<Read>::read(&envelope(version, data));
    let seven = || Read { meter: "m".into(), milliwatts: 7_000 };
    for (version, data) in [
        (4, r#"{"meter":"m","milliwatts":7000}"#),
        (4, r#"{"meter":"m","milliwatts":7000,"place":"attic"}"#),
        (2, r#"{"meter":"m","watts":7}"#),
        (1, r#"{"meter":"m","value":7}"#),
        // What its version says counts, not what it looks like.
        (1, r#"{"meter":"m","value":7,"milliwatts":1}"#),
        (2, r#"{"meter":"m","watts":7,"milliwatts":1}"#),
    ] {
        let event = read(version, data).unwrap();
        assert_eq!((event.data, event.dataversion), (seven(), version), "{data}");
    }
    let without = envelope(1, r#"{"meter":"m","value":7}"#).replace(r#""dataversion":1,"#, "");
    assert_eq!(CloudEvent::<Read>::read(&without).unwrap().data, seven(), "no version is the first one");
}

#[test]
fn what_cannot_be_read_says_which_version_it_is() {
    let read = |version, data| CloudEvent::<Read>::read(&envelope(version, data)).unwrap_err();
    let fits = r#"{"meter":"m","milliwatts":7000}"#;
    assert!(matches!(read(5, fits), Unreadable::Newer { type_name: "meter.read", found: 5, known: 4 }));
    assert!(matches!(read(5, "{}"), Unreadable::Newer { .. }), "even if it does not fit");
    assert!(matches!(read(3, fits), Unreadable::Older { found: 3, oldest: 1, .. }), "there never was one");
    assert!(matches!(read(4, "{}"), Unreadable::Malformed(_)));
    assert!(matches!(read(1, "{}"), Unreadable::Malformed(_)));
    assert!(matches!(CloudEvent::<Read>::read("{").unwrap_err(), Unreadable::Malformed(_)));
    assert_eq!(
        read(5, fits).to_string(),
        "`meter.read` is of version 5; this program reads none later than 4"
    );
}

#[test]
fn a_specification_knows_all_versions_that_can_be_read() {
    let spec = EventSpec::of::<Read>();
    assert_eq!(spec.versions().map(|spec| spec.version).collect::<Vec<_>>(), [4, 2, 1]);
    assert!(spec.read(&envelope(1, r#"{"meter":"m","value":7}"#)).is_ok());
    assert!(spec.read(&envelope(1, "{}")).is_err());
    assert_eq!(format!("{spec:?}"), "meter.read v4");
}
