//! Clients: programs with an identity of their own.

use partie_contract::{Call, Created, Entity, NoContent, Outcome, Problem, Timestamp, contract};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::SecretText;

/// Clients: programs that get tokens of their own by their secret (RFC 6749 section 4.4).
#[contract(service = "users", version = 1)]
pub trait Clients {
    /// Make a client. Its secret is shown this once.
    #[post("/clients", role = "admin", no_store)]
    async fn create(&self, cx: &Call, client: NewClient) -> Outcome<Created<ClientWithSecret>, ClientError>;

    /// The clients.
    #[get("/clients", role = "admin")]
    async fn list(&self, cx: &Call) -> Outcome<ClientList, ClientError>;

    /// Remove a client. Its tokens are refused from now on.
    #[delete("/clients/{id}", role = "admin")]
    async fn remove(&self, cx: &Call, id: String) -> Outcome<NoContent, ClientError>;
}

/// What can go wrong with a client.
#[derive(Debug, PartialEq, Problem)]
pub enum ClientError {
    /// There is no such client.
    #[problem(404, "client-not-found")]
    NotFound,
    /// There is a client of that name.
    #[problem(409, "client-exists")]
    Exists,
    /// A client cannot have such a role: services and administrators have other ways to prove who they are.
    #[problem(422, "role-not-offered")]
    RoleNotOffered,
}

/// A client to make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NewClient {
    /// Its name: `client_id`.
    #[schemars(length(min = 3, max = 64), regex(pattern = r"^[a-z0-9][a-z0-9_-]*$"))]
    pub id: String,
    /// What it may do.
    #[serde(default)]
    #[schemars(length(max = 10))]
    pub roles: Vec<String>,
    /// The scopes it may ask for.
    #[serde(default)]
    #[schemars(length(max = 50))]
    pub scopes: Vec<String>,
}

/// A client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Client {
    /// Its name: `client_id`.
    pub id: String,
    /// What it may do.
    pub roles: Vec<String>,
    /// The scopes it may ask for.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A client, and what proves that one is it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClientWithSecret {
    /// The client.
    pub client: Client,
    /// Its secret. Only its digest is kept.
    pub client_secret: SecretText,
}

/// The clients.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClientList {
    /// One entry each.
    pub data: Vec<Client>,
}

impl Entity for ClientWithSecret {
    const COLLECTION: &'static str = "/api/v1/clients";

    fn id(&self) -> String {
        self.client.id.clone()
    }
}
