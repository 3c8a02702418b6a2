//! The keys that sign access tokens, each in its turn: next, active, retiring, retired.
//!
//! A key is published before it signs, for as long as verifiers may take to hear of it, and after it has signed, for as
//! long as its last token lives. So no token is refused for its key.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use partie::contract::{BoxError, Identity, NoProblem, Outcome, Platform};
use partie::identity::{Algorithm, Signer, Verifier, jwk_set};
use partie::messaging::Publish as _;
use partie::runtime::{duration, trust_now};
use partie::store::Store;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use users_contracts::events::KeyRotated;

use crate::rows;
use crate::seal::Seal;
use crate::settings::Settings;

/// Rung when a key enters another state.
pub(crate) const BELL: &str = "users-keys";

/// Which keys sign, and how long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// `EdDSA` or `ES256`. Another one holds from the next key on.
    pub algorithm: Algorithm,
    /// How long a key signs.
    #[serde(with = "duration")]
    pub rotate_after: Duration,
    /// How long a key is published before it signs: longer than any verifier keeps the keys it knows.
    #[serde(with = "duration")]
    pub publish_ahead: Duration,
    /// How long a key that has signed is still published: at least as long as its tokens live, and clocks differ.
    #[serde(with = "duration")]
    pub retire_after: Duration,
}

/// Where a key stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// Published, and signs nothing yet.
    Next,
    /// It signs.
    Active,
    /// It verifies what it has signed.
    Retiring,
    /// Gone.
    Retired,
}

/// A key as it is stored.
#[derive(Clone)]
pub(crate) struct Stored {
    pub(crate) kid: String,
    pub(crate) state: State,
    /// The private key, as [`Seal`] closes it.
    pub(crate) sealed: Vec<u8>,
    /// Since when it is in that state, in seconds of the wall clock.
    pub(crate) since: i64,
}

/// The keys as this process knows them.
pub(crate) struct Keyring {
    store: Store,
    seal: Seal,
    issuer: String,
    audience: String,
    config: Config,
    known: ArcSwap<Known>,
}

struct Known {
    /// By name and state.
    keys: Vec<(String, State)>,
    signers: Vec<(State, Signer)>,
    jwks: Value,
    /// Verifies what they have signed.
    verifier: Option<Verifier>,
}

/// What is to be done about the keys.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    /// There is none that could be next.
    Make(State),
    /// The next one signs from now on; the one before retires.
    Activate { next: String, before: String },
    /// Nothing it has signed is left.
    Retire(String),
}

impl Default for Config {
    fn default() -> Self {
        Self {
            algorithm: Algorithm::EdDsa,
            rotate_after: Duration::from_hours(24 * 30),
            publish_ahead: Duration::from_hours(24),
            retire_after: Duration::from_hours(1),
        }
    }
}

// === impl Keyring ===

impl Keyring {
    /// The keys there are; the first one if there are none.
    pub(crate) async fn open(store: Store, seal: Seal, settings: &Settings) -> Result<Arc<Self>, BoxError> {
        let nothing = Known { keys: Vec::new(), signers: Vec::new(), jwks: jwk_set([]), verifier: None };
        let Settings { issuer, audience, keys, .. } = settings.clone();
        let ring =
            Self { store, seal, issuer, audience, config: keys, known: ArcSwap::from_pointee(nothing) };
        ring.look().await?;
        Ok(Arc::new(ring))
    }

    /// What signs now.
    pub(crate) fn signer(&self) -> Result<Signer, Platform> {
        let known = self.known.load();
        let active = known.signers.iter().find(|(state, _)| *state == State::Active);
        active
            .map(|(_, signer)| signer.clone())
            .ok_or_else(|| Platform::internal("there is no key to sign with"))
    }

    /// The public keys of all that sign, will or have.
    pub(crate) fn jwks(&self) -> Value {
        self.known.load().jwks.clone()
    }

    /// Whom a token of ours speaks for, if it is good. Whether its session stands is another question.
    pub(crate) fn verify(&self, token: &str) -> Option<Arc<Identity>> {
        self.known.load().verifier.as_ref()?.verify(token).ok()
    }

    /// The algorithms of those.
    pub(crate) fn algorithms(&self) -> Vec<&'static str> {
        let mut all: Vec<_> = self.known.load().signers.iter().map(|(_, signer)| signer.alg()).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Learns what has become of the keys, and does what is due. Every process may: whoever comes first does it, and a step
    /// is a transaction, so that a crash in between leaves nothing half done. Keys live by the wall clock, as tokens do.
    ///
    /// # Errors
    /// When the store cannot be read or written, or a key was sealed with another secret.
    pub(crate) async fn look(&self) -> Result<(), BoxError> {
        for _ in 0..8 {
            let now = trust_now();
            let stored = self.stored().await?;
            self.learn(&stored)?;
            let Some(step) = due(&stored, &self.config, now) else { break };
            self.take(step, now).await?;
        }
        Ok(())
    }

