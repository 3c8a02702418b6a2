//! The service's settings: `[services.users]`.

use std::time::Duration;

use partie::PublicUrl;
use partie::contract::BoxError;
use partie::identity::passwords;
use partie::runtime::duration;
use serde::{Deserialize, Serialize};

use crate::keyring;
use crate::roles;

/// Settings of the users.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Settings {
    /// `iss` of the tokens: the address at which the system is found from outside (RFC 8414).
    pub issuer: String,
    /// `aud` of the tokens: the name of the system they are for.
    pub audience: String,
    /// Roles that one can give oneself on registration; the first is what one has who names none.
    pub roles: Vec<String>,
    /// Addresses whose owners are administrators, once they are verified.
    pub admins: Vec<String>,
    /// Whether a registration answers the same for every address, known or not.
    pub enumeration_safe: bool,
    /// What the links in mails begin with, a path of the system or a whole URL; `?token=..` follows.
    pub verify_link: String,
    /// The same for new passwords.
    pub reset_link: String,
    /// How long an access token is good for.
    #[serde(with = "duration")]
    pub access_lifetime: Duration,
    /// How long a session lives that nobody uses.
    #[serde(with = "duration")]
    pub session_idle: Duration,
    /// How long a session lives at most.
    #[serde(with = "duration")]
    pub session_longest: Duration,
    /// How long a refresh token that was traded still gives its successor.
    #[serde(with = "duration")]
    pub refresh_grace: Duration,
    /// How long what was sent by mail is good for, at most ten minutes (ASVS 6.5.5).
    #[serde(with = "duration")]
    pub one_time_lifetime: Duration,
    /// How long a deleted account can come back.
    #[serde(with = "duration")]
    pub deletion_grace: Duration,
    /// How many wrong passwords for an account from one address are too many.
    pub attempts: u32,
    /// How long they count, and how long nobody may try from there after that.
    #[serde(with = "duration")]
    pub lock: Duration,
    /// The key under which private keys are kept: a file in the data directory if absent, made on first use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seal_key_file: Option<String>,
    /// Which keys sign, and how long.
    pub keys: keyring::Config,
    /// What a hash of a password costs.
    pub passwords: passwords::Config,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            issuer: "http://127.0.0.1:8080".to_owned(),
            audience: "users".to_owned(),
            roles: vec!["user".to_owned()],
            admins: Vec::new(),
            enumeration_safe: false,
            verify_link: "/verify-email".to_owned(),
            reset_link: "/reset-password".to_owned(),
            access_lifetime: Duration::from_mins(5),
            session_idle: Duration::from_hours(24 * 14),
            session_longest: Duration::from_hours(24 * 90),
            refresh_grace: Duration::from_secs(10),
            one_time_lifetime: Duration::from_mins(10),
            deletion_grace: Duration::from_hours(24 * 14),
            attempts: 5,
            lock: Duration::from_mins(5),
            seal_key_file: None,
            keys: keyring::Config::default(),
            passwords: passwords::Config::default(),
        }
    }
}

// === impl Settings ===

impl Settings {
    /// Those of a system of that name, in which one can give oneself these roles.
    #[must_use]
    pub fn of(system: &str, roles: &[&str]) -> Self {
        let roles = roles.iter().map(|role| (*role).to_owned()).collect();
        Self { audience: system.to_owned(), roles, ..Self::default() }
    }

    /// The same, with links that lead to where the system is.
    #[must_use]
    pub(crate) fn reached_at(mut self, url: &PublicUrl) -> Self {
        for link in [&mut self.verify_link, &mut self.reset_link] {
            *link = url.link(link);
        }
        self
    }

    /// What cannot work is refused before anything starts.
    pub(crate) fn checked(self) -> Result<Self, BoxError> {
        let reason = if self.roles.is_empty() || !self.roles.iter().all(|role| roles::may_be_chosen(role)) {
            "roles: name at least one, and neither `admin` nor `service`, which nobody gives oneself"
        } else if self.access_lifetime.as_secs() == 0 {
            "access-lifetime: a token lives for at least a second"
        } else if self.one_time_lifetime > Duration::from_mins(10) || self.one_time_lifetime.is_zero() {
            "one-time-lifetime: at most ten minutes"
        } else if self.refresh_grace > Duration::from_secs(10) {
            "refresh-grace: at most ten seconds"
        } else if self.attempts == 0 {
            "attempts: at least one"
        } else if ![&self.verify_link, &self.reset_link].into_iter().all(|link| leads_somewhere(link)) {
            "verify-link and reset-link: a path, `/verify-email`, or a whole URL"
        } else if self.keys.retire_after < self.access_lifetime {
            "keys.retire-after: a key that has signed verifies for at least `access-lifetime` more"
        } else {
            return Ok(self);
        };
        Err(reason.into())
    }
}

/// Whether it can be followed once it has a token behind it.
fn leads_somewhere(link: &str) -> bool {
    ["/", "http://", "https://"].iter().any(|begin| link.starts_with(begin)) && !link.contains(['?', '#'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_what_people_write() {
        let text = r#"{"roles": ["customer"], "access-lifetime": "60s", "keys": {"algorithm": "ES256"}}"#;
        let settings: Settings = serde_json::from_str(text).unwrap();
        assert_eq!(settings.access_lifetime, Duration::from_secs(60));
        assert!(settings.checked().is_ok());
    }

    #[test]
    fn what_cannot_work_is_refused() {
        for bad in [
            r#"{"roles": []}"#,
            r#"{"roles": ["admin"]}"#,
            r#"{"roles": ["customer", "service"]}"#,
            r#"{"access-lifetime": "500ms"}"#,
            r#"{"one-time-lifetime": "11m"}"#,
            r#"{"refresh-grace": "11s"}"#,
            r#"{"attempts": 0}"#,
            r#"{"verify-link": "verify-email"}"#,
            r#"{"reset-link": "https://food.example.org/?page=reset"}"#,
            r#"{"keys": {"retire-after": "1s"}}"#,
        ] {
            assert!(serde_json::from_str::<Settings>(bad).unwrap().checked().is_err(), "{bad}");
        }
    }
}
