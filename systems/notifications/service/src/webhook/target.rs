//! Where a webhook goes, taken from its URL.

use http::Uri;
use http::uri::PathAndQuery;

/// The host, port and path of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(super) tls: bool,
    /// Without the brackets of an IPv6 address.
    pub(super) host: String,
    pub(super) port: u16,
    /// What `Host` says.
    pub(super) authority: String,
    pub(super) path: PathAndQuery,
}

/// Bytes of a URL, at most.
const LONGEST: usize = 2_048;

// === impl Target ===

impl Target {
    /// Reads a URL; without TLS only if that is allowed.
    ///
    /// # Errors
    /// Why nothing can be sent there.
    pub(crate) fn of(url: &str, allow_clear: bool) -> Result<Self, &'static str> {
        if url.len() > LONGEST {
            return Err("it has more than 2,048 bytes");
        }
        if url.contains('#') {
            return Err("it has a fragment, which is never sent");
        }
        if url.bytes().any(|byte| !byte.is_ascii_graphic()) {
            return Err("it has blanks or letters that have to be percent-encoded");
        }
        let uri: Uri = url.parse().map_err(|_| "it is no URL")?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") if allow_clear => false,
            Some("http") => return Err("it has to be https"),
            _ => return Err("it has to begin with https://"),
        };
        let authority = uri.authority().ok_or("it has no host")?;
        if authority.as_str().contains('@') {
            return Err("it has a user, which everybody would see");
        }
        let host = authority.host();
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if host.is_empty() {
            return Err("it has no host");
        }
        let port = match (authority.port(), tls) {
            (Some(port), _) => port.as_u16(),
            (None, true) => 443,
            (None, false) => 80,
        };
        // A colon with nothing, or too much, behind it.
        let written = authority.as_str().len() - authority.host().len();
        if port == 0 || (authority.port().is_none() && written > 0) {
            return Err("its port is no port");
        }
        Ok(Self {
            tls,
            host: host.to_owned(),
            port,
            authority: authority.to_string(),
            path: uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_say_where() {
        for (url, host, port, path) in [
            ("https://a.example", "a.example", 443, "/"),
            ("https://a.example:8443/in/1?from=food", "a.example", 8443, "/in/1?from=food"),
            ("http://127.0.0.1:80/", "127.0.0.1", 80, "/"),
            ("https://[2606:4700::1111]/in", "2606:4700::1111", 443, "/in"),
        ] {
            let target = Target::of(url, true).unwrap();
            assert_eq!(
                (target.host.as_str(), target.port, target.path.as_str()),
                (host, port, path),
                "{url}"
            );
        }
        assert!(Target::of("http://a.example", false).is_err());
    }

    #[test]
    fn what_means_something_else_to_somebody_is_refused() {
        let long = format!("https://a.example/{}", "a".repeat(LONGEST));
        for bad in [
            "",
            "a.example",
            "/in",
            "//a.example/in",
            "https://",
            "https:///in",
            "https://a.example:0/",
            "https://a.example:/",
            "https://a.example:65536/",
            "https://ann:pw@a.example/",
            "https://a.example@10.0.0.1/",
            "https://a.example/#in",
            "https://a.example/in out",
            "https://a.example/\r\nX: y",
            "https://ä.example/",
            "ftp://a.example/",
            "file:///etc/passwd",
            "gopher://a.example/",
            &long,
        ] {
            assert!(Target::of(bad, true).is_err(), "{bad:?}");
        }
    }
}
