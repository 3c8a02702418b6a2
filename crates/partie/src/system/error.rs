//! Why a system does not start.

use partie_contract::BoxError;
use partie_gateway::BuildError;
use partie_identity::{
    AuthorityError, DevelopmentKeyOffLoopback, InvalidIdentity, JoinError, KeyError, PapersError,
};
use partie_mesh::BindError;
use partie_messaging::BrokerUrlError;
use partie_store::OpenError;

use super::edges::EdgeError;
use super::prepare::DataDirError;
use super::registry::RegistryOffLoopback;

/// Why a system does not start. One line, and nothing was touched that was not its own.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The port is taken, or cannot be listened on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The registry may not be reached from elsewhere.
    #[error(transparent)]
    Registry(#[from] RegistryOffLoopback),
    /// The development key may not leave this machine.
    #[error(transparent)]
    Development(#[from] DevelopmentKeyOffLoopback),
    /// The data directory cannot be used.
    #[error(transparent)]
    Data(#[from] DataDirError),
    /// The signing key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// No certificate can be made for the process.
    #[error("{0}; without certificates it starts with mesh.tls = false")]
    Authority(#[from] AuthorityError),
    /// Whom to believe cannot be read from the settings.
    #[error(transparent)]
    Identity(#[from] InvalidIdentity),
    /// What was given to the process when it joined cannot be read or kept.
    #[error(transparent)]
    Papers(#[from] PapersError),
    /// It cannot be remembered who was let in.
    #[error(transparent)]
    Joins(#[from] JoinError),
    /// A store cannot be opened.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// What carries the events cannot be used.
    #[error(transparent)]
    Broker(#[from] BrokerUrlError),
    /// The services call each other in a way that cannot work.
    #[error(transparent)]
    Edges(#[from] EdgeError),
    /// The contracts cannot stand behind one door.
    #[error(transparent)]
    Gateway(#[from] BuildError),
    /// A service did not start.
    #[error("{service} did not start: {reason}")]
    Service {
        /// Which.
        service: &'static str,
        /// Why.
        reason: BoxError,
    },
    /// There is no such part of the system.
    #[error("there is no service {name}; there are {}", known.join(", "))]
    UnknownPart {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<&'static str>,
    },
    /// A service with a store, and nothing that carries its events.
    #[error(
        "{service} has events, and this registry is none that carries them: say --broker http://HOST:PORT, where \
         `serve platform` listens"
    )]
    NoBroker {
        /// Which.
        service: &'static str,
    },
    /// The process may not be that service.
    #[error("{service} is not let in: {reason}")]
    Join {
        /// Which service it wanted to be.
        service: String,
        /// Why not.
        reason: String,
    },
    /// Settings for a service that is not there.
    #[error("[services.{0}]: there is no such service, or it has no settings")]
    UnknownService(String),
}
