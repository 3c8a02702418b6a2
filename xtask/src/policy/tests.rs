//! The checks of the dependency graph, each on a graph that keeps the rule and one that breaks it.

use std::path::Path;

use super::*;

const POLICY: &str = r#"
    [graph]
    targets = ["x86_64-unknown-linux-gnu"]
    [licenses]
    allow = ["MIT"]
    exceptions = [{ crate = "special", allow = ["CDLA-Permissive-2.0"] }]
    [bans]
    deny = [{ crate = "openssl", reason = "one crypto provider" }]
    [sources]
    allow-registry = ["https://registry.example/index"]
    allow-git = []
"#;

/// One package a line: name, licence, source (`path` inside the repository, `outside` it), and what it depends on.
fn graph(packages: &[(&str, &str, &str, &[&str])]) -> Graph {
    let mut nodes = Vec::new();
    let mut listed = Vec::new();
    for (name, licence, source, uses) in packages {
        let dir = if *source == "outside" { "/elsewhere" } else { "/repo" };
        let source =
            if ["path", "outside"].contains(source) { serde_json::Value::Null } else { (*source).into() };
        listed.push(serde_json::json!({
            "id": name, "name": name.split('@').next(), "version": name.split('@').nth(1).unwrap_or("1.0.0"),
            "license": licence, "source": source, "manifest_path": format!("{dir}/{name}/Cargo.toml"),
            "dependencies": uses.iter().filter_map(|to| to.strip_prefix("optional:")).map(|to| {
                serde_json::json!({ "name": to, "optional": true })
            }).collect::<Vec<_>>(),
        }));
        let deps = uses.iter().map(|to| match to.split_once(':') {
            Some(("dev", to)) => serde_json::json!({ "pkg": to, "dep_kinds": [{ "kind": "dev" }] }),
            Some((_, to)) => serde_json::json!({ "pkg": to, "dep_kinds": [{ "kind": null }] }),
            None => serde_json::json!({ "pkg": to, "dep_kinds": [{ "kind": null }] }),
        });
        nodes.push(serde_json::json!({ "id": name, "deps": deps.collect::<Vec<_>>() }));
    }
    let metadata = serde_json::json!({ "packages": listed, "resolve": { "nodes": nodes } });
    Graph::parse(&metadata.to_string(), Path::new("/repo")).unwrap()
}

const REGISTRY: &str = "registry+https://registry.example/index";

fn policy() -> Policy {
    Policy::parse(POLICY).unwrap()
}

#[test]
fn a_licence_outside_the_list_is_found_and_an_exception_holds_for_one_crate() {
    let good =
        graph(&[("a", "MIT OR GPL-3.0", REGISTRY, &[]), ("special", "CDLA-Permissive-2.0", REGISTRY, &[])]);
    assert_eq!(licences(&policy(), &good), []);
    let bad = graph(&[("a", "GPL-3.0", REGISTRY, &[]), ("other", "CDLA-Permissive-2.0", REGISTRY, &[])]);
    assert_eq!(licences(&policy(), &bad).len(), 2);
}

#[test]
fn only_the_registry_and_the_repository_are_sources() {
    let good = graph(&[("a", "MIT", REGISTRY, &[]), ("b", "MIT", "path", &[])]);
    assert_eq!(sources(&policy(), &good), []);
    let bad = graph(&[
        ("a", "MIT", "git+https://example.org/a?rev=1#1", &[]),
        ("b", "MIT", "registry+https://other.example/index", &[]),
        ("c", "MIT", "outside", &[]),
    ]);
    assert_eq!(sources(&policy(), &bad).len(), 3);
}

#[test]
fn a_banned_crate_is_found_with_who_pulls_it_in() {
    let bad = graph(&[("a", "MIT", REGISTRY, &["openssl"]), ("openssl", "MIT", REGISTRY, &[])]);
    let found = banned(&policy(), &bad);
    assert_eq!(found.len(), 1);
    assert!(
        found[0].what.contains("one crypto provider") && found[0].instead.contains("by a:"),
        "{}",
        found[0]
    );
    assert_eq!(banned(&policy(), &graph(&[("a", "MIT", REGISTRY, &[])])), []);
}

#[test]
fn a_contract_that_reaches_a_runtime_is_found_however_deep() {
    let bad = graph(&[
        ("partie-contract", "MIT", "path", &["middle"]),
        ("middle", "MIT", REGISTRY, &["tokio"]),
        ("tokio", "MIT", REGISTRY, &[]),
    ]);
    assert_eq!(contracts_stay_small(&bad).len(), 1);
    let in_tests_only = graph(&[
        ("food-contracts", "MIT", "path", &["dev:tokio"]),
        ("partie-mesh", "MIT", "path", &["tokio"]),
        ("tokio", "MIT", REGISTRY, &[]),
    ]);
    assert_eq!(contracts_stay_small(&in_tests_only), []);
    // Generated code that one may ask for, but only the contract's own.
    let with_a_feature = graph(&[
        ("food-contracts", "MIT", "path", &["optional:tonic"]),
        ("tonic", "MIT", REGISTRY, &["tokio"]),
        ("tokio", "MIT", REGISTRY, &[]),
    ]);
    assert_eq!(contracts_stay_small(&with_a_feature), []);
    let with_its_feature = graph(&[
        ("food-contracts", "MIT", "path", &["middle"]),
        ("middle", "MIT", REGISTRY, &["optional:tokio"]),
        ("tokio", "MIT", REGISTRY, &[]),
    ]);
    assert_eq!(contracts_stay_small(&with_its_feature).len(), 1);
}

#[test]
fn duplicates_are_listed_with_their_versions() {
    let two = graph(&[
        ("a@1.0.0", "MIT", REGISTRY, &[]),
        ("a@2.0.0", "MIT", REGISTRY, &[]),
        ("b", "MIT", REGISTRY, &[]),
    ]);
    assert_eq!(two.duplicates(), ["a 1.0.0, 2.0.0"]);
}

#[test]
fn a_policy_without_reasons_or_with_git_sources_is_refused() {
    assert!(Policy::parse(&POLICY.replace(", reason = \"one crypto provider\"", "")).is_err());
    assert!(
        Policy::parse(&POLICY.replace("allow-git = []", "allow-git = [\"https://example.org\"]")).is_err()
    );
    assert!(Policy::parse("").is_err());
}

#[test]
fn the_committed_policy_can_be_read() {
    let policy = Policy::parse(&std::fs::read_to_string(root().join("deny.toml")).unwrap()).unwrap();
    assert!(policy.banned.iter().any(|(name, _)| name == "openssl"));
    assert!(policy.allows_licence("any", "Apache-2.0") && !policy.allows_licence("any", "GPL-3.0"));
}
