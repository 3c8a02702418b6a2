//! What is registered: services with their checks, and what of them is announced in the registry.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;

use super::definition::{CheckDefinition, ServiceDefinition, Status, Weights};
use super::refusal::Refusal;
use super::render;
use crate::discovery::http::AbortOnDrop;
use crate::discovery::{EmbeddedRegistry, EmbeddedRegistryConfig, Full, Instance, USUAL_WEIGHT};

/// What a client says that knows weights finer than Consul's.
pub(in crate::discovery) const WEIGHT_META: &str = "partie-weight";
/// Longer outputs of checks are cut off, in bytes, as in Consul.
const OUTPUT: usize = 4 << 10;
/// More checks of one service are refused.
const CHECKS: usize = 32;

/// Everything that was registered. Ids of services and of checks are unique, whatever service they belong to.
#[derive(Default)]
pub(super) struct Agent {
    services: BTreeMap<Arc<str>, Service>,
    checks: BTreeMap<Arc<str>, Check>,
    names: BTreeMap<Arc<str>, BTreeSet<Arc<str>>>,
    serials: u64,
}

pub(super) struct Service {
    pub(super) definition: ServiceDefinition,
    pub(super) ips: Arc<[IpAddr]>,
    instance: Instance,
    pub(super) checks: BTreeSet<Arc<str>>,
    pub(super) status: Status,
    /// How it looks among the health of its service.
    entry: Bytes,
}

pub(super) struct Check {
    pub(super) definition: CheckDefinition,
    pub(super) status: Status,
    pub(super) output: String,
    /// Which registration, or which renewal, this is: what is found out for an earlier one does not matter any more.
    pub(super) serial: u64,
    /// Runs it, or waits for its TTL. Gone with the check.
    pub(super) task: Option<AbortOnDrop>,
    /// Forgets the service that stays critical.
    pub(super) reaper: Option<AbortOnDrop>,
}

// === impl Agent ===

impl Agent {
    pub(super) fn service(&self, id: &str) -> Result<&Service, Refusal> {
        self.services.get(id).ok_or_else(|| Refusal::unknown("service", id))
    }

    pub(super) fn check(&self, id: &str) -> Result<&Check, Refusal> {
        self.checks.get(id).ok_or_else(|| Refusal::unknown("check", id))
    }

    pub(super) fn check_mut(&mut self, id: &str) -> Option<&mut Check> {
        self.checks.get_mut(id)
    }

    pub(super) fn services(&self) -> impl Iterator<Item = &Service> {
        self.services.values()
    }

    pub(super) fn checks(&self) -> impl Iterator<Item = (&Arc<str>, &Check, Option<&Service>)> {
        self.checks.iter().map(|(id, check)| (id, check, self.services.get(&*check.definition.service_id)))
    }

    pub(super) fn names(&self) -> impl Iterator<Item = (&Arc<str>, impl Iterator<Item = &Service>)> {
        self.names.iter().map(|(name, ids)| (name, ids.iter().filter_map(|id| self.services.get(id))))
    }

    /// All of a service's registrations, by id.
    pub(super) fn of(&self, name: &str) -> impl Iterator<Item = &Service> {
        self.names.get(name).into_iter().flatten().filter_map(|id| self.services.get(id))
    }

