//! The rules: what is computed from contracts, edges and policies, and when it cannot work.

use std::collections::BTreeMap;

use partie_contract::Verb;

use super::{Edge, Finding, MOST_ATTEMPTS, Policies, Source};
use crate::evolution;
use crate::retention;
use crate::system::check;

impl Policies<'_> {
    /// Everything that cannot work.
    pub(super) fn check(&self) -> Vec<Finding> {
        let circle = check(self.system).err();
        let mut found: Vec<Finding> = circle.iter().cloned().map(Finding::Edges).collect();
        found.extend(self.unknown());
        found.extend(evolution::unread(self.system));
        found.extend(retention::check(self.config));
        for edge in &self.edges {
            found.extend(self.nesting(edge));
            found.extend(repeats(edge));
            if let Some(to) = edge.fallback.filter(|_| !edge.is_retry_safe()) {
                found.push(Finding::FallbackTwice { edge: edge.name(), to });
            }
        }
        // Around a circle there is no end to count at.
        if circle.is_none() {
            found.extend(self.amplification());
        }
        found
    }

    /// Deadlines nest: nothing inside may be meant to last longer than what is around it.
    fn nesting(&self, edge: &Edge<'_>) -> Vec<Finding> {
        let (timeout, timeout_key) = edge.timeout();
        let mut found = Vec::new();
        let patience = self.patience.get(edge.from).copied();
        if let (Some(timeout), Some(patience)) = (timeout, patience)
            && timeout > patience
        {
            found.push(Finding::DeadlinesDoNotNest { edge: edge.name(), from: edge.from, timeout, patience });
        }
        let mut inside = |inner: Option<std::time::Duration>, key: Source, outer, outer_key: &Source| {
            if let (Some(inner_time), Some(outer_time)) = (inner, outer)
                && inner_time >= outer_time
            {
                found.push(Finding::NeverReached {
                    edge: edge.name(),
                    inner: key.to_string(),
                    inner_time,
                    outer: outer_key.to_string(),
                    outer_time,
                });
            }
        };
        let (attempt, attempt_key) = edge.attempt();
        let (hedge, hedge_key) = edge.hedge();
        inside(attempt, attempt_key.clone(), timeout, &timeout_key);
        inside(hedge, hedge_key.clone(), timeout, &timeout_key);
        inside(hedge, hedge_key, attempt, &attempt_key);
        found
    }

    /// One request at the beginning of a path may become `1 + retries of all its edges` at its end, and not their product:
    /// only the hop next to a failure tries again, and work that is itself a second attempt is done once.
    fn amplification(&self) -> Vec<Finding> {
        let mut worst: BTreeMap<(&'static str, &'static str), &Edge<'_>> = BTreeMap::new();
        for edge in &self.edges {
            let worst = worst.entry((edge.from, edge.to)).or_insert(edge);
            if edge.attempts() > worst.attempts() {
                *worst = edge;
            }
        }
        let mut found = Vec::new();
        let called: Vec<_> = worst.keys().map(|(_, to)| *to).collect();
        let starts = worst.keys().map(|(from, _)| *from).filter(|from| !called.contains(from));
        let mut starts: Vec<_> = starts.collect();
        starts.dedup();
        for start in starts {
            follow(&worst, &mut vec![start], &mut Vec::new(), &mut found);
        }
        found
    }

    /// Policies for services and operations that do not exist: most likely they are misspelt.
    fn unknown(&self) -> Vec<Finding> {
        let contracts = self.system.contracts();
        let mut found = Vec::new();
        for declared in self.system.services.iter().map(|service| &service.declared) {
            for (service, operation) in declared.fallbacks.keys() {
                let calls = |edge: &&Edge<'_>| {
                    let name = edge.operation.map(|operation| (operation.service, operation.name));
                    edge.from == declared.name && name == Some((*service, *operation))
                };
                if !self.edges.iter().any(|edge| calls(&edge)) {
                    let operation = format!("{service}.{operation}");
                    found.push(Finding::FallbackForNothing { from: declared.name, operation });
                }
            }
        }
        for (service, policy) in &self.config.mesh.services {
            let key = format!("mesh.services.{service}");
            let names = self.system.services.iter().map(|known| known.declared.name);
            let names: Vec<_> =
                names.chain(self.system.has_platform().then_some(crate::platform::NAME)).collect();
            if !names.contains(&service.as_str()) {
                found.push(Finding::Unknown { key, what: "service", known: names.join(", ") });
                continue;
            }
            let operations = contracts.iter().filter(|contract| contract.service == service);
            let operations = operations.flat_map(|contract| contract.operations);
            let known: Vec<String> = operations
                .filter_map(|operation| Some(operation.full_name().split_once('.')?.1.to_owned()))
                .collect();
            for name in policy.operations.keys().filter(|name| !known.contains(name)) {
                let key = format!("{key}.operations.{name}");
                found.push(Finding::Unknown { key, what: "operation", known: known.join(", ") });
            }
        }
        found
    }
}

/// What must not be done twice is neither tried again nor hedged. A setting for a whole service means those of its
/// operations that may be.
fn repeats(edge: &Edge<'_>) -> Vec<Finding> {
    let (Some(own), Some(operation)) = (edge.own(), edge.operation) else { return Vec::new() };
    let key = |field: &'static str| edge.key(field).map(|key| key.to_string()).unwrap_or_default();
    let verb = operation.verb.as_str();
    let mut found = Vec::new();
    if own.retries.is_some_and(|retries| retries > 0) && !operation.is_retry_safe() {
        found.push(Finding::NotSafeToRepeat { edge: edge.name(), key: key("retries"), verb });
    }
    if own.hedge.is_some() && operation.verb != Verb::Get {
        found.push(Finding::HedgedWrite { edge: edge.name(), key: key("hedge"), verb });
    }
    found
}

/// Follows every path to its end.
fn follow<'e>(
    worst: &BTreeMap<(&'static str, &'static str), &'e Edge<'_>>,
    path: &mut Vec<&'static str>,
    edges: &mut Vec<&'e Edge<'e>>,
    found: &mut Vec<Finding>,
) {
    let Some(last) = path.last().copied() else { return };
    let next: Vec<_> = worst.iter().filter(|((from, _), _)| *from == last).collect();
    if next.is_empty() {
        let attempts = 1 + edges.iter().map(|edge| edge.attempts() - 1).sum::<u32>();
        let most = edges.iter().max_by_key(|edge| edge.attempts());
        if let Some(edge) = most.filter(|_| attempts > MOST_ATTEMPTS) {
            let (path, edge) = (path.clone(), edge.name());
            found.push(Finding::Amplification { path, attempts, most: MOST_ATTEMPTS, edge });
        }
        return;
    }
    for ((_, to), edge) in next {
        path.push(to);
        edges.push(edge);
        follow(worst, path, edges, found);
        edges.pop();
        path.pop();
    }
}

#[cfg(test)]
mod tests;
