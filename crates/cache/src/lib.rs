//! Caches: what a service reads often and somebody else changes seldom, close at hand.
//!
//! A [`Cache`] stands in front of something slower. Whoever asks brings the way to load what is not there; concurrent
//! misses share one load, what does not exist is remembered too, and an event that says "there is a version 8 now" has the
//! last word over loads that read version 7 before it.
//!
//! ```
//! use std::time::Duration;
//!
//! use partie_cache::{CacheConfig, Caches, Entry, Settings};
//! use partie_contract::{Call, Deadline, Trace};
//! use partie_runtime::Ids;
//!
//! # tokio_test(async {
//! let caches = Caches::open(&CacheConfig::default(), "food", "orders", Ids::from_entropy())?;
//! let menus = caches.cache::<str, String>("menus", Settings::lasting(Duration::from_secs(60)))?;
//!
//! let cx = Call::new(Deadline::after(Duration::from_secs(1)), Trace::new(1, 1));
//! let load = || async { Ok(Entry::new(7, "soup".to_owned())) }; // a call to another service
//! assert_eq!(menus.get(&cx, "bistro", load).await?.as_deref().map(String::as_str), Some("soup"));
//!
//! menus.invalidate("bistro", 8).await?; // told by an event
//! let load = || async { Ok(Entry::new(8, "stew".to_owned())) };
//! assert_eq!(menus.get(&cx, "bistro", load).await?.as_deref().map(String::as_str), Some("stew"));
//! # Ok(()) });
//! # fn tokio_test(test: impl Future<Output = Result<(), Box<dyn std::error::Error>>>) {
//! #     tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test).unwrap();
//! # }
//! ```
//!
//! How old an answer can be: nothing is served later than its time ([`Settings::ttl`]) after it was read; an engine that
//! hangs while it is given an entry may add as much as it hung, up to [`Settings::load`]. A change is seen as soon as
//! [`invalidate`](Cache::invalidate) has told of it. While it cannot tell of it, it says so and is called again, this
//! process serves nothing it knows to be old, and other processes may until the call succeeds or the time is over,
//! whichever comes first.
//!
//! | engine | feature | shared by | holds |
//! |---|---|---|---|
//! | [`MemoryEngine`] | | nobody: each process has its own | the values themselves |
//! | `RedisEngine` | `redis` | all processes of the service | JSON |
//!
//! Layout: `cache` is the way of a question, with `cache/flights` (one load for all who wait) and `cache/floors` (what this
//! process knows to be old); `engine` is the trait and the engines; `reach` keeps an engine that hangs from costing time;
//! `caches`, `config` and `url` open them.
#![forbid(unsafe_code)]

mod cache;
mod caches;
mod config;
mod engine;
mod metric_definitions;
mod reach;
mod settings;
mod url;

pub use cache::Cache;
pub use caches::{CacheError, Caches};
pub use config::CacheConfig;
pub use engine::{Engine, EngineError, Entry, MemoryEngine, Slot, Token};
#[cfg(feature = "redis")]
pub use engine::{RedisEngine, RedisLink};
pub use reach::Reach;
pub use settings::Settings;
pub use url::{CacheUrl, CacheUrlError};
