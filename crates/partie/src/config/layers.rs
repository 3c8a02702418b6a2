//! Merges the layers of the configuration and remembers where each value comes from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::Config;

/// The prefix of environment variables: `PARTIE__GATEWAY__LISTEN` is `gateway.listen`.
const PREFIX: &str = "PARTIE__";

/// A configuration that cannot be used, in one line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: {reason}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A key is unknown, or its value is of the wrong type.
    #[error("{origin}: {key}: {reason}")]
    Value {
        /// Where it was set.
        origin: Origin,
        /// The key, `gateway.listen`.
        key: String,
        /// Why.
        reason: String,
    },
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Built in.
    Default,
    /// A file.
    File(PathBuf),
    /// An environment variable.
    Environment(String),
    /// A flag of the command line.
    Flag(&'static str),
}

/// The layers so far.
#[derive(Debug)]
pub(crate) struct Layers {
    merged: Table,
    /// By dotted key; a key set by no layer above the defaults has no entry.
    origins: BTreeMap<String, Origin>,
}

/// The configuration that counts.
#[derive(Debug)]
pub(crate) struct Effective {
    pub(crate) config: Config,
    merged: Table,
    origins: BTreeMap<String, Origin>,
}

// === impl Layers ===

impl Layers {
    /// The built-in defaults.
    pub(crate) fn new(defaults: &Config) -> Result<Self, ConfigError> {
        let merged = Table::try_from(defaults).map_err(|error| ConfigError::Value {
            origin: Origin::Default,
            key: "defaults".to_owned(),
            reason: error.to_string(),
        })?;
        Ok(Self { merged, origins: BTreeMap::new() })
    }

    /// A file. One that is not there is fine unless it was asked for.
    pub(crate) fn file(&mut self, path: &Path, required: bool) -> Result<(), ConfigError> {
        let error = |reason: String| ConfigError::File { path: path.to_owned(), reason };
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(missing) if missing.kind() == std::io::ErrorKind::NotFound && !required => return Ok(()),
            Err(unreadable) => return Err(error(unreadable.to_string())),
        };
        let table: Table =
            text.parse().map_err(|broken: toml::de::Error| error(broken.message().to_owned()))?;
        self.merge(table, "", &Origin::File(path.to_owned()));
        Ok(())
    }

    /// The environment.
    pub(crate) fn environment(&mut self, variables: impl Iterator<Item = (String, String)>) {
        // Sorted, so that of two spellings of one key the same one counts every time.
        let own: BTreeMap<String, String> = variables.filter(|(name, _)| name.starts_with(PREFIX)).collect();
        for (name, text) in own {
            let key = name[PREFIX.len()..].to_lowercase().replace("__", ".").replace('_', "-");
            self.set(&key, parse(&text), &Origin::Environment(name));
        }
    }

    /// One value.
    pub(crate) fn set(&mut self, key: &str, value: Value, origin: &Origin) {
        let nested = key.rsplit('.').fold(value, |value, part| {
            let mut table = Table::new();
            table.insert(part.to_owned(), value);
            Value::Table(table)
        });
        if let Value::Table(table) = nested {
            self.merge(table, "", origin);
        }
    }

    fn merge(&mut self, from: Table, at: &str, origin: &Origin) {
        let mut leaves = Vec::new();
        merge(&mut self.merged, from, at, &mut leaves);
        for leaf in leaves {
            self.origins.insert(leaf, origin.clone());
        }
    }

    /// Checks the whole and makes it usable.
    pub(crate) fn finish(self) -> Result<Effective, ConfigError> {
        match self.merged.clone().try_into::<Config>() {
            Ok(config) => Ok(Effective { config, merged: self.merged, origins: self.origins }),
            Err(error) => Err(self.blame(error.message())),
        }
    }

    /// The parser says what is wrong but not where it was set. Setting one value at a time upon the defaults finds it.
    fn blame(&self, reason: &str) -> ConfigError {
        for (key, origin) in &self.origins {
            let Some(value) = lookup(&self.merged, key) else { continue };
            let Ok(mut alone) = Self::new(&Config::default()) else { break };
            alone.set(key, value.clone(), origin);
            if let Err(error) = alone.merged.try_into::<Config>() {
                let reason = error.message().to_owned();
                return ConfigError::Value { origin: origin.clone(), key: key.clone(), reason };
            }
        }
        ConfigError::Value {
            origin: Origin::Default,
            key: "configuration".to_owned(),
            reason: reason.to_owned(),
        }
    }
}

