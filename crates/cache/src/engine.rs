//! Engines: where entries are, one small trait.

mod memory;
#[cfg(feature = "redis")]
mod redis;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use partie_contract::{BoxError, BoxFuture, Entity, Versioned};

pub use memory::MemoryEngine;
#[cfg(feature = "redis")]
pub use redis::{RedisEngine, RedisLink};

/// What is known of a key at some version. Loaders give it back, engines keep it.
#[derive(Debug)]
pub struct Entry<V> {
    /// The version of the thing, as its owner counts: higher is newer, and its events say the same number.
    pub version: i64,
    /// The thing; `None` if it does not exist.
    pub value: Option<Arc<V>>,
}

/// Marks one life of a slot. A slot that was lost and opened again has another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Token(pub u64);

/// What an engine has of a key.
#[derive(Debug)]
pub struct Slot<V> {
    /// Who wants to put something into the slot shows it.
    pub token: Token,
    /// The lowest version that may be in it; `i64::MIN` if any.
    pub floor: i64,
    /// What is in it.
    pub entry: Option<Entry<V>>,
}

/// Where entries are. An engine implements this and nothing else; each call is atomic for its key.
///
/// An engine may forget any slot at any time. That is safe because a slot that was forgotten with its floor is opened again
/// under another [`Token`]: whoever read the old version before has no token for it.
///
/// The futures may be dropped at any await, and what they asked for may happen later all the same.
pub trait Engine<V>: fmt::Debug + Send + Sync + 'static {
    /// What is there. If there is no entry, the slot is opened for so long, under the token that is given unless it was
    /// open.
    ///
    /// # Errors
    /// [`EngineError`] when the engine cannot be asked.
    fn read<'a>(
        &'a self,
        key: &'a str,
        fresh: Token,
        open: Duration,
    ) -> BoxFuture<'a, Result<Slot<V>, EngineError>>;

    /// Keeps an entry for so long, unless the slot has another token by now, a floor above it, or a higher version in it.
    /// Says whether it is kept.
    ///
    /// # Errors
    /// [`EngineError`] when the engine cannot be asked, or did not say.
    fn put<'a>(
        &'a self,
        key: &'a str,
        token: Token,
        entry: Entry<V>,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<bool, EngineError>>;

    /// Raises the floor of a slot, empties it if what is in it lies below, and then keeps the floor for so long. A slot that
    /// was not open gets the token that is given. A lower floor than there is changes nothing.
    ///
    /// # Errors
    /// [`EngineError`] when the engine cannot be asked, or did not say.
    fn invalidate<'a>(
        &'a self,
        key: &'a str,
        version: i64,
        fresh: Token,
        keep: Duration,
    ) -> BoxFuture<'a, Result<(), EngineError>>;

    /// Whether it answers at once, from memory. One that does not is given up on when it takes too long.
    fn is_local(&self) -> bool {
        false
    }
}

/// An engine does not do what it was asked to. Everything may be tried again.
#[derive(Debug, thiserror::Error)]
#[error("the cache at {engine}: {reason}")]
pub struct EngineError {
    /// Which, for people: its kind and address.
    pub engine: String,
    /// Why.
    #[source]
    pub reason: BoxError,
}

// === impl Entry ===

impl<V> Entry<V> {
    /// A thing at that version.
    pub fn new(version: i64, value: impl Into<Arc<V>>) -> Self {
        Self { version, value: Some(value.into()) }
    }

    /// There is no such thing, as of that version. Say 0 if its owner tells none: then the events that tell of its coming
    /// have higher ones.
    pub const fn absent(version: i64) -> Self {
        Self { version, value: None }
    }
}

/// A reply of another service's, as it is. One that says no version is taken for the oldest.
impl<V: Entity> From<Versioned<V>> for Entry<V> {
    fn from(Versioned(entity): Versioned<V>) -> Self {
        Self::new(entity.version().unwrap_or(0), entity)
    }
}

impl<V> Clone for Entry<V> {
    fn clone(&self) -> Self {
        Self { version: self.version, value: self.value.clone() }
    }
}

// === impl Token ===

impl Token {
    /// That of no slot.
    pub(crate) const NONE: Self = Self(0);
}

// === impl Slot ===

impl<V> Slot<V> {
    /// What is known of a key when no engine can be asked.
    pub(crate) const fn unknown() -> Self {
        Self { token: Token::NONE, floor: i64::MIN, entry: None }
    }
}

// === impl EngineError ===

impl EngineError {
    /// That engine, for that reason.
    pub fn new(engine: impl fmt::Display, reason: impl Into<BoxError>) -> Self {
        Self { engine: engine.to_string(), reason: reason.into() }
    }
}
