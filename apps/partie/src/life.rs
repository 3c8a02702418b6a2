//! The life of a program: its runtime, until when it runs, and how it drains.

use std::future::Future;
use std::process::ExitCode;
use std::time::Duration;

use partie_runtime::Stop;
use partie_telemetry::{Logs, Metrics};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::out;

/// The longest a drain may take.
const DRAIN: Duration = Duration::from_secs(30);
/// How often histograms are folded.
const UPKEEP: Duration = Duration::from_secs(5);
/// Threads for what runs in the background; requests have their own.
const BACKGROUND_THREADS: usize = 2;
/// The exit code of whoever was interrupted twice.
const INTERRUPTED: u8 = 130;

/// Runs that on a runtime of its own.
pub(crate) fn live(logs: &Logs, run: impl Future<Output = ExitCode>) -> ExitCode {
    if let Err(error) = partie_telemetry::init(logs) {
        return out::refuse(&error);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(BACKGROUND_THREADS)
        .thread_name("background")
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return out::refuse(&error),
    };
    let code = runtime.block_on(run);
    // What hangs now hangs for good.
    runtime.shutdown_background();
    code
}

/// Runs `work` until a signal, then tells it to drain. Work that ends by itself has failed.
pub(crate) async fn until_told<E: std::fmt::Display>(
    work: impl Future<Output = Result<(), E>>,
    told: &Stop,
) -> ExitCode {
    let signals = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    let (Ok(mut interrupt), Ok(mut terminate)) = signals else {
        return out::refuse(&"signals cannot be received here");
    };
    let mut work = std::pin::pin!(work);
    let upkeep = tokio::spawn(upkeep());
    let died = tokio::select! {
        _ = interrupt.recv() => None,
        _ = terminate.recv() => None,
        ended = work.as_mut() => Some(ended),
    };
    upkeep.abort();
    match died {
        Some(Err(error)) => return fail(&error),
        Some(Ok(())) => return fail(&"it ended although nobody told it to"),
        None => {}
    }
    tracing::info!("draining");
    told.stop();
    drain(work, &mut interrupt).await
}

/// Drains within its time; a second Ctrl-C does not wait for it.
async fn drain<E: std::fmt::Display>(
    work: impl Future<Output = Result<(), E>>,
    interrupt: &mut Signal,
) -> ExitCode {
    tokio::select! {
        drained = tokio::time::timeout(DRAIN, work) => match drained {
            Ok(Ok(())) => ExitCode::SUCCESS,
            Ok(Err(error)) => fail(&error),
            Err(_) => fail(&"the drain took more than 30 s and was cut off"),
        },
        _ = interrupt.recv() => ExitCode::from(INTERRUPTED),
    }
}

fn fail(reason: &dyn std::fmt::Display) -> ExitCode {
    out::error(reason);
    ExitCode::FAILURE
}

/// Keeps the memory of histograms flat while nobody scrapes.
async fn upkeep() {
    let metrics = Metrics::install();
    let mut every = tokio::time::interval(UPKEEP);
    loop {
        every.tick().await;
        metrics.upkeep();
    }
}
