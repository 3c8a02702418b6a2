//! DNS as the registry: the SRV records of a service, asked for again whenever they are old.
//!
//! Somebody else writes them: an operator, Kubernetes for a headless service, Consul's own DNS. Of the records of several
//! priorities (RFC 2782) those of the lowest number count whose targets have addresses. The others are for a failover
//! this registry does not do: whether a target can be reached is found out by those who call it.

mod config;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use hickory_resolver::TokioResolver;
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::NetError;
use hickory_resolver::proto::rr::rdata::SRV;
use hickory_resolver::proto::rr::{Name, RData};
use partie_contract::{BoxError, BoxFuture};

use super::{Instance, Misconfigured, Registry, RegistryError, Seen, Standing, USUAL_WEIGHT};

pub use self::config::DnsConfig;

/// How many names are looked up at the same time.
const AT_ONCE: usize = 16;
/// Records are as old as they say, within reason: nobody is asked more often, and no change is missed for longer.
const FRESH: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// How long it is believed that there is no such name.
const NONE: Duration = Duration::from_secs(5);

/// The records of a domain.
pub struct DnsRegistry {
    resolver: TokioResolver,
    config: DnsConfig,
}

/// What the records say, and for how long.
struct Found {
    instances: Vec<Instance>,
    ttl: Duration,
}

// === impl DnsRegistry ===

impl DnsRegistry {
    /// The records at [`DnsConfig::name`]. Nothing is asked yet.
    ///
    /// # Errors
    /// [`Misconfigured`] when that is no name, or the system's own servers are wanted and it names none.
    pub fn new(config: DnsConfig) -> Result<Self, Misconfigured> {
        config.check()?;
        Ok(Self { resolver: config.resolver()?, config })
    }

    async fn watch(&self, service: &str, seen: &Seen) -> Result<RegistryError, BoxError> {
        let name = self.config.name_of(service)?;
        loop {
            let late = |_| format!("{name} has not been looked up within {:?}", self.config.timeout);
            let looked_up = tokio::time::timeout(self.config.timeout, self.look_up(service, &name)).await;
            let Found { instances, ttl } = looked_up.map_err(late)??;
            seen.list(instances);
            tokio::time::sleep(ttl.clamp(FRESH.0, FRESH.1)).await;
        }
    }

    async fn look_up(&self, service: &str, name: &Name) -> Result<Found, NetError> {
        let answer = match self.resolver.srv_lookup(name.clone()).await {
            Ok(answer) => answer,
            // There is no such name, which is an answer as well.
            Err(none) if none.is_no_records_found() => {
                return Ok(Found { instances: Vec::new(), ttl: NONE });
            }
            Err(error) => return Err(error),
        };
        let glue = glue(&answer);
        let mut ttl = youngest(&answer);
        let mut priorities: BTreeMap<u16, Vec<&SRV>> = BTreeMap::new();
        for record in answer.answers() {
            // A target of `.` says that there is decidedly nobody.
            if let RData::SRV(srv) = &record.data
                && !srv.target.is_root()
            {
                priorities.entry(srv.priority).or_default().push(srv);
            }
        }
        for (priority, records) in priorities {
            let mut targets = Vec::with_capacity(records.len());
            for srv in &records {
                targets.push(self.addresses(&srv.target, &glue));
            }
            let targets: Vec<_> = stream::iter(targets).buffered(AT_ONCE).try_collect().await?;
            let weighted = records.iter().any(|srv| srv.weight > 0);
            let mut instances = Vec::new();
            for (srv, (addresses, fresh)) in records.iter().zip(targets) {
                ttl = ttl.min(fresh);
                if addresses.is_empty() {
                    tracing::warn!(%service, target = %srv.target, "the target of an SRV record has no address");
                }
                let weight = if weighted { u32::from(srv.weight).max(1) } else { USUAL_WEIGHT };
                instances.extend(addresses.into_iter().map(|ip| {
                    let address = SocketAddr::new(ip, srv.port);
                    Instance { weight, ..Instance::new(address.to_string(), address) }
                }));
            }
            if !instances.is_empty() {
                return Ok(Found { instances, ttl });
            }
            tracing::warn!(%service, priority, "no record of this priority has an address");
        }
        Ok(Found { instances: Vec::new(), ttl })
    }

    /// The addresses of a target, IPv6 only if there is no other: two ways to one instance are one instance. None for a
    /// name that does not exist; a name that cannot be asked for is a failure of the whole.
    async fn addresses(
        &self,
        target: &Name,
        glue: &HashMap<Name, (Vec<IpAddr>, Duration)>,
    ) -> Result<(Vec<IpAddr>, Duration), NetError> {
        if let Some(known) = glue.get(target) {
            return Ok(known.clone());
        }
        match self.resolver.lookup_ip(target.clone()).await {
            Ok(answer) => Ok((answer.iter().collect(), youngest(answer.as_lookup()))),
            Err(none) if none.is_no_records_found() => Ok((Vec::new(), NONE)),
            Err(error) => Err(error),
        }
    }

    fn error(&self, reason: impl Into<BoxError>) -> RegistryError {
        RegistryError::new(format_args!("DNS at {}", self.config.name), reason)
    }
}

impl Registry for DnsRegistry {
    /// Whoever writes the records knows about the instance already.
    fn hold<'a>(
        &'a self,
        _: &'a str,
        _: &'a Instance,
        standing: &'a Standing,
    ) -> BoxFuture<'a, RegistryError> {
        standing.stands();
        Box::pin(std::future::pending())
    }

    fn withdraw<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Result<(), RegistryError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn follow<'a>(&'a self, service: &'a str, seen: &'a Seen) -> BoxFuture<'a, RegistryError> {
        Box::pin(async move { self.watch(service, seen).await.unwrap_or_else(|reason| self.error(reason)) })
    }
}

impl fmt::Debug for DnsRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DnsRegistry({})", self.config.name)
    }
}

/// The IPv4 addresses that came along with the records, so that nobody has to ask for them.
fn glue(answer: &Lookup) -> HashMap<Name, (Vec<IpAddr>, Duration)> {
    let mut glue: HashMap<Name, (Vec<IpAddr>, Duration)> = HashMap::new();
    for record in answer.additionals() {
        if let RData::A(address) = &record.data {
            let ttl = Duration::from_secs(record.ttl.into());
            let (addresses, youngest) = glue.entry(record.name.clone()).or_insert((Vec::new(), ttl));
            addresses.push(IpAddr::V4(address.0));
            *youngest = ttl.min(*youngest);
        }
    }
    glue
}

fn youngest(answer: &Lookup) -> Duration {
    let ttl = answer.answers().iter().map(|record| record.ttl).min();
    Duration::from_secs(ttl.unwrap_or_default().into())
}
