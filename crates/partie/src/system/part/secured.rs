//! What the processes of a system prove to each other where they leave their machine.
//!
//! Whoever has the system's key may be any service, and comes by itself to the authority all others believe: nobody has to
//! be asked for a certificate, and a new one is made before the old one is over. Who has not is [given](super::guest) one.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use partie_identity::{Applicant, Authority, AuthorityError, Certified};
use partie_mesh::discovery::Instance;
use partie_mesh::{Credentials, Listener, Mesh, Pem, ServerTls, Strangers};
use partie_runtime::{Stop, trust_now};

use super::super::error::StartError;
use super::pass::authority;
use super::{BROKER, Meeting, Place, REGISTRY};
use crate::config::Config;
use crate::platform;
use crate::server::GATEWAY;

/// How often it is looked whether a certificate is due: clocks are set, and machines sleep.
const LOOK: Duration = Duration::from_mins(1);

/// The credentials of this process, and how it gets new ones.
pub(super) struct Secured {
    credentials: Credentials,
    /// Nothing if they are given to it.
    own: Option<(Certified, Renewal)>,
}

struct Renewal {
    authority: Authority,
    /// The system's key, from which it comes.
    key: PathBuf,
    system: String,
    part: String,
    /// What else it is known as.
    also: &'static [&'static str],
}

// === impl Secured ===

impl Secured {
    /// With the system's own key, and where the registry can say who speaks TLS. Nothing without: the development key does
    /// not leave the machine, and a registry of somebody else's is not asked yet.
    pub(super) fn new(place: &Place, config: &Config) -> Result<Option<Self>, StartError> {
        let Some(path) = place.key.as_ref().filter(|_| config.mesh.tls) else { return Ok(None) };
        if matches!(place.registry, Some(Meeting::Engine(_))) {
            return Ok(None);
        }
        let also: &[&str] = if place.part == platform::NAME { &[REGISTRY, BROKER] } else { &[] };
        let renewal = Renewal {
            authority: authority(path, &place.system)?,
            key: path.clone(),
            system: place.system.clone(),
            part: place.part.clone(),
            also,
        };
        let (applicant, certified) = renewal.certificate()?;
        let credentials =
            Credentials::new(pem(&certified, &applicant.key_pem())).map_err(partie_mesh::BindError::from)?;
        Ok(Some(Self { credentials, own: Some((certified, renewal)) }))
    }

    /// With credentials that are given to the process, and renewed by whoever gives them.
    pub(super) fn given(credentials: Credentials) -> Self {
        Self { credentials, own: None }
    }

    /// The listener of a process behind the edge: others of the system only, if it can be reached from elsewhere. The platform
    /// is wherever it listens who it is, to those who want to know before they show a token; and programs that are no part of
    /// the system still find it in the clear.
    pub(super) fn protect(&self, part: &str, listener: Listener) -> Listener {
        let strangers = match part {
            platform::NAME => Strangers::Served,
            GATEWAY => return listener,
            _ if is_here(listener.local_addr()) => return listener,
            _ => Strangers::Refused,
        };
        listener.with_tls(ServerTls::services(self.credentials.clone(), strangers))
    }

    /// Calls of that mesh show them.
    pub(super) fn show(&self, mesh: &Mesh) {
        mesh.secure(self.credentials.clone());
    }

    /// The authority, for those who have to ask it, if it is here.
    pub(super) fn authority(&self) -> Result<Option<Authority>, StartError> {
        let own = self.own.as_ref();
        own.map(|(_, renewal)| authority(&renewal.key, &renewal.system)).transpose()
    }

    /// Whether the platform there is spoken to through TLS: by those who have the key where others could listen, by those
    /// who have not everywhere.
    fn covers(&self, address: SocketAddr) -> bool {
        self.own.is_none() || !is_here(address)
    }

    /// Makes new ones in time, until the process ends.
    pub(super) fn keep(self, stop: Stop) {
        let Self { credentials, own: Some((mut certified, renewal)) } = self else { return };
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = stop.stopped() => return,
                    () = tokio::time::sleep(LOOK) => {}
                }
                if !certified.renew_in(trust_now()).is_zero() {
                    continue;
                }
                let renewed = renewal.certificate().map_err(|error| error.to_string());
                let taken = renewed.and_then(|(applicant, next)| {
                    let replaced = credentials.replace(pem(&next, &applicant.key_pem()));
                    replaced.map(|()| next).map_err(|error| error.to_string())
                });
                match taken {
                    Ok(next) => certified = next,
                    // A third of its time is left to try again.
                    Err(error) => tracing::error!(part = renewal.part, %error, "no new certificate"),
                }
            }
        });
    }
}

impl Renewal {
    /// A new key and its certificate.
    fn certificate(&self) -> Result<(Applicant, Certified), AuthorityError> {
        let applicant = Applicant::new(&self.system, &self.part)?;
        let certified = self.authority.certify(&applicant.application()?, self.also)?;
        Ok((applicant, certified))
    }
}

/// Whether nobody on another machine comes by that address.
pub(super) fn is_here(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

/// A door of the platform, which speaks TLS to others where it is reached from elsewhere.
pub(super) fn door(mesh: &Mesh, name: &str, address: SocketAddr, secured: Option<&Secured>) {
    let tls = secured.is_some_and(|secured| secured.covers(address));
    let instance = Instance::new(address.to_string(), address).with_tls(tls);
    mesh.connect_instances(name, &[instance]);
}

pub(super) fn pem<'a>(certified: &'a Certified, key: &'a str) -> Pem<'a> {
    Pem { certificate: &certified.certificate, key, authority: &certified.authority }
}
