//! What an operator says of caches.

use std::time::Duration;

use partie_runtime::duration;
use serde::{Deserialize, Serialize};

use crate::url::CacheUrl;

/// The settings of all caches of a service. Durations are written like `50ms`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct CacheConfig {
    /// The server all processes share, `redis://:PASSWORD@HOST:PORT/DB`. Without one each process has caches of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<CacheUrl>,
    /// How long the server may take for one answer. A caller waits that long at most before it is loaded from the source.
    #[serde(with = "duration")]
    pub timeout: Duration,
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self { url: None, timeout: Duration::from_millis(50) }
    }
}

impl CacheConfig {
    /// Caches on that server.
    #[must_use]
    pub fn at(mut self, url: CacheUrl) -> Self {
        self.url = Some(url);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_configuration_reads_back_and_a_wrong_one_says_why() {
        let config: CacheConfig =
            serde_json::from_str(r#"{"url": "redis://localhost:6380/2", "timeout": "20ms"}"#).unwrap();
        assert_eq!(config.timeout, Duration::from_millis(20));
        let text = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<CacheConfig>(&text).unwrap(), config, "{text}");
        for (bad, needle) in [
            (r#"{"url": "memcached://x:1"}"#, "redis://"),
            (r#"{"url": "redis://:hunter2@x:y"}"#, "***"),
            (r#"{"uri": "redis://x:1"}"#, "uri"),
            (r#"{"timeout": 50}"#, "string"),
        ] {
            let error = serde_json::from_str::<CacheConfig>(bad).unwrap_err().to_string();
            assert!(error.contains(needle) && !error.contains("hunter2"), "{bad}: {error}");
        }
    }
}
