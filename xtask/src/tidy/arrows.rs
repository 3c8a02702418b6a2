//! Which crate may depend on which: arrows point down only.

use crate::tidy::repo::{Crate, Repo};
use crate::violation::Violation;

/// The crates under `crates/`, and what each may use. A crate that is not listed here may use none and be used by none.
const PARTS: &[(&str, &[&str])] = &[
    // The bottom: a contract compiles without a runtime, a server or a database.
    ("contract-macros", &[]),
    ("contract", &["contract-macros"]),
    // For everyone above: clocks and ids, which are made of the contract's types; traces and metrics, which are not.
    ("runtime", &["contract"]),
    ("telemetry", &[]),
    // The middle row. Only two arrows run inside it: messaging -> store, gateway -> {mesh, identity}.
    ("identity", &["contract", "runtime", "telemetry"]),
    ("store", &["contract", "runtime", "telemetry"]),
    ("mesh", &["contract", "runtime", "telemetry"]),
    ("cache", &["contract", "runtime", "telemetry"]),
    ("messaging", &["contract", "runtime", "telemetry", "store"]),
    ("gateway", &["contract", "runtime", "telemetry", "mesh", "identity"]),
    // The top: what users depend on, and what tests of whole systems depend on.
    (
        "partie",
        &["contract", "runtime", "telemetry", "identity", "store", "mesh", "cache", "messaging", "gateway"],
    ),
    // For tests only: real servers, and whole systems.
    ("testservers", &[]),
    (
        "testkit",
        &[
            "contract",
            "runtime",
            "telemetry",
            "identity",
            "store",
            "mesh",
            "messaging",
            "gateway",
            "partie",
            "testservers",
        ],
    ),
];

/// What must not be a dependency of a contract crate, tests apart.
const SERVERS: &[&str] = &["tokio", "axum", "hyper", "rusqlite"];

/// What a crate is, told by where it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place<'a> {
    /// `crates/NAME`
    Part(&'a str),
    /// `systems/S/contracts`
    Contracts,
    /// `systems/S/service`: a service that several systems have, each with something of its own around it
    Shared,
    /// `systems/S/NAME`
    Service,
    /// `systems/S`
    Program,
    /// `apps/NAME`, `examples`, `bench`
    Top,
    /// `xtask`
    Xtask,
    Unknown,
}

fn place(c: &Crate) -> Place<'_> {
    match c.dir.split('/').collect::<Vec<_>>()[..] {
        ["crates", name] => Place::Part(name),
        ["systems", _, "contracts"] => Place::Contracts,
        ["systems", _, "service"] => Place::Shared,
        ["systems", _, _] => Place::Service,
        ["systems", _] => Place::Program,
        ["apps", _] | ["examples" | "bench"] => Place::Top,
        ["xtask"] => Place::Xtask,
        _ => Place::Unknown,
    }
}

