//! The settings of webhooks: `[services.notifications.webhooks]`.

use std::path::PathBuf;
use std::time::Duration;

use partie::contract::BoxError;
use partie::runtime::duration;
use serde::{Deserialize, Serialize};

/// How webhooks are sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct WebhookSettings {
    /// Whether endpoints may be in private networks and on this machine, and without TLS. Whoever may register endpoints can
    /// then reach whatever this service can.
    pub allow_private: bool,
    /// A file with the certificates (PEM) of authorities to trust beside those everybody trusts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// How long an attempt may take, from looking up the name to the answer. Less than `messaging.jobs.timeout`, or nobody
    /// is told why it failed.
    #[serde(with = "duration")]
    pub timeout: Duration,
    /// How many requests are under way to one endpoint at most.
    pub at_once: usize,
}

// === impl WebhookSettings ===

impl WebhookSettings {
    pub(crate) fn check(&self) -> Result<(), BoxError> {
        if self.timeout.is_zero() {
            Err("`webhooks.timeout` must be more than nothing".into())
        } else {
            Ok(())
        }
    }
}

impl Default for WebhookSettings {
    fn default() -> Self {
        Self { allow_private: false, ca: None, timeout: Duration::from_secs(15), at_once: 4 }
    }
}
