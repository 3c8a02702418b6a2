//! Which processes a system is, and in which order they start.

use std::collections::BTreeMap;

use crate::platform;
use crate::server::GATEWAY;
use crate::system::System;

/// One process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slot {
    /// Its name in logs and commands: `orders-1`.
    pub(crate) label: String,
    /// What it serves.
    pub(crate) part: &'static str,
}

/// The processes of a system, in the order they start in: the platform, services after those they call, the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) slots: Vec<Slot>,
}

/// How many processes cannot be.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PlanError {
    #[error("--replicas {0} is not of the form NAME=N, with N from 1 to 64")]
    Form(String),
    #[error("--replicas {name}: there is no such service; there are {}", known.join(", "))]
    Unknown { name: String, known: Vec<&'static str> },
    #[error(
        "{name} keeps its data in SQLite, which one process owns; {count} replicas need a store they can share: set \
         store.url to a PostgreSQL database, or leave it at 1"
    )]
    OneOwner { name: String, count: usize },
    #[error(
        "a system of one service has no gateway to reach its processes by: start it with `up`, or use `serve`"
    )]
    NoGateway,
}

/// The most replicas of a service on one machine.
const MOST: usize = 64;

// === impl Plan ===

impl Plan {
    /// The plan of a system, with so many replicas of some services.
    /// Those with a store can share it, or have one process.
    pub(crate) fn of<'r>(
        system: &System,
        is_shared: bool,
        replicas: impl IntoIterator<Item = &'r str>,
    ) -> Result<Self, PlanError> {
        if !system.has_gateway {
            return Err(PlanError::NoGateway);
        }
        let counts = counts(replicas)?;
        let known = || system.services.iter().map(|service| service.declared.name).collect();
        for (name, count) in &counts {
            let service = system.services.iter().find(|service| service.declared.name == name);
            match service.map(|service| service.declared.migrations.is_some()) {
                None => return Err(PlanError::Unknown { name: name.clone(), known: known() }),
                Some(true) if *count > 1 && !is_shared => {
                    return Err(PlanError::OneOwner { name: name.clone(), count: *count });
                }
                Some(_) => {}
            }
        }
        let alone = |part: &'static str| Slot { label: part.to_owned(), part };
        let mut slots = vec![alone(platform::NAME)];
        for name in order(system) {
            let count = counts.get(name).copied().unwrap_or(1);
            slots.extend((1..=count).map(|number| Slot { label: format!("{name}-{number}"), part: name }));
        }
        slots.push(alone(GATEWAY));
        Ok(Self { slots })
    }
}

fn counts<'r>(replicas: impl IntoIterator<Item = &'r str>) -> Result<BTreeMap<String, usize>, PlanError> {
    let read = |text: &'r str| {
        let (name, count) = text.split_once('=')?;
        let count = count.parse().ok().filter(|count| (1..=MOST).contains(count))?;
        Some((name.to_owned(), count))
    };
    replicas.into_iter().map(|text| read(text).ok_or_else(|| PlanError::Form(text.to_owned()))).collect()
}

/// Services after those they call. Edges are checked, so there are no circles; one that is left over comes last.
fn order(system: &System) -> Vec<&'static str> {
    let mut left: Vec<_> = system.services.iter().map(|service| &service.declared).collect();
    let mut ordered: Vec<&'static str> = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let is_ready = |calls: &[&str]| calls.iter().all(|to| ordered.contains(to));
        let at = left.iter().position(|service| is_ready(&service.calls.keys().copied().collect::<Vec<_>>()));
        ordered.push(left.remove(at.unwrap_or(0)).name);
    }
    ordered
}

#[cfg(test)]
mod tests {
    use partie_gateway::Gateway;
    use partie_store::Migration;

    use super::*;
    use crate::Service;

    const TABLES: &[Migration] = &[];

    fn system() -> System {
        System::new("shop")
            .service(Service::new("orders").store(TABLES))
            .service(Service::new("prices"))
            .gateway(Gateway::default())
    }

    fn labels(replicas: &[&str]) -> Result<String, String> {
        labels_of(false, replicas)
    }

    fn labels_of(is_shared: bool, replicas: &[&str]) -> Result<String, String> {
        let plan = Plan::of(&system(), is_shared, replicas.iter().copied());
        let plan = plan.map_err(|error| error.to_string())?;
        Ok(plan.slots.into_iter().map(|slot| slot.label).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn the_platform_starts_first_and_the_gateway_last() {
        assert_eq!(labels(&[]).unwrap(), "platform orders-1 prices-1 gateway");
        assert_eq!(labels(&["prices=3"]).unwrap(), "platform orders-1 prices-1 prices-2 prices-3 gateway");
        let shared = labels_of(true, &["orders=2"]).unwrap();
        assert_eq!(shared, "platform orders-1 orders-2 prices-1 gateway");
        assert_eq!(labels(&["orders=1"]).unwrap(), "platform orders-1 prices-1 gateway");
    }

    #[test]
    fn replicas_that_cannot_be_are_refused_with_the_reason() {
        for (replicas, needle) in [
            ("orders=2", "orders keeps its data in SQLite, which one process owns"),
            ("orders=2", "store.url"),
            ("kitchen=2", "there are orders, prices"),
            ("gateway=2", "there is no such service"),
            ("prices", "NAME=N"),
            ("prices=0", "NAME=N"),
            ("prices=65", "NAME=N"),
            ("prices=x", "NAME=N"),
        ] {
            let refused = labels(&[replicas]).unwrap_err();
            assert!(refused.contains(needle), "{replicas}: {refused}");
        }
    }
}
