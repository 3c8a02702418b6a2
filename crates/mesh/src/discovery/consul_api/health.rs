//! The questions: who is healthy, which services there are; at once, or when something is new.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, header};
use partie_contract::Response;

use super::Shared;
use super::definition::Status;
use super::query::{Blocking, Query};
use super::refusal::Refusal;
use super::render;

const INDEX: HeaderName = HeaderName::from_static("x-consul-index");
/// Says that the registry has just started, and that who is not in the list may only not have come back yet. Clients of
/// Consul do not know it; our own does.
pub(in crate::discovery) const SETTLING: HeaderName = HeaderName::from_static("x-partie-settling");
/// So many rendered lists are kept for the next who asks.
const RENDERED: usize = 256;

// === impl Shared ===

impl Shared {
    pub(super) async fn health(&self, service: &str, query: &Query) -> Result<Response, Refusal> {
        let passing = query.is_set("passing")?;
        let tags: Vec<&str> = query.all("tag").filter(|tag| !tag.is_empty()).collect();
        if let Some(blocking) = query.blocking(&self.ids)? {
            let changed = self.registry.changed(service, self.known(blocking));
            self.wait(blocking, changed).await;
        }
        // Before the list: what changes in between is told with the next answer, not lost.
        let index = self.registry.index_of(service);
        let list = if tags.is_empty() {
            self.rendered(service, passing, index)
        } else {
            self.render(service, passing, &tags)
        };
        Ok(self.indexed(list, index))
    }

    /// The names of all services, with the tags of their instances.
    pub(super) async fn catalog(&self, query: &Query) -> Result<Response, Refusal> {
        if let Some(blocking) = query.blocking(&self.ids)? {
            let changed = self.registry.any_changed(self.known(blocking));
            self.wait(blocking, changed).await;
        }
        let index = self.registry.index();
        let announced = self.registry.services();
        let agent = self.agent();
        let mut names: BTreeMap<&str, BTreeSet<&str>> =
            announced.iter().map(|name| (&**name, BTreeSet::new())).collect();
        for (name, services) in agent.names() {
            let tags = services.flat_map(|service| service.definition.tags.iter().map(String::as_str));
            names.entry(name).or_default().extend(tags);
        }
        Ok(self.indexed(render::json(&names), index))
    }

    /// The registry's index the client knows. One from before a restart is none that can come again.
    fn known(&self, blocking: Blocking) -> u64 {
        blocking.index.wrapping_sub(self.base)
    }

    async fn wait(&self, Blocking { wait, .. }: Blocking, changed: impl Future<Output = ()>) {
        let settling = self.registry.is_settling();
        let changed = async {
            changed.await;
            // News come in crowds. Whoever tells each of them alone tells all of a long list each time.
            tokio::time::sleep(self.config.gather).await;
        };
        tokio::select! {
            () = changed => {}
            () = tokio::time::sleep(wait) => {}
            () = self.stop.stopped() => {}
            () = self.registry.settled(), if settling => {}
        }
    }

    fn indexed(&self, body: Bytes, index: u64) -> Response {
        let mut answer = super::answer(body);
        let headers = answer.headers_mut();
        headers.insert(INDEX, HeaderValue::from(self.base.wrapping_add(index)));
        if self.registry.is_settling() {
            headers.insert(SETTLING, HeaderValue::from_static("true"));
        }
        headers.insert("x-consul-knownleader", HeaderValue::from_static("true"));
        headers.insert("x-consul-lastcontact", HeaderValue::from_static("0"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        answer
    }

    /// The list of a service, rendered once for all who ask between two changes.
    fn rendered(&self, service: &str, passing: bool, index: u64) -> Bytes {
        let key = (service.to_owned(), passing);
        if let Some((at, list)) = self.lists().get(&key)
            && *at == index
        {
            return list.clone();
        }
        let list = self.render(service, passing, &[]);
        let mut lists = self.lists();
        if lists.len() >= RENDERED {
            lists.clear();
        }
        lists.insert(key, (index, list.clone()));
        list
    }

    fn render(&self, name: &str, passing: bool, tags: &[&str]) -> Bytes {
        let announced = self.registry.list(name).instances;
        let (mut entries, mut registered) = (Vec::new(), HashSet::new());
        for service in self.agent().of(name) {
            registered.insert(Arc::clone(service.id()));
            let tagged = tags.iter().all(|tag| service.definition.tags.iter().any(|known| known == tag));
            if tagged && (!passing || service.status == Status::Passing) {
                entries.push(service.entry().clone());
            }
        }
        // Whoever was announced to the registry itself has no tags.
        if tags.is_empty() {
            let others = announced.iter().filter(|instance| !registered.contains(&instance.id));
            entries.extend(others.map(|instance| render::announced(name, instance)));
        }
        render::list(&entries)
    }
}
