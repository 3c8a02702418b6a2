//! A service's own identity, for work that no user asked for.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use partie_contract::{Caller, Identity};
use partie_runtime::trust_now;

use crate::grant::{Grant, IssueError};
use crate::signer::Signer;

/// How long such a token is good for.
const LIFETIME: Duration = Duration::from_secs(600);
/// How long one is that was given: a new one has to be asked for, and who gives it may be away for a while.
pub(crate) const GIVEN: Duration = Duration::from_hours(1);
/// A token is replaced when less than this is left of it, in seconds: whoever gets one can use it for minutes.
const LEAST: i64 = 300;

/// What the subject of a service begins with.
const SUBJECT: &str = "service:";

/// The tokens of one service, `sub` `service:NAME` with the role `service`. Cheap to clone and to read.
#[derive(Clone)]
pub struct ServiceTokens(Arc<Inner>);

struct Inner {
    service: Box<str>,
    /// Nothing if the tokens come from somebody else.
    source: Option<(Signer, Grant)>,
    current: RwLock<Arc<Identity>>,
}

// === impl ServiceTokens ===

impl ServiceTokens {
    /// The tokens of a service within a system, which is their audience. The first one is issued now.
    ///
    /// # Errors
    /// [`IssueError`] when the name cannot be part of a subject.
    pub fn new(signer: Signer, audience: &str, service: &str) -> Result<Self, IssueError> {
        let grant = Self::grant(audience, service, LIFETIME);
        let current = RwLock::new(Arc::new(signer.issue_at(&grant, trust_now())?));
        Ok(Self(Arc::new(Inner { service: service.into(), source: Some((signer, grant)), current })))
    }

    /// The token a service is given that cannot sign its own, good for an hour.
    ///
    /// # Errors
    /// [`IssueError`] when the name cannot be part of a subject.
    pub fn issue(signer: &Signer, audience: &str, service: &str) -> Result<String, IssueError> {
        signer.issue(&Self::grant(audience, service, GIVEN))
    }

    /// The tokens of a service that is given them, of which that is the first.
    pub fn given(service: &str, first: Arc<Identity>) -> Self {
        Self(Arc::new(Inner { service: service.into(), source: None, current: RwLock::new(first) }))
    }

    /// The next one that was given. It means nothing to who signs them itself.
    pub fn take(&self, next: Arc<Identity>) {
        *self.0.current.write().unwrap_or_else(PoisonError::into_inner) = next;
    }

    fn grant(audience: &str, service: &str, lifetime: Duration) -> Grant {
        Grant::new(audience, format!("{SUBJECT}{service}"), lifetime).role("service")
    }

    /// The identity with a token that is good for five minutes at least; of those that are given, the last one.
    pub fn identity(&self) -> Arc<Identity> {
        self.identity_at(trust_now())
    }

    /// The service.
    pub fn service(&self) -> &str {
        &self.0.service
    }

    /// The token to show beside those of users, if there is one that is not over. A certificate says the same where there is
    /// one, and a token that is over would be refused.
    pub fn shown(&self) -> Option<Arc<Identity>> {
        Some(self.identity()).filter(|identity| trust_now() < identity.expires)
    }

    /// The identity as the caller of a call.
    pub fn caller(&self) -> Caller {
        Caller::Verified(self.identity())
    }

    fn identity_at(&self, now: i64) -> Arc<Identity> {
        let is_fresh = |identity: &Identity| {
            // A clock that was set back leaves a token from the future, which others do not take yet.
            (LEAST..=LIFETIME.as_secs() as i64).contains(&identity.expires.saturating_sub(now))
        };
        let current = Arc::clone(&self.0.current.read().unwrap_or_else(PoisonError::into_inner));
        let Some((signer, grant)) = self.0.source.as_ref().filter(|_| !is_fresh(&current)) else {
            return current;
        };
        let mut current = self.0.current.write().unwrap_or_else(PoisonError::into_inner);
        if !is_fresh(&current) {
            match signer.issue_at(grant, now) {
                Ok(next) => *current = Arc::new(next),
                // The grant was good before, so the system is out of random numbers. Whoever verifies has the last word.
                Err(error) => tracing::error!(subject = grant.subject, %error, "no new service token"),
            }
        }
        Arc::clone(&current)
    }
}

impl fmt::Debug for ServiceTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServiceTokens({})", self.0.service)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{NOW, signer};

    #[test]
    fn it_is_a_service_to_whoever_verifies() {
        let tokens = ServiceTokens::new(signer(), "food", "orders").unwrap();
        let caller = tokens.caller();
        assert_eq!(caller.subject(), Some("service:orders"));
        let verified = signer().verifier("food").verify(&tokens.identity().token).unwrap();
        assert_eq!(caller.identity(), Some(&*verified));
        assert!(caller.has_role("service"));
        assert_eq!(ServiceTokens::new(signer(), "food", &"x".repeat(300)).unwrap_err(), IssueError::Subject);
    }

    #[test]
    fn a_token_is_kept_until_it_has_five_minutes_left_and_then_replaced() {
        let tokens = ServiceTokens::new(signer(), "food", "orders").unwrap();
        let first = tokens.identity_at(NOW);
        assert!(Arc::ptr_eq(&first, &tokens.identity_at(NOW + 300)));
        let second = tokens.identity_at(NOW + 301);
        assert_eq!(second.expires, NOW + 301 + 600);
        assert!(Arc::ptr_eq(&second, &tokens.identity_at(NOW + 302)));
    }

    #[test]
    fn what_is_given_is_kept_until_it_is_over_and_the_next_is_taken_by_all() {
        let verifier = signer().verifier("food");
        let given = |lifetime| {
            let grant = ServiceTokens::grant("food", "orders", Duration::from_secs(lifetime));
            Arc::new(signer().issue_at(&grant, trust_now()).unwrap())
        };
        let long = verifier.verify(&ServiceTokens::issue(&signer(), "food", "orders").unwrap()).unwrap();
        assert_eq!((&*long.subject, long.expires - long.issued), ("service:orders", 3600));
        let tokens = ServiceTokens::given("orders", Arc::clone(&long));
        let other = tokens.clone();
        // Nobody here could make another one, however late it is.
        assert!(Arc::ptr_eq(&other.identity_at(NOW + 1_000_000), &long));
        assert_eq!(tokens.shown(), Some(long));
        let over = given(1);
        let mut past = (*over).clone();
        past.expires = trust_now() - 1;
        tokens.take(Arc::new(past));
        assert_eq!(other.shown(), None);
        tokens.take(over);
        assert_eq!(other.service(), "orders");
    }

    #[test]
    fn a_clock_that_was_set_back_gives_a_new_token() {
        let tokens = ServiceTokens::new(signer(), "food", "orders").unwrap();
        tokens.identity_at(NOW);
        assert_eq!(tokens.identity_at(NOW - 100_000).expires, NOW - 100_000 + 600);
    }
}
