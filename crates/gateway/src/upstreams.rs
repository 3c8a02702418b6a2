//! Programs routes lead to: where their instances are, and the mesh that is told so.

use std::collections::BTreeMap;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Mutex, MutexGuard, PoisonError};

use http::Uri;
use partie_mesh::Mesh;

use crate::config::{Gateway, UpstreamConfig};
use crate::rules::ConfigError;

/// What the mesh has been told.
#[derive(Debug, Default)]
pub(crate) struct Upstreams(Mutex<BTreeMap<String, Vec<SocketAddr>>>);

/// Where all upstreams with URLs are, looked up.
pub(crate) type Places = BTreeMap<String, Vec<SocketAddr>>;

/// Checks all upstreams, and looks up those that are named. Blocks while it does.
///
/// # Errors
/// [`ConfigError`] names the first one that cannot be used.
pub(crate) fn look_up(config: &Gateway, services: &[&str]) -> Result<Places, ConfigError> {
    let mut places = Places::new();
    for (name, upstream) in &config.upstreams {
        let wrong = |reason| ConfigError::Upstream { upstream: name.clone(), reason };
        match (upstream.urls.as_slice(), &upstream.service) {
            ([], None) => {
                return Err(wrong("say where it is: urls = [\"http://HOST:PORT\"] or service = \"NAME\""));
            }
            ([_, ..], Some(_)) => return Err(wrong("it has urls or the name of a service, not both")),
            ([], Some(_)) => {}
            (_, None) if services.contains(&name.as_str()) => {
                return Err(ConfigError::Taken { upstream: name.clone() });
            }
            (urls, None) => {
                let mut found = Vec::with_capacity(urls.len());
                for url in urls {
                    let wrong =
                        |reason| ConfigError::Url { upstream: name.clone(), url: url.clone(), reason };
                    found.extend(addresses(url).map_err(wrong)?);
                }
                found.sort_unstable();
                found.dedup();
                places.insert(name.clone(), found);
            }
        }
        check_page(name, upstream)?;
    }
    Ok(places)
}

fn check_page(name: &str, upstream: &UpstreamConfig) -> Result<(), ConfigError> {
    let plain = |path: &String| path.starts_with('/') && path.parse::<Uri>().is_ok();
    if upstream.openapi.as_ref().is_none_or(plain) {
        return Ok(());
    }
    Err(ConfigError::Upstream {
        upstream: name.to_owned(),
        reason: "openapi has to be a path like /openapi.json",
    })
}

/// All addresses of one URL.
fn addresses(url: &str) -> Result<Vec<SocketAddr>, String> {
    let form = || "it has to be http://HOST:PORT".to_owned();
    let parsed: Uri = url.parse().map_err(|_| form())?;
    match parsed.scheme_str() {
        Some("http") => {}
        Some("https") => return Err("upstreams are reached over http:// only".to_owned()),
        _ => return Err(form()),
    }
    if !matches!(parsed.path(), "" | "/") || parsed.query().is_some() {
        return Err("it has to end behind the port: a path is for the route to rewrite".to_owned());
    }
    let authority =
        parsed.authority().filter(|authority| !authority.as_str().contains('@')).ok_or_else(form)?;
    let port = authority.port_u16().unwrap_or(80);
    if port == 0 || authority.host().is_empty() {
        return Err(form());
    }
    let host = authority.host();
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let found: Vec<SocketAddr> = (bare, port)
        .to_socket_addrs()
        .map_err(|error| format!("nobody knows that host ({error})"))?
        .collect();
    if found.is_empty() { Err("that host has no address".to_owned()) } else { Ok(found) }
}

// === impl Upstreams ===

impl Upstreams {
    /// Forgets upstreams that are no longer at URLs, before anybody asks for the service of that name. What holds on to
    /// them goes on as it is.
    pub(crate) fn retire(&self, places: &Places, mesh: &Mesh) {
        self.told().retain(|name, _| {
            let stays = places.contains_key(name);
            if !stays {
                mesh.forget(name);
            }
            stays
        });
    }

    /// Tells the mesh what has changed. Connections to whoever stays are kept.
    pub(crate) fn tell(&self, places: Places, mesh: &Mesh) {
        let mut told = self.told();
        for (name, addresses) in places {
            if told.get(&name) != Some(&addresses) {
                mesh.connect_all(&name, &addresses);
                told.insert(name, addresses);
            }
        }
    }

    /// Where it is, as far as the mesh was told.
    pub(crate) fn at(&self, name: &str) -> Vec<SocketAddr> {
        self.told().get(name).cloned().unwrap_or_default()
    }

    fn told(&self) -> MutexGuard<'_, BTreeMap<String, Vec<SocketAddr>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
