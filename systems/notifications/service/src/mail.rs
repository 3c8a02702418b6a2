//! E-mail: by SMTP where a server is configured, else to a log of files that people read.

mod command;
mod letter;
mod log;
mod settings;
mod smtp;
mod url;

use std::path::Path;

use partie::contract::BoxError;
use tracing::info;

use crate::provider::{Message, ProviderError};
use letter::Sender;
use log::MailLog;
use smtp::Smtp;

pub use command::{mail_command, print_mail};
pub use log::last_mail;
pub use settings::MailSettings;
pub use url::{MailUrl, MailUrlError};

/// The way of e-mail.
pub(crate) enum Mail {
    Log(MailLog),
    Smtp(Box<Smtp>),
}

// === impl Mail ===

impl Mail {
    /// As it is configured.
    pub(crate) fn open(settings: &MailSettings, data: &Path) -> Result<Self, BoxError> {
        let sender = Sender::new(&settings.from)?;
        match &settings.url {
            Some(url) => Ok(Self::Smtp(Box::new(Smtp::new(settings, url, sender)?))),
            None => {
                info!("mail goes to files, for there is no `services.notifications.mail.url`");
                Ok(Self::Log(MailLog::open(data, sender)?))
            }
        }
    }

    /// Hands a message on. It may be repeated: the id of the message is that of the mail.
    pub(crate) async fn send(&self, message: &Message) -> Result<(), ProviderError> {
        match self {
            Self::Log(log) => log.write(message),
            Self::Smtp(smtp) => smtp.send(message).await,
        }
    }
}
