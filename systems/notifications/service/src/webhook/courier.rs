//! Takes a webhook to its endpoint: one request on a connection of its own, within its time.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{Request, StatusCode, header};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use notifications_contracts::EndpointId;
use partie::contract::{BoxError, Timestamp};
use partie::runtime::trust_now;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::endpoint::Endpoint;
use super::guard::is_public;
use super::settings::WebhookSettings;
use super::target::Target;
use crate::provider::Message;

/// The head of an answer may have so many bytes. The rest of it is not read: nobody would do anything with it.
const HEAD: usize = 16 * 1024;

/// How long a webhook waits for its turn at an endpoint. It takes the place of others meanwhile, of mail and text messages
/// too, so that a slow endpoint is sent away from rather than waited for.
const WAIT: Duration = Duration::from_secs(2);

/// Sends webhooks.
#[derive(Debug)]
pub(crate) struct Courier {
    tls: Arc<ClientConfig>,
    allow_private: bool,
    timeout: Duration,
    at_once: usize,
    /// One for each endpoint that something is under way to.
    turns: Mutex<HashMap<EndpointId, Arc<Semaphore>>>,
}

/// Why a webhook was not taken.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Another attempt may succeed.
    Transient(BoxError),
    /// No attempt will.
    Permanent(BoxError),
    /// The endpoint wants no more webhooks at all.
    Gone,
}

// === impl Courier ===

impl Courier {
    pub(crate) fn new(settings: &WebhookSettings) -> Result<Self, BoxError> {
        let mut roots = RootCertStore::empty();
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        if let Some(path) = &settings.ca {
            for certificate in CertificateDer::pem_file_iter(path)
                .map_err(|error| format!("webhooks.ca: {}: {error}", path.display()))?
            {
                roots.add(certificate?)?;
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let WebhookSettings { allow_private, timeout, at_once, .. } = *settings;
        Ok(Self { tls: Arc::new(tls), allow_private, timeout, at_once, turns: Mutex::default() })
    }

    /// Where a URL leads, if webhooks may go there at all. Which addresses its name means shows in each attempt.
    pub(crate) fn target(&self, url: &str) -> Result<Target, &'static str> {
        let target = Target::of(url, self.allow_private)?;
        match target.host.parse() {
            Ok(address) if !self.allow_private && !is_public(address) => {
                Err("its host is not on the public internet")
            }
            _ => Ok(target),
        }
    }

    /// One attempt.
    pub(crate) async fn deliver(
        &self,
        message: &Message,
        endpoint: &Endpoint,
        now: Timestamp,
    ) -> Result<(), Failure> {
        let turns = self.turns(endpoint.id);
        let busy = |_| Failure::transient("the endpoint has not answered those before it");
        let _turn = timeout(WAIT, turns.acquire()).await.map_err(busy)?.map_err(Failure::transient)?;
        let over = |_| Failure::transient("the endpoint did not answer in time");
        timeout(self.timeout, self.attempt(message, endpoint, now)).await.map_err(over)?
    }

    fn turns(&self, endpoint: EndpointId) -> Arc<Semaphore> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|id, turns| *id == endpoint || Arc::strong_count(turns) > 1);
        Arc::clone(turns.entry(endpoint).or_insert_with(|| Arc::new(Semaphore::new(self.at_once))))
    }

    async fn attempt(&self, message: &Message, endpoint: &Endpoint, now: Timestamp) -> Result<(), Failure> {
        let target = self.target(&message.recipient).map_err(Failure::permanent)?;
        let request = request(message, endpoint, &target, now).map_err(Failure::permanent)?;
        let stream = self.connect(&target).await?;
        if target.tls {
            let name = ServerName::try_from(target.host).map_err(Failure::permanent)?;
            let tls = TlsConnector::from(Arc::clone(&self.tls));
            exchange(tls.connect(name, stream).await.map_err(Failure::transient)?, request).await
        } else {
            exchange(stream, request).await
        }
    }

    /// A connection to one of the addresses its name means now, if they are addresses webhooks may go to.
    async fn connect(&self, target: &Target) -> Result<TcpStream, Failure> {
        let found = lookup_host((target.host.as_str(), target.port)).await.map_err(Failure::transient)?;
        let allowed = |address: &SocketAddr| self.allow_private || is_public(address.ip());
        let (addresses, others): (Vec<_>, Vec<_>) = found.partition(allowed);
        let mut reason: BoxError = match others.first() {
            None => format!("{} has no address", target.host).into(),
            Some(address) if addresses.is_empty() => {
                let reason = format!("{} is {}, not on the public internet", target.host, address.ip());
                return Err(Failure::permanent(reason));
            }
            Some(_) => "no address answers".into(),
        };
        for address in addresses {
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => reason = error.into(),
            }
        }
        Err(Failure::Transient(reason))
    }
}

fn request(
    message: &Message,
    endpoint: &Endpoint,
    target: &Target,
    now: Timestamp,
) -> http::Result<Request<Full<Bytes>>> {
    let (id, at, body) = (message.id.to_string(), trust_now(), message.text.as_bytes());
    Request::post(target.path.clone())
        .header(header::HOST, &target.authority)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::USER_AGENT, "partie-notifications")
        .header(header::CONNECTION, "close")
        .header("webhook-signature", endpoint.signatures(&id, at, body, now))
        .header("webhook-timestamp", at)
        .header("webhook-id", id)
        .body(Full::from(message.text.clone()))
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> Result<(), Failure> {
    let handshake = http1::Builder::new().max_buf_size(HEAD).handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(Failure::transient)?;
    // Ends with this attempt, however that ends.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let answer = sender.send_request(request).await.map_err(Failure::transient)?;
    match answer.status() {
        status if status.is_success() => Ok(()),
        StatusCode::GONE => Err(Failure::Gone),
        status if status.is_redirection() => {
            Err(Failure::transient(format!("it answered {status}, and redirects are not followed")))
        }
        status => Err(Failure::transient(format!("it answered {status}"))),
    }
}

// === impl Failure ===

impl Failure {
    fn transient(reason: impl Into<BoxError>) -> Self {
        Self::Transient(reason.into())
    }

    fn permanent(reason: impl Into<BoxError>) -> Self {
        Self::Permanent(reason.into())
    }
}
