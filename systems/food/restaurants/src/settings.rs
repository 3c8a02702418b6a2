//! The service's settings: `[services.restaurants]`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Settings of the restaurants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Settings {
    /// How long a kitchen has to answer a ticket, in business time.
    #[serde(with = "human")]
    pub ticket_accept: Duration,
    /// Whether a new database begins with the tutorial's restaurants.
    pub demo: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { ticket_accept: Duration::from_mins(5), demo: true }
    }
}

/// Durations as people write them.
mod human {
    use std::time::Duration;

    use jiff::SignedDuration;
    use serde::{Deserialize, Deserializer, Serializer, de, ser};

    pub(super) fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        let signed = SignedDuration::try_from(*value).map_err(ser::Error::custom)?;
        serializer.collect_str(&format_args!("{signed:#}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let text = String::deserialize(deserializer)?;
        let signed: SignedDuration = text.parse().map_err(de::Error::custom)?;
        signed.try_into().map_err(|_| de::Error::custom("a duration cannot be negative"))
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
