//! The caches of a service, which it asks for where it starts.

use std::fmt;

use partie_cache::{Cache, CacheError, Settings};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::service::Start;

impl Start {
    /// A cache of the service's, of that name: in this process, or on the server of `[cache] url`.
    ///
    /// # Errors
    /// [`CacheError`] when there is one of that name, its settings mean nothing, or the server cannot be used.
    pub fn cache<K, V>(&self, name: &str, settings: Settings) -> Result<Cache<K, V>, CacheError>
    where
        K: fmt::Display + ?Sized,
        V: Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        self.caches.clone()?.cache(name, settings)
    }
}