/// Whether `from` may use `to`; if not, what to do instead.
fn allowed(from: Place<'_>, to: Place<'_>, only_for_tests: bool) -> Result<(), &'static str> {
    let testkit = matches!(to, Place::Part("testkit" | "testservers"));
    match (from, to) {
        (Place::Unknown, _) | (_, Place::Unknown) => {
            Err("a crate lies in crates/, systems/, apps/, examples, bench or xtask")
        }
        (Place::Xtask, _) => Err("xtask has to build when the crates do not"),
        (Place::Top, _) => Ok(()),
        (_, Place::Top | Place::Xtask | Place::Program) => Err("nothing depends on a program"),
        (Place::Part("testkit"), Place::Part("testservers")) => Ok(()),
        _ if testkit && !only_for_tests => Err("testkit belongs under [dev-dependencies]"),
        (Place::Part(_), Place::Contracts | Place::Shared | Place::Service) => {
            Err("the platform knows no system")
        }
        // Macros are tested with what they expand to.
        (Place::Part("contract-macros"), Place::Part("contract")) if only_for_tests => Ok(()),
        (Place::Part(from), Place::Part(to)) => {
            let uses = PARTS.iter().find(|(name, _)| *name == from).map(|(_, uses)| *uses);
            match uses {
                None => Err("give it a place in PARTS (xtask/src/tidy/arrows.rs)"),
                Some(uses) if uses.contains(&to) || testkit => Ok(()),
                Some(_) => {
                    Err("arrows point down only: move the shared type down, or pass a trait in from above")
                }
            }
        }
        (Place::Contracts, Place::Part("contract") | Place::Contracts) => Ok(()),
        (Place::Contracts, _) => Err("a contract depends on partie-contract and other contracts only"),
        (
            Place::Shared | Place::Service | Place::Program,
            Place::Part("contract" | "partie" | "testkit" | "testservers") | Place::Contracts,
        ) => Ok(()),
        (Place::Shared | Place::Service | Place::Program, Place::Part(_)) => {
            Err("systems use `partie`, which re-exports what they need")
        }
        // What a system adds to a service that others have too.
        (Place::Service, Place::Shared) => Ok(()),
        (Place::Shared | Place::Service, Place::Shared | Place::Service) => {
            Err("call it through its contract; only the program composes services")
        }
        (Place::Program, Place::Shared | Place::Service) => Ok(()),
    }
}

pub(crate) fn point_down(repo: &Repo) -> Vec<Violation> {
    let mut found = Vec::new();
    for from in &repo.crates {
        for dependency in &from.dependencies {
            let Some(to) = repo.crates.iter().find(|c| c.name == dependency.name) else { continue };
            if let Err(instead) = allowed(place(from), place(to), dependency.only_for_tests) {
                let what = format!("{} must not depend on {}", from.name, to.name);
                found.push(Violation::new(&from.manifest_path(), dependency.line, what, instead));
            }
        }
    }
    found
}