    /// Takes a step, unless somebody else was faster: then there may be another one.
    async fn take(&self, step: Step, now: i64) -> Result<(), BoxError> {
        let made = match &step {
            Step::Make(state) => Some(self.make(*state, now)?),
            Step::Activate { .. } | Step::Retire(_) => None,
        };
        let (config, algorithm) = (self.config.clone(), self.config.algorithm.as_str());
        let taken: Outcome<(), NoProblem> = self
            .store
            .write(move |tx| {
                if due(&rows::keys::in_use(tx)?, &config, now).as_ref() != Some(&step) {
                    return Ok(());
                }
                match (&step, &made) {
                    (Step::Activate { next, before }, _) => {
                        rows::keys::enter(tx, next, State::Active, now)?;
                        rows::keys::enter(tx, before, State::Retiring, now)?;
                        tx.publish(&KeyRotated { kid: next.clone() })?;
                    }
                    (Step::Retire(kid), _) => rows::keys::enter(tx, kid, State::Retired, now)?,
                    (Step::Make(_), Some(new)) => rows::keys::insert(tx, algorithm, new)?,
                    (Step::Make(_), None) => {}
                }
                tx.ring(BELL);
                Ok(())
            })
            .await;
        Ok(taken?)
    }

    /// A new key.
    fn make(&self, state: State, now: i64) -> Result<Stored, BoxError> {
        let document = Signer::generate(self.config.algorithm)?;
        let kid = Signer::from_pkcs8(&document, &self.issuer)?.kid().to_owned();
        let sealed = self.seal.close(&kid, &document)?;
        Ok(Stored { kid, state, sealed, since: now })
    }

    async fn stored(&self) -> Result<Vec<Stored>, BoxError> {
        let stored: Outcome<Vec<Stored>, NoProblem> = self.store.read(|tx| Ok(rows::keys::in_use(tx)?)).await;
        let mut stored = stored?;
        stored.sort_by(|a, b| a.kid.cmp(&b.kid));
        Ok(stored)
    }

    fn learn(&self, stored: &[Stored]) -> Result<(), BoxError> {
        let keys: Vec<_> = stored.iter().map(|key| (key.kid.clone(), key.state)).collect();
        if self.known.load().keys == keys {
            return Ok(());
        }
        let mut signers = Vec::with_capacity(stored.len());
        for key in stored {
            let document = self.seal.open(&key.kid, &key.sealed)?;
            signers.push((key.state, Signer::from_pkcs8(&document, &self.issuer)?));
        }
        let jwks = jwk_set(signers.iter().map(|(_, signer)| signer.jwk()));
        let verifier = Verifier::from_jwks(&jwks, &self.issuer, &self.audience).ok();
        self.known.store(Arc::new(Known { keys, signers, jwks, verifier }));
        Ok(())
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").field("keys", &self.known.load().keys).finish_non_exhaustive()
    }
}

/// The next thing to do about the keys, if anything is due.
fn due(keys: &[Stored], config: &Config, now: i64) -> Option<Step> {
    let of = |state| keys.iter().filter(move |key| key.state == state);
    let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    let age = |key: &Stored| now.saturating_sub(key.since);
    let retire = of(State::Retiring).find(|key| age(key) >= seconds(config.retire_after));
    if let Some(old) = retire {
        return Some(Step::Retire(old.kid.clone()));
    }
    let (active, next) = (of(State::Active).next(), of(State::Next).next());
    let Some(active) = active else { return Some(Step::Make(State::Active)) };
    let left = seconds(config.rotate_after) - age(active);
    match next {
        None if left <= seconds(config.publish_ahead) => Some(Step::Make(State::Next)),
        Some(next) if left <= 0 && age(next) >= seconds(config.publish_ahead) => {
            Some(Step::Activate { next: next.kid.clone(), before: active.kid.clone() })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        Config {
            algorithm: Algorithm::EdDsa,
            rotate_after: Duration::from_secs(100),
            publish_ahead: Duration::from_secs(20),
            retire_after: Duration::from_secs(10),
        }
    }

    fn key(kid: &str, state: State, since: i64) -> Stored {
        Stored { kid: kid.to_owned(), state, sealed: Vec::new(), since }
    }

    #[test]
    fn keys_take_their_turns() {
        let check = |keys: &[Stored], now| due(keys, &config(), now);
        assert_eq!(check(&[], 0), Some(Step::Make(State::Active)));
        let mut keys = vec![key("a", State::Active, 0)];
        assert_eq!(check(&keys, 79), None);
        assert_eq!(check(&keys, 80), Some(Step::Make(State::Next)), "before it is needed");
        keys.push(key("b", State::Next, 80));
        assert_eq!(check(&keys, 99), None);
        let activate = Step::Activate { next: "b".to_owned(), before: "a".to_owned() };
        assert_eq!(check(&keys, 100), Some(activate));
        let keys = [key("a", State::Retiring, 100), key("b", State::Active, 100)];
        assert_eq!(check(&keys, 109), None);
        assert_eq!(check(&keys, 110), Some(Step::Retire("a".to_owned())));
    }

    #[test]
    fn a_key_that_was_published_late_signs_late() {
        let keys = [key("a", State::Active, 0), key("b", State::Next, 500)];
        assert_eq!(due(&keys, &config(), 519), None);
        assert!(matches!(due(&keys, &config(), 520), Some(Step::Activate { .. })));
    }
}
