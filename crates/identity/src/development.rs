//! The development key is for this machine only.

use std::net::SocketAddr;

/// The `iss` of tokens signed with a development key. Whoever signs or trusts that issuer may only listen on loopback.
pub const DEVELOPMENT_ISSUER: &str = "partie-dev";

/// A listener others can reach would trust a key that anybody on this machine can use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "tokens are signed with the development key, so {addr} cannot be served: listen on a loopback address such as \
     127.0.0.1, or configure a signing key"
)]
pub struct DevelopmentKeyOffLoopback {
    /// The address that was asked for.
    pub addr: SocketAddr,
}

/// Whether somebody of that issuer may listen there.
pub(crate) fn check_listen(issuer: &str, addr: SocketAddr) -> Result<(), DevelopmentKeyOffLoopback> {
    // `::ffff:127.0.0.1` is loopback too.
    if issuer != DEVELOPMENT_ISSUER || addr.ip().to_canonical().is_loopback() {
        Ok(())
    } else {
        Err(DevelopmentKeyOffLoopback { addr })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_with_the_development_key_and_everywhere_with_another() {
        let check = |issuer, addr: &str| check_listen(issuer, addr.parse().unwrap());
        for here in ["127.0.0.1:0", "127.9.9.9:80", "[::1]:8080", "[::ffff:127.0.0.1]:8080"] {
            assert_eq!(check(DEVELOPMENT_ISSUER, here), Ok(()), "{here}");
        }
        for open in ["0.0.0.0:80", "[::]:80", "10.0.0.1:80", "[::ffff:10.0.0.1]:80", "[fe80::1]:80"] {
            let refused = check(DEVELOPMENT_ISSUER, open).unwrap_err().to_string();
            assert!(refused.contains(open) && refused.contains("127.0.0.1"), "{refused}");
            assert_eq!(check("https://id.example", open), Ok(()), "{open}");
        }
    }
}
