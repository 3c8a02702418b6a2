//! Programs routes lead to: where their instances are, and the mesh that is told so.

use std::collections::BTreeMap;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Mutex, MutexGuard, PoisonError};

use http::Uri;
use partie_mesh::{ClientTls, Mesh, Trust};

use crate::config::{Gateway, UpstreamConfig};
use crate::rules::ConfigError;

/// What the mesh has been told.
#[derive(Debug, Default)]
pub(crate) struct Upstreams(Mutex<Places>);

/// Where all upstreams with URLs are, looked up.
pub(crate) type Places = BTreeMap<String, Place>;

/// Where one upstream is.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    addresses: Vec<SocketAddr>,
    /// Whose certificate is expected there, and by whose word; and what follows from that.
    tls: Option<(String, Trust, ClientTls)>,
}

/// One URL, looked up.
struct Url {
    addresses: Vec<SocketAddr>,
    /// Its host, if it is reached through TLS.
    secured: Option<String>,
}

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
            (urls, None) => drop(places.insert(name.clone(), place(name, upstream, urls)?)),
        }
        check_page(name, upstream)?;
    }
    Ok(places)
}

fn place(name: &str, upstream: &UpstreamConfig, urls: &[String]) -> Result<Place, ConfigError> {
    let wrong = |reason| ConfigError::Upstream { upstream: name.to_owned(), reason };
    let (mut addresses, mut secured) = (Vec::with_capacity(urls.len()), Vec::with_capacity(urls.len()));
    for url in urls {
        let wrong = |reason| ConfigError::Url { upstream: name.to_owned(), url: url.clone(), reason };
        let found = self::url(url).map_err(wrong)?;
        addresses.extend(found.addresses);
        secured.push(found.secured);
    }
    addresses.sort_unstable();
    addresses.dedup();
    secured.dedup();
    let host = match (&secured[..], &upstream.server_name) {
        ([None], None) if upstream.ca_file.is_none() => return Ok(Place { addresses, tls: None }),
        ([None], _) => return Err(wrong("server-name and ca-file are for https:// URLs")),
        ([Some(host)], None) => host,
        (hosts, Some(name)) if hosts.iter().all(Option::is_some) => name,
        (hosts, None) if hosts.iter().all(Option::is_some) => {
            return Err(wrong(
                "its URLs have several hosts: say server-name, the name in the certificate of all",
            ));
        }
        _ => return Err(wrong("its URLs are all http:// or all https://")),
    };
    let trust = upstream.ca_file.clone().map_or(Trust::Public, Trust::File);
    let tls = ClientTls::new(host, &trust)
        .map_err(|error| ConfigError::Tls { upstream: name.to_owned(), reason: error.to_string() })?;
    Ok(Place { addresses, tls: Some((host.clone(), trust, tls)) })
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
fn url(url: &str) -> Result<Url, String> {
    let form = || "it has to be http://HOST:PORT or https://HOST:PORT".to_owned();
    let parsed: Uri = url.parse().map_err(|_| form())?;
    let (secured, usual) = match parsed.scheme_str() {
        Some("http") => (false, 80),
        Some("https") => (true, 443),
        _ => return Err(form()),
    };
    if !matches!(parsed.path(), "" | "/") || parsed.query().is_some() {
        return Err("it has to end behind the port: a path is for the route to rewrite".to_owned());
    }
    let authority =
        parsed.authority().filter(|authority| !authority.as_str().contains('@')).ok_or_else(form)?;
    let port = authority.port_u16().unwrap_or(usual);
    if port == 0 || authority.host().is_empty() {
        return Err(form());
    }
    let host = authority.host();
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let addresses: Vec<SocketAddr> = (bare, port)
        .to_socket_addrs()
        .map_err(|error| format!("nobody knows that host ({error})"))?
        .collect();
    if addresses.is_empty() {
        return Err("that host has no address".to_owned());
    }
    Ok(Url { addresses, secured: secured.then(|| host.to_owned()) })
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
        for (name, place) in places {
            if told.get(&name).is_some_and(|known| known.is(&place)) {
                continue;
            }
            match &place.tls {
                None => mesh.connect_all(&name, &place.addresses),
                Some((.., tls)) => mesh.connect_tls(&name, &place.addresses, tls.clone()),
            }
            told.insert(name, place);
        }
    }

    /// Where it is, as far as the mesh was told.
    pub(crate) fn at(&self, name: &str) -> Vec<SocketAddr> {
        self.told().get(name).map(|place| place.addresses.clone()).unwrap_or_default()
    }

    fn told(&self) -> MutexGuard<'_, Places> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Place ===

impl Place {
    /// Whether it is the same one, reached in the same way.
    fn is(&self, other: &Self) -> bool {
        let expected =
            |place: &Self| place.tls.as_ref().map(|(host, trust, _)| (host.clone(), trust.clone()));
        self.addresses == other.addresses && expected(self) == expected(other)
    }
}
