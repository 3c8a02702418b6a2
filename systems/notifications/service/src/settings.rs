//! The service's settings: `[services.notifications]`.

use std::time::Duration;

use partie::contract::BoxError;
use partie::messaging::JobConfig;
use partie::runtime::duration;
use serde::{Deserialize, Serialize};

use crate::mail::MailSettings;
use crate::webhook::WebhookSettings;

/// Settings of the notifications.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Settings {
    /// After so many attempts a text message is dead. With the platform's pauses between them, 8 take about a minute.
    ///
    /// Fewer than `messaging.jobs.attempts`: the notification is given up before its job is.
    pub attempts: u32,
    /// How long e-mail and webhooks are tried, in rounds of that many attempts, before they are dead.
    #[serde(with = "duration")]
    pub patience: Duration,
    /// E-mail.
    pub mail: MailSettings,
    /// Webhooks.
    pub webhooks: WebhookSettings,
}

// === impl Settings ===

impl Settings {
    /// The settings, if they make sense.
    pub(crate) fn checked(self) -> Result<Self, BoxError> {
        let most = JobConfig::default().attempts - 1;
        if !(1..=most).contains(&self.attempts) {
            return Err(format!("`attempts` must be 1 to {most}").into());
        }
        self.mail.check()?;
        self.webhooks.check()?;
        Ok(self)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            attempts: 8,
            patience: Duration::from_hours(24),
            mail: MailSettings::default(),
            webhooks: WebhookSettings::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_what_people_write() {
        let read = |text| toml::from_str::<Settings>(text);
        assert_eq!(read("").unwrap().checked().unwrap(), Settings::default());
        assert_eq!(read("attempts = 1").unwrap().checked().unwrap().attempts, 1);
        let mail = "[mail]\nurl = 'smtp://ann:s3cret@mail.example.org'\nfrom = 'Soup <soup@example.org>'\ntimeout = '5s'";
        assert!(read(mail).unwrap().checked().is_ok());
        for bad in [
            "attempts = -1",
            "attempts = 'two'",
            "attempt = 2",
            "[mail]\nurl = 'http://a'",
            "[mail]\nto = 'a'",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
        for bad in [
            "attempts = 0",
            "attempts = 10",
            // Whose mail would it be?
            "[mail]\nurl = 'smtps://mail.example.org'",
            "[mail]\nurl = 'smtps://mail.example.org'\nfrom = 'soup'",
            "[mail]\nurl = 'smtps://mail.example.org'\nfrom = 'soup@example.org'\nconnections = 0",
            "[mail]\nurl = 'smtps://mail.example.org'\nfrom = 'soup@example.org'\ntimeout = '0s'",
            "[webhooks]\ntimeout = '0s'",
        ] {
            assert!(read(bad).unwrap().checked().is_err(), "{bad}");
        }
    }

    #[test]
    fn nothing_shows_the_password() {
        let settings =
            toml::from_str::<Settings>("[mail]\nurl = 'smtp://ann:s3cret@mail.example.org'").unwrap();
        let written = toml::to_string(&settings).unwrap();
        assert!(written.contains("smtp://ann:***@mail.example.org"), "{written}");
        assert!(!format!("{settings:?}{written}").contains("s3cret"));
        let error = toml::from_str::<Settings>("[mail]\nurl = 'http://ann:s3cret@mail'").unwrap_err();
        assert!(!error.message().contains("s3cret"), "{}", error.message());
    }
}
