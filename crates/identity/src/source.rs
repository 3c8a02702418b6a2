//! Where the keys of issuers come from: an address, what OpenID Connect discovery leads to, or a file.

mod http;

use std::path::PathBuf;
use std::sync::Arc;

use partie_contract::BoxFuture;
use serde_json::Value;

use self::http::Address;
pub use self::http::{AddressError, Fetcher};
use crate::remote::{FetchError, KeySource, LARGEST_DOCUMENT};

/// What is below an issuer's address (OpenID Connect Discovery 1.0 section 4).
const DISCOVERY: &str = "/.well-known/openid-configuration";

/// A key set at an address.
#[derive(Debug)]
pub struct JwksAddress {
    fetcher: Fetcher,
    address: Address,
}

/// A key set to which the issuer's own metadata lead.
#[derive(Debug)]
pub struct Discovery {
    fetcher: Fetcher,
    issuer: Box<str>,
    address: Address,
}

/// A key set in a file, read again like one that is fetched.
#[derive(Debug)]
pub struct JwksFile(pub PathBuf);

// === impl JwksAddress ===

impl JwksAddress {
    /// The key set at `https://..`.
    ///
    /// # Errors
    /// [`AddressError`].
    pub fn new(fetcher: Fetcher, url: &str) -> Result<Self, AddressError> {
        let address = fetcher.address(url)?;
        Ok(Self { fetcher, address })
    }
}

impl KeySource for JwksAddress {
    fn fetch(&self) -> BoxFuture<'_, Result<Value, FetchError>> {
        Box::pin(self.fetcher.json(&self.address))
    }

    fn place(&self) -> String {
        self.address.to_string()
    }
}

// === impl Discovery ===

impl Discovery {
    /// The keys of that issuer, whose metadata are below its own address.
    ///
    /// # Errors
    /// [`AddressError`].
    pub fn new(fetcher: Fetcher, issuer: &str) -> Result<Self, AddressError> {
        let address = fetcher.address(&format!("{}{DISCOVERY}", issuer.trim_end_matches('/')))?;
        Ok(Self { fetcher, issuer: issuer.into(), address })
    }

    async fn keys(&self) -> Result<Value, FetchError> {
        let unusable = |reason: String| FetchError::Unusable { place: self.place(), reason: reason.into() };
        let metadata = self.fetcher.json(&self.address).await?;
        let text = |name: &str| metadata.get(name).and_then(Value::as_str).unwrap_or_default();
        // Else whoever may publish documents there could speak for another issuer.
        if text("issuer") != &*self.issuer {
            return Err(unusable(format!(
                "it is about the issuer {:?}, not {:?}",
                text("issuer"),
                self.issuer
            )));
        }
        let address = self.fetcher.address(text("jwks_uri")).map_err(|error| unusable(error.to_string()))?;
        self.fetcher.json(&address).await
    }
}

impl KeySource for Discovery {
    fn fetch(&self) -> BoxFuture<'_, Result<Value, FetchError>> {
        Box::pin(self.keys())
    }

    fn place(&self) -> String {
        self.address.to_string()
    }
}

// === impl JwksFile ===

impl KeySource for JwksFile {
    fn fetch(&self) -> BoxFuture<'_, Result<Value, FetchError>> {
        Box::pin(async {
            let unreachable =
                |error: std::io::Error| FetchError::Unreachable { place: self.place(), reason: error.into() };
            // Small, local, and read every ten minutes: not worth a thread of its own.
            let length = std::fs::metadata(&self.0).map_err(unreachable)?.len();
            if length > LARGEST_DOCUMENT as u64 {
                return Err(FetchError::TooLarge { place: self.place() });
            }
            let text = std::fs::read(&self.0).map_err(unreachable)?;
            serde_json::from_slice(&text)
                .map_err(|error| FetchError::Unusable { place: self.place(), reason: error.into() })
        })
    }

    fn place(&self) -> String {
        self.0.display().to_string()
    }
}

/// A source, ready to be shared.
pub(crate) fn shared(source: impl KeySource) -> Arc<dyn KeySource> {
    Arc::new(source)
}
