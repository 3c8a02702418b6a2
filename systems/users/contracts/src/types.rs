//! The words the contracts share: ids, addresses, names, and texts nobody should see.

use std::borrow::Cow;
use std::fmt;

use partie_contract::{checked_text, id};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

id! {
    /// Names a user: the subject of their tokens.
    pub struct UserId;
    /// Names a session: `sid` of its tokens.
    pub struct SessionId;
}

checked_text! {
    /// A name to be found by: 3 to 32 of `a-z`, `A-Z`, `0-9`, `_`, `.` and `-`.
    pub struct Username: "3 to 32 letters, digits, `_`, `.` and `-`", r"^[A-Za-z0-9_.-]{3,32}$", |text| {
        (3..=32).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
    };
}

/// A password or a token: taken as it is, and shown nowhere.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretText(String);

// === impl Username ===

impl Username {
    /// What two of them are compared by: case makes no difference.
    pub fn key(&self) -> String {
        self.0.to_lowercase()
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

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
