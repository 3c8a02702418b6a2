//! A small HTTP/1.1 client for the control plane: one connection for each exchange, every wait bounded.
//!
//! Registries are asked a few times a minute, or hold a question open for minutes. Neither gains from a pool.
#![cfg_attr(
    not(all(feature = "consul", feature = "etcd")),
    allow(dead_code, reason = "each engine needs another part of it")
)]

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::uri::Authority;
use http::{HeaderValue, Request, Response, Uri, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::AbortHandle;

use crate::local::bare;

/// How long one address may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(2);
/// The longest line of a stream, in bytes. What changed in thousands of instances at once may be one line.
const LINE: usize = 32 << 20;

/// Where a control-plane server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    authority: Authority,
    /// Nothing for a name, which is looked up each time: it may move.
    addresses: Option<Arc<[SocketAddr]>>,
}

/// That is not the address of a control-plane server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an address like http://127.0.0.1:8500 (plain HTTP, without a path)")]
pub(super) struct InvalidEndpoint(String);

/// An exchange came to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failed {
    #[error("cannot connect to {to}: {reason}")]
    Connect { to: Authority, reason: io::Error },
    #[error("{to} has not answered within {within:?}")]
    Late { to: Authority, within: Duration },
    #[error("{to} broke off: {reason}")]
    Broken { to: Authority, reason: hyper::Error },
    #[error("the answer of {to} is longer than {limit} bytes")]
    TooLong { to: Authority, limit: usize },
}

/// An answer that goes on line by line. Dropped it hangs up.
#[derive(Debug)]
pub(super) struct Lines {
    from: Authority,
    body: Incoming,
    read: BytesMut,
    /// So much of what was read holds no end of a line.
    searched: usize,
    _connection: AbortOnDrop,
}

/// Ends a task with whoever wanted it.
#[derive(Debug)]
pub(super) struct AbortOnDrop(pub(super) AbortHandle);

// === impl Endpoint ===

impl Endpoint {
    /// An endpoint whose name is not looked up, because it is known what it means.
    pub(super) fn resolved(authority: Authority, ips: impl IntoIterator<Item = IpAddr>) -> Self {
        let port = authority.port_u16().unwrap_or(80);
        let addresses = ips.into_iter().map(|ip| SocketAddr::new(ip, port)).collect();
        Self { authority, addresses: Some(addresses) }
    }

    /// Sends a request and reads the whole answer, of at most `limit` bytes.
    pub(super) async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
        within: Duration,
        limit: usize,
    ) -> Result<Response<Bytes>, Failed> {
        let to = &self.authority;
        let work = async {
            let (answer, _connection) = self.send(request).await?;
            let (head, body) = answer.into_parts();
            let body = Limited::new(body, limit).collect().await.map_err(|error| {
                match error.downcast::<hyper::Error>() {
                    Ok(reason) => Failed::Broken { to: to.clone(), reason: *reason },
                    Err(error) => {
                        debug_assert!(error.is::<LengthLimitError>());
                        Failed::TooLong { to: to.clone(), limit }
                    }
                }
            })?;
            Ok(Response::from_parts(head, body.to_bytes()))
        };
        let late = |_| Failed::Late { to: to.clone(), within };
        tokio::time::timeout(within, work).await.map_err(late)?
    }

    /// Sends a request and awaits the head of an answer that goes on for as long as it is read.
    pub(super) async fn open(
        &self,
        request: Request<Full<Bytes>>,
        within: Duration,
    ) -> Result<Response<Lines>, Failed> {
        let late = |_| Failed::Late { to: self.authority.clone(), within };
        let (answer, connection) = tokio::time::timeout(within, self.send(request)).await.map_err(late)??;
        let from = self.authority.clone();
        let lines = |body| Lines { from, body, read: BytesMut::new(), searched: 0, _connection: connection };
        Ok(answer.map(lines))
    }

    async fn send(
        &self,
        mut request: Request<Full<Bytes>>,
    ) -> Result<(Response<Incoming>, AbortOnDrop), Failed> {
        let broken = |reason| Failed::Broken { to: self.authority.clone(), reason };
        if let Ok(host) = HeaderValue::from_str(self.authority.as_str()) {
            request.headers_mut().insert(header::HOST, host);
        }
        let stream = self.connect().await;
        let stream = stream.map_err(|reason| Failed::Connect { to: self.authority.clone(), reason })?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        // How the connection ends is told to whoever sends and reads on it.
        let connection = tokio::spawn(async move { drop(connection.await) });
        let connection = AbortOnDrop(connection.abort_handle());
        let answer = sender.send_request(request).await.map_err(broken)?;
        Ok((answer, connection))
    }

    /// The first of its addresses that accepts.
    async fn connect(&self) -> io::Result<TcpStream> {
        let looked_up: Vec<SocketAddr>;
        let addresses = match &self.addresses {
            Some(addresses) => &addresses[..],
            None => {
                let host = bare(self.authority.host());
                let port = self.authority.port_u16().unwrap_or(80);
                looked_up = tokio::net::lookup_host((host, port)).await?.collect();
                &looked_up[..]
            }
        };
        let mut refused = io::Error::new(io::ErrorKind::NotFound, "it has no address");
        for address in addresses {
            match tokio::time::timeout(CONNECT, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    stream.set_nodelay(true)?;
                    return Ok(stream);
                }
                Ok(Err(error)) => refused = error,
                Err(late) => refused = late.into(),
            }
        }
        Err(refused)
    }
}

impl FromStr for Endpoint {
    type Err = InvalidEndpoint;

    fn from_str(text: &str) -> Result<Self, InvalidEndpoint> {
        let invalid = || InvalidEndpoint(text.to_owned());
        let uri: Uri = text.parse().map_err(|_| invalid())?;
        let plain =
            uri.scheme_str() == Some("http") && matches!(uri.path(), "" | "/") && uri.query().is_none();
        let authority = uri.authority().filter(|authority| plain && !authority.as_str().contains('@'));
        Ok(Self { authority: authority.ok_or_else(invalid)?.clone(), addresses: None })
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "http://{}", self.authority)
    }
}

// === impl Lines ===

impl Lines {
    /// The next line without its end, or nothing after the last. The future may be dropped: no byte is lost.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Failed> {
        loop {
            let end = self.read[self.searched..].iter().position(|byte| *byte == b'\n');
            if let Some(end) = end {
                let line = self.read.split_to(self.searched + end + 1).freeze();
                self.searched = 0;
                return Ok(Some(line.slice(..line.len() - 1)));
            }
            self.searched = self.read.len();
            if self.searched > LINE {
                return Err(Failed::TooLong { to: self.from.clone(), limit: LINE });
            }
            match self.body.frame().await {
                Some(Ok(frame)) => self.read.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data)),
                Some(Err(reason)) => return Err(Failed::Broken { to: self.from.clone(), reason }),
                None if self.read.is_empty() => return Ok(None),
                None => {
                    self.searched = 0;
                    return Ok(Some(self.read.split().freeze()));
                }
            }
        }
    }
}

// === impl AbortOnDrop ===

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_http_addresses_are_endpoints() {
        for good in ["http://127.0.0.1:8500", "http://consul", "http://[::1]:2379/"] {
            let endpoint: Endpoint = good.parse().unwrap();
            assert_eq!(endpoint.to_string(), good.trim_end_matches('/'));
        }
        for bad in
            ["", "127.0.0.1:8500", "https://consul", "http://consul/v1", "http://u:p@consul", "http://a?b"]
        {
            let error = bad.parse::<Endpoint>().unwrap_err();
            assert_eq!(error, InvalidEndpoint(bad.to_owned()));
        }
    }
}
