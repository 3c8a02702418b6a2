//! How a configuration names the server of the caches.

#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use partie_runtime::Secret;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

const FORM: &str = "redis://[[USER]:PASSWORD@]HOST[:PORT][/DB]";

/// The server of a service's caches: `redis://[[USER]:PASSWORD@]HOST[:PORT][/DB]`.
///
/// User and password may be percent-encoded. The port is 6379 and the database 0 unless it says otherwise. Nothing shows
/// the password: neither `Display` nor `Debug`, nor an error, nor what `config` prints.
#[derive(Clone, PartialEq, Eq)]
pub struct CacheUrl {
    /// The server's name or address.
    pub(crate) host: String,
    /// Its port.
    pub(crate) port: u16,
    /// The number of the database.
    pub(crate) db: u32,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    /// As it was written, without its password.
    shown: String,
}

/// That names no server, or none that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CacheUrlError {
    /// It begins otherwise.
    #[error("`{0}` names no cache server: it has to be {FORM}")]
    Unknown(String),
    /// Connections to it would be encrypted.
    #[error(
        "`{0}`: this program was built without TLS for caches; use redis:// in a network you trust, or a tunnel"
    )]
    Tls(String),
    /// It goes on otherwise.
    #[error("`{url}` is not of the form {FORM}: {reason}")]
    Form {
        /// The text, without its password.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl FromStr for CacheUrl {
    type Err = CacheUrlError;

    fn from_str(text: &str) -> Result<Self, CacheUrlError> {
        if text.starts_with("rediss://") {
            return Err(CacheUrlError::Tls(redacted(text)));
        }
        let Some(rest) = text.strip_prefix("redis://") else {
            return Err(CacheUrlError::Unknown(redacted(text)));
        };
        parts(rest, text).map_err(|reason| CacheUrlError::Form { url: redacted(text), reason })
    }
}

fn parts(rest: &str, text: &str) -> Result<CacheUrl, String> {
    // A password may hold a slash that nobody encoded, but no one could tell then where the host begins.
    let (userinfo, server) = match rest.rsplit_once('@') {
        Some((userinfo, server)) => (Some(userinfo), server),
        None => (None, rest),
    };
    let (authority, db) = server.split_once('/').unwrap_or((server, ""));
    let (host, port) = match authority.rsplit_once(':') {
        // A colon inside of brackets belongs to an IPv6 address.
        Some((host, port)) if !port.ends_with(']') => {
            let wrong = || format!("`{port}` is no port");
            (host, port.parse().ok().filter(|port| *port != 0).ok_or_else(wrong)?)
        }
        _ => (authority, 6379),
    };
    let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) if address.parse::<std::net::Ipv6Addr>().is_ok() => address,
        Some(address) => return Err(format!("`{address}` is no IPv6 address")),
        None => host,
    };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    if host.is_empty() || !host.chars().all(is_plain) || (host.contains(':') && !authority.starts_with('[')) {
        return Err(format!("`{host}` is no host"));
    }
    let db = if db.is_empty() {
        0
    } else {
        db.parse().map_err(|_| format!("`{db}` is no number of a database"))?
    };
    let (user, password) = match userinfo {
        None => (None, None),
        Some(userinfo) => {
            let Some((user, password)) = userinfo.split_once(':') else {
                return Err("there is a user but no password".to_owned());
            };
            let user = (!user.is_empty()).then(|| decoded(user)).transpose()?;
            (user, Some(decoded(password)?))
        }
    };
    Ok(CacheUrl { host: host.to_owned(), port, db, user, password, shown: redacted(text) })
}

/// What percent-encoded text means. The text itself is never in the reason.
fn decoded(text: &str) -> Result<String, String> {
    let wrong = || "user or password are not percent-encoded UTF-8".to_owned();
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok()).ok_or_else(wrong)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| wrong())?);
        rest = &after[2..];
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

/// The text with stars for everything between scheme and host.
fn redacted(text: &str) -> String {
    let begin = text.find("://").map_or(0, |at| at + 3);
    match text.rfind('@') {
        Some(at) if at >= begin => format!("{}***{}", &text[..begin], &text[at..]),
        _ => text.to_owned(),
    }
}

// === impl CacheUrl ===

impl fmt::Display for CacheUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for CacheUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CacheUrl({self})")
    }
}

/// For people: a configuration is written to be shown.
impl Serialize for CacheUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for CacheUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let url = Secret::resolve(&String::deserialize(deserializer)?).map_err(de::Error::custom)?;
        url.parse().map_err(de::Error::custom)
    }
}
