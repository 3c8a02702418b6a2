//! How dependencies are written down: once, in the root Cargo.toml, each with its reason.

use std::collections::BTreeSet;

use toml::{Table, Value};

use crate::violation::Violation;

/// Every outside dependency of the root manifest says on its own line why it is there.
pub(crate) fn reasons(root: &str) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut inside = false;
    for (i, line) in root.lines().enumerate() {
        if line.starts_with('[') {
            inside = line.trim() == "[workspace.dependencies]";
        }
        let entry = line.split_once('=').filter(|_| inside && !line.trim_start().starts_with('#'));
        let Some((name, value)) = entry else { continue };
        // A comment starts after the last quote or bracket: `#` inside a string has one behind it.
        let tail = value.rsplit(['"', '}', ']']).next().unwrap_or_default();
        let reason = tail.split_once('#').map_or("", |(_, text)| text.trim());
        if reason.is_empty() && !value.contains("path =") {
            let what = format!("{} has no reason beside it", name.trim());
            found.push(Violation::new("Cargo.toml", i + 1, what, "end the line with `# why it is here`"));
        }
    }
    found
}

/// Members say `name.workspace = true`: one version and one reason for the whole repository.
pub(crate) fn versions_in_one_place(members: &[(String, String)]) -> Vec<Violation> {
    let mut found = Vec::new();
    for (path, text) in members {
        for (name, value) in dependencies(text) {
            if value.get("workspace").and_then(Value::as_bool) != Some(true) {
                let line = text.lines().position(|l| l.trim_start().starts_with(&name)).map_or(0, |i| i + 1);
                let instead = "add it to the root Cargo.toml with a reason and write `workspace = true` here";
                found.push(Violation::new(
                    path,
                    line,
                    format!("{name} has a version or path of its own"),
                    instead,
                ));
            }
        }
    }
    found
}

/// Entries of the root manifest that no member uses.
pub(crate) fn unused(root: &str, members: &[(String, String)]) -> Vec<String> {
    let used: BTreeSet<String> =
        members.iter().flat_map(|(_, text)| dependencies(text)).map(|(n, _)| n).collect();
    let root: Table = root.parse().unwrap_or_default();
    let offered = root.get("workspace").and_then(|w| w.get("dependencies")).and_then(Value::as_table);
    offered.into_iter().flat_map(Table::keys).filter(|n| !used.contains(*n)).cloned().collect()
}

/// All dependencies of a member: of every kind and for every target.
fn dependencies(manifest: &str) -> Vec<(String, Value)> {
    let manifest: Table = manifest.parse().unwrap_or_default();
    let targets = manifest.get("target").and_then(Value::as_table);
    let tables = std::iter::once(&manifest)
        .chain(targets.into_iter().flat_map(Table::values).filter_map(Value::as_table));
    let kinds = ["dependencies", "dev-dependencies", "build-dependencies"];
    let found = tables.flat_map(|t| kinds.iter().filter_map(|k| t.get(*k)?.as_table()));
    found.flatten().map(|(name, value)| (name.clone(), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dependency_without_a_reason_is_found() {
        let good = "[workspace.dependencies]\na = \"1\" # parses\nb = { path = \"b\" }\n# c = \"1\"\n[profile.dev]\ndebug = 1\n";
        assert_eq!(reasons(good), []);
        let bad = "[workspace.dependencies]\na = \"1\"\nb = { version = \"#1\", features = [\"x\"] }\nc = \"1\" #\n";
        assert_eq!(reasons(bad).iter().map(|v| v.line).collect::<Vec<_>>(), [2, 3, 4]);
    }

    #[test]
    fn a_version_outside_the_root_is_found() {
        let member = |text: &str| vec![("a/Cargo.toml".to_owned(), text.to_owned())];
        let good = "[dependencies]\nx.workspace = true\ny = { workspace = true, features = [\"z\"] }\n";
        assert_eq!(versions_in_one_place(&member(good)), []);
        for bad in [
            "[dependencies]\nx = \"1\"\n",
            "[dev-dependencies]\nx = { version = \"1\" }\n",
            "[target.'cfg(unix)'.dependencies]\nx = { path = \"../x\" }\n",
        ] {
            let found = versions_in_one_place(&member(bad));
            assert_eq!(found.iter().map(|v| v.line).collect::<Vec<_>>(), [2], "{bad}");
        }
    }

    #[test]
    fn an_entry_that_nobody_uses_is_found() {
        let root = "[workspace.dependencies]\nx = \"1\"\ny = \"1\"\n";
        let members = [("a".to_owned(), "[dev-dependencies]\nx.workspace = true\n".to_owned())];
        assert_eq!(unused(root, &members), ["y"]);
    }
}
