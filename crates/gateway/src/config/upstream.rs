//! Where a route leads to.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A program routes lead to: a service by its name, or a list of addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct UpstreamConfig {
    /// Where its instances are: `"http://HOST:PORT"`, or `"https://HOST:PORT"` for all of them. A name is looked up again
    /// every now and then.
    pub urls: Vec<String>,
    /// The name in its certificate, if it is not the host of its `https` URLs. `Host` says the same.
    pub server_name: Option<String>,
    /// The authorities whose certificates are believed, a PEM file, in the place of those that browsers believe.
    pub ca_file: Option<PathBuf>,
    /// Its name in the registry, if it has no URLs.
    pub service: Option<String>,
    /// Where it describes itself (OpenAPI 3): a path such as `/openapi.json`. Becomes part of the gateway's description.
    pub openapi: Option<String>,
}
