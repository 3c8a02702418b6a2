//! The repository as the rules see it: its files, read once, and the crates they form.

use std::collections::BTreeSet;
use std::path::Path;

use toml::{Table, Value};

use crate::process::{Result, files_of};

/// A text file.
#[derive(Debug)]
pub(crate) struct File {
    /// Relative to the repository root, with forward slashes.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl File {
    pub(crate) fn is(&self, extension: &str) -> bool {
        Path::new(&self.path).extension().is_some_and(|e| e == extension)
    }

    /// Lines with their numbers, counted from 1.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(i, line)| (i + 1, line))
    }

    /// Whether the compiler's own output is kept here: what a macro expands to, or code that must not compile.
    pub(crate) fn is_fixture(&self) -> bool {
        ["/tests/ui/", "/tests/output/"].iter().any(|dir| self.path.contains(dir))
    }
}

/// A member of the workspace.
#[derive(Debug)]
pub(crate) struct Crate {
    pub(crate) name: String,
    /// Without a slash at the end.
    pub(crate) dir: String,
    pub(crate) manifest: Table,
    pub(crate) dependencies: Vec<Dependency>,
}

/// One line of a manifest.
#[derive(Debug)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) only_for_tests: bool,
    pub(crate) line: usize,
}

impl Crate {
    pub(crate) fn manifest_path(&self) -> String {
        format!("{}/Cargo.toml", self.dir)
    }
}

/// Everything the rules look at.
#[derive(Debug)]
pub(crate) struct Repo {
    pub(crate) files: Vec<File>,
    pub(crate) crates: Vec<Crate>,
    /// All paths: files that are no text, and directories, too.
    pub(crate) paths: BTreeSet<String>,
}

impl Repo {
    pub(crate) fn read(root: &Path) -> Result<Self> {
        let mut files = Vec::new();
        let mut others = Vec::new();
        for path in files_of(root)? {
            let bytes = std::fs::read(root.join(&path)).map_err(|e| format!("{path}: {e}"))?;
            match String::from_utf8(bytes) {
                Ok(text) => files.push(File { path, text }),
                Err(_) => others.push(path),
            }
        }
        Self::new(files, others)
    }

    fn new(files: Vec<File>, others: Vec<String>) -> Result<Self> {
        let mut paths = BTreeSet::from([String::new()]);
        for path in files.iter().map(|f| f.path.clone()).chain(others) {
            let directories = path.match_indices('/').map(|(at, _)| path[..at].to_owned());
            paths.extend(directories.collect::<Vec<_>>());
            paths.insert(path);
        }
        let manifests = files.iter().filter(|f| f.path.ends_with("/Cargo.toml") && !f.is_fixture());
        let crates = manifests.map(crate_of).collect::<Result<_>>()?;
        Ok(Self { files, crates, paths })
    }

    /// A made-up repository for the test of a rule.
    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let file = |(path, text): &(&str, &str)| File { path: (*path).to_owned(), text: (*text).to_owned() };
        Self::new(files.iter().map(file).collect(), Vec::new()).unwrap()
    }

    pub(crate) fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|f| f.is("rs"))
    }

    /// The crate that a file belongs to: the one whose directory is nearest above it.
    pub(crate) fn crate_of(&self, file: &File) -> Option<&Crate> {
        let above = |c: &&Crate| file.path.strip_prefix(&c.dir).is_some_and(|rest| rest.starts_with('/'));
        self.crates.iter().filter(above).max_by_key(|c| c.dir.len())
    }
}

fn crate_of(file: &File) -> Result<Crate> {
    let manifest: Table = file.text.parse().map_err(|e| format!("{}: {e}", file.path))?;
    let name = manifest.get("package").and_then(|p| p.get("name")).and_then(Value::as_str);
    let name = name.ok_or_else(|| format!("{} names no package", file.path))?.to_owned();
    let targets = manifest.get("target").and_then(Value::as_table).into_iter().flat_map(Table::values);
    let mut dependencies = Vec::new();
    for table in std::iter::once(&manifest).chain(targets.filter_map(Value::as_table)) {
        for (kind, only_for_tests) in
            [("dependencies", false), ("build-dependencies", false), ("dev-dependencies", true)]
        {
            for (key, value) in table.get(kind).and_then(Value::as_table).into_iter().flatten() {
                let name = value.get("package").and_then(Value::as_str).unwrap_or(key).to_owned();
                let line = file.lines().find(|(_, l)| l.starts_with(key.as_str())).map_or(0, |(n, _)| n);
                dependencies.push(Dependency { name, only_for_tests, line });
            }
        }
    }
    let dir = file.path.trim_end_matches("/Cargo.toml").to_owned();
    Ok(Crate { name, dir, manifest, dependencies })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crates_and_their_dependencies_are_read() {
        let manifest = "[package]\nname = \"b\"\n[dependencies]\nx.workspace = true\n\
                        [dev-dependencies]\ny = { package = \"z\", version = \"1\" }\n\
                        [target.'cfg(unix)'.dependencies]\nu.workspace = true\n";
        let repo = Repo::of(&[("a/b/Cargo.toml", manifest), ("a/b/src/lib.rs", "")]);
        let found: Vec<_> =
            repo.crates[0].dependencies.iter().map(|d| (d.name.as_str(), d.only_for_tests, d.line)).collect();
        assert_eq!(found, [("x", false, 4), ("z", true, 6), ("u", false, 8)]);
        assert_eq!(repo.crate_of(&repo.files[1]).unwrap().name, "b");
        assert!(repo.paths.contains("a/b/src") && repo.paths.contains("a/b/src/lib.rs"));
    }

    #[test]
    fn a_file_belongs_to_the_nearest_crate() {
        let named = |name| format!("[package]\nname = \"{name}\"\n");
        let (outer, inner) = (named("outer"), named("inner"));
        let repo = Repo::of(&[
            ("s/Cargo.toml", &outer),
            ("s/in/Cargo.toml", &inner),
            ("s/in/a.rs", ""),
            ("s/inn.rs", ""),
        ]);
        assert_eq!(repo.crate_of(&repo.files[2]).unwrap().name, "inner");
        assert_eq!(repo.crate_of(&repo.files[3]).unwrap().name, "outer");
    }
}
