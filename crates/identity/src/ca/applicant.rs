//! Who wants a certificate.

use std::fmt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{KeyPair, PKCS_ED25519, SigningKey};
use serde::{Deserialize, Serialize};

use super::authority::AuthorityError;
use super::proof;
use crate::keyfile::{self, KeyError};

/// A process with a new key, for which it wants a certificate.
pub struct Applicant {
    system: String,
    service: String,
    key: KeyPair,
}

/// What it sends to the authority: nothing in it is secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Application {
    /// The service.
    pub service: String,
    /// Its public key, Ed25519, as base64url.
    pub public_key: String,
    /// A signature that shows that the key is the applicant's, as base64url.
    pub proof: String,
}

// === impl Applicant ===

impl Applicant {
    /// A new key for that service of that system.
    ///
    /// # Errors
    /// [`AuthorityError::Crypto`] when the operating system gives no random numbers.
    pub fn new(system: &str, service: &str) -> Result<Self, AuthorityError> {
        let key = KeyPair::generate_for(&PKCS_ED25519)?;
        Ok(Self { system: system.to_owned(), service: service.to_owned(), key })
    }

    /// The same with the key in that file, which is made if it is not there, readable by its owner only: who asks and dies
    /// before he has the answer can ask again as the same one.
    ///
    /// # Errors
    /// [`AuthorityError::Key`] when the file cannot be made or read, or others can read it.
    pub fn kept(system: &str, service: &str, path: &Path) -> Result<Self, AuthorityError> {
        let document = keyfile::load_or_create(path)?;
        let key = KeyPair::try_from(document).map_err(|_| KeyError::NotAKey { path: path.to_owned() })?;
        Ok(Self { system: system.to_owned(), service: service.to_owned(), key })
    }

    /// What to send.
    ///
    /// # Errors
    /// [`AuthorityError::Crypto`] when it cannot be signed.
    pub fn application(&self) -> Result<Application, AuthorityError> {
        let public = self.key.public_key_raw();
        let signature = self.key.sign(&proof(&self.system, &self.service, public))?;
        Ok(Application {
            service: self.service.clone(),
            public_key: URL_SAFE_NO_PAD.encode(public),
            proof: URL_SAFE_NO_PAD.encode(signature),
        })
    }

    /// The key, as PEM. It goes nowhere but into this process's memory.
    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }
}

impl fmt::Debug for Applicant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Applicant({} of {})", self.service, self.system)
    }
}
