//! Values: what a column of a store can hold, and the types that become one.
//!
//! It is here and not in the store because ids and the enums of a contract are declared where no database is known,
//! and Rust lets only the crate of the trait or of the type say how they are stored.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

use crate::id::Id;
use crate::time::Timestamp;

/// One value on its way into or out of a store.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// Nothing.
    Null,
    /// A truth value; an integer where the database has none.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A floating-point number.
    Real(f64),
    /// Text.
    Text(Cow<'a, str>),
    /// Bytes.
    Blob(Cow<'a, [u8]>),
    /// An id; 16 bytes where the database has no type for it.
    Uuid(Uuid),
}

/// Stores enums of a contract in columns, by the names they have on the wire.
///
/// ```
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, PartialEq, Serialize, Deserialize)]
/// #[serde(rename_all = "snake_case")]
/// enum Size { Small, VeryLarge }
///
/// partie_contract::stored_by_name!(Size);
///
/// # use partie_contract::{FromValue, ToValue};
/// assert_eq!(Size::VeryLarge.to_value()?, "very_large".into());
/// # assert_eq!(Size::from_value(Size::Small.to_value()?)?, Size::Small);
/// # Ok::<(), partie_contract::InvalidValue>(())
/// ```
#[macro_export]
macro_rules! stored_by_name {
    ($($name:ty),+ $(,)?) => {$(
        impl $crate::ToValue for $name {
            fn to_value(&self) -> Result<$crate::Value<'_>, $crate::InvalidValue> {
                match $crate::__private::serde_json::to_value(self) {
                    Ok($crate::__private::serde_json::Value::String(name)) => {
                        Ok($crate::Value::Text(name.into()))
                    }
                    _ => Err($crate::InvalidValue::new("not an enum of plain names")),
                }
            }
        }

        impl $crate::FromValue for $name {
            fn from_value(value: $crate::Value<'_>) -> Result<Self, $crate::InvalidValue> {
                let name = $crate::__private::serde_json::Value::String(value.text()?.to_owned());
                $crate::__private::serde_json::from_value(name)
                    .map_err(|error| $crate::InvalidValue::new(error.to_string()))
            }
        }
    )+};
}

/// What can be stored in a column.
///
/// An enum of a contract is usually stored as its name:
///
/// ```
/// # use partie_contract::{FromValue, InvalidValue, ToValue, Value};
/// # #[derive(Debug, PartialEq)]
/// enum Size { Small, Large }
///
/// impl ToValue for Size {
///     fn to_value(&self) -> Result<Value<'_>, InvalidValue> {
///         Ok(match self { Self::Small => "small", Self::Large => "large" }.into())
///     }
/// }
///
/// impl FromValue for Size {
///     fn from_value(value: Value<'_>) -> Result<Self, InvalidValue> {
///         match value.text()? {
///             "small" => Ok(Self::Small),
///             "large" => Ok(Self::Large),
///             _ => Err(value.is_not("a size")),
///         }
///     }
/// }
/// # assert_eq!(Size::from_value(Size::Large.to_value()?)?, Size::Large);
/// # Ok::<(), InvalidValue>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be stored in a column",
    note = "numbers, bool, text, bytes, `Timestamp`, ids and `Option` of them can; for an enum implement `ToValue` beside it, for a structure use the store's `Json`"
)]
pub trait ToValue {
    /// The value to store.
    ///
    /// # Errors
    /// When the column types cannot hold it, such as a number above 2^63.
    fn to_value(&self) -> Result<Value<'_>, InvalidValue>;
}

/// What can be read from a column.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from a column",
    note = "numbers, bool, `String`, `Vec<u8>`, `Timestamp`, ids and `Option` of them can; for an enum implement `FromValue` beside it, for a structure use the store's `Json`"
)]
pub trait FromValue: Sized {
    /// Reads the value of a column.
    ///
    /// # Errors
    /// When the column holds something else.
    fn from_value(value: Value<'_>) -> Result<Self, InvalidValue>;
}

/// A value that a column cannot hold, or not of the type that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidValue(Cow<'static, str>);

// === impl Value ===

impl<'a> Value<'a> {
    /// The text.
    ///
    /// # Errors
    /// When it is none.
    pub fn text(&self) -> Result<&str, InvalidValue> {
        match self {
            Self::Text(text) => Ok(text),
            other => Err(other.is_not("text")),
        }
    }

