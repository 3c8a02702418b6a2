//! The settings of a sidecar, checked: what cannot work is refused before anything is bound.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use partie_mesh::check_path;
use partie_mesh::discovery::{Registry, RegistryUrl, RegistryUrlError};

use super::address::is_service;
use crate::config::{CONNECT_ONLY, Config};

/// What a sidecar is to do.
pub(crate) struct Plan {
    pub(super) service: String,
    pub(super) app: SocketAddr,
    pub(super) listen: SocketAddr,
    pub(super) inbound: SocketAddr,
    /// If not `inbound`. Port 0 is that of `inbound`.
    pub(super) announce: Option<SocketAddr>,
    pub(super) registry: Arc<dyn Registry>,
    /// The registry as it was named, for people.
    pub(super) registry_url: String,
}

/// Settings that cannot work, in one line.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlanError {
    #[error("say {0}")]
    Missing(&'static str),
    #[error("{setting} {text}: {reason}")]
    Setting { setting: &'static str, text: String, reason: String },
    #[error("--registry {0}")]
    Registry(#[from] RegistryUrlError),
    #[error("--inbound {0}: others cannot reach that address, so say --announce ADDR as well")]
    Nowhere(SocketAddr),
}

// === impl Plan ===

impl Plan {
    /// Looks up the program's address and opens the registry, of which nothing is asked yet.
    pub(crate) fn new(config: &Config) -> Result<Self, PlanError> {
        for (text, flag) in [
            (&config.service, "--service NAME"),
            (&config.app, "--app ADDR"),
            (&config.registry, "--registry URL"),
        ] {
            if text.is_empty() {
                return Err(PlanError::Missing(flag));
            }
        }
        if !is_service(&config.service) {
            return Err(wrong("--service", &config.service, "it has to be letters, digits, - _ and ."));
        }
        let app = look_up(&config.app)?;
        let listen = address("--listen", &config.listen)?;
        let inbound = match &*config.inbound {
            "" => SocketAddr::new(app.ip(), 0),
            text => address("--inbound", text)?,
        };
        let announce = match &*config.announce {
            "" => None,
            text => Some(address("--announce", text)?),
        };
        if announce.unwrap_or(inbound).ip().is_unspecified() {
            return Err(PlanError::Nowhere(announce.unwrap_or(inbound)));
        }
        check_health(config)?;
        for (segment, service) in &config.routes {
            if check_path(&format!("/{segment}")).is_err() || segment.contains('/') || segment.is_empty() {
                return Err(wrong("[routes]", segment, "it has to be the first segment of a path"));
            }
            if !is_service(service) {
                return Err(wrong("[routes]", service, "it has to be the name of a service"));
            }
        }
        let url: RegistryUrl = config.registry.parse()?;
        Ok(Self {
            service: config.service.clone(),
            app,
            listen,
            inbound,
            announce,
            registry: url.open()?,
            registry_url: url.to_string(),
        })
    }
}

fn check_health(config: &Config) -> Result<(), PlanError> {
    let health = &config.health;
    let path = health.path.split('?').next().unwrap_or_default();
    let asked = health.path != CONNECT_ONLY;
    if asked && (check_path(path).is_err() || health.path.parse::<http::uri::PathAndQuery>().is_err()) {
        return Err(wrong("--health", &health.path, "it has to be a path like /health, or tcp"));
    }
    for (setting, time) in [
        ("--health-interval", health.interval),
        ("--health-timeout", health.timeout),
        ("timeout", config.timeout),
    ] {
        if time.is_zero() {
            return Err(wrong(setting, "0s", "it has to be longer"));
        }
    }
    if health.failures == 0 {
        return Err(wrong("health.failures", "0", "it has to be one at least"));
    }
    Ok(())
}

fn wrong(setting: &'static str, text: &str, reason: &str) -> PlanError {
    PlanError::Setting { setting, text: text.to_owned(), reason: reason.to_owned() }
}

fn address(setting: &'static str, text: &str) -> Result<SocketAddr, PlanError> {
    text.parse().map_err(|_| wrong(setting, text, "it has to be IP:PORT"))
}

/// Of a name with addresses of both kinds the IPv4 one: most programs listen there only.
fn look_up(text: &str) -> Result<SocketAddr, PlanError> {
    let found = text.to_socket_addrs();
    let found: Vec<SocketAddr> = found
        .map_err(|_| wrong("--app", text, "it has to be HOST:PORT of this machine or another"))?
        .collect();
    let first = found.iter().find(|address| address.is_ipv4()).or_else(|| found.first());
    match first {
        Some(address) if address.port() == 0 => Err(wrong("--app", text, "nobody listens on port 0")),
        Some(address) if address.ip().is_unspecified() => {
            Err(wrong("--app", text, "say where it can be reached, such as 127.0.0.1"))
        }
        Some(address) => Ok(*address),
        None => Err(wrong("--app", text, "there is no such host")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Config {
        Config {
            service: "orders".into(),
            app: "127.0.0.1:5000".into(),
            registry: "http://127.0.0.1:8500".into(),
            ..Config::default()
        }
    }

    #[test]
    fn the_inbound_listener_is_where_the_program_is() {
        let plan = Plan::new(&Config { app: "127.0.0.2:5000".into(), ..good() }).unwrap();
        assert_eq!(plan.inbound.to_string(), "127.0.0.2:0");
        let anywhere = Config { inbound: "0.0.0.0:9".into(), announce: "10.0.0.1:9".into(), ..good() };
        assert_eq!(Plan::new(&anywhere).unwrap().announce.unwrap().to_string(), "10.0.0.1:9");
    }

    #[test]
    fn what_cannot_work_is_refused_in_one_line() {
        let health = |path: &str| crate::config::Health { path: path.into(), ..Default::default() };
        let routes = |segment: &str, service: &str| [(segment.to_owned(), service.to_owned())].into();
        for (config, line) in [
            (Config { service: String::new(), ..good() }, "say --service NAME"),
            (Config { app: String::new(), ..good() }, "say --app ADDR"),
            (Config { registry: String::new(), ..good() }, "say --registry URL"),
            (Config { service: "a/b".into(), ..good() }, "--service a/b"),
            (Config { service: "..".into(), ..good() }, "--service .."),
            (Config { app: "5000".into(), ..good() }, "--app 5000"),
            (Config { app: "127.0.0.1:0".into(), ..good() }, "--app 127.0.0.1:0"),
            (Config { app: "0.0.0.0:80".into(), ..good() }, "--app 0.0.0.0:80"),
            (Config { listen: "here".into(), ..good() }, "--listen here"),
            (Config { inbound: "0.0.0.0:9".into(), ..good() }, "--announce ADDR"),
            (Config { announce: "[::]:9".into(), ..good() }, "--announce ADDR"),
            (Config { registry: "zoo:1".into(), ..good() }, "--registry `zoo:1`"),
            (Config { health: health("up"), ..good() }, "--health up"),
            (Config { health: health("/a/../b"), ..good() }, "--health /a/../b"),
            (Config { routes: routes("a/b", "c"), ..good() }, "[routes] a/b"),
            (Config { routes: routes("a", "b/c"), ..good() }, "[routes] b/c"),
            (Config { timeout: std::time::Duration::ZERO, ..good() }, "timeout 0s"),
        ] {
            let Err(error) = Plan::new(&config) else { panic!("{line}") };
            let error = error.to_string();
            assert!(error.contains(line) && !error.contains('\n'), "{error}");
        }
    }
}
