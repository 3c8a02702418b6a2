//! The settings of e-mail: `[services.notifications.mail]`.

use std::path::PathBuf;
use std::time::Duration;

use partie::contract::BoxError;
use partie::runtime::duration;
use serde::{Deserialize, Serialize};

use super::letter::Sender;
use super::url::MailUrl;

/// How e-mail is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct MailSettings {
    /// The server. Without one mail is written to files, one each, in the directory `mail` beside the databases.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<MailUrl>,
    /// Who it is from: `soup@example.org` or `The Soup <soup@example.org>`.
    pub from: String,
    /// A file with the certificates (PEM) of authorities to trust beside those everybody trusts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// How long an attempt may take, from waiting for a connection to the server's last word. Less than
    /// `messaging.jobs.timeout`, or nobody is told why it failed.
    #[serde(with = "duration")]
    pub timeout: Duration,
    /// How many connections there are at most. Many servers allow ten.
    pub connections: usize,
}

// === impl MailSettings ===

impl MailSettings {
    /// What mail of development is from.
    const NOBODY: &str = "notifications@localhost";

    pub(crate) fn check(&self) -> Result<(), BoxError> {
        Sender::new(&self.from)?;
        if self.url.is_some() && self.from == Self::NOBODY {
            return Err("`mail.from` must say who mail is from".into());
        }
        if self.timeout.is_zero() || self.connections == 0 {
            return Err("`mail.timeout` and `mail.connections` must be more than nothing".into());
        }
        Ok(())
    }
}

impl Default for MailSettings {
    fn default() -> Self {
        Self {
            url: None,
            from: Self::NOBODY.to_owned(),
            ca: None,
            timeout: Duration::from_secs(20),
            connections: 4,
        }
    }
}
