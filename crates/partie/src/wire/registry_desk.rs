//! Serves the embedded registry to other processes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use partie_contract::{Call, Fault, NoContent, Outcome, Platform};
use partie_identity::{Application, Authority, Certified, JoinError, Joins, ServiceTokens, Signer};
use partie_mesh::discovery::{EmbeddedRegistry, Instance};
use partie_runtime::{Ids, Stop};

use super::join::{Joined, is_joiner, member_grant};
use super::registry::{
    Admitted, After, Announce, Apply, Certificate, RegistryWire, RegistryWireError, Which, WireInstance,
    WireListing,
};

/// The bounds of a lease.
const LEASE: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(60);
/// The longest name of a service or an instance.
const LONGEST_NAME: usize = 128;

/// The registry of a system, for its processes.
#[derive(Debug, Clone)]
pub(crate) struct RegistryDesk(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: EmbeddedRegistry,
    system: String,
    signer: Signer,
    admission: Admission,
    life: u64,
    /// Stopped when polls are to end at once.
    closing: Stop,
}

/// What newcomers get, and what is remembered of them.
#[derive(Debug, Default)]
pub(crate) struct Admission {
    /// Lets each join token in once.
    pub(crate) joins: Option<Joins>,
    /// Certifies their keys.
    pub(crate) authority: Option<Authority>,
    /// The names of who has the authority, which it gives to nobody.
    pub(crate) reserved: &'static [&'static str],
}

// === impl RegistryDesk ===

impl RegistryDesk {
    /// Serves that registry. Who is let in gets a token of that signer. Once `closing` is stopped, nobody waits for news
    /// any more.
    pub(crate) fn open(
        registry: EmbeddedRegistry,
        system: &str,
        signer: Signer,
        admission: Admission,
        ids: &Ids,
        closing: Stop,
    ) -> Self {
        let life = ids.below(u64::from(u32::MAX)) + 1;
        Self(Arc::new(Inner { registry, system: system.to_owned(), signer, admission, life, closing }))
    }

    fn admitted(&self, service: &str) -> Result<Admitted, Platform> {
        let token = self.0.signer.issue(&member_grant(&self.0.system, service));
        Ok(Admitted { token: token.map_err(Platform::internal)? })
    }

    /// Lets a join token in that nobody else has shown: nobody of another id, or with another key. Whoever has been let in
    /// comes back with what he was given.
    fn let_in(&self, cx: &Call, who: &str) -> Result<(), Fault<RegistryWireError>> {
        let Some(joins) = &self.0.admission.joins else { return Ok(()) };
        let shown = cx.caller().identity().filter(|_| is_joiner(cx.caller()));
        let Some(identity) = shown else { return Ok(()) };
        joins.spend(&identity.token, identity.expires, who).map_err(|error| match error {
            JoinError::Used => RegistryWireError::JoinRefused { reason: error.to_string() }.into(),
            _ => Platform::internal(error).into(),
        })
    }

    fn listing(&self, service: &str) -> WireListing {
        let listing = self.0.registry.list(service);
        let instances = listing.instances.iter().map(|Instance { id, address, weight, tls }| WireInstance {
            id: id.to_string(),
            address: address.to_string(),
            weight: *weight,
            tls: *tls,
        });
        WireListing {
            life: self.0.life,
            index: listing.index,
            settling: listing.settling,
            instances: instances.collect(),
        }
    }
}

