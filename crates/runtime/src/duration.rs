//! Durations in configuration: `"250ms"`, `"10s"`, `"1m 30s"`. For `#[serde(with = "partie_runtime::duration")]`.

use std::time::Duration;

use jiff::fmt::friendly::{Designator, Spacing, SpanParser, SpanPrinter};
use serde::{Deserialize, Deserializer, Serializer, de};

/// Writes `1m 30s`.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    let printer = SpanPrinter::new().designator(Designator::Compact).spacing(Spacing::BetweenUnits);
    serializer.collect_str(&printer.unsigned_duration_to_string(duration))
}

/// Reads a number with a unit.
///
/// # Errors
/// When it is not one, or has no unit.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    SpanParser::new().parse_unsigned_duration(&text).map_err(|error| {
        de::Error::custom(format_args!("{text:?} is not a duration like \"250ms\" or \"10s\": {error}"))
    })
}

/// Durations that need not be said. For `#[serde(with = "partie_runtime::duration::optional")]` beside a default.
pub mod optional {
    use std::time::Duration;

    use serde::{Deserializer, Serializer};

    /// Writes it, if there is one.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        match duration {
            Some(duration) => super::serialize(duration, serializer),
            None => serializer.serialize_none(),
        }
    }

    /// Reads what is there.
    ///
    /// # Errors
    /// As [`deserialize`](super::deserialize).
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        super::deserialize(deserializer).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Serialize, Deserialize)]
    struct Wait(#[serde(with = "crate::duration")] Duration);

    #[test]
    fn durations_have_units() {
        for (text, millis) in [("\"250ms\"", 250), ("\"10s\"", 10_000), ("\"1m 30s\"", 90_000)] {
            let wait: Wait = serde_json::from_str(text).unwrap();
            assert_eq!(wait.0, Duration::from_millis(millis));
            assert_eq!(serde_json::to_string(&wait).unwrap(), text);
        }
        for bad in ["\"10\"", "10", "\"-1s\"", "\"soon\""] {
            assert!(serde_json::from_str::<Wait>(bad).is_err(), "{bad}");
        }
    }
}
