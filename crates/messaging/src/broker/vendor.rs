//! What the engines of vendors have in common: their settings, and bookkeeping of what they refuse.

#[cfg(any(feature = "kafka", feature = "nats", feature = "rabbitmq"))]
use std::collections::HashSet;
use std::fmt;
#[cfg(any(feature = "kafka", feature = "nats", feature = "rabbitmq"))]
use std::sync::Arc;
use std::time::Duration;

use partie_runtime::duration;
use serde::{Deserialize, Serialize};

#[cfg(any(feature = "kafka", feature = "nats", feature = "rabbitmq"))]
use super::{BrokerError, Message, Refused};

/// The settings of a vendor's log. All services of a system need the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct LogConfig {
    /// What the names of the system's stream, queues or topic begin with: letters, digits, `-` and `_`. Another system
    /// has another one.
    pub prefix: String,
    /// How long messages are kept, read or not; wall clock.
    #[serde(with = "duration")]
    pub retention: Duration,
    /// On how many servers of a cluster messages are. Used when the log is made; one that is there stays as it is.
    pub replicas: u16,
    /// How many parts the log has when it is made; NATS has one. It must not change later: keys would change parts.
    pub parts: u16,
    /// How long the vendor may take to answer, in monotonic time.
    #[serde(with = "duration")]
    pub timeout: Duration,
}

/// A setting of a vendor's log makes no sense. Nothing was asked of the vendor yet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the broker's setting `{setting}`: {reason}")]
pub struct LogMisconfigured {
    /// Which.
    pub setting: &'static str,
    /// Why, for people.
    pub reason: String,
}

/// Who we are to a vendor. The password is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user.
    pub user: String,
    /// The password.
    pub password: String,
}

/// What was refused of a batch, and which keys wait for it.
#[cfg(any(feature = "kafka", feature = "nats", feature = "rabbitmq"))]
#[derive(Default)]
pub(super) struct Refusals {
    refused: Vec<Refused>,
    keys: HashSet<Arc<str>>,
}

/// What a vendor's client says went wrong.
#[cfg(any(feature = "kafka", feature = "nats", feature = "rabbitmq"))]
pub(super) fn broker_error(error: impl Into<partie_contract::BoxError>) -> BrokerError {
    BrokerError(error.into())
}

// === impl LogConfig ===

impl LogConfig {
    /// Checks the settings.
    ///
    /// # Errors
    /// [`LogMisconfigured`] names the first that makes no sense.
    pub fn check(&self) -> Result<(), LogMisconfigured> {
        let wrong = |setting, reason: &str| Err(LogMisconfigured { setting, reason: reason.to_owned() });
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if !(1..=64).contains(&self.prefix.len()) || !self.prefix.bytes().all(is_name) {
            return wrong("prefix", "it has 1 to 64 letters, digits, `-` and `_`");
        }
        if self.retention < Duration::from_secs(1) {
            return wrong("retention", "it is a second at least");
        }
        if !(1..=5).contains(&self.replicas) {
            return wrong("replicas", "there are 1 to 5");
        }
        if !(1..=256).contains(&self.parts) {
            return wrong("parts", "there are 1 to 256");
        }
        if self.timeout.is_zero() {
            return wrong("timeout", "nobody answers in no time");
        }
        Ok(())
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            prefix: "partie".to_owned(),
            retention: Duration::from_hours(7 * 24),
            replicas: 1,
            parts: 4,
            timeout: Duration::from_secs(5),
        }
    }
}

// === impl Credentials ===

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

// === impl Refusals ===

#[cfg(any(feature = "kafka", feature = "nats", feature = "rabbitmq"))]
impl Refusals {
    /// Refuses a message, and has later ones of its key wait.
    pub(super) fn refuse(&mut self, index: usize, message: &Message, reason: BrokerError) {
        self.keys.insert(Arc::clone(&message.key));
        self.refused.push(Refused { index, reason });
    }

    /// Whether a message may be sent. If not, it is refused: an earlier one of its key was.
    pub(super) fn admits(&mut self, index: usize, message: &Message) -> bool {
        let waits = self.keys.contains(&message.key);
        if waits {
            let reason = BrokerError("an earlier one of its key was refused".into());
            self.refused.push(Refused { index, reason });
        }
        !waits
    }

    pub(super) fn finish(mut self) -> Vec<Refused> {
        self.refused.sort_by_key(|refused| refused.index);
        self.refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_settings_are_named() {
        LogConfig::default().check().unwrap();
        let good = LogConfig::default;
        for (setting, bad) in [
            ("prefix", LogConfig { prefix: String::new(), ..good() }),
            ("prefix", LogConfig { prefix: "a.b".to_owned(), ..good() }),
            ("prefix", LogConfig { prefix: "x".repeat(65), ..good() }),
            ("retention", LogConfig { retention: Duration::from_millis(999), ..good() }),
            ("replicas", LogConfig { replicas: 0, ..good() }),
            ("replicas", LogConfig { replicas: 6, ..good() }),
            ("parts", LogConfig { parts: 0, ..good() }),
            ("parts", LogConfig { parts: 257, ..good() }),
            ("timeout", LogConfig { timeout: Duration::ZERO, ..good() }),
        ] {
            assert_eq!(bad.check().unwrap_err().setting, setting, "{bad:?}");
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        let credentials = Credentials { user: "ada".to_owned(), password: "s3cret".to_owned() };
        assert_eq!(format!("{credentials:?}"), r#"Credentials { user: "ada", .. }"#);
    }
}
