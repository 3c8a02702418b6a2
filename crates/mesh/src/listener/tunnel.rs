//! A connection that has become a WebSocket: bytes in both directions, until one side ends, is silent for too long, or the
//! listener goes.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::{Arc, OnceLock};

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use partie_telemetry::{Counter, Definition, Gauge, Unit};
use tokio::io::{AsyncWriteExt as _, copy_bidirectional_with_sizes};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::drain::Drain;
use super::limits::Limits;
use crate::moved::Moved;
use crate::upgrade::Turned;

/// How much of each direction is held here. Whoever sends more waits until it is taken.
const HELD: usize = 8 << 10;

const OPEN: Definition =
    Definition::new("partie.listener.tunnels", Unit::Count, "WebSockets that are open at listeners");
const BEGUN: Definition =
    Definition::new("partie.listener.tunnels.begun", Unit::Count, "WebSockets that have begun at listeners");
const BYTES: Definition =
    Definition::new("partie.listener.tunnel.bytes", Unit::Bytes, "Bytes that went through WebSockets");

/// What the socket of a tunnel and its connection know of each other. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Tunnel(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// The socket is to fail.
    end: CancellationToken,
    /// The socket is gone.
    gone: CancellationToken,
    /// Bytes went through.
    moved: Moved,
}

struct Figures {
    open: Gauge,
    begun: Counter,
    received: Counter,
    sent: Counter,
}

/// Counts an open tunnel until it is dropped.
struct Counted;

// === impl Tunnel ===

impl Tunnel {
    pub(super) fn begin() -> Self {
        let (end, gone) = (CancellationToken::new(), CancellationToken::new());
        Self(Arc::new(Shared { end, gone, moved: Moved::now() }))
    }

    /// Stays until the tunnel is over. With `to` its bytes go there; without, somebody in this process has them already.
    pub(super) async fn run(
        &self,
        from: OnUpgrade,
        to: Option<Turned>,
        limits: &Limits,
        drain: &Drain,
    ) -> io::Result<()> {
        let _counted = Counted::begin();
        match to {
            Some(to) => self.within(limits, drain, join(from, to)).await,
            None => {
                // It is the handler who takes it.
                drop(from);
                let gone = async {
                    self.0.gone.cancelled().await;
                    Ok(())
                };
                self.within(limits, drain, gone).await
            }
        }
    }

    async fn within(
        &self,
        limits: &Limits,
        drain: &Drain,
        work: impl Future<Output = io::Result<()>>,
    ) -> io::Result<()> {
        let (mut work, mut closing, mut cut) = (pin!(work), pin!(drain.closing()), pin!(drain.cut()));
        let over = tokio::select! {
            done = &mut work => return done,
            () = &mut cut => "its listener is gone",
            () = self.0.moved.silent(limits.tunnel_idle) => "nothing went through it for too long",
            () = async {
                (&mut closing).await;
                tokio::time::sleep(limits.tunnel_drain).await;
            } => "its listener is about to go",
        };
        self.0.end.cancel();
        // Whoever has it lets go as soon as he wants something of it.
        tokio::select! {
            _ = work => {}
            () = cut => {}
        }
        Err(io::Error::new(io::ErrorKind::TimedOut, over))
    }

    /// Bytes came from the client.
    pub(super) fn received(&self, bytes: usize) {
        self.0.moved.mark();
        figures().received.increment(bytes as u64);
    }

    /// Bytes went to the client.
    pub(super) fn sent(&self, bytes: usize) {
        self.0.moved.mark();
        figures().sent.increment(bytes as u64);
    }

    pub(super) fn ending(&self) -> WaitForCancellationFutureOwned {
        self.0.end.clone().cancelled_owned()
    }

    /// The socket is gone.
    pub(super) fn gone(&self) {
        self.0.gone.cancel();
    }
}

/// Takes what comes from each side to the other. It begins when both have switched: nothing is sent on before that.
async fn join(from: OnUpgrade, to: Turned) -> io::Result<()> {
    let mut from = TokioIo::new(from.await.map_err(io::Error::other)?);
    let (mut to, come) = to.take().ok_or_else(|| io::Error::other("somebody else has the other end"))?;
    from.write_all(&come).await?;
    from.flush().await?;
    copy_bidirectional_with_sizes(&mut from, &mut to, HELD, HELD).await?;
    Ok(())
}

// === impl Counted ===

impl Counted {
    fn begin() -> Self {
        let figures = figures();
        figures.open.increment(1);
        figures.begun.increment(1);
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        figures().open.decrement(1);
    }
}

fn figures() -> &'static Figures {
    static FIGURES: OnceLock<Figures> = OnceLock::new();
    FIGURES.get_or_init(|| Figures {
        open: OPEN.gauge(&[]),
        begun: BEGUN.counter(&[]),
        received: BYTES.counter(&[("direction", "received")]),
        sent: BYTES.counter(&[("direction", "sent")]),
    })
}
