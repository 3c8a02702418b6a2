//! `routes`: every route, who may use it, and its operation.

use std::process::ExitCode;

use partie_contract::{Access, Contract, Operation};

use super::out;
use crate::system::System;

pub(super) fn main(system: &System) -> ExitCode {
    for line in table(&system.contracts()) {
        out::line(&line);
    }
    ExitCode::SUCCESS
}

/// One line a route, in columns, by service.
pub(super) fn table(contracts: &[&'static Contract]) -> Vec<String> {
    let operations: Vec<&Operation> = contracts.iter().flat_map(|contract| contract.operations).collect();
    let width = operations.iter().map(|operation| operation.path.len()).max().unwrap_or_default();
    let names = operations.iter().map(|operation| operation.full_name().len()).max().unwrap_or_default();
    operations
        .iter()
        .map(|operation| {
            let (verb, path, name) = (operation.verb.as_str(), operation.path, operation.full_name());
            format!("{verb:<6} {path:<width$}  {name:<names$}  {}", access(operation))
        })
        .collect()
}

fn access(operation: &Operation) -> String {
    let who = match operation.access {
        Access::Public => "public".to_owned(),
        Access::Authenticated => "any token".to_owned(),
        Access::Roles(roles) => roles.join(", "),
    };
    if operation.keyed { format!("{who} (keyed)") } else { who }
}
