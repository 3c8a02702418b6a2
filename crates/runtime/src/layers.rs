//! Merges the layers of a configuration and remembers where each value comes from.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use crate::secret::HIDDEN;

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

/// The layers so far of settings that are a `C` in the end: built-in defaults, a file, the environment and flags, in that
/// order. An unknown key is an error if `C` says so.
#[derive(Debug)]
pub struct Layers<C> {
    merged: Table,
    /// By dotted key; a key set by no layer above the defaults has no entry.
    origins: BTreeMap<String, Origin>,
    settings: PhantomData<fn() -> C>,
}

/// The configuration that counts.
#[derive(Debug)]
pub struct Effective<C> {
    /// The settings.
    pub config: C,
    merged: Table,
    origins: BTreeMap<String, Origin>,
}

// === impl Layers ===

impl<C: Serialize + DeserializeOwned + Default> Layers<C> {
    /// The built-in defaults.
    ///
    /// # Errors
    /// [`ConfigError::Value`] when they cannot be written as TOML.
    pub fn new(defaults: &C) -> Result<Self, ConfigError> {
        let merged = Table::try_from(defaults).map_err(|error| ConfigError::Value {
            origin: Origin::Default,
            key: "defaults".to_owned(),
            reason: error.to_string(),
        })?;
        Ok(Self { merged, origins: BTreeMap::new(), settings: PhantomData })
    }

    /// A file. One that is not there is fine unless it was asked for.
    ///
    /// # Errors
    /// [`ConfigError::File`] when it cannot be read, or is not TOML.
    pub fn file(&mut self, path: &Path, required: bool) -> Result<(), ConfigError> {
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
    pub fn environment(&mut self, variables: impl Iterator<Item = (String, String)>) {
        // Sorted, so that of two spellings of one key the same one counts every time.
        let own: BTreeMap<String, String> = variables.filter(|(name, _)| name.starts_with(PREFIX)).collect();
        for (name, text) in own {
            let key = name[PREFIX.len()..].to_lowercase().replace("__", ".").replace('_', "-");
            self.set(&key, parse(&text), &Origin::Environment(name));
        }
    }

    /// One value.
    pub fn set(&mut self, key: &str, value: Value, origin: &Origin) {
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
    ///
    /// # Errors
    /// [`ConfigError::Value`] names a key that is unknown or has a wrong value, and where it was set.
    pub fn finish(self) -> Result<Effective<C>, ConfigError> {
        match self.merged.clone().try_into::<C>() {
            // What is shown is written anew, so that a secret is shown as its type wants it.
            Ok(config) => {
                let Self { merged, .. } = Self::new(&config)?;
                Ok(Effective { config, merged, origins: self.origins })
            }
            Err(error) => Err(self.blame(error.message())),
        }
    }

    /// The parser says what is wrong but not where it was set. Setting one value at a time upon the defaults finds it.
    fn blame(&self, reason: &str) -> ConfigError {
        for (key, origin) in &self.origins {
            let Some(value) = lookup(&self.merged, key) else { continue };
            let Ok(mut alone) = Self::new(&C::default()) else { break };
            alone.set(key, value.clone(), origin);
            if let Err(error) = alone.merged.try_into::<C>() {
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

impl<C> Effective<C> {
    /// Every value with its origin, a line each. Secrets are types that show themselves redacted.
    pub fn lines(&self) -> Vec<(String, String, Origin)> {
        let mut lines = Vec::new();
        flatten(&self.merged, "", &mut |key, value| {
            let origin = self.origins.get(&key).cloned().unwrap_or(Origin::Default);
            let shown = shown(&key, value);
            lines.push((key, shown, origin));
        });
        lines
    }
}

/// What is shown of a value. Settings of the platform redact themselves; of the settings of services only names and forms are
/// known here, so what looks like a secret is one.
fn shown(key: &str, value: &Value) -> String {
    let name = key.rsplit('.').next().unwrap_or_default();
    let is_secret = ["password", "secret"].iter().any(|word| name.contains(word))
        || ["token", "api-key", "private-key"].iter().any(|end| name.ends_with(end));
    let text = value.as_str();
    let leads_elsewhere =
        text.is_some_and(|text| text.is_empty() || text.starts_with("file:") || text.starts_with("env:"));
    match (is_secret && !leads_elsewhere, text.and_then(without_password)) {
        (true, _) => Value::from(HIDDEN).to_string(),
        (false, Some(shown)) => Value::from(shown).to_string(),
        (false, None) => value.to_string(),
    }
}

/// An address without the password in it, if there is one.
fn without_password(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let (who, _) = authority.rsplit_once('@')?;
    let (user, _) = who.split_once(':')?;
    Some(format!("{scheme}://{user}:{HIDDEN}{}", &rest[who.len()..]))
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

    #[test]
    fn what_looks_like_a_secret_is_not_shown() {
        for (key, text, told) in [
            ("services.mail.url", "smtp://ann:s3cret@mail/x?y", "\"smtp://ann:***@mail/x?y\""),
            ("services.mail.url", "smtp://ann:s3@cret@mail", "\"smtp://ann:***@mail\""),
            ("services.mail.url", "smtp://ann@mail", "\"smtp://ann@mail\""),
            ("services.mail.url", "http://mail/a:b@c", "\"http://mail/a:b@c\""),
            ("services.mail.password", "s3cret", "\"***\""),
            ("services.mail.client-secret", "s3cret", "\"***\""),
            ("services.mail.password", "file:/run/secrets/mail", "\"file:/run/secrets/mail\""),
            ("services.mail.access-token", "s3cret", "\"***\""),
            ("services.mail.from", "ann@example.org", "\"ann@example.org\""),
        ] {
            assert_eq!(shown(key, &text.into()), told, "{key}");
        }
        assert_eq!(shown("services.mail.password", &Value::from(4711)), "\"***\"");
        assert_eq!(shown("services.mail.port", &Value::from(25)), "25");
    }
}
