//! The settings of Consul as the registry.

use std::time::Duration;

use partie_runtime::{Secret, duration};
use serde::{Deserialize, Serialize};

use crate::discovery::Misconfigured;

/// Which agent, and how it learns that an instance is alive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct ConsulConfig {
    /// The agent: `http://HOST:PORT`.
    pub url: String,
    /// An ACL token, if the agent wants one.
    pub token: Option<Secret>,
    /// An instance that has not been heard of for so long is critical. It is heard of three times as often.
    #[serde(with = "duration")]
    pub ttl: Duration,
    /// A path of the instance that the agent asks instead of waiting to hear from it. It answers 2xx when all is well.
    pub check_path: Option<String>,
    /// How often the agent asks at [`check_path`](Self::check_path).
    #[serde(with = "duration")]
    pub interval: Duration,
    /// How long a blocking query waits.
    #[serde(with = "duration")]
    pub wait: Duration,
}

// === impl ConsulConfig ===

impl ConsulConfig {
    pub(super) fn check(&self) -> Result<(), Misconfigured> {
        for (setting, duration, least) in
            [("ttl", self.ttl, 100), ("interval", self.interval, 100), ("wait", self.wait, 10)]
        {
            if duration < Duration::from_millis(least) {
                return Err(Misconfigured::new(setting, format!("it has to be at least {least} ms")));
            }
        }
        if self.check_path.as_ref().is_some_and(|path| !path.starts_with('/')) {
            return Err(Misconfigured::new("check-path", "it has to begin with /"));
        }
        Ok(())
    }
}

impl Default for ConsulConfig {
    fn default() -> Self {
        Self {
            url: "http://127.0.0.1:8500".into(),
            token: None,
            ttl: Duration::from_secs(15),
            check_path: None,
            interval: Duration::from_secs(5),
            wait: Duration::from_secs(60),
        }
    }
}