pub(crate) fn contracts_need_no_server(repo: &Repo) -> Vec<Violation> {
    let mut found = Vec::new();
    let contract =
        |c: &&Crate| matches!(place(c), Place::Part("contract" | "contract-macros") | Place::Contracts);
    for c in repo.crates.iter().filter(contract) {
        for d in c.dependencies.iter().filter(|d| !d.only_for_tests && SERVERS.contains(&d.name.as_str())) {
            let instead = "a contract compiles without a runtime, a server or a database";
            let what = format!("{} depends on {}", c.name, d.name);
            found.push(Violation::new(&c.manifest_path(), d.line, what, instead));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names of the crates with the directories they lie in.
    const CRATES: &[(&str, &str)] = &[
        ("partie-contract", "crates/contract"),
        ("partie-contract-macros", "crates/contract-macros"),
        ("partie-runtime", "crates/runtime"),
        ("partie-telemetry", "crates/telemetry"),
        ("partie-identity", "crates/identity"),
        ("partie-store", "crates/store"),
        ("partie-mesh", "crates/mesh"),
        ("partie-cache", "crates/cache"),
        ("partie-messaging", "crates/messaging"),
        ("partie-gateway", "crates/gateway"),
        ("partie", "crates/partie"),
        ("partie-testkit", "crates/testkit"),
        ("food-contracts", "systems/food/contracts"),
        ("food-orders", "systems/food/orders"),
        ("food-delivery", "systems/food/delivery"),
        ("food", "systems/food"),
        ("mail-contracts", "systems/mail/contracts"),
        ("mail", "systems/mail/service"),
        ("sms", "systems/sms/service"),
        ("examples", "examples"),
        ("xtask", "xtask"),
        ("stray", "stray"),
    ];

    /// Whether one crate may depend on the other, in a repository that has nothing else in it.
    fn may(from: &str, to: &str, kind: &str) -> bool {
        let dir = |name| CRATES.iter().find(|(n, _)| *n == name).unwrap().1;
        let manifest = format!("[package]\nname = \"{from}\"\n[{kind}]\n{to}.workspace = true\n");
        let other = format!("[package]\nname = \"{to}\"\n");
        let paths = [format!("{}/Cargo.toml", dir(from)), format!("{}/Cargo.toml", dir(to))];
        let found = point_down(&Repo::of(&[(&paths[0], &manifest), (&paths[1], &other)]));
        assert!(found.iter().all(|v| v.path == paths[0] && v.line == 4), "{found:?}");
        found.is_empty()
    }

    #[test]
    fn arrows_that_point_down_are_allowed() {
        for (from, to) in [
            ("partie-contract", "partie-contract-macros"),
            ("partie-runtime", "partie-contract"),
            ("partie-store", "partie-telemetry"),
            ("partie-store", "partie-contract"),
            ("partie-messaging", "partie-store"),
            ("partie-gateway", "partie-mesh"),
            ("partie-gateway", "partie-identity"),
            ("partie", "partie-gateway"),
            ("partie", "partie-cache"),
            ("partie-testkit", "partie"),
            ("food-contracts", "partie-contract"),
            ("food-orders", "food-contracts"),
            ("food-orders", "partie"),
            ("food", "food-orders"),
            ("mail", "mail-contracts"),
            ("mail", "partie"),
            ("food-contracts", "mail-contracts"),
            ("food-orders", "mail"),
            ("food", "mail"),
            ("examples", "food-orders"),
            ("examples", "partie-store"),
        ] {
            assert!(may(from, to, "dependencies"), "{from} -> {to}");
        }
    }

    #[test]
    fn arrows_that_point_up_or_sideways_are_found() {
        for (from, to) in [
            ("partie-contract", "partie-runtime"),
            ("partie-contract-macros", "partie-contract"),
            ("partie-runtime", "partie-telemetry"),
            ("partie-telemetry", "partie-contract"),
            ("partie-telemetry", "partie-runtime"),
            ("partie-store", "partie-messaging"),
            ("partie-store", "partie-mesh"),
            ("partie-mesh", "partie-gateway"),
            ("partie-messaging", "partie-gateway"),
            ("partie-messaging", "partie-cache"),
            ("partie-cache", "partie-store"),
            ("partie-gateway", "partie"),
            ("partie", "food-contracts"),
            ("food-contracts", "partie"),
            ("food-orders", "food-delivery"),
            ("food-orders", "partie-store"),
            ("food-orders", "food"),
            ("mail", "food-orders"),
            ("mail", "sms"),
            ("mail", "partie-store"),
            ("partie", "mail"),
            ("food-contracts", "mail"),
            ("examples", "stray"),
            ("xtask", "partie-contract"),
        ] {
            assert!(!may(from, to, "dependencies"), "{from} -> {to}");
            let macros_tested = from == "partie-contract-macros";
            assert_eq!(may(from, to, "dev-dependencies"), macros_tested, "{from} -> {to} in tests");
        }
    }

    #[test]
    fn testkit_is_for_tests_only() {
        for from in ["food", "food-orders", "partie"] {
            assert!(!may(from, "partie-testkit", "dependencies"), "{from}");
            assert!(may(from, "partie-testkit", "dev-dependencies"), "{from}");
        }
    }

    #[test]
    fn a_contract_with_a_server_is_found() {
        let found = |path: &str, kind: &str| {
            let manifest =
                format!("[package]\nname = \"c\"\n[{kind}]\naxum.workspace = true\nhttp.workspace = true\n");
            contracts_need_no_server(&Repo::of(&[(path, &manifest)]))
                .iter()
                .map(|v| v.line)
                .collect::<Vec<_>>()
        };
        assert_eq!(found("crates/contract/Cargo.toml", "dependencies"), [4]);
        assert_eq!(found("systems/food/contracts/Cargo.toml", "build-dependencies"), [4]);
        assert_eq!(found("crates/contract/Cargo.toml", "dev-dependencies"), [0; 0]);
        assert_eq!(found("crates/gateway/Cargo.toml", "dependencies"), [0; 0]);
    }
}
