//! Which dependencies may be here: deny.toml is the policy, checked without any tool and by cargo-deny where it is.

mod config;
mod graph;
mod licence;
mod manifest;

use crate::policy::config::Policy;
use crate::policy::graph::Graph;
use crate::process::{Result, capture, cargo, root, run, succeeds};
use crate::violation::{Violation, settle};

/// What a contract must compile without: a runtime, a server, a database.
const NO_SERVER: &[&str] = &["tokio", "axum", "hyper", "rusqlite"];

pub(crate) fn step() -> Result<String> {
    let read = |name: &str| std::fs::read_to_string(root().join(name)).map_err(|e| format!("{name}: {e}"));
    let policy = Policy::parse(&read("deny.toml")?)?;
    let graph = Graph::parse(&capture(cargo(metadata_arguments(&policy)))?, &root())?;
    let (own, members) = (read("Cargo.toml")?, graph.manifests()?);

    let mut found = Vec::new();
    found.extend(licences(&policy, &graph));
    found.extend(sources(&policy, &graph));
    found.extend(banned(&policy, &graph));
    found.extend(contracts_stay_small(&graph));
    found.extend(manifest::reasons(&own));
    found.extend(manifest::versions_in_one_place(&members));

    let duplicates = graph.duplicates();
    duplicates.iter().for_each(|d| println!("note: more than one version: {d}"));
    manifest::unused(&own, &members)
        .iter()
        .for_each(|name| println!("note: Cargo.toml: no crate uses {name}"));
    settle(found, "the dependency policy (deny.toml)")?;

    // Advisories are left out on purpose: a data base that grows by the day would break commits that changed nothing.
    if succeeds(cargo(["deny", "--version"])) {
        let words = ["deny", "check", "--hide-inclusion-graph", "bans", "licenses", "sources"];
        run(cargo(words))?;
    }
    Ok(format!("{} crates, {} with more than one version", graph.packages().len(), duplicates.len()))
}

/// All features, since vendor engines are features; `--locked`, since the committed Cargo.lock is what was reviewed.
fn metadata_arguments(policy: &Policy) -> Vec<String> {
    let words = ["metadata", "--locked", "--all-features", "--format-version", "1"];
    let targets = policy.targets.iter().flat_map(|t| ["--filter-platform", t.as_str()]);
    words.into_iter().chain(targets).map(str::to_owned).collect()
}

fn licences(policy: &Policy, graph: &Graph) -> Vec<Violation> {
    let mut found = Vec::new();
    for package in graph.packages() {
        let allowed = |licence: &str| policy.allows_licence(&package.name, licence);
        match &package.licence {
            Some(expression) if licence::satisfied(expression, allowed) => {}
            Some(expression) => found.push(Violation::new(
                "Cargo.lock",
                0,
                format!("{} {} is under `{expression}`", package.name, package.version),
                "choose another crate, or allow the licence in deny.toml with a reason",
            )),
            None => found.push(Violation::new(
                "Cargo.lock",
                0,
                format!("{} {} names no licence", package.name, package.version),
                "choose another crate",
            )),
        }
    }
    found
}

fn sources(policy: &Policy, graph: &Graph) -> Vec<Violation> {
    let outside = graph.packages().iter().filter(|p| match &p.source {
        None => !p.in_repository,
        Some(source) => !policy.allows_source(source),
    });
    let violation = |p: &graph::Package| {
        let from = p.source.as_deref().unwrap_or("a directory outside the repository");
        let what = format!("{} {} comes from {from}", p.name, p.version);
        Violation::new("Cargo.lock", 0, what, "use a release from the registry")
    };
    outside.map(violation).collect()
}

fn banned(policy: &Policy, graph: &Graph) -> Vec<Violation> {
    let mut found = Vec::new();
    for package in graph.packages() {
        if let Some((_, reason)) = policy.banned.iter().find(|(name, _)| *name == package.name) {
            let what = format!("{} is banned: {reason}", package.name);
            let users = graph.users(package).join(", ");
            let instead = format!("it is pulled in by {users}: turn off the feature there");
            found.push(Violation::new("Cargo.lock", 0, what, instead));
        }
    }
    found
}

fn contracts_stay_small(graph: &Graph) -> Vec<Violation> {
    let mut found = Vec::new();
    let contracts = graph.packages().iter().filter(|p| p.in_repository && p.is_contract());
    for package in contracts {
        for name in graph.reached_from(package).iter().filter(|n| NO_SERVER.contains(n)) {
            found.push(Violation::new(
                &package.manifest,
                0,
                format!("`cargo tree -p {} -e normal` reaches {name}", package.name),
                "a contract compiles without a runtime, a server or a database",
            ));
        }
    }
    found
}

#[cfg(test)]
mod tests;
