//! Whom a newcomer believes before he knows anybody.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{KeyPair, PKCS_ED25519};

use super::authority::{self, AuthorityError, Public};

/// The public key of an authority, as base64url. It is no longer than a fingerprint would be, and does more: certificates
/// are checked with it alone, so that nothing has to be fetched first from somebody who is not known yet.
#[derive(Clone, PartialEq, Eq)]
pub struct Anchor([u8; 32]);

/// A text that is no public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the public key of an authority is 32 bytes as base64url")]
pub struct NotAnAnchor;

// === impl Anchor ===

impl Anchor {
    pub(super) fn of(public_key: &[u8]) -> Result<Self, NotAnAnchor> {
        public_key.try_into().map(Self).map_err(|_| NotAnAnchor)
    }

    /// The authority of that system as a root to believe in, as PEM. Only its name and its key count in a root: who signed
    /// this one is of no importance, and in fact it is nobody.
    ///
    /// # Errors
    /// When the name of the system is none for a certificate, or there are no random numbers.
    pub fn root(&self, system: &str) -> Result<String, AuthorityError> {
        let nobody = KeyPair::generate_for(&PKCS_ED25519)?;
        let params = authority::root(system)?;
        let nobody = rcgen::Issuer::new(params.clone(), nobody);
        Ok(params.signed_by(&Public(self.0.to_vec()), &nobody)?.pem())
    }
}

impl FromStr for Anchor {
    type Err = NotAnAnchor;

    fn from_str(text: &str) -> Result<Self, NotAnAnchor> {
        Self::of(&URL_SAFE_NO_PAD.decode(text).map_err(|_| NotAnAnchor)?)
    }
}

impl fmt::Display for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Anchor({self})")
    }
}
