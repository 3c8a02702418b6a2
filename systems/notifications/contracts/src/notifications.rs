//! Notifications: telling people what happened, once.

use std::collections::BTreeMap;

use partie_contract::{
    Call, Created, Cursor, Entity, Event, EventSpec, Limit, Outcome, Page, Problem, Timestamp, Versioned,
    contract, id,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

id! {
    /// Names a notification.
    pub struct NotificationId;
}

/// Notifications.
#[contract(service = "notifications", version = 1)]
pub trait Notifications {
    /// Send a notification by template. The same recipient, template and dedupe key are told once: who asks again gets
    /// the notification there is.
    #[post("/notifications", role = "service", keyed)]
    async fn send(
        &self,
        cx: &Call,
        notification: NewNotification,
    ) -> Outcome<Created<Notification>, NotificationError>;

    /// List notifications, newest first.
    #[get("/notifications", role = "admin")]
    async fn list(
        &self,
        cx: &Call,
        query: ListNotifications,
    ) -> Outcome<Page<Notification>, NotificationError>;

    /// Read a notification.
    #[get("/notifications/{id}", roles = ["service", "admin"])]
    async fn notification(
        &self,
        cx: &Call,
        id: NotificationId,
    ) -> Outcome<Versioned<Notification>, NotificationError>;

    /// Put a dead notification back in the queue, with all its attempts before it. One that has expired stays dead.
    #[post("/notifications/{id}/requeue", role = "admin", keyed)]
    async fn requeue(
        &self,
        cx: &Call,
        id: NotificationId,
    ) -> Outcome<Versioned<Notification>, NotificationError>;

    /// The templates.
    #[get("/templates", roles = ["service", "admin"])]
    async fn templates(&self, cx: &Call) -> Outcome<Templates, NotificationError>;
}

/// What can go wrong with a notification. A request with several of the 422s is `validation-failed`, with all of them.
#[derive(Debug, PartialEq, Problem)]
pub enum NotificationError {
    /// There is no such notification.
    #[problem(404, "notification-not-found")]
    NotFound,
    /// The notification cannot do that from the state it is in.
    #[problem(409, "invalid-transition")]
    InvalidTransition {
        /// The state it is in.
        current_state: NotificationStatus,
        /// What it can do from there.
        allowed: Vec<String>,
    },
    /// There is no such template.
    #[problem(422, "template-unknown")]
    TemplateUnknown,
    /// The template needs variables that are missing.
    #[problem(422, "template-variable-missing")]
    VariableMissing {
        /// Their names.
        missing: Vec<String>,
    },
    /// The recipient is not an address of that channel.
    #[problem(422, "recipient-invalid")]
    RecipientInvalid,
    /// There is no endpoint of webhooks at that URL.
    #[problem(422, "webhook-unknown")]
    WebhookUnknown,
}

/// A notification to send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NewNotification {
    /// By which way.
    pub channel: Channel,
    /// To whom: an address of that channel.
    #[schemars(length(min = 1, max = 2048))]
    pub recipient: String,
    /// Which template.
    #[schemars(length(min = 1, max = 80))]
    pub template: String,
    /// What goes into it.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    /// What makes it the same notification when it is sent again.
    #[schemars(length(min = 1, max = 255))]
    pub dedupe_key: String,
    /// Until when it is worth sending, in business time. From then on it is not: a link in it may be over, for example.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// A way to tell somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// Text message, to a phone number in E.164.
    Sms,
    /// E-mail, to an address.
    Email,
    /// A signed request, to the URL of a registered endpoint.
    Webhook,
}

/// A notification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Notification {
    /// Its id, which the provider gets too.
    pub id: NotificationId,
    /// By which way.
    pub channel: Channel,
    /// To whom.
    pub recipient: String,
    /// Which template.
    pub template: String,
    /// The subject, of an e-mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The text, or the body of a webhook; with `***` for what only the recipient may read.
    pub text: String,
    /// Where it stands.
    pub status: NotificationStatus,
    /// How often it was tried, all rounds together.
    pub attempts: u32,
    /// Why the last attempt failed, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When the provider took it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<Timestamp>,
    /// Until when it is worth sending, if that was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// When that was over before it was sent. It is dead then, and stays so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expired_at: Option<Timestamp>,
    /// The row version.
    pub version: i64,
}

/// Where a notification stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NotificationStatus {
    /// Not tried yet.
    Queued,
    /// Being handed to the provider.
    Sending,
    /// The provider took it.
    Sent,
    /// Failed, and tried again later.
    Retrying,
    /// Given up, until an administrator puts it back in the queue.
    Dead,
    /// The recipient does not want it: an endpoint that was disabled, or who said so once there are preferences.
    Suppressed,
}

/// Which notifications to list.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct ListNotifications {
    /// Only to this recipient.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient: Option<String>,
    /// Only those that stand here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<NotificationStatus>,
    /// How many.
    #[serde(default)]
    pub limit: Limit,
    /// From where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Cursor>,
}

/// The templates there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Templates {
    /// One entry each.
    pub data: Vec<Template>,
}

/// A template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Template {
    /// Its name.
    pub name: String,
    /// The subject, if it can be an e-mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Its text, with `{variable}` places.
    pub text: String,
    /// The variables it needs.
    pub variables: Vec<String>,
}

impl Entity for Notification {
    const COLLECTION: &'static str = "/api/v1/notifications";

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn version(&self) -> Option<i64> {
        Some(self.version)
    }
}

partie_contract::stored_by_name!(NotificationStatus, Channel);

// === Events ===

macro_rules! notification_events {
    ($($(#[$meta:meta])* $name:ident = $type_name:literal;)+) => {
    $(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Event)]
        #[event($type_name, version = 1, subject = "notification_id")]
        pub struct $name {
            /// The notification.
            pub notification_id: NotificationId,
        }
    )+

        /// All of them.
        pub const EVENTS: &[EventSpec] = &[$(EventSpec::of::<$name>()),+];
    };
}

notification_events! {
    /// The provider took it.
    NotificationSent = "notification.sent";
    /// An attempt failed, and there will be another one.
    NotificationFailed = "notification.failed";
    /// It was given up.
    NotificationDead = "notification.dead";
}
