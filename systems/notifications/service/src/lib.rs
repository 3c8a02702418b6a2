//! Notifications, a service that several systems have: people are told by text message or e-mail, programs by webhook,
//! and everybody once.
//!
//! A notification is queued in the transaction that wants it, together with the job that sends it. The job records each
//! attempt before the call and its result after it. A notification that was given up is a dead letter: listed by its
//! status, and put back in the queue by an administrator.
//!
//! ```no_run
//! use notifications_contracts::Wording;
//! use partie::System;
//!
//! const READY: Wording = Wording::mail("soup-ready", "Your soup", "Come, {name}, it is hot.");
//!
//! fn main() -> std::process::ExitCode {
//!     System::new("kitchen").service(notifications::service(&[&[READY]])).main()
//! }
//! ```
//!
//! Layout: `templates` is what can be said; `address` and `request` check what others want sent; `notification` is the
//! state machine; these are plain functions over values. `rows` is the SQL, `queue` puts a notification in, `delivery`
//! takes it out; `desk` implements the contracts. `provider`, `mail` and `webhook` are the ways to the recipient.
#![forbid(unsafe_code)]

mod address;
mod delivery;
mod desk;
mod mail;
mod notification;
mod provider;
mod queue;
mod request;
mod rows;
mod service;
mod settings;
mod templates;
mod webhook;

pub use desk::Desk;
pub use mail::{MailSettings, MailUrl, MailUrlError, last_mail, mail_command, print_mail};
pub use provider::{DeliveryLog, Message, Provider, ProviderError};
pub use service::{service, serving};
pub use settings::Settings;
pub use templates::{MAIL, MESSAGE};
pub use webhook::WebhookSettings;
