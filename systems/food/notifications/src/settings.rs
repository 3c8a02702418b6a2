//! The service's settings: `[services.notifications]`.

use partie::contract::BoxError;
use partie::messaging::JobConfig;
use serde::{Deserialize, Serialize};

/// Settings of the notifications.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Settings {
    /// After so many attempts a notification is dead. With the platform's pauses between them, 8 take about a minute.
    ///
    /// Fewer than `messaging.jobs.attempts`: the notification is given up before its job is.
    pub attempts: u32,
}

// === impl Settings ===

impl Settings {
    /// The settings, if they make sense.
    pub(crate) fn checked(self) -> Result<Self, BoxError> {
        let most = JobConfig::default().attempts - 1;
        if (1..=most).contains(&self.attempts) {
            Ok(self)
        } else {
            Err(format!("`attempts` must be 1 to {most}").into())
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self { attempts: 8 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_what_people_write() {
        assert_eq!(toml::from_str::<Settings>("").unwrap().checked().unwrap(), Settings { attempts: 8 });
        assert_eq!(toml::from_str::<Settings>("attempts = 1").unwrap().checked().unwrap().attempts, 1);
        for bad in ["attempts = -1", "attempts = 'two'", "attempt = 2"] {
            assert!(toml::from_str::<Settings>(bad).is_err(), "{bad}");
        }
        for bad in ["attempts = 0", "attempts = 10"] {
            assert!(toml::from_str::<Settings>(bad).unwrap().checked().is_err(), "{bad}");
        }
    }
}
