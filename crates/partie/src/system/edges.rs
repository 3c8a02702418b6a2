//! The call edges between services, known before anything runs.

use std::collections::{BTreeMap, BTreeSet};

use crate::service::{Declared, Service};
use crate::{platform, server};

/// Names that the parts of the platform have, and their files in the data directory.
const RESERVED: &[&str] = &[server::GATEWAY, platform::NAME, "broker", "registry"];

/// Edges a system cannot run with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EdgeError {
    /// A called service is not part of the system, nor named as one outside.
    #[error("{from} calls {to}, which is not part of the system: add its service, or name it with `outside`")]
    Unknown {
        /// Who calls.
        from: &'static str,
        /// Whom.
        to: &'static str,
    },
    /// Services wait for each other. Under load each would hold what the other needs.
    #[error("services call each other in a circle: {}; make one of the calls an event", path.join(" -> "))]
    Cycle {
        /// The circle, its first service again at the end.
        path: Vec<&'static str>,
    },
    /// A service has a name of the platform's.
    #[error("no service can be named {name}: a part of the platform is")]
    Reserved {
        /// The name.
        name: &'static str,
    },
    /// Two services have the same name.
    #[error("there are two services named {name}")]
    Twice {
        /// The name.
        name: &'static str,
    },
}

/// Checks the edges of all services.
pub(crate) fn check<'d>(
    services: impl Iterator<Item = &'d Declared>,
    outside: &[&'static str],
) -> Result<(), EdgeError> {
    let mut calls: BTreeMap<&'static str, Vec<&'static str>> = BTreeMap::new();
    for service in services {
        if RESERVED.contains(&service.name) {
            return Err(EdgeError::Reserved { name: service.name });
        }
        if calls.insert(service.name, callees(service).collect()).is_some() {
            return Err(EdgeError::Twice { name: service.name });
        }
    }
    for name in outside {
        if RESERVED.contains(name) {
            return Err(EdgeError::Reserved { name });
        }
        if calls.insert(name, Vec::new()).is_some() {
            return Err(EdgeError::Twice { name });
        }
    }
    for (from, to) in calls.iter().flat_map(|(from, to)| to.iter().map(move |to| (*from, *to))) {
        if !calls.contains_key(to) {
            return Err(EdgeError::Unknown { from, to });
        }
    }
    calls.keys().try_for_each(|start| follow(&calls, &mut vec![*start]))
}

/// Checks the names of services that may call others elsewhere.
pub(crate) fn check_part<'d>(services: impl Iterator<Item = &'d Declared>) -> Result<(), EdgeError> {
    let reserved = services.map(|service| service.name).find(|name| RESERVED.contains(name));
    reserved.map_or(Ok(()), |name| Err(EdgeError::Reserved { name }))
}

/// The order to start services in: whoever is called is there before those who call, so that what was interrupted can go
/// on at once. Only for edges that were checked.
pub(crate) fn callees_first(mut services: Vec<Service>) -> Vec<Service> {
    let mut ordered: Vec<Service> = Vec::with_capacity(services.len());
    while !services.is_empty() {
        // Whoever is outside is not waited for.
        let unstarted: BTreeSet<_> = services.iter().map(|service| service.declared.name).collect();
        let (ready, waiting): (Vec<_>, Vec<_>) = services
            .into_iter()
            .partition(|service| callees(&service.declared).all(|to| !unstarted.contains(to)));
        // Unchecked edges could go round for ever.
        if ready.is_empty() {
            ordered.extend(waiting);
            break;
        }
        ordered.extend(ready);
        services = waiting;
    }
    ordered
}

/// Whom a service calls, in whatever protocol.
fn callees(service: &Declared) -> impl Iterator<Item = &'static str> {
    service.calls.keys().chain(&service.grpc_calls).copied()
}

/// Follows every path from the last service of `path`, until one comes back to its first.
fn follow(
    calls: &BTreeMap<&'static str, Vec<&'static str>>,
    path: &mut Vec<&'static str>,
) -> Result<(), EdgeError> {
    let Some(last) = path.last() else { return Ok(()) };
    for next in calls.get(last).into_iter().flatten() {
        if path.first() == Some(next) {
            path.push(next);
            return Err(EdgeError::Cycle { path: path.clone() });
        }
        // A circle further on is found when it is its own start.
        if !path.contains(next) {
            path.push(next);
            follow(calls, path)?;
            path.pop();
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use partie_contract::Contract;

    use super::*;

    fn check_edges(edges: &[(&'static str, &[&'static str])]) -> Result<(), EdgeError> {
        static CONTRACT: Contract =
            Contract { name: "Any", service: "any", version: 1, doc: "", compat: false, operations: &[] };
        let declared: Vec<Declared> = edges
            .iter()
            .map(|(name, calls)| Declared {
                name,
                migrations: None,
                contracts: Vec::new(),
                calls: calls.iter().map(|to| (*to, &CONTRACT)).collect(),
                uses: Vec::new(),
                publishes: Vec::new(),
                handles: Vec::new(),
                fallbacks: BTreeMap::new(),
                grpc_calls: [].into(),
                grpc: Vec::new(),
                settings: toml::Table::new(),
                issues_tokens: false,
            })
            .collect();
        check(declared.iter(), &["outside"])
    }

    #[test]
    fn only_known_services_and_no_circles() {
        assert_eq!(check_edges(&[("a", &["b", "c"]), ("b", &["c"]), ("c", &[])]), Ok(()));
        assert_eq!(check_edges(&[("a", &["b"])]), Err(EdgeError::Unknown { from: "a", to: "b" }));
        assert_eq!(check_edges(&[("a", &[]), ("a", &[])]), Err(EdgeError::Twice { name: "a" }));
        assert_eq!(check_edges(&[("broker", &[])]), Err(EdgeError::Reserved { name: "broker" }));
        assert_eq!(check_edges(&[("a", &["a"])]), Err(EdgeError::Cycle { path: vec!["a", "a"] }));
        assert_eq!(check_edges(&[("a", &["outside", "b"]), ("b", &["outside"])]), Ok(()));
        assert_eq!(check_edges(&[("outside", &[])]), Err(EdgeError::Twice { name: "outside" }));
        let named = check([].into_iter(), &["registry"]);
        assert_eq!(named, Err(EdgeError::Reserved { name: "registry" }));
        let circle = check_edges(&[("a", &["b"]), ("b", &["c"]), ("c", &["b"])]);
        assert_eq!(circle, Err(EdgeError::Cycle { path: vec!["b", "c", "b"] }));
    }
}
