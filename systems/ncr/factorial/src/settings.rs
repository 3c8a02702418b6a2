//! The service's settings: `[services.factorial]`.

use partie::contract::BoxError;
use serde::{Deserialize, Serialize};

/// Settings of the factorials.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Settings {
    /// The largest n. Above it the answer is `OUT_OF_RANGE`.
    pub limit: u32,
    /// How many bytes of results are kept. The one that was not asked for the longest goes first.
    pub cache: usize,
    /// The bytes of one piece, for whoever wants the result in pieces.
    pub chunk: usize,
}

// === impl Settings ===

impl Settings {
    /// The settings, if they make sense.
    pub(crate) fn checked(self) -> Result<Self, BoxError> {
        // A million factorial has 5.6 million digits, and takes the better part of a second.
        if self.limit > 1_000_000 {
            return Err("`limit` must be at most 1000000".into());
        }
        // A message of gRPC may have 4 MiB, unless both sides agree on more.
        if !(1..=1 << 20).contains(&self.chunk) {
            return Err("`chunk` must be 1 to 1048576".into());
        }
        Ok(self)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self { limit: 20_000, cache: 64 << 20, chunk: 64 << 10 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_cannot_work_are_refused() {
        let usual = Settings::default();
        assert_eq!(usual.clone().checked().unwrap(), usual);
        for bad in [
            Settings { limit: 1_000_001, ..usual.clone() },
            Settings { chunk: 0, ..usual.clone() },
            Settings { chunk: 2 << 20, ..usual },
        ] {
            assert!(bad.clone().checked().is_err(), "{bad:?}");
        }
    }
}
