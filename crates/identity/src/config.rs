//! `[identity]`: whom a program believes besides its own key.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use partie_contract::Timestamp;
use partie_runtime::{Ids, Secret, duration};
use serde::{Deserialize, Serialize};

use crate::algorithm::Algorithm;
use crate::api_keys::{ApiKey, ApiKeyError};
use crate::issuer::{Issuer, SecretTooShort};
use crate::remote::{KeySource, Refresh, RemoteKeys};
use crate::revocation::{Revocations, Silence};
use crate::source::{AddressError, Discovery, Fetcher, JwksAddress, JwksFile, shared};
use crate::verifier::Verifier;

/// How often the keys of a service of the same system are fetched: it is near, and its keys are shown at the edge too.
const NEAR: Refresh = Refresh { every: Duration::from_secs(30), at_most_every: Duration::from_secs(1) };

/// Settings of identity. [`open`](Self::open) makes a verifier of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// Whose tokens are taken, besides those of the system's own key, by names for people.
    pub issuers: BTreeMap<String, IssuerConfig>,
    /// API keys, by names for people.
    pub api_keys: BTreeMap<String, ApiKeyConfig>,
}

/// Settings of an issuer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct IssuerConfig {
    /// `iss`, exactly. Without any of the four settings below, its keys are found by OpenID Connect discovery from here.
    pub issuer: Option<String>,
    /// The address of its key set.
    pub jwks_url: Option<String>,
    /// A file with its key set.
    pub jwks_file: Option<PathBuf>,
    /// The service of this system that issues these tokens. Its key set is asked for through the mesh, and what it revokes
    /// is followed.
    pub service: Option<String>,
    /// The secret shared with it, for tokens signed with HS256 and no others: `file:PATH`, `env:NAME` or 32 bytes at least.
    pub secret: Option<Secret>,
    /// `aud`: the system's name if nothing is said. With a shared secret, tokens need none then.
    pub audience: Option<String>,
    /// The algorithms that are taken, of EdDSA, ES256 and RS256.
    pub algorithms: Vec<Algorithm>,
    /// The types that are taken: `at+jwt`, or `JWT` for issuers that do not tell access tokens from others.
    pub types: Option<Vec<String>>,
    /// The claim with the roles, or the way to it: `realm_access.roles`, `scope`.
    pub roles: Option<String>,
    /// Put before every subject, so that the subjects of several issuers cannot be taken for each other.
    pub subject_prefix: String,
    /// The authorities whose certificates are believed, a PEM file, in the place of those that browsers believe.
    pub ca_file: Option<PathBuf>,
    /// Whether keys may be fetched from other machines without TLS.
    pub plain_http: bool,
    /// How often keys are fetched.
    #[serde(with = "duration")]
    pub refresh: Duration,
    /// After how long without news of revocations tokens are refused that were issued before.
    #[serde(with = "duration")]
    pub silence: Duration,
    /// Whether they are taken all the same.
    pub fail_open: bool,
}

/// An API key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ApiKeyConfig {
    /// The SHA-256 of the key, in hexadecimal digits. The key itself is written down nowhere.
    pub sha256: String,
    /// Whom it speaks for.
    pub subject: String,
    /// What they may do.
    #[serde(default)]
    pub roles: Vec<String>,
    /// Until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
}

/// A verifier, and what it has to be told.
#[derive(Debug)]
pub struct Opened {
    /// Verifies tokens. [`Verifier::keep_fresh`] fetches the keys it needs.
    pub verifier: Verifier,
    /// The services whose revocations have to be followed, and where what is heard goes.
    pub followed: Vec<(String, Revocations)>,
}

