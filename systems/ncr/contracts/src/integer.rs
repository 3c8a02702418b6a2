//! Whole numbers in an address, however large.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

/// A whole number. One that does not fit is as far from 0 as it gets, which is out of every range all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Integer(pub i64);

/// It is no whole number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAnInteger;

// === impl Integer ===

impl FromStr for Integer {
    type Err = NotAnInteger;

    fn from_str(text: &str) -> Result<Self, NotAnInteger> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(NotAnInteger);
        }
        let farthest = if digits.len() == text.len() { i64::MAX } else { i64::MIN };
        Ok(Self(text.parse().unwrap_or(farthest)))
    }
}

impl fmt::Display for Integer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl JsonSchema for Integer {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Integer".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer" })
    }
}

// === impl NotAnInteger ===

impl fmt::Display for NotAnInteger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it is no whole number")
    }
}

impl std::error::Error for NotAnInteger {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_a_number_however_many_and_nothing_else_is() {
        for (text, number) in [
            ("0", 0),
            ("-7", -7),
            ("007", 7),
            ("9223372036854775808", i64::MAX),
            ("-99999999999999999999999", i64::MIN),
        ] {
            assert_eq!(text.parse(), Ok(Integer(number)), "{text}");
        }
        for text in ["", "-", "+1", "1.0", "1e3", "0x10", "١", " 1", "ten"] {
            assert_eq!(text.parse::<Integer>(), Err(NotAnInteger), "{text}");
        }
    }
}
