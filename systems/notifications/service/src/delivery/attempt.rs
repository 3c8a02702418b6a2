//! One attempt: which way a message goes.

use notifications_contracts::Channel;

use crate::desk::Desk;
use crate::notification::Record;
use crate::provider::{Message, Provider, ProviderError};
use crate::webhook::{Endpoint, Failure};

/// A message that is to be handed on now.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(super) message: Message,
    /// Where a webhook goes.
    pub(super) endpoint: Option<Endpoint>,
}

// === impl Attempt ===

impl Attempt {
    /// Why nothing can come of an attempt, if that is known before.
    pub(super) fn is_pointless(record: &Record, endpoint: Option<&Endpoint>) -> Option<&'static str> {
        match (record.notification.channel, endpoint) {
            (Channel::Webhook, None) => Some("the endpoint was removed"),
            (Channel::Webhook, Some(endpoint)) if !endpoint.is_enabled() => Some("the endpoint is disabled"),
            _ => None,
        }
    }
}

impl<P: Provider> Desk<P> {
    pub(super) async fn attempt(&self, attempt: &Attempt) -> Result<(), Failure> {
        let Attempt { message, endpoint } = attempt;
        match (message.channel, endpoint) {
            (Channel::Sms, _) => Ok(self.provider.deliver(message).await?),
            (Channel::Email, _) => Ok(self.mail.send(message).await?),
            (Channel::Webhook, Some(endpoint)) => {
                self.courier.deliver(message, endpoint, self.clock.now()).await
            }
            (Channel::Webhook, None) => Err(Failure::Permanent("it has no endpoint".into())),
        }
    }
}

impl From<ProviderError> for Failure {
    fn from(error: ProviderError) -> Self {
        match error {
            ProviderError::Transient(reason) => Self::Transient(reason),
            ProviderError::Permanent(reason) => Self::Permanent(reason),
        }
    }
}
