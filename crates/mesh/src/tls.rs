//! TLS: what a listener shows, whom it lets in, and what a caller expects of the other side.
//!
//! TLS 1.2 and 1.3 on ring. Certificates may be exchanged at any time: a connection goes on under the one it began with,
//! the next one takes the new one.

mod client;
mod credentials;
mod files;
mod names;
mod server;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, SupportedProtocolVersion};

pub use self::client::{ClientTls, Trust, refused_handshake};
pub(crate) use self::client::{Secure, Speak};
pub use self::credentials::{Credentials, Pem};
pub use self::files::{TlsFiles, TlsPair};
pub use self::server::{ServerTls, Strangers};

/// What the two sides agree on by ALPN (RFC 7301), the best first.
const HTTP2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";

/// 1.2 and 1.3: nothing older (RFC 8996).
const VERSIONS: &[&SupportedProtocolVersion] = rustls::ALL_VERSIONS;

/// TLS that cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file is not there or may not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A certificate, a key or a name is not what it has to be.
    #[error("{what} cannot be used: {reason}")]
    Unusable {
        /// Which, for people: a file, a host.
        what: String,
        /// Why.
        reason: String,
    },
}

// === impl TlsError ===

impl TlsError {
    fn unusable(what: impl fmt::Display, reason: impl fmt::Display) -> Self {
        Self::Unusable { what: what.to_string(), reason: reason.to_string() }
    }
}

/// The one crypto provider. Named, for other crates of a program may bring another one along.
fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| Arc::new(ring::default_provider())))
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::Read { path: path.to_owned(), source })
}

/// The certificates of a PEM text, in their order.
fn chain(what: impl fmt::Display, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match chain {
        Ok(chain) if chain.is_empty() => Err(TlsError::unusable(what, "it has no certificate")),
        Ok(chain) => Ok(chain),
        Err(error) => Err(TlsError::unusable(what, error)),
    }
}

/// A certificate with its chain and the key that belongs to it.
fn pair(what: impl fmt::Display, certificate: &[u8], key: &[u8]) -> Result<CertifiedKey, TlsError> {
    let chain = chain(&what, certificate)?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| TlsError::unusable(&what, error))?;
    CertifiedKey::from_der(chain, key, &provider()).map_err(|error| TlsError::unusable(what, error))
}

/// Who is trusted to say who somebody is.
fn roots(what: impl fmt::Display, pem: &[u8]) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    for certificate in chain(&what, pem)? {
        store.add(certificate).map_err(|error| TlsError::unusable(&what, error))?;
    }
    Ok(store)
}
