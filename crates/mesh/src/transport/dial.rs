//! A new connection to an instance: in the clear or through TLS, within the time it may take.

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use http::uri::Scheme;
use partie_contract::BoxError;
use tokio::net::TcpStream;

use crate::stream::Stream;
use crate::tls::{Secure, Speak};

/// How an instance is reached.
#[derive(Clone)]
pub(super) struct Dial {
    address: SocketAddr,
    within: Duration,
    secure: Option<Secure>,
}

// === impl Dial ===

impl Dial {
    pub(super) fn new(address: SocketAddr, within: Duration, secure: Option<&Secure>) -> Self {
        Self { address, within, secure: secure.cloned() }
    }

    /// What `Host` says: the host whose certificate is expected, or else the address.
    pub(super) fn authority(&self) -> String {
        match self.secure.as_ref().and_then(Secure::host) {
            Some(host) if self.address.port() == 443 => host.to_owned(),
            Some(host) => format!("{host}:{}", self.address.port()),
            None => self.address.to_string(),
        }
    }

    pub(super) fn scheme(&self) -> Scheme {
        if self.secure.is_some() { Scheme::HTTPS } else { Scheme::HTTP }
    }

    /// A connection that has shaken hands in both protocols.
    pub(super) async fn connect<C, F>(
        &self,
        speak: Speak,
        handshake: impl FnOnce(Stream) -> F,
    ) -> Result<C, BoxError>
    where
        F: Future<Output = Result<C, BoxError>>,
    {
        let connecting = async {
            let stream = TcpStream::connect(self.address).await?;
            stream.set_nodelay(true)?;
            let stream = match &self.secure {
                None => Stream::Plain(stream),
                Some(secure) => secure.connect(stream, speak).await?,
            };
            handshake(stream).await
        };
        tokio::time::timeout(self.within, connecting).await?
    }
}

impl fmt::Debug for Dial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme(), self.address)
    }
}
