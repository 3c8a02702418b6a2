//! Fetches small JSON documents: one connection each, TLS wherever the network is not this machine's own, nothing followed.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::uri::{Authority, Scheme};
use http::{HeaderValue, Request, Uri, header};
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use partie_contract::BoxError;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::remote::{FetchError, LARGEST_DOCUMENT};

/// How long one address may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(2);

/// Fetches documents by HTTPS, and by HTTP from this machine. Cheap to clone.
#[derive(Clone)]
pub struct Fetcher {
    tls: Arc<ClientConfig>,
    plain_http: bool,
}

/// Where a document is.
#[derive(Debug, Clone)]
pub(super) struct Address {
    uri: Uri,
    authority: Authority,
    is_tls: bool,
}

/// That is not where keys can be fetched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// It cannot be read.
    #[error("`{0}` is not an address like https://id.example.com/path")]
    Form(String),
    /// Whoever is on the way could put keys of their own in the place of the issuer's.
    #[error(
        "`{0}` is neither https nor on this machine: say plain-http = true if the network between is a trusted one"
    )]
    Plain(String),
    /// The certificates of the authority cannot be used.
    #[error("ca-file {}: {reason}", file.display())]
    Authority {
        /// The file.
        file: PathBuf,
        /// Why.
        reason: String,
    },
}

// === impl Fetcher ===

impl Fetcher {
    /// Believes the certificates that Mozilla believes, or those of the authorities in a PEM file and no others.
    /// `plain_http` allows HTTP to other machines.
    ///
    /// # Errors
    /// [`AddressError::Authority`].
    pub fn new(ca_file: Option<&Path>, plain_http: bool) -> Result<Self, AddressError> {
        let mut roots = RootCertStore::empty();
        match ca_file {
            None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
            Some(file) => {
                let unusable = |error: &dyn fmt::Display| AddressError::Authority {
                    file: file.to_owned(),
                    reason: error.to_string(),
                };
                for certificate in CertificateDer::pem_file_iter(file).map_err(|error| unusable(&error))? {
                    let certificate = certificate.map_err(|error| unusable(&error))?;
                    roots.add(certificate).map_err(|error| unusable(&error))?;
                }
                if roots.is_empty() {
                    return Err(unusable(&"there is no certificate in it"));
                }
            }
        }
        // Named, so that it does not depend on what the program has installed.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.map_err(|error| AddressError::Form(error.to_string()))?;
        let tls = Arc::new(config.with_root_certificates(roots).with_no_client_auth());
        Ok(Self { tls, plain_http })
    }

    pub(super) fn address(&self, url: &str) -> Result<Address, AddressError> {
        let form = || AddressError::Form(url.to_owned());
        let uri: Uri = url.parse().map_err(|_| form())?;
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'));
        let authority = authority.ok_or_else(form)?.clone();
        let is_tls = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP => false,
            _ => return Err(form()),
        };
        if !is_tls && !self.plain_http && !is_here(host(&authority)) {
            return Err(AddressError::Plain(url.to_owned()));
        }
        Ok(Address { uri, authority, is_tls })
    }

    /// The document there. Whoever calls says how long that may take.
    pub(super) async fn json(&self, address: &Address) -> Result<Value, FetchError> {
        let place = || address.to_string();
        let unreachable = |reason: BoxError| FetchError::Unreachable { place: place(), reason };
        let tcp = connect(address).await.map_err(|error| unreachable(error.into()))?;
        let bytes = if address.is_tls {
            let name = ServerName::try_from(host(&address.authority).to_owned())
                .map_err(|error| unreachable(error.into()))?;
            let connector = TlsConnector::from(Arc::clone(&self.tls));
            let tls = connector.connect(name, tcp).await.map_err(|error| unreachable(error.into()))?;
            get(tls, address).await?
        } else {
            get(tcp, address).await?
        };
        serde_json::from_slice(&bytes)
            .map_err(|error| FetchError::Unusable { place: place(), reason: error.into() })
    }
}

