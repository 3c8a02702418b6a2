//! Where people reach a system, as it is written in the links they are sent.

use std::fmt;
use std::net::SocketAddr;

use http::Uri;
use serde::{Deserialize, Serialize};

/// Where people reach a system: `http://` or `https://`, a host, perhaps a port and a path, and nothing behind that. It has
/// no slash at the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicUrl(String);

/// The text is no URL links can begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("where people reach the system is of the form https://HOST, perhaps with a port and a path")]
pub struct InvalidPublicUrl;

// === impl PublicUrl ===

impl PublicUrl {
    /// That of a listener.
    pub(crate) fn of(address: SocketAddr, tls: bool) -> Self {
        Self(format!("{}://{address}", if tls { "https" } else { "http" }))
    }

    /// The URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Where a link leads: a path is one of the system, and a whole URL stays what it is.
    pub fn link(&self, to: &str) -> String {
        if to.starts_with('/') { [&self.0, to].concat() } else { to.to_owned() }
    }
}

impl TryFrom<String> for PublicUrl {
    type Error = InvalidPublicUrl;

    fn try_from(text: String) -> Result<Self, InvalidPublicUrl> {
        let uri: Uri = text.parse().map_err(|_| InvalidPublicUrl)?;
        let names_a_user = uri.authority().is_none_or(|authority| authority.as_str().contains('@'));
        if !matches!(uri.scheme_str(), Some("http" | "https")) || names_a_user || text.contains(['?', '#']) {
            return Err(InvalidPublicUrl);
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }
}

impl From<PublicUrl> for String {
    fn from(url: PublicUrl) -> Self {
        url.0
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<PublicUrl, InvalidPublicUrl> {
        text.to_owned().try_into()
    }

    #[test]
    fn links_lead_to_the_system_unless_they_say_another_place() {
        let url = read("https://food.example.org/shop/").unwrap();
        assert_eq!(url.link("/verify"), "https://food.example.org/shop/verify");
        assert_eq!(url.link("https://example.org/verify"), "https://example.org/verify");
        let listener = PublicUrl::of("127.0.0.1:9000".parse().unwrap(), true);
        assert_eq!(listener.link("/verify"), "https://127.0.0.1:9000/verify");
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for bad in [
            "",
            "food.example.org",
            "/shop",
            "ftp://food",
            "https://",
            "https://a@b",
            "https://a?b",
            "http://a#b",
        ] {
            assert_eq!(read(bad), Err(InvalidPublicUrl), "{bad}");
        }
    }
}