    /// Takes a service in, or replaces it. Says which of its checks are new and have to be run.
    pub(super) fn register(
        &mut self,
        definition: ServiceDefinition,
        ips: Arc<[IpAddr]>,
        replace_checks: bool,
        registry: &EmbeddedRegistry,
    ) -> Result<Vec<Arc<str>>, Refusal> {
        let id: Arc<str> = definition.id.as_str().into();
        self.has_room(&definition, registry)?;
        let mut wanted = BTreeMap::new();
        let several = definition.checks.len() > 1;
        for (n, check) in definition.checks.iter().enumerate() {
            let usual = if several { format!("service:{id}:{}", n + 1) } else { format!("service:{id}") };
            let check_id: Arc<str> = check.id.clone().unwrap_or(usual).into();
            self.owns(&check_id, &id)?;
            wanted.insert(check_id, check.clone());
        }
        // A check asks at the address its instance has. Whoever has moved is checked anew.
        let moved = self.services.get(&id).is_some_and(|before| before.ips != ips);
        // Under another name it is another instance.
        let (before, entry) = match self.services.remove(&id) {
            Some(before) if before.definition.name == definition.name => (before.checks, before.entry),
            Some(before) => {
                let checks = before.checks.clone();
                self.forget(&before, registry);
                (checks, Bytes::new())
            }
            None => Default::default(),
        };
        let (mut kept, mut fresh) = (BTreeSet::new(), Vec::new());
        for check_id in before {
            if (replace_checks || moved) && !wanted.contains_key(&check_id) {
                self.checks.remove(&check_id);
            } else {
                kept.insert(check_id);
            }
        }
        for (check_id, check) in wanted {
            // A service that registers itself again is as healthy as it was.
            if moved || self.checks.get(&check_id).is_none_or(|known| known.definition != check) {
                self.put_check(&check_id, check);
                fresh.push(Arc::clone(&check_id));
            }
            kept.insert(check_id);
        }
        let ip = ips.first().copied().unwrap_or_else(|| Ipv4Addr::LOCALHOST.into());
        let instance = Instance::new(Arc::clone(&id), SocketAddr::new(ip, definition.port));
        self.names.entry(definition.name.as_str().into()).or_default().insert(Arc::clone(&id));
        let service = Service { definition, ips, instance, checks: kept, status: Status::Critical, entry };
        self.services.insert(Arc::clone(&id), service);
        self.settle(&id, true, registry);
        Ok(fresh)
    }

    /// Takes a check in, or replaces it. Says whether it has to be run.
    pub(super) fn register_check(
        &mut self,
        id: &Arc<str>,
        definition: CheckDefinition,
        registry: &EmbeddedRegistry,
    ) -> Result<bool, Refusal> {
        let service_id = definition.service_id.clone();
        self.owns(id, &service_id)?;
        let service = self.services.get_mut(&*service_id);
        let service = service.ok_or_else(|| Refusal::unknown("service", &service_id))?;
        if service.checks.len() >= CHECKS && !service.checks.contains(id) {
            return Err(Refusal::bad(format!("at most {CHECKS} checks of a service are accepted")));
        }
        service.checks.insert(Arc::clone(id));
        let fresh = self.checks.get(id).is_none_or(|known| known.definition != definition);
        if fresh {
            self.put_check(id, definition);
        }
        self.settle(&service_id, true, registry);
        Ok(fresh)
    }

    pub(super) fn deregister(&mut self, id: &str, registry: &EmbeddedRegistry) -> Result<(), Refusal> {
        let service = self.services.remove(id).ok_or_else(|| Refusal::unknown("service", id))?;
        for check in &service.checks {
            self.checks.remove(check);
        }
        self.forget(&service, registry);
        Ok(())
    }

    pub(super) fn deregister_check(&mut self, id: &str, registry: &EmbeddedRegistry) -> Result<(), Refusal> {
        let check = self.checks.remove(id).ok_or_else(|| Refusal::unknown("check", id))?;
        let service_id = check.definition.service_id;
        if let Some(service) = self.services.get_mut(&*service_id) {
            service.checks.remove(id);
            self.settle(&service_id, true, registry);
        }
        Ok(())
    }

    /// What a check found out. Says whether its status changed.
    pub(super) fn report(
        &mut self,
        id: &str,
        status: Status,
        mut output: String,
        registry: &EmbeddedRegistry,
    ) -> bool {
        let Some(check) = self.checks.get_mut(id) else { return false };
        output.truncate(output.floor_char_boundary(OUTPUT));
        check.output = output;
        let changed = std::mem::replace(&mut check.status, status) != status;
        let service_id = check.definition.service_id.clone();
        if changed {
            tracing::info!(service = %service_id, check = %id, status = status.as_str(), output = %check.output, "a check changed");
        }
        // What it says meanwhile is no news: it may be another time of the day with each word.
        self.settle(&service_id, changed, registry);
        changed
    }