impl RegistryWire for RegistryDesk {
    async fn announce(&self, cx: &Call, announce: Announce) -> Outcome<Admitted, RegistryWireError> {
        let Announce { service, id, address, weight, lease_ms, tls } = announce;
        check(cx, &service)?;
        let refused = |reason: &str| RegistryWireError::JoinRefused { reason: reason.to_owned() };
        if service.len() > LONGEST_NAME || id.is_empty() || id.len() > LONGEST_NAME {
            return Err(refused("names have 1 to 128 bytes").into());
        }
        let address: SocketAddr =
            address.parse().map_err(|_| refused("the address is not an IP address with a port"))?;
        if address.ip().is_unspecified() {
            return Err(
                refused("nobody can call the address it listens on: listen on one of the machine's").into()
            );
        }
        self.let_in(cx, &id)?;
        let lease = Duration::from_millis(lease_ms).clamp(*LEASE.start(), *LEASE.end());
        let instance = Instance { id: id.into(), address, weight, tls };
        self.0.registry.put(&service, &instance, Some(lease)).map_err(|_| RegistryWireError::Full)?;
        Ok(self.admitted(&service)?)
    }

    async fn renew(&self, cx: &Call, which: Which) -> Outcome<Admitted, RegistryWireError> {
        check(cx, &which.service)?;
        if !self.0.registry.renew(&which.service, &which.id) {
            return Err(RegistryWireError::Unknown.into());
        }
        Ok(self.admitted(&which.service)?)
    }

    async fn withdraw(&self, cx: &Call, which: Which) -> Outcome<NoContent, RegistryWireError> {
        check(cx, &which.service)?;
        self.0.registry.remove(&which.service, &which.id);
        Ok(NoContent)
    }

    async fn certify(&self, cx: &Call, apply: Apply) -> Outcome<Certificate, RegistryWireError> {
        let Apply { service, public_key, proof } = apply;
        check(cx, &service)?;
        let authority = self.0.admission.authority.as_ref().ok_or(RegistryWireError::NoAuthority)?;
        let refused = |reason: String| RegistryWireError::JoinRefused { reason };
        if self.0.admission.reserved.contains(&&*service) {
            return Err(refused(format!(
                "{service} is where newcomers ask, and takes the key of the system"
            ))
            .into());
        }
        // The token to come back with is for who can also show what went with it.
        if !is_joiner(cx.caller()) && cx.peer().is_none() {
            return Err(refused(format!(
                "{service} has joined, and shows its certificate when it comes back"
            ))
            .into());
        }
        let application = Application { service, public_key, proof };
        let certified = authority.certify(&application, &[]).map_err(|error| refused(error.to_string()))?;
        // Nothing is spent on who would get nothing.
        self.let_in(cx, &application.public_key)?;
        if is_joiner(cx.caller()) {
            tracing::info!(
                service = application.service,
                key = application.public_key,
                "a process has joined"
            );
        }
        let (service, signer) = (&application.service, &self.0.signer);
        let token = ServiceTokens::issue(signer, &self.0.system, service).map_err(Platform::internal)?;
        let Admitted { token: member } = self.admitted(service)?;
        let keys = signer.jwks().as_object().cloned().unwrap_or_default();
        let Certified { certificate, authority, issued, expires } = certified;
        Ok(Certificate { certificate, authority, issued, expires, member, token, keys })
    }

    async fn list(&self, cx: &Call, after: After) -> Outcome<WireListing, RegistryWireError> {
        let After { service, life, index, settling } = after;
        let news = async {
            loop {
                let listing = self.listing(&service);
                let known = (life, index, settling) == (listing.life, listing.index, listing.settling);
                if !known {
                    return;
                }
                tokio::select! {
                    () = self.0.registry.changed(&service, index) => {}
                    () = self.0.registry.settled(), if settling => {}
                    () = self.0.closing.stopped() => return,
                }
            }
        };
        // Without news until then the list is what it was.
        _ = cx.parked(tokio::time::timeout(cx.wait(), news)).await;
        Ok(self.listing(&service))
    }
}

fn check(cx: &Call, service: &str) -> Result<(), RegistryWireError> {
    // Whoever has proven by a certificate what he is becomes nothing else.
    if let Some(peer) = cx.peer().filter(|peer| *peer != service) {
        let reason = format!("{peer} is not {service}");
        return Err(RegistryWireError::JoinRefused { reason });
    }
    Joined::check(cx.caller(), service).map_err(|reason| RegistryWireError::JoinRefused { reason })
}
