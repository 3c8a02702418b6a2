//! What a service proves itself with to other processes of its system, and whom it believes.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::client::Resumption;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::{ClientCertVerifierBuilder, NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{ClientConfig, ServerConfig, SupportedProtocolVersion};

use super::{HTTP1, HTTP2, TlsError, chain, names, pair, provider, roots};

/// Both sides are ours, so there is no need for anything older.
const VERSIONS: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];

/// A certificate, its key and its authority as PEM.
#[derive(Clone, Copy)]
pub struct Pem<'a> {
    /// The certificate with its chain. Its one URI is `spiffe://SYSTEM/SERVICE`, and it is good for the host
    /// `SERVICE.SYSTEM.internal`, as server and as client.
    pub certificate: &'a str,
    /// Its key.
    pub key: &'a str,
    /// Who is believed: several while one authority takes over from another.
    pub authority: &'a str,
}

/// What a service proves itself with: to those it calls, and to those that call it. Cheap to clone, and all clones change
/// together.
#[derive(Clone)]
pub struct Credentials(Arc<Shared>);

struct Shared {
    system: Arc<str>,
    service: Arc<str>,
    current: ArcSwap<Configs>,
}

/// Made once for all connections. Sessions are never resumed: each connection shows what is good when it begins.
pub(super) struct Configs {
    pub(super) server: Arc<ServerConfig>,
    /// The same for those who need not show anything.
    pub(super) open: Arc<ServerConfig>,
    pub(super) http1: Arc<ClientConfig>,
    pub(super) http2: Arc<ClientConfig>,
}

// === impl Credentials ===

impl Credentials {
    /// These credentials, until they are [replaced](Self::replace).
    ///
    /// # Errors
    /// [`TlsError::Unusable`] when they do not belong together or name no service.
    pub fn new(pem: Pem<'_>) -> Result<Self, TlsError> {
        let (system, service, configs) = Configs::new(pem)?;
        Ok(Self(Arc::new(Shared { system, service, current: ArcSwap::from_pointee(configs) })))
    }

    /// Takes these for every connection that begins from now on. Those that are there go on as they are.
    ///
    /// # Errors
    /// [`TlsError::Unusable`] when they cannot be used, or are those of another service. The old ones stay.
    pub fn replace(&self, pem: Pem<'_>) -> Result<(), TlsError> {
        let (system, service, configs) = Configs::new(pem)?;
        if (&system, &service) != (&self.0.system, &self.0.service) {
            let reason = format!("it is for {service} of {system}, not for {}", self.0.service);
            return Err(TlsError::unusable("a new certificate", reason));
        }
        self.0.current.store(Arc::new(configs));
        Ok(())
    }

    /// The system.
    pub fn system(&self) -> &str {
        &self.0.system
    }

    /// The service.
    pub fn service(&self) -> &str {
        &self.0.service
    }

    pub(super) fn configs(&self) -> arc_swap::Guard<Arc<Configs>> {
        self.0.current.load()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({} of {})", self.0.service, self.0.system)
    }
}

impl fmt::Debug for Pem<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pem").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

// === impl Configs ===

impl Configs {
    fn new(pem: Pem<'_>) -> Result<(Arc<str>, Arc<str>, Self), TlsError> {
        const WHAT: &str = "the certificate of a service";
        let unusable = |reason: &dyn fmt::Display| TlsError::unusable(WHAT, reason);
        let own = Arc::new(pair(WHAT, pem.certificate.as_bytes(), pem.key.as_bytes())?);
        let (system, service) = own
            .cert
            .first()
            .and_then(names::service)
            .ok_or_else(|| unusable(&"it does not name one service as spiffe://SYSTEM/SERVICE"))?;
        let trusted = Arc::new(roots("the authority of services", pem.authority.as_bytes())?);
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::clone(&trusted), provider());
        let asking = |verifier: ClientCertVerifierBuilder| {
            let verifier = verifier.build().map_err(|error| unusable(&error))?;
            let mut server = ServerConfig::builder_with_provider(provider())
                .with_protocol_versions(VERSIONS)
                .map_err(|error| unusable(&error))?
                .with_client_cert_verifier(verifier)
                .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(Arc::clone(&own))));
            server.alpn_protocols = vec![HTTP2.to_vec(), HTTP1.to_vec()];
            server.session_storage = Arc::new(NoServerSessionStorage {});
            server.send_tls13_tickets = 0;
            Ok(Arc::new(server))
        };
        let (server, open) = (asking(verifier.clone())?, asking(verifier.allow_unauthenticated())?);

        let key = PrivateKeyDer::from_pem_slice(pem.key.as_bytes()).map_err(|error| unusable(&error))?;
        let mut http1 = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(VERSIONS)
            .map_err(|error| unusable(&error))?
            .with_root_certificates(trusted)
            .with_client_auth_cert(chain(WHAT, pem.certificate.as_bytes())?, key)
            .map_err(|error| unusable(&error))?;
        http1.resumption = Resumption::disabled();
        let mut http2 = http1.clone();
        http1.alpn_protocols = vec![HTTP1.to_vec()];
        http2.alpn_protocols = vec![HTTP2.to_vec()];
        let (http1, http2) = (Arc::new(http1), Arc::new(http2));
        Ok((system, service, Self { server, open, http1, http2 }))
    }
}