fn merge(into: &mut Table, from: Table, at: &str, leaves: &mut Vec<String>) {
    for (name, value) in from {
        let key = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
        match (into.get_mut(&name), value) {
            (Some(Value::Table(into)), Value::Table(from)) => merge(into, from, &key, leaves),
            (None, Value::Table(from)) => {
                let mut table = Table::new();
                merge(&mut table, from, &key, leaves);
                into.insert(name, Value::Table(table));
            }
            (_, value) => {
                leaves.push(key);
                into.insert(name, value);
            }
        }
    }
}

fn lookup<'t>(table: &'t Table, key: &str) -> Option<&'t Value> {
    let mut parts = key.split('.');
    let first = table.get(parts.next()?)?;
    parts.try_fold(first, |value, part| value.get(part))
}

/// `8`, `true` and `["a"]` are what they look like; everything else is text.
fn parse(text: &str) -> Value {
    let line = format!("value = {text}");
    let table = line.parse::<Table>().ok().filter(|table| table.len() == 1);
    let value = table.and_then(|mut table| table.remove("value"));
    value.unwrap_or_else(|| Value::String(text.to_owned()))
}

// === impl Effective ===

impl Effective {
    /// Every value with its origin, a line each. Secrets are types that show themselves redacted.
    pub(crate) fn lines(&self) -> Vec<(String, String, Origin)> {
        let mut lines = Vec::new();
        flatten(&self.merged, "", &mut |key, value| {
            let origin = self.origins.get(&key).cloned().unwrap_or(Origin::Default);
            lines.push((key, value.to_string(), origin));
        });
        lines
    }
}

fn flatten(table: &Table, at: &str, line: &mut impl FnMut(String, &Value)) {
    for (name, value) in table {
        let key = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
        match value {
            Value::Table(table) => flatten(table, &key, line),
            value => line(key, value),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment(name) => f.write_str(name),
            Self::Flag(name) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layers() -> Layers {
        Layers::new(&Config::default()).unwrap()
    }

    fn env(pairs: &[(&str, &str)]) -> impl Iterator<Item = (String, String)> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect::<Vec<_>>()
            .into_iter()
    }

    #[test]
    fn later_layers_win_and_are_remembered() {
        let mut layers = layers();
        layers.environment(env(&[("PARTIE__GATEWAY__LISTEN", "127.0.0.1:9000"), ("PATH", "/bin")]));
        layers.set("gateway.listen", "127.0.0.1:9001".into(), &Origin::Flag("--listen"));
        let effective = layers.finish().unwrap();
        assert_eq!(effective.config.gateway.listen.port(), 9001);
        let lines = effective.lines();
        let origin = |key: &str| lines.iter().find(|(k, ..)| k == key).map(|(.., origin)| origin.clone());
        assert_eq!(origin("gateway.listen"), Some(Origin::Flag("--listen")));
        assert_eq!(origin("gateway.body"), Some(Origin::Default));
    }

    #[test]
    fn an_unknown_key_and_a_wrong_value_are_named_with_their_origin() {
        for (name, value, needle) in [
            ("PARTIE__GATEWAY__LISTNE", "127.0.0.1:9000", "listne"),
            ("PARTIE__GATEWAY__LISTEN", "here", "socket address"),
            ("PARTIE__NONSENSE", "1", "nonsense"),
        ] {
            let mut layers = layers();
            layers.environment(env(&[(name, value), ("PARTIE__GATEWAY__BODY", "1000")]));
            let error = layers.finish().unwrap_err().to_string();
            assert!(error.starts_with(name) && error.contains(needle), "{error}");
        }
    }
}
