//! `up`: the whole system in this process, until it is told to stop.

use std::process::ExitCode;
use std::sync::Arc;

use clap::ArgMatches;

use super::life::{self, Signals};
use super::reload::Source;
use super::{out, refuse, routes};
use crate::system::{Environment, Guide, Running, System};

pub(super) fn main(mut system: System, flags: &ArgMatches) -> ExitCode {
    let mut source = Source::new(&system, flags);
    let effective = match source.read() {
        Ok(effective) => effective,
        Err(error) => return refuse(&error),
    };
    system.chaos = match super::chaos(flags, &effective.config) {
        Ok(chaos) => chaos,
        Err(error) => return refuse(&error),
    };
    life::live(effective.config, |config| run(system, config, source))
}

async fn run(mut system: System, config: crate::Config, source: Source) -> ExitCode {
    let mut signals = match Signals::new() {
        Ok(signals) => signals,
        Err(error) => return refuse(&error),
    };
    let (guide, actors) = (Arc::clone(&system.guide), std::mem::take(&mut system.actors));
    let demo = config.demo;
    let running = match system.launch(config, Environment::default()).await {
        Ok(running) => running,
        Err(error) => return refuse(&error),
    };
    announce(&running, &guide).await;
    let mut playing = tokio::task::JoinSet::new();
    playing.spawn(source.keep(Arc::clone(&running)));
    if demo {
        for actor in actors {
            playing.spawn(actor(Arc::clone(&running)));
        }
    }
    let code = life::until_told(&running, &mut signals, playing, life::terminal_closed()).await;
    if let Some(chaos) = running.chaos() {
        out::tally(chaos.tally());
    }
    code
}

/// What a newcomer sees. The first line is for programs too: it comes once the system answers.
async fn announce(running: &Arc<Running>, guide: &Guide) {
    out::line(&format!("listening on {}", running.url()));
    if let Some(registry) = running.registry_url() {
        out::line(&format!("registry on {registry}"));
    }
    if let Some(admin) = running.admin_url() {
        out::line(&format!("admin on {admin}"));
    }
    out::flush();
    welcome(running, guide).await;
}

/// What can be done with the system.
pub(super) async fn welcome(running: &Arc<Running>, guide: &Guide) {
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