/// Settings that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("[identity.{section}.{name}]: {reason}")]
pub struct InvalidIdentity {
    section: &'static str,
    name: String,
    reason: Reason,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Reason {
    #[error("say `issuer`: whose tokens these are")]
    NoIssuer,
    #[error("say one of `jwks-url`, `jwks-file`, `service` and `secret`, or none for discovery")]
    Source,
    #[error("the issuer {0} is trusted already")]
    Twice(String),
    #[error("say at least one of EdDSA, ES256 and RS256")]
    Algorithms,
    #[error("revocations name subjects as their issuer does: a service's have no `subject-prefix`")]
    Prefix,
    #[error(transparent)]
    Secret(#[from] SecretTooShort),
    #[error(transparent)]
    Address(#[from] AddressError),
    #[error(transparent)]
    ApiKey(#[from] ApiKeyError),
}

// === impl Config ===

impl Config {
    /// A verifier that believes `own` issuers and those of these settings. `keys_of` leads to the key set of a service.
    ///
    /// # Errors
    /// [`InvalidIdentity`] names what cannot be used.
    pub fn open(
        &self,
        own: impl IntoIterator<Item = Issuer>,
        system: &str,
        ids: &Ids,
        keys_of: impl Fn(&str) -> Arc<dyn KeySource>,
    ) -> Result<Opened, InvalidIdentity> {
        let mut issuers: Vec<Issuer> = own.into_iter().collect();
        let mut followed = Vec::new();
        for (name, config) in &self.issuers {
            let invalid = |reason| InvalidIdentity { section: "issuers", name: name.clone(), reason };
            let issuer = config.trust(system, ids, &keys_of).map_err(invalid)?;
            if issuers.iter().any(|known| known.expected.issuer == issuer.expected.issuer) {
                return Err(invalid(Reason::Twice(issuer.name().to_owned())));
            }
            if let (Some(service), Some(revocations)) = (&config.service, &issuer.revocations) {
                followed.push((service.clone(), revocations.clone()));
            }
            issuers.push(issuer);
        }
        let mut keys = Vec::new();
        for (name, config) in &self.api_keys {
            let ApiKeyConfig { sha256, subject, roles, expires } = config;
            let expires = expires.map(|expires| expires.as_millis() / 1000);
            let key = ApiKey::new(sha256, &**subject, roles.clone(), expires);
            keys.push(key.map_err(|error| InvalidIdentity {
                section: "api-keys",
                name: name.clone(),
                reason: error.into(),
            })?);
        }
        Ok(Opened { verifier: Verifier::new(issuers).with_api_keys(keys), followed })
    }
}

// === impl IssuerConfig ===

impl IssuerConfig {
    /// A service of this system, which signs in that name.
    pub fn service(service: &str, issuer: &str) -> Self {
        Self { issuer: Some(issuer.to_owned()), service: Some(service.to_owned()), ..Self::default() }
    }

    fn trust(
        &self,
        system: &str,
        ids: &Ids,
        keys_of: impl Fn(&str) -> Arc<dyn KeySource>,
    ) -> Result<Issuer, Reason> {
        let sources = [
            self.jwks_url.is_some(),
            self.jwks_file.is_some(),
            self.service.is_some(),
            self.secret.is_some(),
        ];
        if sources.into_iter().filter(|said| *said).count() > 1 {
            return Err(Reason::Source);
        }
        if self.algorithms.is_empty() {
            return Err(Reason::Algorithms);
        }
        let mut trusted = match &self.secret {
            Some(secret) => {
                let issuer = Issuer::shared_secret(self.issuer.as_deref(), secret.reveal().as_bytes())?;
                match &self.audience {
                    Some(audience) => issuer.audience(audience),
                    None => issuer,
                }
            }
            None => {
                let issuer = self.issuer.as_deref().ok_or(Reason::NoIssuer)?;
                let (source, refresh) = self.source(issuer, keys_of)?;
                Issuer::remote(issuer, RemoteKeys::new(source, refresh, ids.clone()))
                    .audience(self.audience.as_deref().unwrap_or(system))
                    .algorithms(&self.algorithms)
            }
        };
        if self.service.is_some() {
            if !self.subject_prefix.is_empty() {
                return Err(Reason::Prefix);
            }
            let silence = Silence { after: self.silence, fail_open: self.fail_open };
            trusted = trusted.published().revocations(Revocations::new(silence));
        }
        if let Some(types) = &self.types {
            trusted = trusted.types(types.iter().map(String::as_str));
        }
        if let Some(roles) = &self.roles {
            trusted = trusted.roles(roles);
        }
        Ok(trusted.subject_prefix(&self.subject_prefix))
    }

    fn source(
        &self,
        issuer: &str,
        keys_of: impl Fn(&str) -> Arc<dyn KeySource>,
    ) -> Result<(Arc<dyn KeySource>, Refresh), Reason> {
        let far = Refresh { every: self.refresh, ..Refresh::default() };
        if let Some(service) = &self.service {
            return Ok((keys_of(service), NEAR));
        }
        if let Some(file) = &self.jwks_file {
            return Ok((shared(JwksFile(file.clone())), far));
        }
        let fetcher = Fetcher::new(self.ca_file.as_deref(), self.plain_http)?;
        let source = match &self.jwks_url {
            Some(url) => shared(JwksAddress::new(fetcher, url)?),
            None => shared(Discovery::new(fetcher, issuer)?),
        };
        Ok((source, far))
    }
}

impl Default for IssuerConfig {
    fn default() -> Self {
        let silence = Silence::default();
        Self {
            issuer: None,
            jwks_url: None,
            jwks_file: None,
            service: None,
            secret: None,
            audience: None,
            algorithms: Algorithm::ALL.to_vec(),
            types: None,
            roles: None,
            subject_prefix: String::new(),
            ca_file: None,
            plain_http: false,
            refresh: Refresh::default().every,
            silence: silence.after,
            fail_open: silence.fail_open,
        }
    }
}

#[cfg(test)]
mod tests;
