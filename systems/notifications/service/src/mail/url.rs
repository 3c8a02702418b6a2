//! How a configuration names the mail server.

use std::fmt;
use std::str::FromStr;

use partie::runtime::Secret;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

const FORM: &str = "smtp://[USER:PASSWORD@]HOST[:PORT][?tls=none] or smtps://[USER:PASSWORD@]HOST[:PORT]";

/// The mail server: `smtp://USER:PASSWORD@HOST:PORT`.
///
/// `smtp` begins in the clear and has to go on encrypted (STARTTLS, port 587), `smtps` is encrypted from the first byte
/// (port 465). `smtp://HOST?tls=none` stays in the clear, for a server in the same machine or network: port 25, and a
/// password only to this machine. User and password may be percent-encoded. In a configuration the whole may be `file:PATH` or
/// `env:NAME`, as any [`Secret`]. Nothing shows the password: neither `Display` nor `Debug`, nor an error.
#[derive(Clone, PartialEq, Eq)]
pub struct MailUrl {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) security: Security,
    /// User and password.
    pub(crate) login: Option<(String, String)>,
}

/// How a connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Security {
    /// TLS from the first byte.
    Tls,
    /// TLS before anything that counts, or nothing is sent.
    StartTls,
    /// None.
    Clear,
}

/// That names no mail server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailUrlError(&'static str);

// === impl MailUrl ===

impl FromStr for MailUrl {
    type Err = MailUrlError;

    fn from_str(text: &str) -> Result<Self, MailUrlError> {
        let (scheme, rest) = text.split_once("://").ok_or(MailUrlError("it has no scheme"))?;
        let (rest, query) = match rest.rsplit_once('?') {
            Some((rest, query)) => (rest, Some(query)),
            None => (rest, None),
        };
        let (security, default_port) = match (scheme, query) {
            ("smtps", None) => (Security::Tls, 465),
            ("smtp", None) => (Security::StartTls, 587),
            ("smtp", Some("tls=none")) => (Security::Clear, 25),
            ("smtp" | "smtps", _) => return Err(MailUrlError("all it may say after ? is tls=none, of smtp")),
            _ => return Err(MailUrlError("its scheme is neither smtp nor smtps")),
        };
        // A password may hold an @ that nobody encoded.
        let (login, server) = match rest.rsplit_once('@') {
            Some((login, server)) => (Some(login), server),
            None => (None, rest),
        };
        let server = server.strip_suffix('/').unwrap_or(server);
        let (host, port) = match server.rsplit_once(':') {
            // A colon inside of brackets belongs to an IPv6 address.
            Some((host, port)) if !port.ends_with(']') => {
                let port = port.parse().ok().filter(|port| *port != 0);
                (host, port.ok_or(MailUrlError("its port is no port"))?)
            }
            _ => (server, default_port),
        };
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b".-:_".contains(&byte);
        if host.is_empty() || !host.bytes().all(is_part) {
            return Err(MailUrlError("its host is no host"));
        }
        let login = login.map(|login| {
            let (user, password) = login.split_once(':').ok_or(MailUrlError("a user needs a password"))?;
            Ok((decoded(user)?, decoded(password)?))
        });
        let login = login.transpose()?;
        if security == Security::Clear && login.is_some() && !is_this_machine(host) {
            return Err(MailUrlError("it would send the password over a network that everybody can read"));
        }
        Ok(Self { host: host.to_owned(), port, security, login })
    }
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn decoded(text: &str) -> Result<String, MailUrlError> {
    const WRONG: MailUrlError = MailUrlError("user and password are percent-encoded text");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2).ok_or(WRONG)?;
        let digits = std::str::from_utf8(digits).map_err(|_| WRONG)?;
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| WRONG)?);
        rest = after;
    }
    String::from_utf8(bytes).map_err(|_| WRONG)
}

impl fmt::Display for MailUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.security == Security::Tls { "smtps" } else { "smtp" };
        write!(f, "{scheme}://")?;
        if let Some((user, _)) = &self.login {
            write!(f, "{user}:***@")?;
        }
        write!(f, "{}:{}", self.host, self.port)?;
        if self.security == Security::Clear { f.write_str("?tls=none") } else { Ok(()) }
    }
}

impl fmt::Debug for MailUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for MailUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MailUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Secret::resolve(&text).map_err(de::Error::custom)?.parse().map_err(de::Error::custom)
    }
}

// === impl MailUrlError ===

impl fmt::Display for MailUrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "that names no mail server: {}; it has to be {FORM}", self.0)
    }
}

impl std::error::Error for MailUrlError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> MailUrl {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn servers_are_named_as_people_do() {
        for (text, host, port, security) in [
            ("smtp://mail.example.org", "mail.example.org", 587, Security::StartTls),
            ("smtp://mail.example.org:2525/", "mail.example.org", 2525, Security::StartTls),
            ("smtps://mail.example.org", "mail.example.org", 465, Security::Tls),
            ("smtp://127.0.0.1?tls=none", "127.0.0.1", 25, Security::Clear),
            ("smtp://[::1]:2525?tls=none", "::1", 2525, Security::Clear),
        ] {
            let url = read(text);
            assert_eq!((url.host.as_str(), url.port, url.security), (host, port, security), "{text}");
            assert_eq!(url.login, None, "{text}");
        }
    }

    #[test]
    fn passwords_are_decoded_and_not_shown() {
        let url = read("smtp://ann%40example.org:p%3a@ss%25@mail.example.org");
        assert_eq!(url.login, Some(("ann@example.org".into(), "p:@ss%".into())));
        assert_eq!(url.to_string(), "smtp://ann@example.org:***@mail.example.org:587");
        assert_eq!(format!("{url:?}"), url.to_string());
    }

    #[test]
    fn what_names_no_server_is_refused_without_its_password() {
        for text in [
            "mail.example.org",
            "http://a:s3cret@mail",
            "smtp://",
            "smtp://a:s3cret@",
            "smtp://a:s3cret@mail:0",
            "smtp://a:s3cret@mail:http",
            "smtp://s3cret@mail",
            "smtp://a:s3cret%2@mail",
            "smtp://a:s3cret%zz@mail",
            "smtp://a:s3cret%ff@mail",
            "smtp://a:s3cret@ma il",
            "smtp://a:s3cret@mail/path",
            "smtps://a:s3cret@mail?tls=none",
            "smtp://a:s3cret@mail?tls=maybe",
            // In the clear only to this machine.
            "smtp://a:s3cret@mail.example.org?tls=none",
        ] {
            let error = text.parse::<MailUrl>().unwrap_err().to_string();
            assert!(!error.contains("s3cret"), "{error}");
        }
        assert!("smtp://a:s3cret@localhost:25?tls=none".parse::<MailUrl>().is_ok());
    }
}
