//! Texts that are checked where they come in: a value of such a type is one that fits.

use std::fmt;

/// The text is not one of its type; it says what is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidText(&'static str);

// === impl InvalidText ===

impl InvalidText {
    /// The text is something else than that: `an e-mail address`.
    pub const fn new(expected: &'static str) -> Self {
        Self(expected)
    }
}

impl fmt::Display for InvalidText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for InvalidText {}

/// Declares types of texts that fit: what they are for people, a pattern for those who read the schema, and the check
/// itself, which may be stricter.
///
/// ```
/// partie_contract::checked_text! {
///     /// Where a parcel goes.
///     pub struct PostalCode: "five digits", r"^[0-9]{5}$", |text| {
///         text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit())
///     };
/// }
/// let code: PostalCode = "10115".parse()?;
/// assert_eq!(code.as_str(), "10115");
/// assert_eq!("1011".parse::<PostalCode>().unwrap_err().to_string(), "five digits");
/// # Ok::<(), partie_contract::InvalidText>(())
/// ```
#[macro_export]
macro_rules! checked_text {
    ($($(#[$meta:meta])* $vis:vis struct $name:ident: $what:literal, $pattern:literal, $fits:expr;)+) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        $vis struct $name(::std::string::String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::InvalidText;

            fn from_str(text: &str) -> Result<Self, $crate::InvalidText> {
                let fits: fn(&str) -> bool = $fits;
                if fits(text) { Ok(Self(text.to_owned())) } else { Err($crate::InvalidText::new($what)) }
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl $crate::__private::serde::Serialize for $name {
            fn serialize<S>(&self, serializer: S) -> Result<S::Ok, S::Error>
            where
                S: $crate::__private::serde::Serializer,
            {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> $crate::__private::serde::Deserialize<'de> for $name {
            fn deserialize<D>(deserializer: D) -> Result<Self, D::Error>
            where
                D: $crate::__private::serde::Deserializer<'de>,
            {
                let text = <::std::borrow::Cow<'de, str> as $crate::__private::serde::Deserialize<'de>>::deserialize(
                    deserializer,
                )?;
                text.parse().map_err($crate::__private::serde::de::Error::custom)
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
                $crate::__private::schemars::json_schema!({
                    "type": "string", "pattern": $pattern, "description": $what
                })
            }
        }
    )+};
}

checked_text! {
    /// An e-mail address: something, `@`, something with a dot; at most 254 characters.
    pub struct EmailAddress: "an e-mail address", r"^[^@\s]+@[^@\s]+\.[^@\s]+$", |text| {
        let parts = text.split_once('@');
        text.len() <= 254
            && !text.chars().any(|c| c.is_whitespace() || c.is_control())
            && parts.is_some_and(|(user, host)| {
                let labels = host.split('.').count() > 1 && host.split('.').all(|label| !label.is_empty());
                !user.is_empty() && labels && !host.contains('@')
            })
    };
}

// === impl EmailAddress ===

impl EmailAddress {
    /// What two of them are compared by: case makes no difference.
    pub fn key(&self) -> String {
        self.0.to_lowercase()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn email_addresses() {
        assert!("a.b+c@example.org".parse::<EmailAddress>().is_ok());
        let long = format!("{}@b.cd", "a".repeat(250));
        for bad in
            ["", "a", "a@", "@b.c", "a@b", "a@b..c", "a b@c.d", "a@b@c.d", "a@.c", "a@b.c\u{0}", &*long]
        {
            assert!(bad.parse::<EmailAddress>().is_err(), "{bad}");
        }
    }

    #[test]
    fn on_the_wire_it_is_the_text_and_what_does_not_fit_says_what_would() {
        let read = |json: &str| serde_json::from_str::<EmailAddress>(json).map_err(|error| error.to_string());
        let address = read(r#""Ada@example.org""#).unwrap();
        assert_eq!(
            (address.key().as_str(), address.to_string().as_str()),
            ("ada@example.org", "Ada@example.org")
        );
        assert_eq!(serde_json::to_string(&address).unwrap(), r#""Ada@example.org""#);
        assert!(read(r#""ada""#).unwrap_err().starts_with("an e-mail address"));
        assert!(read("7").is_err());
        // Escaped in the text, so that it cannot be borrowed.
        assert_eq!(read(r#""\u0061@b.cd""#).unwrap().as_str(), "a@b.cd");
    }
}
