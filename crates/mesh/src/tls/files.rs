//! Certificates in files, which may change at any time.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use serde::{Deserialize, Serialize};

use super::{HTTP1, HTTP2, TlsError, names, pair, provider, read, roots};

/// Where a listener has its certificates from. They are read again when the files change; a new pair that cannot be used
/// leaves the old one in its place, and says so in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TlsFiles {
    /// The certificate with its chain, as PEM. It is shown to whoever asks for no host, or for one nobody has.
    pub certificate: PathBuf,
    /// Its key, as PEM.
    pub key: PathBuf,
    /// Certificates for other hosts, each chosen by the names in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more: Vec<TlsPair>,
    /// If set, who may connect: those with a certificate of these authorities, as PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clients: Option<PathBuf>,
}

/// A certificate and its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TlsPair {
    /// The certificate with its chain, as PEM.
    pub certificate: PathBuf,
    /// Its key, as PEM.
    pub key: PathBuf,
}

/// How the files were at a moment. Nobody reads them as long as that is the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen(Vec<Option<(SystemTime, u64, u64)>>);

/// Chooses a certificate by the host that is asked for (RFC 6066 section 3).
#[derive(Debug)]
struct ByHost {
    first: Arc<CertifiedKey>,
    by_host: HashMap<String, Arc<CertifiedKey>>,
}

// === impl TlsFiles ===

impl TlsFiles {
    /// That certificate with that key, for everybody.
    pub fn new(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        Self { certificate: certificate.into(), key: key.into(), more: Vec::new(), clients: None }
    }

    /// What the files say now.
    pub(super) fn load(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let first = Arc::new(load_pair(&self.certificate, &self.key)?);
        let mut by_host = HashMap::new();
        let mut add = |key: &Arc<CertifiedKey>| {
            for host in key.cert.first().map(names::hosts).unwrap_or_default() {
                by_host.entry(host).or_insert_with(|| Arc::clone(key));
            }
        };
        add(&first);
        for TlsPair { certificate, key } in &self.more {
            add(&Arc::new(load_pair(certificate, key)?));
        }
        let builder = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(super::VERSIONS)
            .map_err(|error| TlsError::unusable("TLS", error))?;
        let builder = match &self.clients {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let trusted = Arc::new(roots(path.display(), &read(path)?)?);
                let verifier = WebPkiClientVerifier::builder_with_provider(trusted, provider()).build();
                builder.with_client_cert_verifier(
                    verifier.map_err(|error| TlsError::unusable(path.display(), error))?,
                )
            }
        };
        let mut config = builder.with_cert_resolver(Arc::new(ByHost { first, by_host }));
        config.alpn_protocols = vec![HTTP2.to_vec(), HTTP1.to_vec()];
        Ok(Arc::new(config))
    }

    /// How the files are now.
    pub(super) fn look(&self) -> Seen {
        let more = self.more.iter().flat_map(|pair| [&pair.certificate, &pair.key]);
        let all = [&self.certificate, &self.key].into_iter().chain(more).chain(&self.clients);
        let look = |path: &PathBuf| {
            let metadata = std::fs::metadata(path).ok()?;
            Some((metadata.modified().ok()?, metadata.len(), metadata.ino()))
        };
        Seen(all.map(look).collect())
    }
}

fn load_pair(certificate: &Path, key: &Path) -> Result<CertifiedKey, TlsError> {
    let what = format!("{} with {}", certificate.display(), key.display());
    pair(what, &read(certificate)?, &read(key)?)
}

// === impl ByHost ===

impl ResolvesServerCert for ByHost {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let named = hello.server_name().and_then(|host| {
            let host = host.to_ascii_lowercase();
            let by_host = &self.by_host;
            by_host.get(&host).or_else(|| by_host.get(&format!("*.{}", host.split_once('.')?.1)))
        });
        Some(Arc::clone(named.unwrap_or(&self.first)))
    }
}
