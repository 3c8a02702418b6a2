//! The service's settings: `[services.calculator]`.

use serde::{Deserialize, Serialize};

/// Settings of the calculator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Settings {
    /// The largest n. No use above the limit of the factorials.
    pub limit: u32,
    /// `host:port` of factorials outside of this system. Empty: those of the system, wherever they run.
    pub factorial: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self { limit: 20_000, factorial: String::new() }
    }
}