async fn get(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    address: &Address,
) -> Result<Bytes, FetchError> {
    let place = || address.to_string();
    let unreachable = |reason: BoxError| FetchError::Unreachable { place: place(), reason };
    let path = address.uri.path_and_query().map_or("/", |path| path.as_str());
    let request = Request::get(path)
        .header(
            header::HOST,
            HeaderValue::from_str(address.authority.as_str()).map_err(|e| unreachable(e.into()))?,
        )
        .header(header::ACCEPT, "application/json, application/jwk-set+json")
        .body(Empty::<Bytes>::new())
        .map_err(|error| unreachable(error.into()))?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| unreachable(error.into()))?;
    // Polled here, so that nothing is left behind when nobody waits any longer.
    let exchange = async move {
        let answer = sender.send_request(request).await.map_err(|error| unreachable(error.into()))?;
        let status = answer.status().as_u16();
        if status != 200 {
            return Err(FetchError::Status { place: place(), status });
        }
        let body = Limited::new(answer.into_body(), LARGEST_DOCUMENT).collect().await;
        let body = body.map_err(|error| match error.is::<LengthLimitError>() {
            true => FetchError::TooLarge { place: place() },
            false => unreachable(error),
        })?;
        Ok(body.to_bytes())
    };
    tokio::pin!(exchange, connection);
    tokio::select! {
        fetched = &mut exchange => return fetched,
        // Its end is told to whoever reads on it.
        _ = &mut connection => {}
    }
    exchange.await
}

async fn connect(address: &Address) -> io::Result<TcpStream> {
    let host = host(&address.authority);
    let port = address.authority.port_u16().unwrap_or(if address.is_tls { 443 } else { 80 });
    let addresses: Vec<SocketAddr> = tokio::net::lookup_host((host, port)).await?.collect();
    let mut refused = io::Error::new(io::ErrorKind::NotFound, "it has no address");
    for address in addresses {
        match tokio::time::timeout(CONNECT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => refused = error,
            Err(late) => refused = late.into(),
        }
    }
    Err(refused)
}

/// The host without the brackets of IPv6.
fn host(authority: &Authority) -> &str {
    authority.host().trim_start_matches('[').trim_end_matches(']')
}

fn is_here(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the query, which may hold a key of its own.
        write!(f, "{}://{}{}", self.uri.scheme_str().unwrap_or("http"), self.authority, self.uri.path())
    }
}

impl fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetcher").field("plain_http", &self.plain_http).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_this_machine_unless_the_network_is_trusted() {
        let (strict, lenient) = (Fetcher::new(None, false).unwrap(), Fetcher::new(None, true).unwrap());
        for here in ["http://127.0.0.1:1/x", "http://localhost/x", "http://[::1]:9/x", "https://id.example/x"]
        {
            assert!(strict.address(here).is_ok(), "{here}");
        }
        for elsewhere in ["http://id.example/x", "http://10.0.0.1/", "http://localhost.example/"] {
            assert!(matches!(strict.address(elsewhere), Err(AddressError::Plain(_))), "{elsewhere}");
            assert!(lenient.address(elsewhere).is_ok(), "{elsewhere}");
        }
        for nonsense in
            ["", "id.example", "/x", "ftp://id.example/", "https://u:p@id.example/", "file:///etc/passwd"]
        {
            assert!(matches!(lenient.address(nonsense), Err(AddressError::Form(_))), "{nonsense}");
        }
    }

    #[test]
    fn a_file_without_certificates_is_refused() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        let refused = Fetcher::new(Some(&file), false).unwrap_err();
        assert!(refused.to_string().contains("no certificate"), "{refused}");
        let missing = Fetcher::new(Some(Path::new("/nowhere")), false).unwrap_err();
        assert!(missing.to_string().contains("/nowhere"), "{missing}");
    }
}
