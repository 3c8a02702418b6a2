//! A system: services composed into one program, which is also its command line.

mod door;
mod edges;
mod error;
mod launch;
mod part;
mod prepare;
mod proof;
mod readiness;
mod registry;
mod running;
mod store_doors;
mod watch;

use std::fmt;
use std::future::Future;
use std::process::ExitCode;
use std::sync::Arc;

use partie_contract::{BoxFuture, Contract};
use partie_gateway::Gateway;
use partie_identity::IssuerConfig;

pub use self::edges::EdgeError;
pub use self::error::StartError;
pub use self::launch::Environment;
pub(crate) use self::part::{Listen, Meeting, Place, authority, signer};
pub(crate) use self::prepare::UnfinishedRestore;
pub use self::registry::{RegistryConfig, RegistryOffLoopback};
pub use self::running::{Ended, Running};
pub(crate) use self::store_doors::{Reply, Wish, door};
use crate::cli;
use crate::config::Config;
use crate::platform;
use crate::service::Service;

/// Services composed into one program.
///
/// ```no_run
/// # fn restaurants() -> partie::Service { partie::Service::new("restaurants") }
/// # fn orders() -> partie::Service { partie::Service::new("orders") }
/// use partie::{Gateway, System};
///
/// fn main() -> std::process::ExitCode {
///     System::new("food").service(restaurants()).service(orders()).gateway(Gateway::default()).main()
/// }
/// ```
pub struct System {
    pub(crate) name: &'static str,
    pub(crate) services: Vec<Service>,
    /// Services that are called and not part of it.
    pub(crate) outside: Vec<&'static str>,
    /// Whether there is an edge before the services. Without one there is exactly one service.
    pub(crate) has_gateway: bool,
    pub(crate) defaults: Config,
    pub(crate) guide: Guide,
    pub(crate) actors: Vec<Actor>,
    pub(crate) commands: Vec<Command>,
    /// Whether things go wrong on purpose, and which.
    pub(crate) chaos: Option<u64>,
}

/// The name of the broker's store.
const BROKER: &str = "broker";

/// Says what a newcomer can paste.
pub(crate) type Guide = Arc<dyn Fn(Arc<Running>) -> BoxFuture<'static, Vec<String>> + Send + Sync>;
/// Plays a part in the running system, through its public API, until it is dropped.
pub(crate) type Actor = Box<dyn FnOnce(Arc<Running>) -> BoxFuture<'static, ()> + Send>;

type CommandFn = Box<dyn FnOnce(System, &clap::ArgMatches) -> ExitCode>;

/// A command of one system, beside those that all have.
pub(crate) struct Command {
    pub(crate) command: clap::Command,
    pub(crate) run: CommandFn,
}

// === impl System ===

impl System {
    /// A system of that name. Its data is in `.partie/NAME` unless configured otherwise.
    pub fn new(name: &'static str) -> Self {
        let defaults = Config { data: format!(".partie/{name}").into(), ..Config::default() };
        Self {
            name,
            services: Vec::new(),
            outside: Vec::new(),
            has_gateway: false,
            defaults,
            guide: paste("/health"),
            actors: Vec::new(),
            commands: Vec::new(),
            chaos: None,
        }
    }

    /// One service, served by itself.
    pub(crate) fn alone(service: Service) -> Self {
        let mut system = Self::new(service.declared.name);
        system.guide = paste("/");
        system.service(service)
    }

    /// Adds a service.
    #[must_use]
    pub fn service(mut self, service: impl Into<Service>) -> Self {
        let service = service.into();
        let settings = service.declared.settings.clone();
        if !settings.is_empty() {
            self.defaults.services.insert(service.declared.name.to_owned(), settings.into());
        }
        if service.declared.issues_tokens {
            let name = service.declared.name.to_owned();
            let issuer = IssuerConfig { service: Some(name.clone()), ..IssuerConfig::default() };
            self.defaults.identity.issuers.insert(name, issuer);
        }
        self.services.push(service);
        self
    }

    /// Names a service that is called and is not part of the system: a program of its own, in whatever language, that is
    /// announced in the registry. It may come and go; calls wait a moment for one that is not there.
    #[must_use]
    pub fn outside(mut self, service: &'static str) -> Self {
        self.outside.push(service);
        self
    }

    /// Puts an edge before the services, with these settings as its defaults.
    #[must_use]
    pub fn gateway(mut self, gateway: Gateway) -> Self {
        self.defaults.gateway = gateway;
        self.has_gateway = true;
        self
    }

    /// Says what a newcomer is shown to paste once the system is up: requests that work as they stand.
    #[must_use]
    pub fn guide<F>(mut self, guide: impl Fn(Arc<Running>) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Vec<String>> + Send + 'static,
    {
        self.guide = Arc::new(move |running| Box::pin(guide(running)));
        self
    }

    /// Adds demo actors, who play through the public API until the system drains. `--no-demo` leaves them out.
    #[must_use]
    pub fn actors<F>(mut self, actors: impl FnOnce(Arc<Running>) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.actors.push(Box::new(|running| Box::pin(actors(running))));
        self
    }

    /// Adds a command of the system's own.
    #[must_use]
    pub fn command(
        mut self,
        command: clap::Command,
        run: impl FnOnce(Self, &clap::ArgMatches) -> ExitCode + 'static,
    ) -> Self {
        self.commands.push(Command { command, run: Box::new(run) });
        self
    }

    /// All contracts, in order of declaration.
    pub fn contracts(&self) -> Vec<&'static Contract> {
        let own = self.services.iter().flat_map(|service| service.declared.contracts.iter().copied());
        let platform = if self.has_platform() { platform::CONTRACTS } else { &[] };
        own.chain(platform.iter().copied()).collect()
    }

    /// All gRPC services by their full names, and whose they are.
    pub(crate) fn grpc(&self) -> Vec<(&'static str, &'static str)> {
        let services = self.services.iter().map(|service| &service.declared);
        services.flat_map(|service| service.grpc.iter().map(|grpc| (*grpc, service.name))).collect()
    }

    /// Whether the platform itself has something to answer.
    pub(crate) fn has_platform(&self) -> bool {
        self.has_gateway && self.services.iter().any(|service| service.declared.migrations.is_some())
    }

    /// The stores it has, the broker's last.
    pub(crate) fn stores(&self) -> Vec<&'static str> {
        let services = self.services.iter().map(|service| &service.declared);
        let mut stores: Vec<_> =
            services.filter(|service| service.migrations.is_some()).map(|service| service.name).collect();
        if !stores.is_empty() {
            stores.push(BROKER);
        }
        stores
    }

    /// The built-in settings.
    pub fn defaults(&self) -> &Config {
        &self.defaults
    }

    /// Runs the program: `up` (the default), `serve`, `restart`, `backup`, `restore`, `routes`, `openapi`, `contracts`,
    /// `token`, `config`, and the system's own commands.
    pub fn main(self) -> ExitCode {
        cli::main(self)
    }
}

/// The guide of a system that has none of its own.
fn paste(path: &'static str) -> Guide {
    Arc::new(move |running| Box::pin(async move { vec![format!("curl {}{path}", running.url())] }))
}

/// Whether the services go together.
pub(crate) fn check(system: &System) -> Result<(), EdgeError> {
    edges::check(system.services.iter().map(|service| &service.declared), &system.outside)
}

impl fmt::Debug for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("System")
            .field("name", &self.name)
            .field("services", &self.services)
            .finish_non_exhaustive()
    }
}
