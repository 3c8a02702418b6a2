//! The listener's side of TLS.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsStream};

use super::credentials::Credentials;
use super::files::TlsFiles;
use super::{TlsError, names};
use crate::stream::Stream;

/// How often it is looked whether files have changed.
const LOOK: Duration = Duration::from_millis(500);

/// What a listener shows to those who connect, and what it asks of them. Cheap to clone.
#[derive(Clone)]
pub struct ServerTls(Arc<Source>);

enum Source {
    Files { files: TlsFiles, current: ArcSwap<ServerConfig> },
    Service(Credentials, Strangers),
}

/// What becomes of those who do not speak TLS, or have no certificate to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strangers {
    /// They are sent away.
    Refused,
    /// They are served as [`Peer::Network`](crate::Peer::Network), and prove themselves by tokens: in the clear, or through
    /// TLS without a certificate of their own, so that they know whom they show a token to.
    Served,
}

// === impl ServerTls ===

impl ServerTls {
    /// Certificates in files. They are read again when they change, as long as a listener runs with them.
    ///
    /// # Errors
    /// When a file cannot be read or used.
    pub fn open(files: TlsFiles) -> Result<Self, TlsError> {
        let current = ArcSwap::new(files.load()?);
        Ok(Self(Arc::new(Source::Files { files, current })))
    }

    /// For services of one system: who shows a certificate of its authority is known by it as
    /// [`Peer::Service`](crate::Peer::Service). A certificate of anybody else is sent away.
    pub fn services(credentials: Credentials, strangers: Strangers) -> Self {
        Self(Arc::new(Source::Service(credentials, strangers)))
    }

    /// Whether who does not speak TLS is served all the same.
    pub(crate) fn serves_strangers(&self) -> bool {
        matches!(&*self.0, Source::Service(_, Strangers::Served))
    }

    /// Shakes hands. Says which service the other side has proven to be, if it has.
    pub(crate) async fn accept(&self, stream: TcpStream) -> io::Result<(Stream, Option<Arc<str>>)> {
        let config = match &*self.0 {
            Source::Files { current, .. } => current.load_full(),
            Source::Service(credentials, strangers) => match (credentials.configs(), strangers) {
                (configs, Strangers::Refused) => Arc::clone(&configs.server),
                (configs, Strangers::Served) => Arc::clone(&configs.open),
            },
        };
        let stream = TlsAcceptor::from(config).accept(stream).await?;
        let service = match &*self.0 {
            Source::Files { .. } => None,
            Source::Service(credentials, _) => {
                // Nothing is shown where nothing has to be: the handshake would have failed otherwise.
                let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
                let known = shown.map(|certificate| {
                    let named = names::service(certificate);
                    let ours = named.filter(|(system, _)| **system == *credentials.system());
                    ours.ok_or_else(|| io::Error::other("its certificate names no service of ours"))
                });
                known.transpose()?.map(|(_, service)| service)
            }
        };
        Ok((Stream::Tls(Box::new(TlsStream::Server(stream))), service))
    }

    /// Reads files again whenever they change. Never ends.
    pub(crate) async fn follow(&self) {
        let Source::Files { files, current } = &*self.0 else { return std::future::pending().await };
        let (mut known, mut before) = (files.look(), files.look());
        loop {
            tokio::time::sleep(LOOK).await;
            let now = files.look();
            // Whoever writes them writes one after the other: they are read once they have come to rest.
            if now != known && now == before {
                match files.load() {
                    Ok(config) => {
                        current.store(config);
                        tracing::info!(certificate = %files.certificate.display(), "a new certificate is shown");
                    }
                    Err(error) => {
                        tracing::error!(%error, "a new certificate cannot be used: the old one stays");
                    }
                }
                known.clone_from(&now);
            }
            before = now;
        }
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Source::Files { files, .. } => write!(f, "ServerTls({})", files.certificate.display()),
            Source::Service(credentials, _) => write!(f, "ServerTls({credentials:?})"),
        }
    }
}
