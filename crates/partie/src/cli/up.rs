//! `up`: the whole system in this process, until it is told to stop.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::ArgMatches;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{configure, out, refuse, routes};
use crate::system::{Environment, Guide, Running, System};

/// The longest a drain may take.
const DRAIN: Duration = Duration::from_secs(30);
/// How often histograms are folded.
const UPKEEP: Duration = Duration::from_secs(5);
/// Threads for what runs in the background; requests have their own.
const BACKGROUND_THREADS: usize = 2;

pub(super) fn main(system: System, flags: &ArgMatches) -> ExitCode {
    let effective = match configure(&system, flags) {
        Ok(effective) => effective,
        Err(error) => return refuse(&error),
    };
    if let Err(error) = partie_telemetry::init(&effective.config.logs) {
        return refuse(&error);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(BACKGROUND_THREADS)
        .thread_name("background")
        .enable_all()
        .build();
    let runtime: Runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return refuse(&error),
    };
    let code = runtime.block_on(run(system, effective.config));
    // What hangs now hangs for good.
    runtime.shutdown_background();
    code
}

async fn run(mut system: System, config: crate::Config) -> ExitCode {
    let signals = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    let (Ok(mut interrupt), Ok(mut terminate)) = signals else {
        return refuse(&"signals cannot be received here");
    };
    let (guide, actors) = (Arc::clone(&system.guide), std::mem::take(&mut system.actors));
    let demo = config.demo;
    let running = match system.launch(config, Environment::default()).await {
        Ok(running) => running,
        Err(error) => return refuse(&error),
    };
    announce(&running, &guide).await;
    let mut playing = tokio::task::JoinSet::new();
    if demo {
        for actor in actors {
            playing.spawn(actor(Arc::clone(&running)));
        }
    }
    playing.spawn(upkeep());

    let died = tokio::select! {
        _ = interrupt.recv() => None,
        _ = terminate.recv() => None,
        ended = running.ended() => ended.err(),
    };
    if let Some(error) = died {
        out::error(&format!("error: {error}"));
        return ExitCode::FAILURE;
    }
    tracing::info!("draining");
    playing.shutdown().await;
    drain(&running, &mut interrupt).await
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
        _ = interrupt.recv() => ExitCode::from(130),
    }
}

/// What a newcomer sees. The first line is for programs too: it comes once the system answers.
async fn announce(running: &Arc<Running>, guide: &Guide) {
    out::line(&format!("listening on {}", running.url()));
    out::flush();
    out::line("");
    let routes = routes::table(running.contracts());
    for line in &routes {
        out::line(&format!("  {line}"));
    }
    if !routes.is_empty() {
        out::line("");
    }
    out::line("try:");
    for request in guide(Arc::clone(running)).await {
        out::line(&format!("  {request}"));
    }
    out::line("");
    out::flush();
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
