//! The service's settings: `[services.calculator]`.

use serde::{Deserialize, Serialize};

/// Settings of the calculator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Settings {
    /// The largest n. No use above the limit of the factorials.
    pub limit: u32,
    /// `host:port` of factorials outside of this system, several with commas between them. Empty: those of the system,
    /// wherever they run. Names are looked up once, at the start.
    pub factorial: String,
}

// === impl Settings ===

impl Settings {
    /// The usual settings, with factorials outside of the system.
    pub fn at(factorial: &str) -> Self {
        Self { factorial: factorial.to_owned(), ..Self::default() }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self { limit: 20_000, factorial: String::new() }
    }
}
