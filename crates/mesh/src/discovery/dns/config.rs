//! The settings of DNS as the registry.

use std::net::SocketAddr;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::Name;
use partie_contract::BoxError;
use partie_runtime::duration;
use serde::{Deserialize, Serialize};

use crate::discovery::Misconfigured;

/// What stands for the service in a name.
const SERVICE: &str = "{service}";
/// How long one server may take to answer one question.
const ANSWER: Duration = Duration::from_secs(2);

/// Which names, and who is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct DnsConfig {
    /// The name of a service's SRV records, in which `{service}` stands for the service. It is a full name, whether or not
    /// it ends with a dot.
    pub name: String,
    /// The servers to ask. None are those of the system.
    pub servers: Vec<SocketAddr>,
    /// How long everything about one service may take: its records and the addresses of their targets.
    #[serde(with = "duration")]
    pub timeout: Duration,
}

// === impl DnsConfig ===

impl DnsConfig {
    pub(super) fn check(&self) -> Result<(), Misconfigured> {
        if !self.name.contains(SERVICE) {
            return Err(Misconfigured::new("name", format!("it has to contain {SERVICE}")));
        }
        let name = self.name_of("a").map_err(|error| Misconfigured::new("name", error.to_string()))?;
        if name.num_labels() < 2 {
            return Err(Misconfigured::new("name", "it has to have a domain"));
        }
        if self.timeout.is_zero() {
            return Err(Misconfigured::new("timeout", "it has to be longer than 0"));
        }
        Ok(())
    }

    /// With a dot at its end, for without it a resolver tries the domains of its machine as well.
    pub(super) fn name_of(&self, service: &str) -> Result<Name, BoxError> {
        let name = self.name.replace(SERVICE, service);
        let mut name = Name::from_ascii(&name).map_err(|error| format!("{name} is no name: {error}"))?;
        name.set_fqdn(true);
        Ok(name)
    }

    pub(super) fn resolver(&self) -> Result<TokioResolver, Misconfigured> {
        let wrong = |error: &dyn std::fmt::Display| Misconfigured::new("servers", error.to_string());
        let mut builder = if self.servers.is_empty() {
            TokioResolver::builder_tokio().map_err(|error| wrong(&error))?
        } else {
            let servers = self.servers.iter().map(|server| {
                // What does not fit into a datagram is asked for again over TCP.
                let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
                connections.iter_mut().for_each(|connection| connection.port = server.port());
                NameServerConfig::new(server.ip(), true, connections)
            });
            let config = ResolverConfig::from_parts(None, Vec::new(), servers.collect());
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        };
        let options = builder.options_mut();
        options.timeout = ANSWER;
        options.attempts = 1;
        // The records are asked for when they are old: whatever is kept beyond that is out of date.
        options.cache_size = 0;
        options.ip_strategy = LookupIpStrategy::Ipv4thenIpv6;
        options.use_hosts_file = ResolveHosts::Never;
        builder.build().map_err(|error| wrong(&error))
    }
}

impl Default for DnsConfig {
    fn default() -> Self {
        Self { name: "_{service}._tcp.local.".into(), servers: Vec::new(), timeout: Duration::from_secs(10) }
    }
}
