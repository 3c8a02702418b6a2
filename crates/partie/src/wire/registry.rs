//! The contract `RegistryWire`.

use partie_contract::{Call, NoContent, Outcome, Problem, contract};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A registry over the wire. An announcement lasts as long as its lease is renewed; a list is followed by asking for the
/// next one after the one that is known.
#[contract(service = "registry", prefix = "/registry")]
pub trait RegistryWire {
    /// Announce an instance, or replace what was announced under its id. It takes the token of somebody who may be that
    /// service.
    #[put("/instances", authenticated)]
    async fn announce(&self, cx: &Call, announce: Announce) -> Outcome<Admitted, RegistryWireError>;

    /// Renew the lease of an instance.
    #[post("/renewals", authenticated)]
    async fn renew(&self, cx: &Call, which: Which) -> Outcome<Admitted, RegistryWireError>;

    /// Take an announcement back.
    #[delete("/instances", authenticated)]
    async fn withdraw(&self, cx: &Call, which: Which) -> Outcome<NoContent, RegistryWireError>;

    /// Certify the key of a process that may be that service, and give it what else it needs to be that without the system's
    /// key. It takes the same token; who has been let in asks again with the token he was given, and a new key.
    #[post("/certificates", authenticated)]
    async fn certify(&self, cx: &Call, apply: Apply) -> Outcome<Certificate, RegistryWireError>;

    /// List the instances of a service, as soon as the list is another than the one that is known.
    #[get("/instances", roles = ["service", "join", "member"], timeout = "40s")]
    async fn list(&self, cx: &Call, after: After) -> Outcome<WireListing, RegistryWireError>;
}

/// What a registry refuses.
#[derive(Debug, PartialEq, Problem)]
pub enum RegistryWireError {
    /// The caller may not be that service.
    #[problem(403, "join-refused")]
    JoinRefused {
        /// Why, for people.
        reason: String,
    },
    /// There is no such instance: it has to be announced again.
    #[problem(404, "instance-unknown")]
    Unknown,
    /// There is no authority here: what the system says does not leave the machine, or is not to be encrypted.
    #[problem(404, "authority-unknown")]
    NoAuthority,
    /// The registry takes no more.
    #[problem(507, "registry-full")]
    Full,
}

/// An instance to be announced.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Announce {
    /// The service it is of.
    pub service: String,
    /// Unique among the instances of its service.
    pub id: String,
    /// Where it listens: an address and a port.
    pub address: String,
    /// Its share of the calls.
    pub weight: u32,
    /// How long it stands without being renewed, in milliseconds.
    pub lease_ms: u64,
    /// Whether it speaks TLS.
    #[serde(default)]
    pub tls: bool,
}

/// An announced instance may stay, and announce itself again.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Admitted {
    /// What to show next time: a join token ends soon after the start it was made for.
    pub token: String,
}

/// A key to be certified.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Apply {
    /// The service it is for.
    pub service: String,
    /// The public key, Ed25519, as base64url.
    pub public_key: String,
    /// What shows that the key is the applicant's, as base64url.
    pub proof: String,
}

/// A certificate, and what goes with it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Certificate {
    /// The certificate, as PEM.
    pub certificate: String,
    /// Whom to believe, as PEM.
    pub authority: String,
    /// From when on, in seconds of the wall clock.
    pub issued: i64,
    /// Until when.
    pub expires: i64,
    /// What to show to the registry next time.
    pub member: String,
    /// What to show to other services, for an hour.
    pub token: String,
    /// The public keys by which the tokens of the system are known: a JWK set.
    pub keys: Map<String, Value>,
}

/// One instance.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Which {
    /// The service it is of.
    pub service: String,
    /// Its id.
    pub id: String,
}

/// The list that is known.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct After {
    /// Of which service.
    pub service: String,
    /// The life of the registry it is of; 0 if none is known.
    pub life: u64,
    /// Its index.
    pub index: u64,
    /// Whether it was settling.
    pub settling: bool,
}

/// The instances of a service at one moment.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct WireListing {
    /// The life of the registry: another one counts from the beginning.
    pub life: u64,
    /// Changes with the list.
    pub index: u64,
    /// Whether instances that are missing may only not have come back yet.
    pub settling: bool,
    /// All instances whose lease is good.
    pub instances: Vec<WireInstance>,
}

/// One running copy of a service.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct WireInstance {
    /// Its id.
    pub id: String,
    /// Where it listens.
    pub address: String,
    /// Its share of the calls.
    pub weight: u32,
    /// Whether it speaks TLS.
    #[serde(default)]
    pub tls: bool,
}
