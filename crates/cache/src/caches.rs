//! The caches of one service, as the configuration wants them.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use partie_runtime::Ids;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::cache::Cache;
use crate::config::CacheConfig;
use crate::engine::{Engine, MemoryEngine};
#[cfg(feature = "redis")]
use crate::engine::{RedisEngine, RedisLink};
use crate::reach::Reach;
use crate::settings::Settings;

/// Makes the caches of a service. All of them share one connection and what is known of its state. Cheap to clone.
#[derive(Clone)]
pub struct Caches(Arc<Inner>);

struct Inner {
    system: String,
    service: String,
    ids: Ids,
    reach: Reach,
    #[cfg(feature = "redis")]
    link: Option<RedisLink>,
    /// Two caches of one name would find each other's entries.
    names: Mutex<BTreeSet<String>>,
}

/// A cache that cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CacheError {
    /// A name of a system, service or cache.
    #[error("`{0}` cannot name a cache: lower-case letters, digits, - and _, up to 64 of them")]
    Name(String),
    /// The service has one of that name.
    #[error("the service has a cache `{0}` already; clone it")]
    Twice(String),
    /// Settings that mean nothing.
    #[error("the cache `{cache}`: {reason}")]
    Settings {
        /// Its name.
        cache: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// The configuration names a server, and this program was built without the engine.
    #[error("`{url}`: this program was built without the feature `redis` of partie-cache")]
    NotBuilt {
        /// The server, without its password.
        url: String,
    },
    /// The configuration names a server, and there is no runtime whose tasks could talk to it.
    #[error("caches on a server are opened inside of a tokio runtime")]
    NoRuntime,
}

// === impl Caches ===

impl Caches {
    /// The caches of a service. Nobody is asked anything yet: a server that is down now may be up later.
    ///
    /// # Errors
    /// [`CacheError`] when a name or the server cannot be used.
    pub fn open(config: &CacheConfig, system: &str, service: &str, ids: Ids) -> Result<Self, CacheError> {
        for name in [system, service] {
            check_name(name)?;
        }
        #[cfg(feature = "redis")]
        let link = match &config.url {
            None => None,
            Some(url) => {
                let runtime = tokio::runtime::Handle::try_current().map_err(|_| CacheError::NoRuntime)?;
                Some(RedisLink::new(url, config.timeout, runtime))
            }
        };
        #[cfg(not(feature = "redis"))]
        if let Some(url) = &config.url {
            return Err(CacheError::NotBuilt { url: url.to_string() });
        }
        Ok(Self(Arc::new(Inner {
            system: system.to_owned(),
            service: service.to_owned(),
            reach: Reach::new(config.timeout, ids.clone()),
            ids,
            #[cfg(feature = "redis")]
            link,
            names: Mutex::default(),
        })))
    }

    /// A cache of that name: lower-case letters, digits, `-` and `_`.
    ///
    /// # Errors
    /// [`CacheError`] when the name is none or was given away, or the settings mean nothing.
    pub fn cache<K, V>(&self, name: &str, settings: Settings) -> Result<Cache<K, V>, CacheError>
    where
        K: fmt::Display + ?Sized,
        V: Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        let inner = &*self.0;
        check_name(name)?;
        check_settings(name, &settings)?;
        if !inner.names.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned()) {
            return Err(CacheError::Twice(name.to_owned()));
        }
        let engine = self.engine::<V>(name, &settings);
        let (reach, ids) = (inner.reach.clone(), inner.ids.clone());
        Ok(Cache::over(engine, reach, &inner.service, name, settings, ids))
    }

    #[cfg_attr(not(feature = "redis"), expect(unused_variables, reason = "memory has no names"))]
    fn engine<V>(&self, name: &str, settings: &Settings) -> Arc<dyn Engine<V>>
    where
        V: Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        #[cfg(feature = "redis")]
        if let Some(link) = &self.0.link {
            let Inner { system, service, .. } = &*self.0;
            return Arc::new(RedisEngine::new(
                link.clone(),
                format!("partie:{system}:{service}:{name}:{}:", settings.schema),
            ));
        }
        Arc::new(MemoryEngine::new(settings.capacity, settings.longest()))
    }
}

impl fmt::Debug for Caches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { system, service, reach, .. } = &*self.0;
        write!(f, "Caches({system}/{service}, {reach:?})")
    }
}

fn check_name(name: &str) -> Result<(), CacheError> {
    let is_plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    if (1..=64).contains(&name.len()) && name.bytes().all(is_plain) {
        Ok(())
    } else {
        Err(CacheError::Name(name.to_owned()))
    }
}

fn check_settings(cache: &str, settings: &Settings) -> Result<(), CacheError> {
    let wrong = |reason| Err(CacheError::Settings { cache: cache.to_owned(), reason });
    // Beyond that nobody means it, and monotonic time could overflow.
    let longest = std::time::Duration::from_hours(24 * 366);
    match settings {
        Settings { ttl, .. } if ttl.is_zero() => wrong("its time is zero"),
        Settings { load, .. } if load.is_zero() => wrong("loads have no time"),
        Settings { capacity: 0, .. } => wrong("its capacity is zero"),
        Settings { jitter, .. } if !(0.0..=1.0).contains(jitter) => wrong("jitter is a share from 0 to 1"),
        settings if settings.longest() > longest => wrong("its time is over a year"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_cannot_be_a_cache_says_why() {
        let open = |system| Caches::open(&CacheConfig::default(), system, "orders", Ids::seeded(1));
        assert_eq!(open("fo:od").unwrap_err(), CacheError::Name("fo:od".into()));
        let caches = open("food").unwrap();
        let make = |name: &str, settings| caches.cache::<str, u8>(name, settings).map(drop);
        let usual = || Settings::lasting(Duration::from_secs(1));
        make("menus", usual()).unwrap();
        assert_eq!(make("menus", usual()), Err(CacheError::Twice("menus".into())));
        for name in ["", "Menus", "a b", "a:b", &"a".repeat(65)] {
            assert_eq!(make(name, usual()), Err(CacheError::Name(name.to_owned())));
        }
        for (settings, needle) in [
            (Settings::lasting(Duration::ZERO), "time is zero"),
            (Settings::lasting(Duration::MAX), "over a year"),
            (usual().load(Duration::ZERO), "loads"),
            (usual().capacity(0), "capacity"),
            (usual().jitter(1.5), "jitter"),
            (usual().jitter(f64::NAN), "jitter"),
        ] {
            let error = make("other", settings).unwrap_err().to_string();
            assert!(error.contains(needle), "{error}");
        }
        make("other", usual()).unwrap();
    }

    #[cfg(not(feature = "redis"))]
    #[test]
    fn a_server_without_its_engine_is_refused() {
        let config = CacheConfig::default().at("redis://:hunter2@cache".parse().unwrap());
        let error = Caches::open(&config, "food", "orders", Ids::seeded(1)).unwrap_err();
        assert!(error.to_string().contains("redis://***@cache:"), "{error}");
    }
}
