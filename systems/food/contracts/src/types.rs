//! The words all contracts of the system share: ids, places, contacts, quantities.

use std::borrow::Cow;
use std::fmt;

use partie_contract::{EmailAddress, checked_text, id};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de};

id! {
    /// Names a restaurant.
    pub struct RestaurantId;
    /// Names an item of a menu.
    pub struct ItemId;
    /// Names an order.
    pub struct OrderId;
    /// Names a kitchen's ticket for an order.
    pub struct TicketId;
    /// Names the delivery of an order.
    pub struct DeliveryId;
    /// Names a driver.
    pub struct DriverId;
    /// Names an offer of deliveries to a driver.
    pub struct OfferId;
}

/// A place on Earth, in degrees of WGS 84.
///
/// Latitude -90 to 90, longitude -180 to 180. The point 0/0 is refused: it is what broken clients send.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Place {
    /// Degrees north.
    pub lat: f64,
    /// Degrees east.
    pub lon: f64,
}

/// How many of an item, 1 to 99.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Quantity(u32);

/// How to reach a customer: by phone, by e-mail, or both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Contact {
    /// For text messages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<PhoneNumber>,
    /// For e-mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<EmailAddress>,
}

checked_text! {
    /// A phone number in E.164: `+` and 7 to 15 digits.
    pub struct PhoneNumber: "E.164: + and 7 to 15 digits", r"^\+[0-9]{7,15}$", |text| {
        text.strip_prefix('+')
            .is_some_and(|digits| (7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()))
    };
}

/// The value is not one of its type; the text says what is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidValue(&'static str);

// === impl Place ===

impl Place {
    /// A place.
    ///
    /// # Errors
    /// [`InvalidValue`] outside the ranges, for what is not a number, and for 0/0.
    pub fn new(lat: f64, lon: f64) -> Result<Self, InvalidValue> {
        if !(-90.0..=90.0).contains(&lat) || !(-180.0..=180.0).contains(&lon) {
            Err(InvalidValue("latitude must be -90 to 90 and longitude -180 to 180"))
        } else if lat == 0.0 && lon == 0.0 {
            Err(InvalidValue("0/0 is no place"))
        } else {
            Ok(Self { lat, lon })
        }
    }
}

impl<'de> Deserialize<'de> for Place {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename = "Place")]
        struct Raw {
            lat: f64,
            lon: f64,
        }
        let raw = Raw::deserialize(deserializer)?;
        Self::new(raw.lat, raw.lon).map_err(de::Error::custom)
    }
}

impl JsonSchema for Place {
    fn schema_name() -> Cow<'static, str> {
        "Place".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "properties": {
                "lat": { "type": "number", "minimum": -90, "maximum": 90, "description": "Degrees north." },
                "lon": { "type": "number", "minimum": -180, "maximum": 180, "description": "Degrees east." }
            },
            "required": ["lat", "lon"]
        })
    }
}

// === impl Quantity ===

impl Quantity {
    /// One.
    pub const ONE: Self = Self(1);
    const MOST: u32 = 99;

    /// The number.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl TryFrom<u32> for Quantity {
    type Error = InvalidValue;

    fn try_from(number: u32) -> Result<Self, InvalidValue> {
        if (1..=Self::MOST).contains(&number) {
            Ok(Self(number))
        } else {
            Err(InvalidValue("must be 1 to 99"))
        }
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u32::deserialize(deserializer)?.try_into().map_err(de::Error::custom)
    }
}

impl JsonSchema for Quantity {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Quantity".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": 1, "maximum": Self::MOST })
    }
}

// === impl Contact ===

impl<'de> Deserialize<'de> for Contact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename = "Contact")]
        struct Raw {
            #[serde(default)]
            phone: Option<PhoneNumber>,
            #[serde(default)]
            email: Option<EmailAddress>,
        }
        let Raw { phone, email } = Raw::deserialize(deserializer)?;
        if phone.is_none() && email.is_none() {
            return Err(de::Error::custom("a phone number or an e-mail address is needed"));
        }
        Ok(Self { phone, email })
    }
}

impl fmt::Display for InvalidValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for InvalidValue {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        for (lat, lon) in [(90.0, 180.0), (-90.0, -180.0), (0.0, 1.0), (52.5, 13.4)] {
            assert!(Place::new(lat, lon).is_ok(), "{lat} {lon}");
        }
        for (lat, lon) in [(91.0, 0.0), (0.0, 181.0), (0.0, 0.0), (f64::NAN, 1.0), (1.0, f64::INFINITY)] {
            assert!(Place::new(lat, lon).is_err(), "{lat} {lon}");
        }
    }

    #[test]
    fn phone_numbers_are_e164() {
        for good in ["+1234567", "+123456789012345"] {
            assert!(good.parse::<PhoneNumber>().is_ok(), "{good}");
        }
        for bad in ["", "+", "1234567", "+123456", "+1234567890123456", "+12345 67", "+1234567a"] {
            assert!(bad.parse::<PhoneNumber>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_contact_needs_a_way() {
        assert!(serde_json::from_str::<Contact>("{}").is_err());
        assert!(serde_json::from_str::<Contact>(r#"{"phone":"+4930123456"}"#).is_ok());
    }
}
