//! The settings of etcd as the registry.

use std::time::Duration;

use partie_runtime::duration;
use serde::{Deserialize, Serialize};

use crate::discovery::Misconfigured;

/// Which cluster, and where in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct EtcdConfig {
    /// The members: `http://HOST:PORT` each. They are tried in turn.
    pub endpoints: Vec<String>,
    /// What all keys begin with.
    pub prefix: String,
    /// How long an instance stays in the list that has not renewed its lease. It does so three times as often. etcd counts
    /// whole seconds.
    #[serde(with = "duration")]
    pub ttl: Duration,
}

// === impl EtcdConfig ===

impl EtcdConfig {
    pub(super) fn check(&self) -> Result<(), Misconfigured> {
        if self.endpoints.is_empty() {
            return Err(Misconfigured::new("endpoints", "there has to be one at least"));
        }
        if self.prefix.is_empty() || self.prefix.ends_with('/') {
            return Err(Misconfigured::new("prefix", "it has to be some text that does not end with /"));
        }
        if self.ttl < Duration::from_secs(1) {
            return Err(Misconfigured::new("ttl", "it has to be at least a second"));
        }
        Ok(())
    }
}

impl Default for EtcdConfig {
    fn default() -> Self {
        Self {
            endpoints: vec!["http://127.0.0.1:2379".into()],
            prefix: "/partie/instances".into(),
            ttl: Duration::from_secs(15),
        }
    }
}
