//! Whom the processes of a system believe: the system's own key, and the issuers of `[identity]`, whose keys and revocations
//! are kept fresh in the background.

mod follow;
mod mesh_keys;

use std::sync::Arc;

use http::HeaderValue;
use partie_gateway::Readiness;
use partie_identity::{Config as IdentityConfig, InvalidIdentity, Issuer, Opened, ServiceTokens, Verifier};
use partie_mesh::{Mesh, MeshService, Origin};
use partie_runtime::{Ids, Stop};

use self::follow::Follower;
use self::mesh_keys::MeshKeys;
use crate::config::Config;

/// Whom one process believes.
pub(crate) struct Trust {
    pub(crate) verifier: Arc<Verifier>,
    followers: Vec<Follower>,
}

// === impl Trust ===

impl Trust {
    /// Believes the system's own issuer, and whoever the configuration names. Nothing is fetched yet. Services are asked under the
    /// identity of `tokens`.
    pub(crate) fn open(
        config: &Config,
        system: &str,
        own: Issuer,
        mesh: &Mesh,
        ids: &Ids,
        tokens: &ServiceTokens,
    ) -> Result<Self, InvalidIdentity> {
        let settings = settings(config);
        let keys_of = |service: &str| MeshKeys::shared(asked(mesh, service, tokens));
        let Opened { verifier, followed } = settings.open([own], system, ids, keys_of)?;
        let followers = followed.into_iter().map(|(service, revocations)| Follower {
            target: mesh.target(&service),
            line: asked(mesh, &service, tokens),
            tokens: tokens.clone(),
            revocations,
            ids: ids.clone(),
        });
        let (verifier, followers) = (Arc::new(verifier), followers.collect());
        Ok(Self { verifier, followers })
    }

    /// Keeps keys and revocations fresh until that stage is stopped. Call it inside a tokio runtime.
    pub(crate) fn keep_fresh(self, stop: &Stop) {
        self.verifier.keep_fresh(stop);
        for follower in self.followers {
            stop.spawn(follower.run(stop.clone()));
        }
    }

    /// Says whether tokens can be judged, if that depends on others.
    pub(crate) fn readiness(&self) -> impl Fn() -> Option<Readiness> + Send + Sync + 'static {
        let (verifier, others) = (Arc::clone(&self.verifier), self.verifier.has_others());
        move || others.then(|| Readiness { service: "identity".to_owned(), problem: verifier.problem() })
    }
}

/// A way to a service, on behalf of the process.
fn asked(mesh: &Mesh, service: &str, tokens: &ServiceTokens) -> MeshService {
    let (name, tokens) = (tokens.service().to_owned(), tokens.clone());
    mesh.service(service).on_behalf_of(Origin::new(name).with_token(move || shown(&tokens)))
}

/// What a service shows of itself beside the tokens of users, if there is anything to show.
pub(crate) fn shown(tokens: &ServiceTokens) -> Option<HeaderValue> {
    HeaderValue::from_str(&tokens.shown()?.token).ok()
}

/// The settings of identity. A service that issues tokens says itself in whose name and for whom, in its own settings.
fn settings(config: &Config) -> IdentityConfig {
    let mut settings = config.identity.clone();
    for issuer in settings.issuers.values_mut() {
        let Some(service) = &issuer.service else { continue };
        let said = |name: &str| Some(config.services.get(service)?.get(name)?.as_str()?.to_owned());
        issuer.issuer = issuer.issuer.take().or_else(|| said("issuer"));
        issuer.audience = issuer.audience.take().or_else(|| said("audience"));
    }
    settings
}

#[cfg(test)]
mod tests;
