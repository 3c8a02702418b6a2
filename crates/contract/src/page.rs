//! Keyset pages: `?limit=1..100&after=<opaque>` and `{data, has_more, next_cursor}`.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::platform::{FaultKind, Platform};

/// How many entries a page may have: 1 to 100, 20 if not said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit(u32);

/// The place after the last entry of a page. Opaque to clients.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct Cursor(String);

/// One page of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// The entries, in the list's order.
    pub data: Vec<T>,
    /// Where the next page starts, if there is one.
    pub next: Option<Cursor>,
}

/// A page on the wire.
#[derive(Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "PageOf{T}")]
pub(crate) struct PageBody<T> {
    pub(crate) data: Vec<T>,
    pub(crate) has_more: bool,
    #[serde(default)]
    pub(crate) next_cursor: Option<Cursor>,
}

// === impl Limit ===

impl Limit {
    /// As many as there may be.
    pub const MAX: Self = Self(Self::MOST);
    const MOST: u32 = 100;

    /// The number of entries.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(20)
    }
}

impl Serialize for Limit {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(self.0)
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u32::deserialize(deserializer)? {
            limit @ 1..=Self::MOST => Ok(Self(limit)),
            _ => Err(de::Error::custom("must be between 1 and 100")),
        }
    }
}

impl JsonSchema for Limit {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Limit".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": 1, "maximum": Self::MOST, "default": 20 })
    }
}

// === impl Cursor ===

impl Cursor {
    /// A cursor that remembers the sort key of the last entry.
    ///
    /// # Errors
    /// [`FaultKind::Internal`] if the key cannot be JSON.
    pub fn after(key: &impl Serialize) -> Result<Self, Platform> {
        let json = serde_json::to_vec(key).map_err(Platform::internal)?;
        Ok(Self(URL_SAFE_NO_PAD.encode(json)))
    }

    /// The sort key.
    ///
    /// # Errors
    /// [`FaultKind::MalformedRequest`] for a cursor we did not make.
    pub fn key<K: DeserializeOwned>(&self) -> Result<K, Platform> {
        let json = URL_SAFE_NO_PAD.decode(&self.0).ok();
        json.and_then(|json| serde_json::from_slice(&json).ok()).ok_or_else(|| {
            Platform::new(FaultKind::MalformedRequest).with_detail("the cursor is not one of ours")
        })
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// === impl Page ===

impl<T> Page<T> {
    /// A page from up to `limit + 1` rows in order: the one too many says that there is more.
    ///
    /// # Errors
    /// [`FaultKind::Internal`] if a key cannot be JSON.
    pub fn from_rows<K: Serialize>(
        mut rows: Vec<T>,
        limit: Limit,
        key: impl Fn(&T) -> K,
    ) -> Result<Self, Platform> {
        let most = limit.get() as usize;
        let has_more = rows.len() > most;
        rows.truncate(most);
        let last = rows.last().filter(|_| has_more);
        let next = last.map(|row| Cursor::after(&key(row))).transpose()?;
        Ok(Self { data: rows, next })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_row_too_many_makes_a_cursor() {
        let limit: Limit = serde_json::from_str("2").unwrap();
        let page = Page::from_rows(vec![1, 2, 3], limit, |n| *n).unwrap();
        assert_eq!(page.data, [1, 2]);
        assert_eq!(page.next.unwrap().key::<i32>().unwrap(), 2);
        assert_eq!(Page::from_rows(vec![1, 2], limit, |n| *n).unwrap().next, None);
    }

    #[test]
    fn foreign_cursors_are_refused() {
        for bad in ["", "%%%", "bm90IGpzb24"] {
            let fault = Cursor(bad.to_owned()).key::<i64>().unwrap_err();
            assert_eq!(fault.kind(), FaultKind::MalformedRequest, "{bad}");
        }
        for bad in ["0", "101", "-1", "1.5", "\"2\""] {
            assert!(serde_json::from_str::<Limit>(bad).is_err(), "{bad}");
        }
    }
}
