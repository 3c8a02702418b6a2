//! What Consul knows about a service, as instances.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use partie_contract::BoxError;
use serde::Deserialize;

use crate::discovery::consul_api::WEIGHT_META;
use crate::discovery::{Instance, USUAL_WEIGHT};

/// How long the name of one instance may take to be looked up.
const LOOK_UP: Duration = Duration::from_secs(2);

/// A list of `/v1/health/service`.
#[derive(Debug, Deserialize)]
pub(super) struct Known(Vec<Entry>);

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    node: Node,
    service: Service,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Node {
    #[serde(default)]
    address: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Service {
    #[serde(rename = "ID")]
    id: String,
    #[serde(default)]
    address: String,
    port: u16,
    meta: Option<BTreeMap<String, String>>,
    weights: Option<Weights>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Weights {
    passing: u32,
}

// === impl Known ===

impl Known {
    pub(super) fn parse(body: &[u8]) -> Result<Self, BoxError> {
        serde_json::from_slice(body)
            .map_err(|error| format!("it does not speak as Consul does: {error}").into())
    }

    /// Those that can be called. Others are passed over: one bad registration must not hide the good ones.
    pub(super) async fn instances(self, service: &str) -> Vec<Instance> {
        let mut instances = Vec::with_capacity(self.0.len());
        for entry in self.0 {
            let Entry { node, service: Service { id, address, port, meta, weights } } = entry;
            // As in Consul, who says no address is where its agent is.
            let host = if address.is_empty() { &node.address } else { &address };
            let Some(address) = look_up(host, port).await else {
                tracing::warn!(%service, %id, %host, port, "an instance in Consul has no address to call");
                continue;
            };
            let fine = meta.as_ref().and_then(|meta| meta.get(WEIGHT_META)?.parse().ok());
            let passing = weights.map_or(1, |weights| weights.passing);
            let weight = fine.unwrap_or_else(|| passing.saturating_mul(USUAL_WEIGHT));
            let id = id.strip_prefix(service).and_then(|id| id.strip_prefix(':')).unwrap_or(&id);
            instances.push(Instance { weight, ..Instance::new(id, address) });
        }
        instances
    }
}

async fn look_up(host: &str, port: u16) -> Option<SocketAddr> {
    if port == 0 || host.is_empty() {
        return None;
    }
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Some(SocketAddr::new(ip, port));
    }
    let found = tokio::time::timeout(LOOK_UP, tokio::net::lookup_host((host, port))).await;
    let found: Vec<SocketAddr> = found.ok()?.ok()?.collect();
    found.iter().find(|found| found.is_ipv4()).or_else(|| found.first()).copied()
}
