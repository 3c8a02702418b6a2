//! The listener: a strict server of HTTP/1.1 and HTTP/2 on one port, one thread and one socket for each worker.

mod answer;
mod bind;
mod connection;
mod drain;
mod exchange;
mod limits;
mod pressure;
mod request;
mod seats;
mod socket;
mod streams;
mod tunnel;
mod worker;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use partie_runtime::Stop;
use tokio::sync::oneshot;

use self::drain::Drain;
use self::pressure::{Crowd, Pressure};
use self::seats::Seats;
use self::worker::Worker;
use crate::handles::Handles;
use crate::serve::Serve;
use crate::tls::ServerTls;

pub use self::bind::BindError;
pub use self::limits::Limits;

/// Bound sockets, ready to serve.
pub struct Listener {
    sockets: Vec<std::net::TcpListener>,
    address: SocketAddr,
    limits: Arc<Limits>,
    on_this_runtime: bool,
    handles: Handles,
    tls: Option<ServerTls>,
}

/// A listener ended before it was told to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The system gave no thread or no runtime.
    #[error("no thread for a worker of the listener on {address}: {source}")]
    Start {
        /// Where the listener listened.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// A worker panicked.
    #[error("a worker of the listener on {address} died")]
    Died {
        /// Where the listener listened.
        address: SocketAddr,
    },
}

// === impl Listener ===

impl Listener {
    /// Binds one socket for each of `workers` threads; with 0 one socket, served on the runtime that calls
    /// [`run`](Self::run). Port 0 is any free port, see [`local_addr`](Self::local_addr).
    ///
    /// # Errors
    /// [`BindError::Taken`] when somebody listens there already, [`BindError::Io`] for anything else.
    pub fn bind(
        address: SocketAddr,
        limits: Limits,
        workers: usize,
        handles: Handles,
    ) -> Result<Self, BindError> {
        let sockets = bind::sockets(address, workers.max(1), limits.backlog)?;
        let address = sockets
            .first()
            .map_or(Ok(address), std::net::TcpListener::local_addr)
            .map_err(|source| BindError::Io { address, source })?;
        Ok(Self {
            sockets,
            address,
            limits: Arc::new(limits),
            on_this_runtime: workers == 0,
            handles,
            tls: None,
        })
    }

    /// Serves a socket that somebody else has bound, and that may outlive this process: workers share it.
    ///
    /// # Errors
    /// [`BindError::Io`] when it cannot be used.
    pub fn adopt(
        socket: std::net::TcpListener,
        limits: Limits,
        workers: usize,
        handles: Handles,
    ) -> Result<Self, BindError> {
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let address = socket.local_addr().map_err(|source| BindError::Io { address: nowhere, source })?;
        let failed = |source| BindError::Io { address, source };
        socket.set_nonblocking(true).map_err(failed)?;
        let copies = (1..workers.max(1)).map(|_| socket.try_clone());
        let mut sockets = copies.collect::<io::Result<Vec<_>>>().map_err(failed)?;
        sockets.push(socket);
        Ok(Self {
            sockets,
            address,
            limits: Arc::new(limits),
            on_this_runtime: workers == 0,
            handles,
            tls: None,
        })
    }

    /// Speaks TLS, and nothing else.
    #[must_use]
    pub fn with_tls(mut self, tls: ServerTls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Whether it does.
    pub fn speaks_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// A handle to its first socket, for a process that is to take it over.
    ///
    /// # Errors
    /// When the system gives none.
    pub fn socket(&self) -> io::Result<std::net::TcpListener> {
        match self.sockets.first() {
            Some(socket) => socket.try_clone(),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Where it listens, the port in numbers.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until told to stop, then drains: answers close their connections, event streams end with a hint when
    /// to come back, requests under way are answered, and what is left after [`Limits::drain`] is cut off.
    ///
    /// # Errors
    /// When a worker cannot start or dies. Dropping the future cuts everything off.
    pub async fn run(self, serve: Arc<dyn Serve>, stop: Stop) -> Result<(), RunError> {
        let address = self.address;
        let start = |source| RunError::Start { address, source };
        let (drain, limits) = (Drain::default(), Arc::clone(&self.limits));
        let _cut = drain.clone().cut_on_drop();
        let seats = Seats::new(&self.limits);
        let crowd = Crowd::new(&self.limits);

        // Everything is ready before anything is served.
        let mut ends = FuturesUnordered::new();
        for (number, socket) in self.sockets.into_iter().enumerate() {
            let worker = Worker {
                serve: Arc::clone(&serve),
                limits: Arc::clone(&self.limits),
                seats: Arc::clone(&seats),
                pressure: Arc::new(Pressure::new(&self.limits, &crowd)),
                drain: drain.clone(),
                handles: self.handles.clone(),
                tls: self.tls.clone(),
            };
            let (ended, end) = oneshot::channel();
            let work = async move {
                match worker.run(socket).await {
                    // Nobody may wait for it any more.
                    Ok(()) => _ = ended.send(()).ok(),
                    Err(error) => tracing::error!(%error, "a listener's socket cannot be served"),
                }
            };
            if self.on_this_runtime {
                tokio::spawn(work);
            } else {
                let runtime =
                    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(start)?;
                let thread = std::thread::Builder::new().name(format!("worker-{number}"));
                thread.spawn(move || runtime.block_on(work)).map_err(start)?;
            }
            ends.push(end);
        }
        tracing::debug!(%address, workers = ends.len(), "listening");

        // Certificates may change as long as somebody may connect.
        let tls = self.tls;
        let follow = async {
            match &tls {
                Some(tls) => tls.follow().await,
                None => std::future::pending().await,
            }
        };

        // A worker that ends by itself ends the listener: half a listener would look alive and lose requests.
        tokio::select! {
            () = stop.stopped() => {}
            _ = ends.next() => return Err(RunError::Died { address }),
            () = follow => {}
        }
        let all_ended = async {
            let mut died = false;
            while let Some(end) = ends.next().await {
                died |= end.is_err();
            }
            if died { Err(RunError::Died { address }) } else { Ok(()) }
        };
        let (ended, ()) = tokio::join!(all_ended, drain.run(&limits));
        ended
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Listener({}, {} sockets)", self.address, self.sockets.len())
    }
}
