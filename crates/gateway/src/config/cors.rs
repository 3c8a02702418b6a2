//! What pages of other origins may do.

use std::time::Duration;

use partie_runtime::duration;
use serde::{Deserialize, Serialize};

/// What pages of other origins may do here (the fetch standard, "CORS protocol"). The gateway answers their preflights
/// itself, and what a service says about it is replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct CorsConfig {
    /// Whose pages: `"https://app.example.com"`, or `"*"` alone for everybody's.
    pub origins: Vec<String>,
    /// The methods they may use.
    pub methods: Vec<String>,
    /// The header fields they may send beyond the usual ones; `"*"` alone for any.
    pub headers: Vec<String>,
    /// The header fields of answers they may read beyond the usual ones.
    pub expose: Vec<String>,
    /// Whether they may send cookies. Not with everybody's pages.
    pub credentials: bool,
    /// How long a browser may remember the answer to a preflight.
    #[serde(with = "duration")]
    pub max_age: Duration,
}

impl Default for CorsConfig {
    fn default() -> Self {
        let list = |items: &[&str]| items.iter().map(|item| (*item).to_owned()).collect();
        Self {
            origins: Vec::new(),
            methods: list(&["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]),
            headers: list(&["authorization", "content-type", "idempotency-key", "if-match", "last-event-id"]),
            expose: list(&[
                "etag",
                "location",
                "x-request-id",
                "retry-after",
                "ratelimit",
                "idempotency-replayed",
            ]),
            credentials: false,
            max_age: Duration::from_secs(600),
        }
    }
}
