//! One worker: an accept loop and the connections it accepted, all on one thread.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use partie_contract::{FaultKind, Platform};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;

use super::connection::Connection;
use super::drain::Drain;
use super::limits::Limits;
use super::pressure::Pressure;
use super::request::raw_answer;
use super::seats::Seats;
use crate::handles::Handles;
use crate::serve::{Peer, Serve};
use crate::tls::ServerTls;

/// How long accepting rests when the system has no descriptor or memory for another connection.
const OUT_OF_DESCRIPTORS: Duration = Duration::from_millis(100);

pub(super) struct Worker {
    pub(super) serve: Arc<dyn Serve>,
    pub(super) limits: Arc<Limits>,
    pub(super) seats: Arc<Seats>,
    pub(super) pressure: Arc<Pressure>,
    pub(super) drain: Drain,
    pub(super) handles: Handles,
    pub(super) tls: Option<ServerTls>,
}

// === impl Worker ===

impl Worker {
    /// Serves the socket until the drain is over.
    pub(super) async fn run(self, socket: std::net::TcpListener) -> io::Result<()> {
        let socket = TcpListener::from_std(socket)?;
        let connections = TaskTracker::new();
        let closing = self.drain.closing();
        tokio::pin!(closing);
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut closing => break,
                accepted = socket.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => self.admit(stream, &connections),
                Err(error) => rest(&error).await,
            }
        }

        // Whoever the kernel has greeted already is still served.
        while let Some(Ok((stream, _))) = socket.accept().now_or_never() {
            self.admit(stream, &connections);
        }
        drop(socket);
        let Self { drain, handles, limits, .. } = self;
        connections.close();
        let finished = async {
            connections.wait().await;
            // Writes whose clients went away run on this thread too.
            handles.detached.finished().await;
        };
        tokio::select! {
            () = finished => {}
            () = drain.cut() => {}
            () = tokio::time::sleep(limits.drain) => {
                tracing::warn!(connections = connections.len(), "requests were cut off at the end of the drain");
            }
        }
        Ok(())
    }

    fn admit(&self, stream: TcpStream, connections: &TaskTracker) {
        let (Ok(peer), Ok(())) = (stream.peer_addr(), stream.set_nodelay(true)) else { return };
        let Some(seat) = self.seats.take(peer.ip()) else {
            let fault = Platform::new(FaultKind::Overloaded).with_detail("there are too many connections");
            // Best effort: a fresh connection has room for it, and waiting is what a full house cannot do.
            let told = match self.tls {
                // Nobody could read it.
                Some(_) => Ok(0),
                None => stream.try_write(&raw_answer(fault, &self.handles.ids)),
            };
            tracing::debug!(%peer, ?told, "a connection too many");
            return;
        };
        let connection = Connection {
            peer,
            from: Peer::Network(peer),
            _seat: seat,
            serve: Arc::clone(&self.serve),
            limits: Arc::clone(&self.limits),
            pressure: Arc::clone(&self.pressure),
            drain: self.drain.clone(),
            handles: self.handles.clone(),
            tls: self.tls.clone(),
        };
        connections.spawn(connection.run(stream));
    }
}

/// Errors of `accept` concern one connection or the whole machine, never the listener.
async fn rest(error: &io::Error) {
    if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
        return;
    }
    // EMFILE, ENFILE, ENOBUFS, ENOMEM: accepting at once again would only burn the processor.
    tracing::warn!(%error, "cannot accept connections");
    tokio::time::sleep(OUT_OF_DESCRIPTORS).await;
}
