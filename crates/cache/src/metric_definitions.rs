//! What caches measure.

use partie_telemetry::{Counter, Definition, Unit};

const REQUESTS: Definition =
    Definition::new("partie.cache.requests", Unit::Count, "Questions to a cache, by what it had");

const LOADS: Definition =
    Definition::new("partie.cache.loads", Unit::Count, "Loads of what a cache did not have");

const INVALIDATIONS: Definition =
    Definition::new("partie.cache.invalidations", Unit::Count, "Changes a cache was told of");

const ENGINE_ERRORS: Definition = Definition::new(
    "partie.cache.engine.errors",
    Unit::Count,
    "Times the engine of a cache gave no answer, or one that cannot be used",
);

/// Handles of one cache, registered when it is made.
pub(crate) struct Metrics {
    pub(crate) hits: Counter,
    /// Hits of what does not exist.
    pub(crate) negative: Counter,
    pub(crate) misses: Counter,
    /// Misses that were answered by somebody else's load.
    pub(crate) shared: Counter,
    pub(crate) loads: Counter,
    pub(crate) load_failures: Counter,
    /// Loads that gave a version below one there is.
    pub(crate) load_stale: Counter,
    pub(crate) invalidations: Counter,
    pub(crate) invalidation_failures: Counter,
    pub(crate) engine_errors: Counter,
}

// === impl Metrics ===

impl Metrics {
    pub(crate) fn of(service: &str, cache: &str) -> Self {
        let counter = |definition: &Definition, outcome| {
            definition.counter(&[("service", service), ("cache", cache), ("outcome", outcome)])
        };
        Self {
            hits: counter(&REQUESTS, "hit"),
            negative: counter(&REQUESTS, "negative"),
            misses: counter(&REQUESTS, "miss"),
            shared: counter(&LOADS, "shared"),
            loads: counter(&LOADS, "loaded"),
            load_failures: counter(&LOADS, "failed"),
            load_stale: counter(&LOADS, "stale"),
            invalidations: counter(&INVALIDATIONS, "done"),
            invalidation_failures: counter(&INVALIDATIONS, "failed"),
            engine_errors: ENGINE_ERRORS.counter(&[("service", service), ("cache", cache)]),
        }
    }
}
