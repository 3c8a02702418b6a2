//! What a program adds that has users in it: the way to the OAuth endpoints, and a command that shows mails.

use std::io::{Write, stderr, stdout};
use std::path::Path;
use std::process::ExitCode;

use partie::System;
use partie::clap::{self, Arg, ArgMatches};
use partie::gateway::{RouteConfig, To};

use crate::mail::last_mail;

/// What the gateway leads to the users besides their contracts: the endpoints of OAuth and their description.
pub fn routes() -> Vec<RouteConfig> {
    let route = |prefix: &str| RouteConfig {
        prefix: prefix.to_owned(),
        to: To([("users".to_owned(), 1)].into()),
        compression: Some(false),
        ..RouteConfig::default()
    };
    ["/oauth", "/.well-known/oauth-authorization-server"].map(route).into()
}

/// The command `mail` of a system of that name.
pub fn mail_command(system: &str) -> clap::Command {
    clap::Command::new("mail")
        .about("Print the last mail to somebody, from the development log")
        .arg(
            Arg::new("data")
                .long("data")
                .value_name("DIR")
                .help(format!("Where the data is [default: .partie/{system}]")),
        )
        .arg(Arg::new("to").long("to").value_name("ADDRESS").required(true).help("To whom"))
}

/// Prints the last mail to somebody. Exit code 1 when there is no mail to that address, 2 when the log cannot be read.
#[expect(clippy::needless_pass_by_value, reason = "a command is handed its system")]
pub fn mail(system: System, flags: &ArgMatches) -> ExitCode {
    let data = flags.get_one::<String>("data").map(Path::new);
    let data = data.unwrap_or_else(|| &system.defaults().data);
    let to = flags.get_one::<String>("to").map_or("", String::as_str);
    match last_mail(data, to) {
        Ok(Some(mail)) => {
            write!(stdout(), "{mail}").ok();
            ExitCode::SUCCESS
        }
        Ok(None) => {
            writeln!(stderr(), "no mail to {to} in {}", data.display()).ok();
            ExitCode::FAILURE
        }
        Err(error) => {
            writeln!(stderr(), "error: {}: {error}", data.display()).ok();
            ExitCode::from(2)
        }
    }
}
