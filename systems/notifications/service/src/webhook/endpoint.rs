//! An endpoint: its secrets, and whether anything is sent to it.

use std::time::Duration;

use notifications_contracts::{EndpointId, Webhook, WebhookSecret};
use partie::contract::{BoxError, Timestamp};
use ring::rand::{SecureRandom as _, SystemRandom};

/// How long messages are signed with the secret before a new one, too.
const ROTATION: Duration = Duration::from_hours(24);

/// An endpoint as this service knows it.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    pub(crate) id: EndpointId,
    pub(crate) url: String,
    pub(crate) secret: WebhookSecret,
    /// The secret before, and until when it signs too.
    pub(crate) previous: Option<(WebhookSecret, Timestamp)>,
    pub(crate) disabled_at: Option<Timestamp>,
    pub(crate) created_at: Timestamp,
    pub(crate) version: i64,
}

/// A secret that nobody can guess.
pub(crate) fn fresh_secret() -> Result<WebhookSecret, BoxError> {
    let mut bytes = vec![0; 32];
    SystemRandom::new().fill(&mut bytes).map_err(|_| "this machine has no randomness")?;
    Ok(WebhookSecret::new(bytes)?)
}

// === impl Endpoint ===

impl Endpoint {
    pub(crate) fn new(id: EndpointId, url: String, secret: WebhookSecret, now: Timestamp) -> Self {
        Self { id, url, secret, previous: None, disabled_at: None, created_at: now, version: 1 }
    }

    pub(crate) fn is_enabled(&self) -> bool {
        self.disabled_at.is_none()
    }

    /// Gives it a new secret.
    pub(crate) fn rotate(&mut self, secret: WebhookSecret, now: Timestamp) {
        let before = std::mem::replace(&mut self.secret, secret);
        self.previous = Some((before, now + ROTATION));
        self.version += 1;
    }

    /// It answered that it is gone for good.
    pub(crate) fn disable(&mut self, now: Timestamp) {
        self.disabled_at = Some(now);
        self.version += 1;
    }

    pub(crate) fn enable(&mut self) {
        if self.disabled_at.take().is_some() {
            self.version += 1;
        }
    }

    /// The signatures of a message: one, or two in a rotation. `at` is trust time, in seconds.
    pub(crate) fn signatures(&self, id: &str, at: i64, body: &[u8], now: Timestamp) -> String {
        let mut signatures = self.secret.sign(id, at, body);
        if let Some((secret, _)) = self.previous.as_ref().filter(|(_, until)| now < *until) {
            signatures = format!("{signatures} {}", secret.sign(id, at, body));
        }
        signatures
    }

    /// What others see of it.
    pub(crate) fn view(&self, now: Timestamp) -> Webhook {
        let until = self.previous.as_ref().map(|(_, until)| *until);
        Webhook {
            id: self.id,
            url: self.url.clone(),
            secret: None,
            rotates_until: until.filter(|until| now < *until),
            disabled_at: self.disabled_at,
            created_at: self.created_at,
            version: self.version,
        }
    }

    /// What the one who gets to know the secret sees.
    pub(crate) fn revealed(&self, now: Timestamp) -> Webhook {
        Webhook { secret: Some(self.secret.reveal()), ..self.view(now) }
    }
}

#[cfg(test)]
mod tests {
    use notifications_contracts::verify_webhook;
    use partie::contract::Id as _;

    use super::*;

    const AT: i64 = 1_700_000_000;

    #[test]
    fn for_a_day_both_secrets_sign() {
        let id = EndpointId::from_uuid("01931f0e-7f2a-7c3e-9a51-0d6d5f1c2b3a".parse().unwrap());
        let [old, new] = [fresh_secret().unwrap(), fresh_secret().unwrap()];
        assert_ne!(old.reveal(), new.reveal());
        let start = Timestamp::EPOCH;
        let mut endpoint = Endpoint::new(id, "https://a.example".to_owned(), old.clone(), start);
        let believed = |endpoint: &Endpoint, secret: &WebhookSecret, now| {
            let signatures = endpoint.signatures("one", AT, b"{}", now);
            verify_webhook(&[secret], "one", &AT.to_string(), &signatures, b"{}", AT).is_ok()
        };
        assert!(believed(&endpoint, &old, start));
        endpoint.rotate(new.clone(), start);
        let (within, after) = (start + ROTATION - Duration::from_millis(1), start + ROTATION);
        assert!(believed(&endpoint, &old, within) && believed(&endpoint, &new, within));
        assert!(endpoint.view(within).rotates_until == Some(after) && endpoint.view(within).secret.is_none());
        assert!(!believed(&endpoint, &old, after) && believed(&endpoint, &new, after));
        assert_eq!(endpoint.view(after).rotates_until, None);
        assert_eq!(endpoint.revealed(after).secret, Some(new.reveal()));
    }
}
