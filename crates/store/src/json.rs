//! Structures in a column, as JSON text.

use partie_contract::{FromValue, InvalidValue, ToValue, Value};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Stores anything that serde knows as JSON text: `tx.execute("..", &[&Json(&basket)])`, and back with
/// `row.get::<Json<Basket>>(3)?.0`.
///
/// For what is only read back whole. What queries ask about gets a column of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Json<T>(pub T);

impl<T: Serialize> ToValue for Json<T> {
    fn to_value(&self) -> Result<Value<'_>, InvalidValue> {
        let text = serde_json::to_string(&self.0)
            .map_err(|error| InvalidValue::new(format!("cannot be JSON: {error}")))?;
        Ok(Value::Text(text.into()))
    }
}

impl<T: DeserializeOwned> FromValue for Json<T> {
    fn from_value(value: Value<'_>) -> Result<Self, InvalidValue> {
        serde_json::from_str(value.text()?)
            .map(Self)
            .map_err(|error| InvalidValue::new(format!("not the expected JSON: {error}")))
    }
}
