//! The dependency graph as `cargo metadata` tells it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use crate::process::Result;

/// A resolved package.
#[derive(Debug)]
pub(crate) struct Package {
    id: String,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) licence: Option<String>,
    /// None for a path.
    pub(crate) source: Option<String>,
    pub(crate) in_repository: bool,
    /// Relative to the repository where it lies inside.
    pub(crate) manifest: String,
    /// The names of what it depends on only with a feature.
    optional: BTreeSet<String>,
}

impl Package {
    /// The contract crate, its macros, and the contracts of the systems.
    pub(crate) fn is_contract(&self) -> bool {
        self.name == "partie-contract" || self.name.ends_with("-contracts")
    }
}

/// Packages and who depends on whom in a normal build (no development or build dependencies).
#[derive(Debug)]
pub(crate) struct Graph {
    packages: Vec<Package>,
    edges: BTreeMap<String, Vec<Edge>>,
    root: std::path::PathBuf,
}

#[derive(Debug)]
struct Edge {
    to: String,
    normal: bool,
}

impl Graph {
    pub(crate) fn parse(metadata: &str, root: &Path) -> Result<Self> {
        let json: Value = serde_json::from_str(metadata).map_err(|e| format!("cargo metadata: {e}"))?;
        let text = |v: &Value, key: &str| v[key].as_str().unwrap_or_default().to_owned();
        let mut edges = BTreeMap::new();
        for node in json["resolve"]["nodes"].as_array().into_iter().flatten() {
            let to = |dep: &Value| {
                let kinds = dep["dep_kinds"].as_array().into_iter().flatten();
                Edge { to: text(dep, "pkg"), normal: kinds.into_iter().any(|k| k["kind"].is_null()) }
            };
            let deps = node["deps"].as_array().into_iter().flatten().map(to).collect();
            edges.insert(text(node, "id"), deps);
        }
        let mut packages = Vec::new();
        for package in json["packages"].as_array().into_iter().flatten() {
            let path = text(package, "manifest_path");
            let inside = Path::new(&path).strip_prefix(root).ok().map(|p| p.to_string_lossy().into_owned());
            let dependencies = package["dependencies"].as_array().into_iter().flatten();
            let optional = dependencies.filter(|dependency| dependency["optional"] == true);
            packages.push(Package {
                optional: optional.map(|dependency| text(dependency, "name")).collect(),
                id: text(package, "id"),
                name: text(package, "name"),
                version: text(package, "version"),
                licence: package["license"].as_str().map(str::to_owned),
                source: package["source"].as_str().map(str::to_owned),
                in_repository: inside.is_some() && package["source"].is_null(),
                manifest: inside.unwrap_or(path),
            });
        }
        // Packages for other platforms may be listed, but only those that were resolved matter.
        packages.retain(|p| edges.contains_key(&p.id));
        if packages.is_empty() {
            return Err("cargo metadata resolved no package".into());
        }
        Ok(Self { packages, edges, root: root.to_owned() })
    }

    pub(crate) fn packages(&self) -> &[Package] {
        &self.packages
    }

    /// The manifests of the workspace: path and text.
    pub(crate) fn manifests(&self) -> Result<Vec<(String, String)>> {
        let read = |p: &Package| match std::fs::read_to_string(self.root.join(&p.manifest)) {
            Ok(text) => Ok((p.manifest.clone(), text)),
            Err(e) => Err(format!("{}: {e}", p.manifest)),
        };
        self.packages.iter().filter(|p| p.in_repository).map(read).collect()
    }

    /// `name 1.0.0, 2.0.0` for every name with more than one version.
    pub(crate) fn duplicates(&self) -> Vec<String> {
        let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for package in &self.packages {
            versions.entry(&package.name).or_default().push(&package.version);
        }
        let many = versions.into_iter().filter(|(_, v)| v.len() > 1);
        many.map(|(name, versions)| format!("{name} {}", versions.join(", "))).collect()
    }

    /// The names of the packages that depend on this one, in any way.
    pub(crate) fn users(&self, package: &Package) -> Vec<&str> {
        let uses = |p: &&Package| self.edges[&p.id].iter().any(|e| e.to == package.id);
        self.packages.iter().filter(uses).map(|p| p.name.as_str()).collect()
    }

    /// The names of all packages that end up in a normal build of this one, without features of its own.
    pub(crate) fn reached_from(&self, package: &Package) -> BTreeSet<&str> {
        let left_out =
            |id: &str| self.packages.iter().any(|p| p.id == id && package.optional.contains(&p.name));
        let mut seen = BTreeSet::from([package.id.as_str()]);
        let mut open = vec![package.id.as_str()];
        while let Some(id) = open.pop() {
            for edge in self.edges.get(id).into_iter().flatten().filter(|e| e.normal) {
                if !(id == package.id && left_out(&edge.to)) && seen.insert(&edge.to) {
                    open.push(&edge.to);
                }
            }
        }
        let reached = self.packages.iter().filter(|p| p.id != package.id && seen.contains(p.id.as_str()));
        reached.map(|p| p.name.as_str()).collect()
    }
}
