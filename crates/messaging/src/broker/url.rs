//! How a command line names a vendor's broker: one line of text that says which engine, and where.

mod open;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use partie_runtime::Secret;
use serde::{Deserialize, Serialize};

use super::percent;
use super::vendor::{Credentials, LogMisconfigured};

const NATS: &str = "nats://[USER:PASSWORD@]HOST:PORT[,HOST:PORT]";
const RABBITMQ: &str = "amqp://[USER:PASSWORD@]HOST:PORT[/VHOST]";
const KAFKA: &str = "kafka://HOST:PORT[,HOST:PORT]";

/// A vendor's broker as people name it. [`open`](Self::open) makes it a [`Log`](super::Log).
///
/// | text | engine |
/// |---|---|
/// | `nats://[USER:PASSWORD@]HOST:PORT[,HOST:PORT]` | the servers of a NATS cluster with JetStream |
/// | `amqp://[USER:PASSWORD@]HOST:PORT[/VHOST]` | a RabbitMQ server; the virtual host is `/` unless it is named |
/// | `kafka://HOST:PORT[,HOST:PORT]` | brokers of a Kafka cluster |
///
/// User, password and virtual host are percent-encoded where they have to be. A password is shown nowhere, not in errors
/// either.
///
/// ```
/// use partie_messaging::BrokerUrl;
///
/// let url: BrokerUrl = "amqp://ada:s3cret@localhost:5672/shop".parse()?;
/// assert_eq!(url.to_string(), "amqp://ada:***@localhost:5672/shop");
/// # Ok::<(), partie_messaging::BrokerUrlError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BrokerUrl {
    /// NATS with JetStream.
    Nats {
        /// Servers of one cluster, each `HOST:PORT`.
        servers: Vec<String>,
        /// Who we are there.
        credentials: Option<Credentials>,
    },
    /// RabbitMQ.
    RabbitMq {
        /// `HOST:PORT`
        at: String,
        /// Who we are there; `guest` if nobody is named.
        credentials: Option<Credentials>,
        /// The virtual host.
        vhost: String,
    },
    /// Kafka.
    Kafka {
        /// Brokers of one cluster, each `HOST:PORT`.
        brokers: Vec<String>,
    },
}

/// That names no broker, or none that can be used. Passwords are left out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BrokerUrlError {
    /// It begins like none of them.
    #[error("`{0}` names no broker: it has to be {NATS}, {RABBITMQ}, or {KAFKA}")]
    Unknown(String),
    /// It begins like one of them and goes on otherwise.
    #[error("`{url}` is not of the form {form}: {reason}")]
    Form {
        /// The text, without a password.
        url: String,
        /// What it should look like.
        form: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// This program was built without the engine.
    #[error("`{url}`: this program was built without the feature `{feature}` of partie-messaging")]
    NotBuilt {
        /// The text, without a password.
        url: String,
        /// What to build it with.
        feature: &'static str,
    },
    /// The engine does not take it.
    #[error(transparent)]
    Misconfigured(#[from] LogMisconfigured),
}

impl Serialize for BrokerUrl {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for BrokerUrl {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let url = Secret::resolve(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)?;
        url.parse().map_err(serde::de::Error::custom)
    }
}

impl FromStr for BrokerUrl {
    type Err = BrokerUrlError;

    fn from_str(url: &str) -> Result<Self, BrokerUrlError> {
        let (parsed, form) = if let Some(rest) = url.strip_prefix("nats://") {
            (nats(rest), NATS)
        } else if let Some(rest) = url.strip_prefix("amqp://") {
            (rabbitmq(rest), RABBITMQ)
        } else if let Some(rest) = url.strip_prefix("kafka://") {
            (members(rest).map(|brokers| Self::Kafka { brokers }), KAFKA)
        } else {
            return Err(BrokerUrlError::Unknown(redacted(url)));
        };
        parsed.map_err(|reason| BrokerUrlError::Form { url: redacted(url), form, reason })
    }
}

impl fmt::Display for BrokerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = |credentials: &Option<Credentials>| {
            credentials
                .as_ref()
                .map_or_else(String::new, |known| format!("{}:***@", percent::encode(&known.user)))
        };
        match self {
            Self::Nats { servers, credentials } => {
                write!(f, "nats://{}{}", who(credentials), servers.join(","))
            }
            Self::RabbitMq { at, credentials, vhost } => {
                write!(f, "amqp://{}{at}", who(credentials))?;
                if vhost == "/" {
                    Ok(())
                } else {
                    write!(f, "/{}", percent::encode(vhost).replace('/', "%2F"))
                }
            }
            Self::Kafka { brokers } => write!(f, "kafka://{}", brokers.join(",")),
        }
    }
}

fn nats(rest: &str) -> Result<BrokerUrl, String> {
    let (credentials, rest) = credentials(rest)?;
    Ok(BrokerUrl::Nats { servers: members(rest)?, credentials })
}

fn rabbitmq(rest: &str) -> Result<BrokerUrl, String> {
    let (credentials, rest) = credentials(rest)?;
    let (at, vhost) = rest.split_once('/').unwrap_or((rest, ""));
    let vhost = match vhost {
        "" => "/".to_owned(),
        vhost if vhost.contains(['/', '?', '#']) => return Err(format!("`{vhost}` is no virtual host")),
        vhost => percent::decode(vhost).ok_or_else(|| format!("`{vhost}` is no virtual host"))?,
    };
    Ok(BrokerUrl::RabbitMq { at: member(at)?, credentials, vhost })
}

/// Takes `USER:PASSWORD@` off.
fn credentials(text: &str) -> Result<(Option<Credentials>, &str), String> {
    let Some((who, rest)) = text.rsplit_once('@') else { return Ok((None, text)) };
    let (user, password) = who.split_once(':').ok_or("there is no password behind the user")?;
    let decode = |text: &str| percent::decode(text).filter(|text| !text.is_empty());
    let user = decode(user).ok_or("the user is empty or not percent-encoded")?;
    let password = decode(password).ok_or("the password is empty or not percent-encoded")?;
    Ok((Some(Credentials { user, password }), rest))
}

fn members(text: &str) -> Result<Vec<String>, String> {
    text.strip_suffix('/').unwrap_or(text).split(',').map(member).collect()
}

/// `HOST:PORT`, as it was written.
fn member(text: &str) -> Result<String, String> {
    let is_host = |host: &str| {
        let inside = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        match inside {
            Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
            None => {
                let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
                !host.is_empty() && host.bytes().all(is_part)
            }
        }
    };
    match text.rsplit_once(':') {
        Some((host, port)) if is_host(host) && port.parse::<u16>().is_ok_and(|port| port != 0) => {
            Ok(text.to_owned())
        }
        // What stands before an @ may be a password.
        _ => Err(format!("`{}` is no HOST:PORT", text.rsplit('@').next().unwrap_or_default())),
    }
}

/// The text without what may be a password.
fn redacted(url: &str) -> String {
    let Some((who, rest)) = url.rsplit_once('@') else { return url.to_owned() };
    let (scheme, who) = who.split_once("://").unwrap_or(("", who));
    let user = who.split(':').next().unwrap_or_default();
    format!("{scheme}://{user}:***@{rest}")
}
