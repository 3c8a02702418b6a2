//! Consul's JSON of what is registered.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;

use super::agent::{Check, Service, WEIGHT_META};
use super::definition::{Kind, ServiceDefinition, Weights};
use super::{DATACENTER, NODE};
use crate::discovery::{Instance, USUAL_WEIGHT};

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Entry<'a> {
    node: Node,
    service: ServiceJson<'a>,
    checks: Vec<CheckJson<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Node {
    #[serde(rename = "ID")]
    id: &'static str,
    node: &'static str,
    address: &'static str,
    datacenter: &'static str,
    tagged_addresses: Nothing,
    meta: Nothing,
}

/// What Consul has and this API does not.
#[derive(Serialize)]
struct Nothing {}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ServiceJson<'a> {
    #[serde(rename = "ID")]
    id: &'a str,
    service: &'a str,
    tags: &'a [String],
    meta: BTreeMap<&'a str, &'a str>,
    port: u16,
    address: &'a str,
    weights: WeightsJson,
    enable_tag_override: bool,
    datacenter: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct WeightsJson {
    passing: u32,
    warning: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CheckJson<'a> {
    node: &'static str,
    #[serde(rename = "CheckID")]
    check_id: &'a str,
    name: String,
    status: &'static str,
    notes: &'a str,
    output: &'a str,
    #[serde(rename = "ServiceID")]
    service_id: &'a str,
    service_name: &'a str,
    service_tags: &'a [String],
    #[serde(rename = "Type")]
    kind: &'static str,
    interval: String,
    timeout: String,
    definition: Nothing,
}

/// One registration among the health of its service.
pub(super) fn entry<'a>(
    definition: &'a ServiceDefinition,
    checks: impl Iterator<Item = (&'a Arc<str>, &'a Check)>,
) -> Bytes {
    let checks = checks.map(|(id, check)| self::check(id, check, Some(definition))).collect();
    json(&Entry { node: NODE_JSON, service: self::definition(definition), checks })
}

/// An instance that was announced to the registry itself, which has nothing to do with checks.
pub(super) fn announced(service: &str, instance: &Instance) -> Bytes {
    let (address, weight) = (instance.address.ip().to_string(), instance.weight.to_string());
    // Consul's weights are whole numbers of which 1 is usual.
    let passing = instance.weight.div_ceil(USUAL_WEIGHT).max(1);
    let service = ServiceJson {
        id: &instance.id,
        service,
        tags: &[],
        meta: BTreeMap::from([(WEIGHT_META, &*weight)]),
        port: instance.address.port(),
        address: &address,
        weights: WeightsJson { passing, warning: passing },
        enable_tag_override: false,
        datacenter: DATACENTER,
    };
    json(&Entry { node: NODE_JSON, service, checks: Vec::new() })
}

/// A registration among the services of the agent.
pub(super) fn service(service: &Service) -> ServiceJson<'_> {
    definition(&service.definition)
}

fn definition(definition: &ServiceDefinition) -> ServiceJson<'_> {
    let Weights { passing, warning } = definition.weights;
    ServiceJson {
        id: &definition.id,
        service: &definition.name,
        tags: &definition.tags,
        meta: definition.meta.iter().map(|(name, value)| (&**name, &**value)).collect(),
        port: definition.port,
        address: &definition.address,
        weights: WeightsJson { passing, warning },
        enable_tag_override: false,
        datacenter: DATACENTER,
    }
}

pub(super) fn check<'a>(
    id: &'a str,
    check: &'a Check,
    service: Option<&'a ServiceDefinition>,
) -> CheckJson<'a> {
    let name = service.map_or("", |service| &service.name);
    let (kind, interval, timeout) = match &check.definition.kind {
        Kind::Http(http) => ("http", format!("{:?}", http.interval), format!("{:?}", http.timeout)),
        Kind::Ttl(_) => ("ttl", String::new(), String::new()),
    };
    CheckJson {
        node: NODE,
        check_id: id,
        name: check.definition.name.clone().unwrap_or_else(|| format!("Service '{name}' check")),
        status: check.status.as_str(),
        notes: &check.definition.notes,
        output: &check.output,
        service_id: &check.definition.service_id,
        service_name: name,
        service_tags: service.map_or(&[], |service| &service.tags),
        kind,
        interval,
        timeout,
        definition: Nothing {},
    }
}

/// Entries as one list.
pub(super) fn list(entries: &[Bytes]) -> Bytes {
    let mut all = Vec::with_capacity(entries.iter().map(|entry| entry.len() + 1).sum::<usize>() + 2);
    all.push(b'[');
    for (n, entry) in entries.iter().enumerate() {
        if n > 0 {
            all.push(b',');
        }
        all.extend_from_slice(entry);
    }
    all.push(b']');
    all.into()
}

pub(super) fn json(value: &impl Serialize) -> Bytes {
    // Texts, numbers, lists and maps by text: nothing of that can fail.
    serde_json::to_vec(value).unwrap_or_default().into()
}

const NODE_JSON: Node = Node {
    id: "",
    node: NODE,
    address: "127.0.0.1",
    datacenter: DATACENTER,
    tagged_addresses: Nothing {},
    meta: Nothing {},
};
