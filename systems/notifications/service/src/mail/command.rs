//! `mail`: prints the last mail to an address from the log of development.

use std::io::{Write as _, stderr, stdout};
use std::path::Path;
use std::process::ExitCode;

use partie::System;
use partie::clap::{Arg, ArgMatches, Command};

use super::log::last_mail;

/// The command `mail --data DIR --to ADDRESS`, for [`System::command`] together with [`print_mail`].
pub fn mail_command() -> Command {
    let data = Arg::new("data").long("data").value_name("DIR").default_value(".partie");
    let to = Arg::new("to").long("to").value_name("ADDRESS").required(true);
    Command::new("mail")
        .about("Print the last mail to an address, of a system that has no mail server")
        .arg(data.help("The system's data directory"))
        .arg(to.help("To whom"))
}

/// Runs [`mail_command`]. Exit code 1 when there is no mail, 2 when the log cannot be read.
pub fn print_mail(_: System, flags: &ArgMatches) -> ExitCode {
    let text = |name| flags.get_one::<String>(name).map_or("", String::as_str);
    let (data, to) = (text("data"), text("to"));
    let refuse = |code, reason: &dyn std::fmt::Display| {
        writeln!(stderr(), "error: {reason}").ok();
        ExitCode::from(code)
    };
    match last_mail(Path::new(data), to) {
        Ok(Some(mail)) => match stdout().write_all(mail.as_bytes()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => refuse(2, &error),
        },
        Ok(None) => refuse(1, &format!("there is no mail to {to} in {data}; is --data the system's own?")),
        Err(error) => refuse(2, &error),
    }
}
