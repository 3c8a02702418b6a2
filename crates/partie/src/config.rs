//! Configuration: built-in defaults, `partie.toml`, the environment and flags, in that order; every value knows where
//! it comes from, and an unknown key is an error.

mod public_url;

use std::net::SocketAddr;
use std::path::PathBuf;

use partie_gateway::{AdminConfig, Gateway};
use partie_mesh::MeshConfig;
use partie_messaging::BrokerConfig;
use partie_runtime::{HIDDEN, layers};
use partie_telemetry::Logs;
use serde::{Deserialize, Serialize, Serializer};

pub use partie_runtime::layers::{ConfigError, Origin};

pub use self::public_url::{InvalidPublicUrl, PublicUrl};

use crate::system::RegistryConfig;

pub(crate) type Layers = layers::Layers<Config>;
pub(crate) type Effective = layers::Effective<Config>;

/// The settings of a program.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Config {
    /// Where the databases and the development key are.
    pub data: PathBuf,
    /// Whether the data is in a temporary directory, removed at the end. Nothing in it outlives the program, so writes
    /// are not forced to disk.
    pub ephemeral: bool,
    /// Whether the system's demo actors play.
    pub demo: bool,
    /// Where people reach the system: what the links it sends begin with. Where the gateway listens, if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_url: Option<PublicUrl>,
    /// The edge.
    pub gateway: Gateway,
    /// Where those who run this process find out how it does.
    pub admin: AdminConfig,
    /// Whose tokens are taken besides those of the system's own key.
    pub identity: partie_identity::Config,
    /// Calls between services.
    pub mesh: MeshConfig,
    /// The stores of all services.
    pub store: partie_store::Config,
    /// The caches of all services.
    pub cache: partie_cache::CacheConfig,
    /// Events, timers, jobs and sagas of all services.
    pub messaging: partie_messaging::Config,
    /// What carries the events.
    pub broker: BrokerConfig,
    /// Where programs in other languages find services, and announce their own.
    pub registry: RegistryConfig,
    /// What is logged, and how.
    pub logs: Logs,
    /// The services' own settings, by their names. Their types are the services' own, so of what is shown here passwords in
    /// URLs are left out, and whatever is called a secret, a password or a token.
    #[serde(serialize_with = "shown")]
    pub services: toml::Table,
}

fn shown<S: Serializer>(services: &toml::Table, serializer: S) -> Result<S::Ok, S::Error> {
    let mut services = services.clone();
    hide(&mut services);
    services.serialize(serializer)
}

fn hide(table: &mut toml::Table) {
    for (key, value) in table {
        match value {
            toml::Value::Table(table) => hide(table),
            toml::Value::String(text) => {
                if ["secret", "password", "token"].iter().any(|word| key.ends_with(word)) {
                    *text = HIDDEN.to_owned();
                } else if let Some((scheme, rest)) = text.split_once("://")
                    && let Some((login, place)) = rest.rsplit_once('@')
                    && let Some((user, _)) = login.split_once(':')
                {
                    *text = format!("{scheme}://{user}:{HIDDEN}@{place}");
                }
            }
            _ => {}
        }
    }
}

impl Config {
    /// Where people reach a system whose gateway listens there.
    pub(crate) fn public_url(&self, edge: SocketAddr) -> PublicUrl {
        self.public_url.clone().unwrap_or_else(|| PublicUrl::of(edge, self.gateway.tls.is_some()))
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data: ".partie".into(),
            ephemeral: false,
            demo: true,
            public_url: None,
            gateway: Gateway::default(),
            admin: AdminConfig::default(),
            identity: partie_identity::Config::default(),
            mesh: MeshConfig::default(),
            store: partie_store::Config::default(),
            cache: partie_cache::CacheConfig::default(),
            messaging: partie_messaging::Config::default(),
            broker: BrokerConfig::default(),
            registry: RegistryConfig::default(),
            logs: Logs::default(),
            services: toml::Table::new(),
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
    fn the_password_of_a_cache_counts_and_is_not_shown() {
        let mut layers = layers();
        layers.environment(env(&[("PARTIE__CACHE__URL", "redis://:hunter2@cache:6380/1")]));
        let effective = layers.finish().unwrap();
        assert_eq!(effective.config.cache.url, Some("redis://:hunter2@cache:6380/1".parse().unwrap()));
        let lines = effective.lines();
        let (_, shown, origin) = lines.iter().find(|(key, ..)| key == "cache.url").unwrap();
        assert_eq!(shown, "\"redis://***@cache:6380/1\"");
        assert_eq!(*origin, Origin::Environment("PARTIE__CACHE__URL".into()));
    }

    #[test]
    fn secrets_of_services_count_and_are_not_shown() {
        let mut layers = layers();
        layers.environment(env(&[
            ("PARTIE__SERVICES__POST__MAIL__URL", "smtp://ann:s3cret@mail:587"),
            ("PARTIE__SERVICES__POST__CLIENT_SECRET", "s3cret"),
            ("PARTIE__SERVICES__POST__FROM", "ann@example.org"),
        ]));
        let effective = layers.finish().unwrap();
        let post = effective.config.services["post"].as_table().unwrap();
        assert_eq!(post["mail"]["url"].as_str(), Some("smtp://ann:s3cret@mail:587"));
        let lines = effective.lines();
        let shown = |key: &str| lines.iter().find(|(known, ..)| known == key).unwrap().1.as_str();
        assert_eq!(shown("services.post.mail.url"), "\"smtp://ann:***@mail:587\"");
        assert_eq!(shown("services.post.client-secret"), "\"***\"");
        assert_eq!(shown("services.post.from"), "\"ann@example.org\"");
        assert!(!format!("{lines:?}").contains("s3cret"));
    }

    #[test]
    fn an_unknown_key_and_a_wrong_value_are_named_with_their_origin() {
        for (name, value, needle) in [
            ("PARTIE__GATEWAY__LISTNE", "127.0.0.1:9000", "listne"),
            ("PARTIE__GATEWAY__LISTEN", "here", "socket address"),
            ("PARTIE__NONSENSE", "1", "nonsense"),
            ("PARTIE__CACHE__URL", "memcached://here", "redis://"),
        ] {
            let mut layers = layers();
            layers.environment(env(&[(name, value), ("PARTIE__GATEWAY__BODY", "1000")]));
            let error = layers.finish().unwrap_err().to_string();
            assert!(error.starts_with(name) && error.contains(needle), "{error}");
        }
    }
}
