//! The part of deny.toml that needs no tool to check: licences, bans, sources, targets.

use toml::{Table, Value};

use crate::process::Result;

/// What deny.toml says.
#[derive(Debug)]
pub(crate) struct Policy {
    allowed: Vec<String>,
    /// A crate and the licence it alone may have.
    exceptions: Vec<(String, String)>,
    /// A crate and why it is banned.
    pub(crate) banned: Vec<(String, String)>,
    registries: Vec<String>,
    /// The platforms whose dependencies count.
    pub(crate) targets: Vec<String>,
}

impl Policy {
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let table: Table = text.parse().map_err(|e| format!("deny.toml: {e}"))?;
        let list = |section: &str, key: &str| {
            let value = table.get(section).and_then(|s| s.get(key)).and_then(Value::as_array);
            value.ok_or_else(|| format!("deny.toml has no list [{section}] {key}"))
        };
        let strings = |section: &str, key: &str| {
            let texts = list(section, key)?.iter().map(|v| v.as_str().map(str::to_owned));
            texts
                .collect::<Option<Vec<_>>>()
                .ok_or_else(|| format!("deny.toml: {key} is not a list of strings"))
        };
        let mut banned = Vec::new();
        for entry in list("bans", "deny")? {
            match (entry.get("crate").and_then(Value::as_str), entry.get("reason").and_then(Value::as_str)) {
                (Some(name), Some(reason)) => banned.push((name.to_owned(), reason.to_owned())),
                _ => return Err(format!("deny.toml: {entry:?} has to name a crate and a reason")),
            }
        }
        let mut exceptions = Vec::new();
        for entry in list("licenses", "exceptions")? {
            let name = entry.get("crate").and_then(Value::as_str);
            let allow = entry.get("allow").and_then(Value::as_array).into_iter().flatten();
            for licence in allow.filter_map(Value::as_str) {
                let name = name.ok_or_else(|| format!("deny.toml: {entry:?} has to name a crate"))?;
                exceptions.push((name.to_owned(), licence.to_owned()));
            }
        }
        if !list("sources", "allow-git")?.is_empty() {
            return Err(
                "deny.toml: allow-git has to stay empty: a git source cannot be audited or vendored".into()
            );
        }
        let registries = strings("sources", "allow-registry")?;
        let (allowed, targets) = (strings("licenses", "allow")?, strings("graph", "targets")?);
        Ok(Self { allowed, exceptions, banned, registries, targets })
    }

    pub(crate) fn allows_licence(&self, package: &str, licence: &str) -> bool {
        let excepted = self.exceptions.iter().any(|(name, l)| name == package && l == licence);
        excepted || self.allowed.iter().any(|l| l == licence)
    }

    /// `source` as cargo writes it: `registry+URL`, `sparse+URL`, `git+URL`.
    pub(crate) fn allows_source(&self, source: &str) -> bool {
        let url = source.strip_prefix("registry+").or_else(|| source.strip_prefix("sparse+"));
        url.is_some_and(|url| self.registries.iter().any(|r| r == url))
    }
}
