//! The life of a program: its runtime, until when it runs, and how it drains.

use std::future::Future;
use std::io::{self, IsTerminal as _};
use std::process::ExitCode;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;

use super::{out, refuse};
use crate::Config;
use crate::system::Running;

/// The longest a drain may take.
pub(super) const DRAIN: Duration = Duration::from_secs(30);
/// How often histograms are folded.
const UPKEEP: Duration = Duration::from_secs(5);
/// Threads for what runs in the background; requests have their own.
const BACKGROUND_THREADS: usize = 2;
/// The exit code of whoever was interrupted twice.
pub(super) const INTERRUPTED: u8 = 130;

/// What people and supervisors send.
pub(super) struct Signals {
    pub(super) interrupt: Signal,
    pub(super) terminate: Signal,
}

/// Runs a program with these settings.
pub(super) fn live<F: Future<Output = ExitCode>>(config: Config, run: impl FnOnce(Config) -> F) -> ExitCode {
    if let Err(error) = partie_telemetry::init(&config.logs) {
        return refuse(&error);
    }
    block_on(run(config))
}

/// Runs that on a runtime of its own.
pub(super) fn block_on(run: impl Future<Output = ExitCode>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(BACKGROUND_THREADS)
        .thread_name("background")
        .enable_all()
        .build();
    let runtime: Runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return refuse(&error),
    };
    let code = runtime.block_on(run);
    // What hangs now hangs for good.
    runtime.shutdown_background();
    code
}

/// Until a signal, `told`, or the end of what should not end; then it drains.
pub(super) async fn until_told(
    running: &Running,
    signals: &mut Signals,
    mut playing: JoinSet<()>,
    told: impl Future<Output = ()>,
) -> ExitCode {
    playing.spawn(upkeep());
    let died = tokio::select! {
        _ = signals.interrupt.recv() => None,
        _ = signals.terminate.recv() => None,
        () = told => None,
        ended = running.ended() => ended.err(),
    };
    if let Some(error) = died {
        out::error(&format!("error: {error}"));
        return ExitCode::FAILURE;
    }
    tracing::info!("draining");
    playing.shutdown().await;
    drain(running, &mut signals.interrupt).await
}

/// Ends when the terminal the program was started from is closed, for SIGHUP says that too.
pub(super) async fn terminal_closed() {
    let has_terminal = || io::stdin().is_terminal();
    if let (true, Ok(mut hangups)) = (has_terminal(), signal(SignalKind::hangup())) {
        while has_terminal() {
            hangups.recv().await;
        }
    } else {
        std::future::pending().await
    }
}

/// Drains within its time; a second Ctrl-C does not wait for it.
async fn drain(running: &Running, interrupt: &mut Signal) -> ExitCode {
    tokio::select! {
        drained = tokio::time::timeout(DRAIN, running.stop()) => match drained {
            Ok(Ok(())) => ExitCode::SUCCESS,
            Ok(Err(error)) => {
                out::error(&format!("error: {error}"));
                ExitCode::FAILURE
            }
            Err(_) => {
                out::error("error: the drain took more than 30 s and was cut off");
                ExitCode::FAILURE
            }
        },
        _ = interrupt.recv() => ExitCode::from(INTERRUPTED),
    }
}

/// Keeps the memory of histograms flat while nobody scrapes.
async fn upkeep() {
    let metrics = partie_telemetry::Metrics::install();
    let mut every = tokio::time::interval(UPKEEP);
    loop {
        every.tick().await;
        metrics.upkeep();
    }
}

// === impl Signals ===

impl Signals {
    pub(super) fn new() -> io::Result<Self> {
        let refused = |_| io::Error::other("signals cannot be received here");
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).map_err(refused)?,
            terminate: signal(SignalKind::terminate()).map_err(refused)?,
        })
    }
}