    /// The error that says that the value is not what was expected. Shows its type, never its content.
    pub fn is_not(&self, expected: &str) -> InvalidValue {
        let found = match self {
            Self::Null => "null",
            Self::Bool(_) => "a truth value",
            Self::Integer(_) => "an integer",
            Self::Real(_) => "a floating-point number",
            Self::Text(_) => "text",
            Self::Blob(_) => "bytes",
            Self::Uuid(_) => "an id",
        };
        InvalidValue::new(format!("{found} is not {expected}"))
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Blob(Cow::Borrowed(bytes))
    }
}

// === impl InvalidValue ===

impl InvalidValue {
    /// With a reason, for the log.
    pub fn new(reason: impl Into<Cow<'static, str>>) -> Self {
        Self(reason.into())
    }
}

impl fmt::Display for InvalidValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for InvalidValue {}

// === the types ===

impl<T: Id> ToValue for T {
    fn to_value(&self) -> Result<Value<'_>, InvalidValue> {
        Ok(Value::Uuid(self.as_uuid()))
    }
}

impl<T: Id> FromValue for T {
    fn from_value(value: Value<'_>) -> Result<Self, InvalidValue> {
        Uuid::from_value(value).map(Self::from_uuid)
    }
}

impl ToValue for Uuid {
    fn to_value(&self) -> Result<Value<'_>, InvalidValue> {
        Ok(Value::Uuid(*self))
    }
}

impl FromValue for Uuid {
    fn from_value(value: Value<'_>) -> Result<Self, InvalidValue> {
        match &value {
            Value::Uuid(id) => Ok(*id),
            Value::Blob(bytes) => Self::from_slice(bytes).map_err(|_| value.is_not("an id of 16 bytes")),
            _ => Err(value.is_not("an id")),
        }
    }
}

impl<T: ToValue> ToValue for Option<T> {
    fn to_value(&self) -> Result<Value<'_>, InvalidValue> {
        self.as_ref().map_or(Ok(Value::Null), ToValue::to_value)
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: Value<'_>) -> Result<Self, InvalidValue> {
        if value == Value::Null { Ok(None) } else { T::from_value(value).map(Some) }
    }
}

macro_rules! integers {
    ($($int:ty),+) => {$(
        impl ToValue for $int {
            fn to_value(&self) -> Result<Value<'_>, InvalidValue> {
                let whole = i64::try_from(*self).map_err(|_| InvalidValue::new(format!("{self} is above 2^63")))?;
                Ok(Value::Integer(whole))
            }
        }

        impl FromValue for $int {
            fn from_value(value: Value<'_>) -> Result<Self, InvalidValue> {
                match value {
                    Value::Integer(whole) => Self::try_from(whole)
                        .map_err(|_| InvalidValue::new(concat!("the integer is out of the range of ", stringify!($int)))),
                    other => Err(other.is_not("an integer")),
                }
            }
        }
    )+};
}

integers!(i64, u64, i32, u32, i16, u16, i8, u8, usize);

impl ToValue for bool {
    fn to_value(&self) -> Result<Value<'_>, InvalidValue> {
        Ok(Value::Bool(*self))
    }
}

impl FromValue for bool {
    fn from_value(value: Value<'_>) -> Result<Self, InvalidValue> {
        match value {
            Value::Bool(truth) => Ok(truth),
            Value::Integer(0) => Ok(false),
            Value::Integer(1) => Ok(true),
            other => Err(other.is_not("a truth value")),
        }
    }
}

impl ToValue for f64 {
    fn to_value(&self) -> Result<Value<'_>, InvalidValue> {
        // SQLite stores NaN as null: the row would come back different.
        if self.is_nan() { Err(InvalidValue::new("NaN cannot be stored")) } else { Ok(Value::Real(*self)) }
    }
}

impl FromValue for f64 {
    fn from_value(value: Value<'_>) -> Result<Self, InvalidValue> {
        match value {
            Value::Real(real) => Ok(real),
            // An expression over whole numbers is an integer in SQLite.
            Value::Integer(whole) => Ok(whole as Self),
            other => Err(other.is_not("a number")),
        }
    }
}

