//! What the keys of one service say: which instances there are.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::gateway::{Event, KeyValue};
use crate::discovery::{Instance, Seen, USUAL_WEIGHT};

/// The instances of a service, by key.
pub(super) struct List<'a> {
    service: &'a str,
    prefix: &'a str,
    /// Whether instances that are not in it may only not have come back yet.
    pub(super) settling: bool,
    instances: BTreeMap<Vec<u8>, Instance>,
}

/// The value of a key. Later versions may add to it.
#[derive(Serialize, Deserialize)]
struct Written<'a> {
    id: &'a str,
    address: SocketAddr,
    #[serde(default = "usual")]
    weight: u32,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    tls: bool,
}

// === impl List ===

impl<'a> List<'a> {
    pub(super) fn new(service: &'a str, prefix: &'a str) -> Self {
        Self { service, prefix, settling: false, instances: BTreeMap::new() }
    }

    pub(super) fn tell(&self, seen: &Seen) {
        let instances = self.instances.values().cloned().collect();
        if self.settling { seen.at_least(instances) } else { seen.list(instances) }
    }

    pub(super) fn apply(&mut self, event: Event) {
        if event.is_put() {
            self.put(event.kv);
        } else {
            self.instances.remove(&event.kv.key);
        }
    }

    pub(super) fn put(&mut self, KeyValue { key, value }: KeyValue) {
        match self.read(&key, &value) {
            Ok(instance) => _ = self.instances.insert(key, instance),
            Err(reason) => {
                let (service, key_text) = (self.service, String::from_utf8_lossy(&key));
                tracing::warn!(%service, key = %key_text, %reason, "a key in etcd is no instance");
                self.instances.remove(&key);
            }
        }
    }

    fn read(&self, key: &[u8], value: &[u8]) -> Result<Instance, String> {
        let written: Written<'_> = serde_json::from_slice(value).map_err(|error| error.to_string())?;
        // Whatever lies deeper belongs to a service whose name goes on.
        if key.strip_prefix(self.prefix.as_bytes()) != Some(written.id.as_bytes()) {
            return Err(format!("its id is {:?}", written.id));
        }
        let Written { id, address, weight, tls } = written;
        Ok(Instance { id: id.into(), address, weight, tls })
    }
}

pub(super) fn written(instance: &Instance) -> Vec<u8> {
    let Instance { id, address, weight, tls } = instance;
    // Texts and numbers: that cannot fail.
    serde_json::to_vec(&Written { id, address: *address, weight: *weight, tls: *tls }).unwrap_or_default()
}

fn usual() -> u32 {
    USUAL_WEIGHT
}
