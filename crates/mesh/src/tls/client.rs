//! The caller's side of TLS.

use std::error::Error as _;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use partie_contract::Platform;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, TlsStream};

use super::credentials::Credentials;
use super::{HTTP1, HTTP2, TlsError, names, provider, read, roots};
use crate::stream::Stream;

/// Whose word is taken for who the other side is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// The authorities that browsers trust (Mozilla's list, as of the build).
    Public,
    /// The authorities in that file, as PEM, and no other.
    File(PathBuf),
    /// These authorities, as PEM, and no other.
    Pem(String),
}

/// What is expected of an upstream that speaks TLS. Cheap to clone.
#[derive(Clone)]
pub struct ClientTls(Arc<Expected>);

struct Expected {
    host: String,
    name: ServerName<'static>,
    http1: Arc<ClientConfig>,
    http2: Arc<ClientConfig>,
}

/// How connections to an instance are secured.
#[derive(Debug, Clone)]
pub(crate) enum Secure {
    Upstream(ClientTls),
    /// A service of the system, and who asks for it. Without credentials nobody can.
    Service {
        credentials: Option<Credentials>,
        name: Option<ServerName<'static>>,
    },
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speak {
    Http1,
    Http2,
}

// === impl ClientTls ===

impl ClientTls {
    /// An upstream whose certificate is good for that host (a name, or an address), by that trust. `Host` says the same.
    ///
    /// # Errors
    /// When the host is none, or the file of authorities cannot be used.
    pub fn new(host: &str, trust: &Trust) -> Result<Self, TlsError> {
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned());
        let name = name.map_err(|error| TlsError::unusable(host, error))?;
        let trusted = match trust {
            Trust::Public => RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() },
            Trust::File(path) => roots(path.display(), &read(path)?)?,
            Trust::Pem(pem) => roots("the authority of an upstream", pem.as_bytes())?,
        };
        let mut http1 = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(super::VERSIONS)
            .map_err(|error| TlsError::unusable("TLS", error))?
            .with_root_certificates(trusted)
            .with_no_client_auth();
        let mut http2 = http1.clone();
        http1.alpn_protocols = vec![HTTP1.to_vec()];
        http2.alpn_protocols = vec![HTTP2.to_vec()];
        let (http1, http2) = (Arc::new(http1), Arc::new(http2));
        Ok(Self(Arc::new(Expected { host: host.to_owned(), name, http1, http2 })))
    }

    /// The host.
    pub fn host(&self) -> &str {
        &self.0.host
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientTls({})", self.0.host)
    }
}

// === impl Secure ===

impl Secure {
    /// Towards a service of the same system.
    pub(crate) fn service(credentials: Option<&Credentials>, service: &str) -> Self {
        let name =
            credentials.and_then(|ours| ServerName::try_from(names::host(ours.system(), service)).ok());
        Self::Service { credentials: credentials.cloned(), name }
    }

    /// What `Host` says, if not the address.
    pub(crate) fn host(&self) -> Option<&str> {
        match self {
            Self::Upstream(tls) => Some(tls.host()),
            Self::Service { .. } => None,
        }
    }

    /// Shakes hands.
    pub(crate) async fn connect(&self, stream: TcpStream, speak: Speak) -> io::Result<Stream> {
        let pick = |http1: &Arc<ClientConfig>, http2: &Arc<ClientConfig>| match speak {
            Speak::Http1 => Arc::clone(http1),
            Speak::Http2 => Arc::clone(http2),
        };
        let (config, name) = match self {
            Self::Upstream(tls) => (pick(&tls.0.http1, &tls.0.http2), tls.0.name.clone()),
            Self::Service { credentials, name } => {
                let (Some(credentials), Some(name)) = (credentials, name.clone()) else {
                    return Err(io::Error::other("it speaks TLS, and there is nothing to show to it"));
                };
                let configs = credentials.configs();
                (pick(&configs.http1, &configs.http2), name)
            }
        };
        let stream = TlsConnector::from(config).connect(name, stream).await?;
        Ok(Stream::Tls(Box::new(TlsStream::Client(stream))))
    }
}

/// Why no connection to an upstream was secured, if a call failed for that reason: what is there does not speak TLS, or
/// shows a certificate that is not believed. It will not be another one soon, so trying again is of little use.
///
/// ```
/// use partie_contract::{FaultKind, Platform};
///
/// let closed = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
/// let fault = Platform::new(FaultKind::UpstreamUnavailable).caused_by(closed);
/// assert!(partie_mesh::refused_handshake(&fault).is_none());
/// ```
pub fn refused_handshake(fault: &Platform) -> Option<String> {
    let mut source = fault.source();
    while let Some(error) = source {
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let refused = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>());
        if let Some(refused) = refused {
            return Some(refused.to_string());
        }
        source = error.source();
    }
    None
}