impl ToValue for Timestamp {
    fn to_value(&self) -> Result<Value<'_>, InvalidValue> {
        Ok(Value::Integer(self.as_millis()))
    }
}

impl FromValue for Timestamp {
    fn from_value(value: Value<'_>) -> Result<Self, InvalidValue> {
        i64::from_value(value).map(Self::from_millis)
    }
}

macro_rules! texts {
    ($($text:ty),+) => {$(
        impl ToValue for $text {
            fn to_value(&self) -> Result<Value<'_>, InvalidValue> {
                let text: &str = self;
                Ok(text.into())
            }
        }
    )+};
}

texts!(&str, String, Cow<'_, str>, Arc<str>, Box<str>);

impl FromValue for String {
    fn from_value(value: Value<'_>) -> Result<Self, InvalidValue> {
        match value {
            Value::Text(text) => Ok(text.into_owned()),
            other => Err(other.is_not("text")),
        }
    }
}

impl FromValue for Arc<str> {
    fn from_value(value: Value<'_>) -> Result<Self, InvalidValue> {
        value.text().map(Into::into)
    }
}

macro_rules! blobs {
    ($($blob:ty),+) => {$(
        impl ToValue for $blob {
            fn to_value(&self) -> Result<Value<'_>, InvalidValue> {
                let bytes: &[u8] = self.as_ref();
                Ok(bytes.into())
            }
        }
    )+};
}

blobs!(&[u8], Vec<u8>, bytes::Bytes);

impl<const N: usize> ToValue for [u8; N] {
    fn to_value(&self) -> Result<Value<'_>, InvalidValue> {
        Ok(self.as_slice().into())
    }
}

impl FromValue for Vec<u8> {
    fn from_value(value: Value<'_>) -> Result<Self, InvalidValue> {
        match value {
            Value::Blob(bytes) => Ok(bytes.into_owned()),
            other => Err(other.is_not("bytes")),
        }
    }
}

impl FromValue for bytes::Bytes {
    fn from_value(value: Value<'_>) -> Result<Self, InvalidValue> {
        Vec::from_value(value).map(Into::into)
    }
}

impl<const N: usize> FromValue for [u8; N] {
    fn from_value(value: Value<'_>) -> Result<Self, InvalidValue> {
        let Value::Blob(bytes) = &value else { return Err(value.is_not("bytes")) };
        Self::try_from(&bytes[..]).map_err(|_| InvalidValue::new(format!("not {N} bytes")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::id! {
        struct RowId;
    }

    #[expect(clippy::needless_pass_by_value, reason = "a table reads better without borrows")]
    fn check<T: ToValue + FromValue + PartialEq + fmt::Debug>(plain: T, stored: Value<'_>) {
        assert_eq!(plain.to_value().unwrap(), stored);
        assert_eq!(T::from_value(stored).unwrap(), plain);
    }

    #[test]
    fn values_come_back_as_they_were() {
        check(-1_i64, Value::Integer(-1));
        check(255_u8, Value::Integer(255));
        check(true, Value::Bool(true));
        check(0.5, Value::Real(0.5));
        check("a\0b".to_owned(), "a\0b".into());
        check(vec![0_u8, 255], [0, 255][..].into());
        check([7_u8; 32], [7; 32][..].into());
        check(Timestamp::from_millis(-1), Value::Integer(-1));
        check(RowId::from_uuid(Uuid::max()), Value::Uuid(Uuid::max()));
        check(None::<RowId>, Value::Null);
        check(Some(3_u32), Value::Integer(3));
    }

    #[test]
    fn what_does_not_fit_is_an_error_without_the_content() {
        assert!(u64::MAX.to_value().is_err());
        assert!(f64::NAN.to_value().is_err());
        assert!(u8::from_value(Value::Integer(256)).is_err());
        assert!(bool::from_value(Value::Integer(2)).is_err());
        assert!(RowId::from_value([1, 2, 3][..].into()).is_err());
        assert_eq!(i64::from_value("secret".into()).unwrap_err().to_string(), "text is not an integer");
    }
}
