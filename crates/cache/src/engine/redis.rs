//! The engine that several processes share: a Redis server.

mod link;
mod scripts;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use partie_contract::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;

use self::scripts::{Scripts, from_text, to_text};
use super::{Engine, EngineError, Entry, Slot, Token};

pub use self::link::RedisLink;

/// Entries on a Redis server (7 or later) as JSON, a hash for every key: token, floor, version, data.
///
/// Each call is one script, so that nothing comes between looking and doing. What cannot be read as a `V` counts as not
/// there, and the next load replaces it.
pub struct RedisEngine<V> {
    link: RedisLink,
    prefix: String,
    scripts: Scripts,
    values: PhantomData<fn() -> V>,
}

/// Token, floor, version and data, as far as they are there.
type Fields = (String, Option<String>, Option<String>, Option<Vec<u8>>);

// === impl RedisEngine ===

impl<V: Serialize + DeserializeOwned + Send + Sync + 'static> RedisEngine<V> {
    /// Entries whose keys on the server begin with that.
    pub fn new(link: RedisLink, prefix: impl Into<String>) -> Self {
        Self { link, prefix: prefix.into(), scripts: Scripts::new(), values: PhantomData }
    }

    fn name_of(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    fn slot(&self, (token, floor, version, data): Fields) -> Result<Slot<V>, EngineError> {
        let wrong =
            |what: &str| EngineError::new(&self.link, format!("a slot has no {what} that can be read"));
        let token = Token(token.parse().map_err(|_| wrong("token"))?);
        let number = |text: Option<String>, what| {
            text.map(|text| from_text(&text).ok_or_else(|| wrong(what))).transpose()
        };
        let floor = number(floor, "floor")?.unwrap_or(i64::MIN);
        let entry = match (number(version, "version")?, data) {
            (None, _) => None,
            (Some(version), None) => Some(Entry::absent(version)),
            (Some(version), Some(data)) => match serde_json::from_slice::<V>(&data) {
                Ok(value) => Some(Entry { version, value: Some(Arc::new(value)) }),
                Err(error) => {
                    tracing::debug!(prefix = self.prefix, %error, "an entry of a cache is of another type");
                    None
                }
            },
        };
        Ok(Slot { token, floor, entry })
    }
}

impl<V: Serialize + DeserializeOwned + Send + Sync + 'static> Engine<V> for RedisEngine<V> {
    fn read<'a>(
        &'a self,
        key: &'a str,
        fresh: Token,
        open: Duration,
    ) -> BoxFuture<'a, Result<Slot<V>, EngineError>> {
        Box::pin(async move {
            let mut call = self.scripts.read.key(self.name_of(key));
            call.arg(fresh.0.to_string()).arg(millis(open));
            self.slot(self.link.run(&call).await?)
        })
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        token: Token,
        entry: Entry<V>,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<bool, EngineError>> {
        Box::pin(async move {
            let mut call = self.scripts.put.key(self.name_of(key));
            call.arg(token.0.to_string()).arg(to_text(entry.version)).arg(millis(ttl));
            if let Some(value) = &entry.value {
                let data =
                    serde_json::to_vec(&**value).map_err(|error| EngineError::new(&self.link, error))?;
                call.arg(data);
            }
            self.link.run(&call).await
        })
    }

    fn invalidate<'a>(
        &'a self,
        key: &'a str,
        version: i64,
        fresh: Token,
        keep: Duration,
    ) -> BoxFuture<'a, Result<(), EngineError>> {
        Box::pin(async move {
            let mut call = self.scripts.invalidate.key(self.name_of(key));
            call.arg(to_text(version)).arg(fresh.0.to_string()).arg(millis(keep));
            self.link.run(&call).await
        })
    }
}

impl<V> fmt::Debug for RedisEngine<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisEngine({}, {})", self.link, self.prefix)
    }
}

/// As `PEXPIRE` takes it: zero would be a deletion.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).max(1)
}
