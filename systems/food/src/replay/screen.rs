//! What is seen of a replay while it goes on: a bar, the log above it, and how to end it.

use std::io::{self, Write, stderr};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use partie::telemetry::{Logs, init_through};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Failure;

/// A bar of that many orders. There is none where nobody looks.
pub(crate) fn bar(orders: usize) -> Result<ProgressBar, Failure> {
    let bar = ProgressBar::with_draw_target(Some(orders as u64), ProgressDrawTarget::stderr());
    bar.set_style(ProgressStyle::with_template("{bar:40} {pos} of {len} delivered, {elapsed}")?);
    Ok(bar)
}

/// Logs as the running system does, but only what is wrong unless `PARTIE_LOG` says otherwise: a replay is thousands of
/// requests.
pub(crate) fn log(logs: &Logs, bar: &ProgressBar) -> Result<(), Failure> {
    let (logs, bar) = (Logs { filter: "warn".to_owned(), ..logs.clone() }, bar.clone());
    Ok(init_through(&logs, move || Above(bar.clone()))?)
}

/// Writes to stderr with the bar out of the way.
struct Above(ProgressBar);

impl Write for Above {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.suspend(|| stderr().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        stderr().flush()
    }
}

/// Ctrl-C and SIGTERM. From now on they do not end the program.
pub(crate) struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupts {
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// The next one, or one that came before.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
