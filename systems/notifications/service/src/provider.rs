//! The way to the recipient: whoever takes messages for delivery.

mod log;

use std::fmt;
use std::future::Future;

use notifications_contracts::{Channel, NotificationId};
use partie::contract::{BoxError, Timestamp};

pub use log::DeliveryLog;

/// Takes text messages for delivery: a gateway to the phone network, or something that stands in for one.
///
/// A call may be repeated with the same [`Message::id`] when nobody knows what became of the first one; a provider that
/// can, delivers it once. Calls come from several tasks at a time, and each has the time of an attempt,
/// `messaging.jobs.timeout`.
pub trait Provider: Send + Sync + 'static {
    /// Takes a message. `Ok` says that it will be delivered.
    fn deliver(&self, message: &Message) -> impl Future<Output = Result<(), ProviderError>> + Send;
}

/// What somebody is told.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// The notification: the same in every attempt.
    pub id: NotificationId,
    /// By which way.
    pub channel: Channel,
    /// To whom: an address of that channel.
    pub recipient: String,
    /// The subject, of an e-mail.
    pub subject: Option<String>,
    /// What.
    pub text: String,
    /// The same as HTML, of an e-mail that has it.
    pub html: Option<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
}

/// Why a message was not taken.
#[derive(Debug)]
pub enum ProviderError {
    /// Another attempt may succeed.
    Transient(BoxError),
    /// No attempt will.
    Permanent(BoxError),
}

// === impl Message ===

/// Without what it says, which may be a secret.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Message({} by {:?} to {})", self.id, self.channel, self.recipient)
    }
}

// === impl ProviderError ===

impl ProviderError {
    /// The provider says no for now.
    pub fn transient(reason: impl Into<BoxError>) -> Self {
        Self::Transient(reason.into())
    }

    /// The provider will never say yes.
    pub fn permanent(reason: impl Into<BoxError>) -> Self {
        Self::Permanent(reason.into())
    }
}

impl fmt::Display for ProviderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transient(reason) | Self::Permanent(reason) => reason.fmt(f),
        }
    }
}

impl std::error::Error for ProviderError {}
