//! Webhooks: the endpoints at which programs are told.

use partie_contract::{
    Call, Created, Cursor, Entity, Limit, NoContent, Outcome, Page, Problem, Timestamp, Versioned, contract,
    id,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

id! {
    /// Names an endpoint of webhooks.
    pub struct EndpointId;
}

/// Webhooks: endpoints that are sent what notifications say, signed as Standard Webhooks has it.
#[contract(service = "notifications", version = 1)]
pub trait Webhooks {
    /// Register an endpoint. This answer has the secret its messages are signed with.
    #[post("/webhooks", roles = ["service", "admin"], keyed, no_store)]
    async fn register(&self, cx: &Call, webhook: NewWebhook) -> Outcome<Created<Webhook>, WebhookError>;

    /// List the endpoints, newest first.
    #[get("/webhooks", roles = ["service", "admin"])]
    async fn list(&self, cx: &Call, query: ListWebhooks) -> Outcome<Page<Webhook>, WebhookError>;

    /// Read an endpoint.
    #[get("/webhooks/{id}", roles = ["service", "admin"])]
    async fn webhook(&self, cx: &Call, id: EndpointId) -> Outcome<Versioned<Webhook>, WebhookError>;

    /// Give an endpoint a new secret, which this answer has. For a day messages are signed with the one before too.
    #[post("/webhooks/{id}/rotate", roles = ["service", "admin"], keyed, no_store)]
    async fn rotate(&self, cx: &Call, id: EndpointId) -> Outcome<Versioned<Webhook>, WebhookError>;

    /// Send to an endpoint again that was disabled.
    #[post("/webhooks/{id}/enable", roles = ["service", "admin"], keyed)]
    async fn enable(&self, cx: &Call, id: EndpointId) -> Outcome<Versioned<Webhook>, WebhookError>;

    /// Remove an endpoint. What waits for it is given up.
    #[delete("/webhooks/{id}", roles = ["service", "admin"])]
    async fn remove(&self, cx: &Call, id: EndpointId) -> Outcome<NoContent, WebhookError>;
}

/// What can go wrong with an endpoint.
#[derive(Debug, PartialEq, Problem)]
pub enum WebhookError {
    /// There is no such endpoint.
    #[problem(404, "webhook-not-found")]
    NotFound,
    /// The URL has an endpoint already.
    #[problem(409, "webhook-exists")]
    Exists {
        /// That one.
        id: EndpointId,
    },
    /// The URL cannot be one of webhooks.
    #[problem(422, "webhook-url-invalid")]
    UrlInvalid {
        /// Why not.
        reason: String,
    },
}

/// An endpoint to register.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NewWebhook {
    /// Where it is: `https`, without a user and a fragment, on the public internet unless the service allows others.
    #[schemars(length(min = 1, max = 2048))]
    pub url: String,
}

/// An endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Webhook {
    /// Its id.
    pub id: EndpointId,
    /// Where it is; the recipient of its notifications.
    pub url: String,
    /// What its messages are signed with: `whsec_` and Base64. Only in the answer that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// Until when messages are signed with the secret before it, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotates_until: Option<Timestamp>,
    /// Since when nothing is sent to it, because it answered 410.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled_at: Option<Timestamp>,
    /// When it was registered.
    pub created_at: Timestamp,
    /// The row version.
    pub version: i64,
}

/// Which endpoints to list.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct ListWebhooks {
    /// How many.
    #[serde(default)]
    pub limit: Limit,
    /// From where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Cursor>,
}

impl Entity for Webhook {
    const COLLECTION: &'static str = "/api/v1/webhooks";

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn version(&self) -> Option<i64> {
        Some(self.version)
    }
}
