//! The words the contracts share: ids, addresses, names, and texts nobody should see.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use partie_contract::id;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de};

id! {
    /// Names a user: the subject of their tokens.
    pub struct UserId;
    /// Names a session: `sid` of its tokens.
    pub struct SessionId;
}

/// An e-mail address: something, `@`, something with a dot; at most 254 characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct EmailAddress(String);

/// A name to be found by: 3 to 32 of `a-z`, `A-Z`, `0-9`, `_`, `.` and `-`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Username(String);

/// A password or a token: taken as it is, and shown nowhere.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretText(String);

/// The value is not one of its type; the text says what is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidValue(&'static str);

macro_rules! checked_text {
    ($name:ident, $schema:literal, $pattern:literal, $what:literal, $fits:expr) => {
        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// What two of them are compared by: case makes no difference.
            pub fn key(&self) -> String {
                self.0.to_lowercase()
            }
        }

        impl FromStr for $name {
            type Err = InvalidValue;

            fn from_str(text: &str) -> Result<Self, InvalidValue> {
                let fits: fn(&str) -> bool = $fits;
                if fits(text) { Ok(Self(text.to_owned())) } else { Err(InvalidValue($what)) }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Cow::<str>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                $schema.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": $pattern, "description": $what })
            }
        }
    };
}

checked_text!(EmailAddress, "EmailAddress", r"^[^@\s]+@[^@\s]+\.[^@\s]+$", "an e-mail address", |text| {
    let parts = text.split_once('@');
    text.len() <= 254
        && !text.chars().any(|c| c.is_whitespace() || c.is_control())
        && parts.is_some_and(|(user, host)| {
            let labels = host.split('.').count() > 1 && host.split('.').all(|label| !label.is_empty());
            !user.is_empty() && labels && !host.contains('@')
        })
});

checked_text!(
    Username,
    "Username",
    r"^[A-Za-z0-9_.-]{3,32}$",
    "3 to 32 letters, digits, `_`, `.` and `-`",
    |text| {
        (3..=32).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
    }
);

// === impl SecretText ===

impl SecretText {
    /// The text itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for SecretText {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for SecretText {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(..)")
    }
}

impl JsonSchema for SecretText {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "SecretText".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "password" })
    }
}

/// Stores enums of the contracts in columns, by the names they have on the wire.
macro_rules! stored_by_name {
    ($($name:ty),+ $(,)?) => {$(
        impl partie_contract::ToValue for $name {
            fn to_value(&self) -> Result<partie_contract::Value<'_>, partie_contract::InvalidValue> {
                match serde_json::to_value(self) {
                    Ok(serde_json::Value::String(name)) => Ok(partie_contract::Value::Text(name.into())),
                    _ => Err(partie_contract::InvalidValue::new("not an enum of plain names")),
                }
            }
        }

        impl partie_contract::FromValue for $name {
            fn from_value(value: partie_contract::Value<'_>) -> Result<Self, partie_contract::InvalidValue> {
                let name = serde_json::Value::String(value.text()?.to_owned());
                serde_json::from_value(name).map_err(|error| partie_contract::InvalidValue::new(error.to_string()))
            }
        }
    )+};
}

pub(crate) use stored_by_name;

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
    fn email_addresses() {
        assert!("a.b+c@example.org".parse::<EmailAddress>().is_ok());
        for bad in ["", "a", "a@", "@b.c", "a@b", "a@b..c", "a b@c.d", "a@b@c.d", "a@.c", "a@b.c\u{0}"] {
            assert!(bad.parse::<EmailAddress>().is_err(), "{bad}");
        }
    }

    #[test]
    fn usernames() {
        for good in ["ada", "Ada.Lovelace_1-2"] {
            assert!(good.parse::<Username>().is_ok(), "{good}");
        }
        for bad in ["", "ab", "a b", "\u{e4}da", "ada@", "x".repeat(33).as_str()] {
            assert!(bad.parse::<Username>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_secret_is_not_shown() {
        assert_eq!(format!("{:?}", SecretText::from("hunter2")), "SecretText(..)");
    }
}
