//! The description of everything behind the gateway: that of the contracts, and what upstreams say of themselves.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::join_all;
use partie_contract::{Deadline, Platform, Request};
use partie_mesh::{Mesh, Peer};
use partie_runtime::monotonic;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::config::UpstreamConfig;
use crate::openapi::{Part, merge};
use crate::table::Table;

/// How long an upstream may take to describe itself.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a description is good.
const FRESH: Duration = Duration::from_secs(30);
/// The largest description of one upstream, in bytes.
const LARGEST: usize = 4 << 20;

/// The description of everything behind the gateway.
pub(crate) struct Description {
    own: Value,
    text: Bytes,
    /// One at a time asks the upstreams. Whoever waits for it finds what it has found.
    gathered: Mutex<Gathered>,
}

#[derive(Default)]
struct Gathered {
    /// The last thing each upstream has said: what is down stays described.
    documents: BTreeMap<String, Value>,
    /// Of which configuration, when, and what.
    whole: Option<(u64, Instant, Bytes)>,
}

// === impl Description ===

impl Description {
    pub(crate) fn new(own: Value) -> Self {
        Self { text: own.to_string().into(), own, gathered: Mutex::default() }
    }

    /// That of the contracts alone.
    pub(crate) fn own(&self) -> Bytes {
        self.text.clone()
    }

    /// All of it. Asks upstreams that have not been asked lately.
    pub(crate) async fn whole(&self, table: &Table, mesh: &Mesh) -> Bytes {
        let described = |(name, upstream): (&'_ String, &'_ UpstreamConfig)| {
            Some((
                name.clone(),
                upstream.service.clone().unwrap_or_else(|| name.clone()),
                upstream.openapi.clone()?,
            ))
        };
        let upstreams: Vec<_> = table.config.upstreams.iter().filter_map(described).collect();
        if upstreams.is_empty() {
            return self.own();
        }
        let mut gathered = self.gathered.lock().await;
        if let Some((generation, at, text)) = &gathered.whole
            && *generation == table.generation
            && monotonic().duration_since(*at) < FRESH
        {
            return text.clone();
        }
        let asked = upstreams.iter().map(|(name, service, path)| async move {
            let document = ask(mesh, service, path).await;
            if let Err(fault) = &document {
                tracing::info!(upstream = name, %fault, "an upstream does not describe itself");
            }
            (name, document)
        });
        for (name, document) in join_all(asked).await {
            if let Ok(document) = document {
                gathered.documents.insert(name.clone(), document);
            }
        }
        gathered.documents.retain(|name, _| upstreams.iter().any(|(known, ..)| known == name));
        let parts = upstreams.iter().filter_map(|(name, service, _)| {
            let document = gathered.documents.get(name)?.clone();
            Some(Part { name: name.clone(), document, ways: ways(table, service) })
        });
        let text: Bytes = merge(self.own.clone(), parts.collect()).to_string().into();
        gathered.whole = Some((table.generation, monotonic(), text.clone()));
        text
    }
}

/// Asks one upstream.
async fn ask(mesh: &Mesh, service: &str, path: &str) -> Result<Value, Platform> {
    let mut request = Request::default();
    *request.uri_mut() = path.parse().map_err(Platform::internal)?;
    let (from, deadline) = (Peer::InProcess("gateway".into()), Deadline::after(PATIENCE));
    let answer = mesh.forward(service, from, request, deadline).await?;
    if !answer.status().is_success() {
        return Err(Platform::internal(format!("it answers {} at {path}", answer.status())));
    }
    let text = answer.into_body().collect(LARGEST).await?;
    serde_json::from_slice(&text).map_err(Platform::internal)
}

/// What routes make of a service's addresses.
fn ways(table: &Table, service: &str) -> Vec<(String, String)> {
    let leads =
        |rule: &&crate::rules::Rule| rule.choice.targets().any(|(target, _)| target.service() == service);
    let way = |rule: &crate::rules::Rule| {
        let theirs = rule.rewrite.as_deref().unwrap_or(&rule.prefix);
        (theirs.to_owned(), rule.prefix.to_string())
    };
    table.rules.iter().filter(leads).map(way).collect()
}
