//! Typed ids: a UUIDv7 that knows what it names.

use std::fmt;

use serde::de::{Error, Visitor};
use uuid::Uuid;

/// A typed id. Made by [`id!`](crate::id!); fresh ones come from the store's transaction (`tx.new_id()`).
pub trait Id: Copy + Send + Sync + 'static {
    /// Wraps a raw id.
    fn from_uuid(raw: Uuid) -> Self;
    /// The raw id.
    fn as_uuid(&self) -> Uuid;
}

/// The text is not a hyphenated UUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidId;

impl fmt::Display for InvalidId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a UUID")
    }
}

impl std::error::Error for InvalidId {}

/// Reads the hyphenated form and no other: an id has one spelling.
#[doc(hidden)]
pub fn parse_uuid(text: &str) -> Result<Uuid, InvalidId> {
    if text.len() == 36 { Uuid::try_parse(text).map_err(|_| InvalidId) } else { Err(InvalidId) }
}

/// Reads an id from its text, wherever that is: a string of its own would only be thrown away.
#[doc(hidden)]
#[derive(Debug)]
pub struct UuidText;

impl Visitor<'_> for UuidText {
    type Value = Uuid;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Uuid, E> {
        parse_uuid(text).map_err(E::custom)
    }
}

/// The schema of every id.
#[doc(hidden)]
pub fn uuid_schema() -> schemars::Schema {
    schemars::json_schema!({ "type": "string", "format": "uuid" })
}

/// Declares id types.
///
/// ```
/// partie_contract::id! {
///     /// Names an order.
///     pub struct OrderId;
/// }
/// let id: OrderId = "01931f0e-7f2a-7c3e-9a51-0d6d5f1c2b3a".parse()?;
/// assert_eq!(id.to_string(), "01931f0e-7f2a-7c3e-9a51-0d6d5f1c2b3a");
/// # Ok::<(), partie_contract::InvalidId>(())
/// ```
#[macro_export]
macro_rules! id {
    ($($(#[$meta:meta])* $vis:vis struct $name:ident;)+) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $vis struct $name($crate::__private::Uuid);

        impl $crate::Id for $name {
            fn from_uuid(raw: $crate::__private::Uuid) -> Self {
                Self(raw)
            }

            fn as_uuid(&self) -> $crate::__private::Uuid {
                self.0
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                ::std::fmt::Display::fmt(&self.0, f)
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::InvalidId;

            fn from_str(text: &str) -> Result<Self, $crate::InvalidId> {
                $crate::__private::parse_uuid(text).map(Self)
            }
        }

        impl $crate::__private::serde::Serialize for $name {
            fn serialize<S>(&self, serializer: S) -> Result<S::Ok, S::Error>
            where
                S: $crate::__private::serde::Serializer,
            {
                let mut text = $crate::__private::Uuid::encode_buffer();
                serializer.serialize_str(self.0.hyphenated().encode_lower(&mut text))
            }
        }

        impl<'de> $crate::__private::serde::Deserialize<'de> for $name {
            fn deserialize<D>(deserializer: D) -> Result<Self, D::Error>
            where
                D: $crate::__private::serde::Deserializer<'de>,
            {
                deserializer.deserialize_str($crate::__private::UuidText).map(Self)
            }
        }

        impl $crate::__private::schemars::JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> ::std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(
                _: &mut $crate::__private::schemars::SchemaGenerator,
            ) -> $crate::__private::schemars::Schema {
                $crate::__private::uuid_schema()
            }
        }
    )+};
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_hyphenated_spelling_is_an_id() {
        assert!(parse_uuid("01931f0e-7f2a-7c3e-9a51-0d6d5f1c2b3a").is_ok());
        for bad in [
            "",
            "1",
            "01931f0e7f2a7c3e9a510d6d5f1c2b3a",
            "{01931f0e-7f2a-7c3e-9a51-0d6d5f1c2b3a}",
            "01931f0e-7f2a-7c3e-9a51-0d6d5f1c2b3g",
        ] {
            assert_eq!(parse_uuid(bad), Err(InvalidId), "{bad}");
        }
    }
}
