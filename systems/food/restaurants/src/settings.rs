//! The service's settings: `[services.restaurants]`.

use std::time::Duration;

use partie::runtime::duration;
use serde::{Deserialize, Serialize};

/// Settings of the restaurants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Settings {
    /// How long a kitchen has to answer a ticket, in business time.
    #[serde(with = "duration")]
    pub ticket_accept: Duration,
    /// Whether a new database begins with the tutorial's restaurants.
    pub demo: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { ticket_accept: Duration::from_mins(5), demo: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_what_people_write() {
        let settings: Settings = serde_json::from_str(r#"{"ticket-accept": "90s", "demo": false}"#).unwrap();
        assert_eq!(settings, Settings { ticket_accept: Duration::from_secs(90), demo: false });
        for bad in [r#"{"ticket-accept": "-1s"}"#, r#"{"ticket-accept": 5}"#, r#"{"tickets": "5m"}"#] {
            assert!(serde_json::from_str::<Settings>(bad).is_err(), "{bad}");
        }
    }
}
