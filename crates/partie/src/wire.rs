//! Between the processes of a system: the wire protocol of the registry, and who may speak it. That of the broker is in
//! messaging.

mod join;
mod registry;
mod registry_desk;
mod remote_registry;

#[cfg(test)]
pub(crate) mod tests;

pub use self::join::join_grant;
pub(crate) use self::join::{JoinToken, Joined};
pub use self::registry::{
    Admitted, After, Announce, Apply, Certificate, RegistryWire, RegistryWireClient, RegistryWireError,
    Which, WireInstance, WireListing,
};
pub(crate) use self::registry_desk::{Admission, RegistryDesk};
pub use self::remote_registry::RemoteRegistry;
