//! `dead-letters`: what is not tried any more in a running system, and what people decide about it.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Arg, ArgMatches};
use partie_contract::{BoxError, Call, Caller, Client as _, Deadline, OutcomeExt as _};
use partie_identity::{Grant, Signer};
use partie_mesh::{Handles, Mesh, MeshConfig, Origin};
use partie_runtime::Ids;

use super::{configure, life, out, refuse};
use crate::platform::{self, DeadLetterId, DeadLettersClient, SkipEvent};
use crate::system::{System, signer};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The role of those who run the system.
const ADMIN: &str = "admin";

pub(super) fn command(system: &System) -> clap::Command {
    let id = || Arg::new("id").value_name("ID").required(true).help("As `dead-letters` lists it");
    let text = |id: &'static str, value: &'static str, help: &'static str| {
        Arg::new(id).long(id).value_name(value).help(help)
    };
    clap::Command::new("dead-letters")
        .about("List what failed too often in the running system, have it tried again, or give it up")
        .arg(text("at", "ADDR", "Where the gateway listens [default: gateway.listen]").global(true))
        .arg(text("as", "NAME", "Who you are; it stays on record [default: the user's name]").global(true))
        .arg(text("key", "FILE", "The key of the system [default: that in the data directory]").global(true))
        .arg(super::data_flag(system).global(true))
        .arg(super::config_flag().global(true))
        .subcommand(clap::Command::new("skipped").about("List what was given up: who, when and why"))
        .subcommand(clap::Command::new("requeue").about("Have one tried again").arg(id()))
        .subcommand(
            clap::Command::new("skip")
                .about("Give an event up for one handler; what waits behind it goes on")
                .arg(id())
                .arg(text("handler", "NAME", "For which handler").required(true))
                .arg(text("reason", "WHY", "Why; it stays on record").required(true)),
        )
}

pub(super) fn main(system: &System, flags: &ArgMatches) -> ExitCode {
    let prepared = prepare(system, flags);
    let (caller, at) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => return refuse(&error),
    };
    let flags = flags.clone();
    life::block_on(async move {
        let ids = Ids::from_entropy();
        let mesh = Mesh::new(MeshConfig::default(), Handles::default());
        mesh.connect(platform::NAME, at);
        let letters = DeadLettersClient::over(mesh.channel(Origin::new("operator"), platform::NAME));
        let call = Call::new(Deadline::after(PATIENCE), ids.trace()).with_caller(caller);
        match run(&letters, &call, &flags).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                out::error(&format!("error: {error}"));
                ExitCode::FAILURE
            }
        }
    })
}

/// Who asks, and whom.
fn prepare(system: &System, flags: &ArgMatches) -> Result<(Caller, SocketAddr), BoxError> {
    let config = configure(system, flags)?.config;
    let at = match flags.get_one::<String>("at") {
        Some(at) => at
            .trim_start_matches("http://")
            .parse()
            .map_err(|_| format!("--at {at} is not an address with a port"))?,
        None => config.gateway.listen,
    };
    let signer = match flags.get_one::<String>("key") {
        Some(key) => signer(key.as_ref(), system.name)?,
        None if config.data.is_dir() => Signer::development(&config.data)?,
        None => {
            return Err(
                format!("{} is not there: say --data DIR or --key FILE", config.data.display()).into()
            );
        }
    };
    let user = || std::env::var("USER").ok().filter(|user| !user.is_empty());
    let name = flags.get_one::<String>("as").cloned().or_else(user).unwrap_or_else(|| ADMIN.to_owned());
    let token = signer.issue(&Grant::new(system.name, &*name, PATIENCE).role(ADMIN))?;
    let identity = signer.verifier(system.name).verify(&token);
    Ok((Caller::Verified(identity.map_err(|fault| fault.to_string())?), at))
}

async fn run(letters: &DeadLettersClient, call: &Call, flags: &ArgMatches) -> Result<(), BoxError> {
    let id = |flags: &ArgMatches| -> Result<DeadLetterId, BoxError> {
        let text = flags.get_one::<String>("id").map_or("", String::as_str);
        text.parse().map_err(|_| format!("{text} is no id").into())
    };
    match flags.subcommand() {
        Some(("skipped", _)) => {
            let rows = letters.skipped(call).await.unexpected()?.data.into_iter().map(|one| {
                [one.id.to_string(), one.handler, one.key, one.at.to_string(), one.actor, one.reason]
            });
            let titles = ["id", "handler", "key", "given up", "by", "because"].map(str::to_owned);
            out::table(&titles, &rows.collect::<Vec<_>>());
        }
        Some(("requeue", flags)) => {
            letters.requeue(call, id(flags)?).await.unexpected()?;
            out::line("it is tried again");
        }
        Some(("skip", flags)) => {
            let text = |id: &str| flags.get_one::<String>(id).cloned().unwrap_or_default();
            let skip = SkipEvent { handler: text("handler"), reason: text("reason") };
            letters.skip(call, id(flags)?, skip).await.unexpected()?;
            out::line("it is given up; what waited behind it goes on");
        }
        _ => {
            let rows = letters.list(call).await.unexpected()?.data.into_iter().map(|one| {
                let kind = format!("{:?}", one.kind).to_lowercase();
                let (key, tried) = (one.key.unwrap_or_default(), one.attempts.to_string());
                [one.id.to_string(), kind, one.handler, key, tried, one.since.to_string(), one.error]
            });
            let titles = ["id", "kind", "handler", "key", "tried", "since", "because"].map(str::to_owned);
            out::table(&titles, &rows.collect::<Vec<_>>());
        }
    }
    Ok(())
}
