//! JSON objects as Consul reads them: the case of a name does not matter, nor do its underscores.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::refusal::Refusal;

/// The fields of one object, by plain lower-case names.
#[derive(Debug)]
pub(super) struct Fields(BTreeMap<String, Value>);

// === impl Fields ===

impl Fields {
    pub(super) fn of(object: Map<String, Value>) -> Self {
        let canonical = |name: String| name.to_ascii_lowercase().replace('_', "");
        Self(object.into_iter().map(|(name, value)| (canonical(name), value)).collect())
    }

    pub(super) fn parse(body: &[u8]) -> Result<Self, Refusal> {
        let object = serde_json::from_slice(body);
        object.map(Self::of).map_err(|error| Refusal::bad(format!("Request decode failed: {error}")))
    }

    /// A field, if it is there and not null.
    pub(super) fn take<T: DeserializeOwned>(&mut self, name: &str) -> Result<Option<T>, Refusal> {
        match self.0.remove(&name.to_ascii_lowercase()) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => serde_json::from_value(value)
                .map(Some)
                .map_err(|error| Refusal::bad(format!("Request decode failed: {name}: {error}"))),
        }
    }

    /// A text; none is an empty one.
    pub(super) fn text(&mut self, name: &str) -> Result<String, Refusal> {
        self.take(name).map(Option::unwrap_or_default)
    }

    /// Whether a field is there and says anything.
    pub(super) fn says(&self, name: &str) -> bool {
        match self.0.get(&name.to_ascii_lowercase()) {
            None | Some(Value::Null) => false,
            Some(Value::String(text)) => !text.is_empty(),
            Some(Value::Array(list)) => !list.is_empty(),
            Some(_) => true,
        }
    }
}
