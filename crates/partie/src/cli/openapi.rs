//! `openapi`: the OpenAPI 3.1 document of one service or of all.

use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches};
use partie_contract::{Contract, openapi};

use super::{out, refuse};
use crate::system::System;

pub(super) fn command() -> clap::Command {
    clap::Command::new("openapi")
        .about("Print the OpenAPI 3.1 document of a service, or of all")
        .arg(Arg::new("name").value_name("NAME").help("The service"))
        .arg(Arg::new("list").long("list").action(ArgAction::SetTrue).help("Only list the services' names"))
}

pub(super) fn main(system: &System, flags: &ArgMatches) -> ExitCode {
    let mut names: Vec<&str> = system.services.iter().map(|service| service.declared.name).collect();
    if flags.get_flag("list") {
        names.sort_unstable();
        names.iter().for_each(|name| out::line(name));
        return ExitCode::SUCCESS;
    }
    let wanted = flags.get_one::<String>("name");
    if let Some(name) = wanted.filter(|name| !names.contains(&name.as_str())) {
        return refuse(&format!("there is no service {name}; there are {}", names.join(", ")));
    }
    let contracts: Vec<&'static Contract> = system
        .contracts()
        .into_iter()
        .filter(|contract| wanted.is_none_or(|name| contract.service == name))
        .collect();
    let title = wanted.map_or(system.name, String::as_str);
    match serde_json::to_string_pretty(&openapi(title, &contracts)) {
        Ok(document) => {
            out::line(&document);
            ExitCode::SUCCESS
        }
        Err(error) => refuse(&error),
    }
}
