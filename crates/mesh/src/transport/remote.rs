//! The way to one instance: HTTP/1.1 for most calls, HTTP/2 for those that need it.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use partie_contract::{Body, Response, grpc};

use super::dial::Dial;
use super::failed::Failed;
use super::http1::Http1;
use super::http2::Http2;
use super::sending::Sending;
use crate::tls::Secure;

/// One instance, with its connections. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Remote(Arc<Both>);

struct Both {
    http1: Http1,
    http2: Http2,
}

// === impl Remote ===

impl Remote {
    pub(crate) fn new(
        address: SocketAddr,
        connect: Duration,
        idle: Duration,
        secure: Option<&Secure>,
    ) -> Self {
        let dial = Dial::new(address, connect, secure);
        Self(Arc::new(Both { http1: Http1::new(dial.clone(), idle), http2: Http2::new(dial) }))
    }

    /// Sends the request, takes its body when it leaves, and awaits the head of the answer. With `fresh` not on a connection
    /// that was used before.
    pub(crate) async fn send(
        &self,
        sending: &Sending<'_>,
        body: &mut Body,
        fresh: bool,
    ) -> Result<Response, Failed> {
        // On one machine a connection for each call under way costs less than streams that share one; gRPC knows only
        // the latter.
        if grpc::is_call(&sending.head.headers) {
            // Boxed, for it is large, and every other call carries the room for it.
            Box::pin(self.0.http2.send(sending, body)).await
        } else {
            self.0.http1.send(sending, body, fresh).await
        }
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0.http1.dial())
    }
}