    /// Gives a check a new serial: whoever is about to report for the old one comes too late.
    pub(super) fn begin_anew(&mut self, id: &str) -> u64 {
        self.serials += 1;
        if let Some(check) = self.checks.get_mut(id) {
            check.serial = self.serials;
        }
        self.serials
    }

    pub(super) fn is(&self, id: &str, serial: u64) -> bool {
        self.checks.get(id).is_some_and(|check| check.serial == serial)
    }

    fn put_check(&mut self, id: &Arc<str>, definition: CheckDefinition) {
        self.serials += 1;
        let check = Check {
            status: definition.status,
            definition,
            output: String::new(),
            serial: self.serials,
            task: None,
            reaper: None,
        };
        self.checks.insert(Arc::clone(id), check);
    }

    /// Refuses to take a check away from another service.
    fn owns(&self, check: &str, service: &str) -> Result<(), Refusal> {
        match self.checks.get(check) {
            Some(known) if known.definition.service_id != service => {
                Err(Refusal::bad(format!("the check ID {check:?} belongs to another service")))
            }
            _ => Ok(()),
        }
    }

    /// The registry bounds who is healthy; those who are not have to be bounded as well.
    fn has_room(&self, definition: &ServiceDefinition, registry: &EmbeddedRegistry) -> Result<(), Refusal> {
        let &EmbeddedRegistryConfig { services, instances, .. } = registry.config();
        let full = Err(Refusal::full(Full { services, instances }));
        if !self.services.contains_key(&*definition.id)
            && self.services.len().max(registry.instances()) >= instances
        {
            return full;
        }
        if !self.names.contains_key(&*definition.name) {
            let mut names = registry.services();
            names.extend(self.names.keys().cloned());
            names.sort_unstable();
            names.dedup();
            if names.len() >= services
                && names.binary_search_by(|name| (**name).cmp(&definition.name)).is_err()
            {
                return full;
            }
        }
        Ok(())
    }

    fn forget(&mut self, service: &Service, registry: &EmbeddedRegistry) {
        let name = &service.definition.name;
        if let Some(ids) = self.names.get_mut(&**name) {
            ids.remove(&*service.definition.id);
            if ids.is_empty() {
                self.names.remove(&**name);
            }
        }
        if !registry.remove(name, &service.definition.id) {
            registry.touch(name);
        }
    }

    /// Makes the registry know what the checks say, and those who follow the service if `tell`.
    fn settle(&mut self, id: &str, tell: bool, registry: &EmbeddedRegistry) {
        let Some(service) = self.services.get_mut(id) else { return };
        let checks = || service.checks.iter().filter_map(|id| Some((id, self.checks.get(id)?)));
        let status = checks().map(|(_, check)| check.status).max().unwrap_or(Status::Passing);
        let entry = render::entry(&service.definition, checks());
        let name = &service.definition.name;
        let tell = tell && entry != service.entry;
        service.status = status;
        service.entry = entry;
        let index = registry.index_of(name);
        if status == Status::Critical {
            registry.remove(name, id);
        } else {
            service.instance.weight = weight(&service.definition, status);
            if let Err(full) = registry.put(name, &service.instance, None) {
                // The next word of any of its checks tries again.
                tracing::warn!(service = %name, %id, reason = %full, "a healthy instance is not announced");
            }
        }
        // Often the list itself has changed, which tells as much.
        if tell && registry.index_of(name) == index {
            registry.touch(name);
        }
    }
}

// === impl Service ===

impl Service {
    pub(super) fn entry(&self) -> &Bytes {
        &self.entry
    }

    pub(super) fn id(&self) -> &Arc<str> {
        &self.instance.id
    }
}

fn weight(definition: &ServiceDefinition, status: Status) -> u32 {
    let Weights { passing, warning } = definition.weights;
    let fine = definition.meta.get(WEIGHT_META).and_then(|weight| weight.parse().ok());
    match (status, fine) {
        (Status::Passing, Some(fine)) => fine,
        (Status::Passing, None) => passing * USUAL_WEIGHT,
        _ => warning * USUAL_WEIGHT,
    }
}
