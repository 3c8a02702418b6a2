//! The contracts of the notifications service: telling people by text message or e-mail, and programs by webhook.
//!
//! Several systems have such a service, each with what it has to say. `notifications` is the sending, `webhooks` the
//! endpoints programs are told at, `signature` how both sides know each other, `wording` what a system can say, `render` how its
//! places are filled.
#![forbid(unsafe_code)]

mod notifications;
mod render;
mod signature;
mod webhooks;
mod wording;

pub use notifications::{
    Channel, EVENTS, ListNotifications, NOTIFICATIONS, NewNotification, Notification, NotificationDead,
    NotificationError, NotificationFailed, NotificationId, NotificationSent, NotificationStatus,
    Notifications, NotificationsClient, Template, Templates,
};
pub use signature::{InvalidSecret, Unverified, WebhookSecret, verify_webhook};
pub use webhooks::{
    EndpointId, ListWebhooks, NewWebhook, WEBHOOKS, Webhook, WebhookError, Webhooks, WebhooksClient,
};
pub use wording::{Wording, Words};
