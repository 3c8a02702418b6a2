//! How a process becomes part of a system whose key it has not: with a join token first, with what it was given for that
//! afterwards, over its restarts as well.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use partie_contract::{Call, Caller, Client as _, Deadline, Fault, Identity};
use partie_identity::{
    Applicant, Application, AuthorityError, Certified, Issuer, JwksError, Papers, ServiceTokens, Verifier,
    service_host,
};
use partie_mesh::{BindError, ClientTls, Credentials, Mesh, MeshConfig, Origin, Trust, refused_handshake};
use partie_runtime::{Backoff, Stop, trust_now};

use super::super::error::StartError;
use super::super::launch::Environment;
use super::super::proof::Proof;
use super::pass::issuer;
use super::secured::pem;
use super::{Meeting, Place, REGISTRY, refusal};
use crate::config::Config;
use crate::platform;
use crate::wire::{Apply, Certificate, JoinToken, RegistryWireClient};

/// How long the platform may take to answer.
const ASK: Duration = Duration::from_secs(3);
/// How long to wait before one is asked again that does not.
const AGAIN: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
/// How often it is looked whether something new is due: clocks are set, and machines sleep.
const LOOK: Duration = Duration::from_secs(15);

/// What people are told who look for the reason.
const WAITS: &str = "no new certificate: the platform is asked again and again";
const OVER: &str = "what it was given is over: start it again with a new join token";

/// A process without the system's key. It can show who it is and tell who others are; tokens it can only pass on.
pub(super) struct Guest {
    papers: Papers,
    /// Where they are kept for the next start.
    path: PathBuf,
    issuer: Issuer,
    verifier: Verifier,
    tokens: ServiceTokens,
    credentials: Credentials,
    /// What was said of it last, if nothing new comes.
    told: Option<&'static str>,
}

// === impl Guest ===

impl Guest {
    /// Joins, if that is how this process is to start: it has no key, and either a join token that says by what the platform
    /// is known, or what it was given before. What is still good is used before the token is.
    pub(super) async fn join(
        place: &Place,
        config: &Config,
        data: &Path,
        environment: &Environment,
    ) -> Result<Option<Self>, StartError> {
        if place.key.is_some() {
            return Ok(None);
        }
        let refused = |reason: String| StartError::Join { service: place.part.clone(), reason };
        let token = place.join.as_deref().map(|join| JoinToken::read(join.trim(), &place.part));
        let token = token.transpose().map_err(refused)?;
        let path = data.join(format!("joined-{}.json", place.part));
        let known = match &token {
            // It is for a system on one machine, which has a key that it can see.
            Some(token) if token.anchor.is_none() => return Ok(None),
            _ => Papers::load(&path)?,
        };
        if token.is_none() && known.is_none() {
            return Ok(None);
        }
        if place.part == platform::NAME {
            return Err(refused(
                "it signs for all others, so it takes the system's key: --key FILE".to_owned(),
            ));
        }
        let Some(Meeting::Platform(address)) = place.registry else {
            return Err(refused(
                "who has not the key joins at the platform: --registry http://HOST:PORT".to_owned(),
            ));
        };
        if !config.mesh.tls {
            return Err(refused("who has not the key joins through TLS, and mesh.tls = false".to_owned()));
        }
        if let Some(token) = token.as_ref().filter(|token| token.system != place.system) {
            return Err(refused(format!("the join token is for {}, not for {}", token.system, place.system)));
        }
        let anchor = token.as_ref().and_then(|token| token.anchor.as_ref());
        let good = known.filter(|papers| papers.are_good(&place.system, &place.part, anchor, trust_now()));
        let papers = match (good, &token) {
            (Some(papers), _) => papers,
            (None, Some(token)) => {
                let key = path.with_extension("key");
                let applicant = Applicant::kept(&token.system, &token.service, &key)?;
                let papers = ask(place, token, &applicant, address, config, environment).await?;
                papers.save(&path)?;
                // It is in the papers. One that stays is used by whoever joins here next.
                std::fs::remove_file(&key).ok();
                tracing::info!(part = place.part, system = place.system, "joined");
                papers
            }
            (None, None) => {
                let over = format!(
                    "what it was given when it joined is not good any more ({}): say --join TOKEN",
                    path.display()
                );
                return Err(refused(over));
            }
        };
        Self::open(papers, path).map(Some)
    }

    fn open(papers: Papers, path: PathBuf) -> Result<Self, StartError> {
        let unusable = |error: JwksError| StartError::Join {
            service: papers.service.clone(),
            reason: error.to_string(),
        };
        let issuer = Issuer::system(&issuer(&papers.system), &papers.keys).map_err(unusable)?;
        let issuer = issuer.audience(&papers.system);
        let verifier = Verifier::new([issuer.clone()]);
        let tokens = ServiceTokens::given(&papers.service, identity(&verifier, &papers.token));
        let credentials = Credentials::new(pem(&papers.certified, &papers.key)).map_err(BindError::from)?;
        Ok(Self { papers, path, issuer, verifier, tokens, credentials, told: None })
    }

    pub(super) fn proof(&self) -> Proof {
        Proof::Given { tokens: self.tokens.clone(), issuer: self.issuer.clone() }
    }

    pub(super) fn credentials(&self) -> Credentials {
        self.credentials.clone()
    }

    /// What the registry knows it by.
    pub(super) fn member(&self) -> &str {
        &self.papers.member
    }

    /// Asks for what comes next, if it is time for that. Until it comes the old is good as long as it is.
    pub(super) async fn renew_if_due(
        &mut self,
        desk: &RegistryWireClient,
        calls: &Arc<dyn Fn() -> Call + Send + Sync>,
    ) {
        if !self.papers.renew_in(trust_now()).is_zero() {
            return;
        }
        let renewed = self.renew(desk, calls()).await;
        let (part, until) = (&self.papers.service, self.papers.certified.expires);
        let told = renewed.as_ref().err().map(|_| if trust_now() < until { WAITS } else { OVER });
        match renewed {
            Ok(()) if self.told.is_some() => tracing::info!(part, "the platform certifies it again"),
            Ok(()) => {}
            Err(reason) if self.told == told => tracing::debug!(part, reason, "no new certificate"),
            Err(reason) => tracing::error!(part, reason, until, "{}", told.unwrap_or(WAITS)),
        }
        self.told = told;
    }

    async fn renew(&mut self, desk: &RegistryWireClient, call: Call) -> Result<(), String> {
        let Papers { system, service, anchor, .. } = &self.papers;
        let applicant = Applicant::new(system, service).map_err(|error| error.to_string())?;
        let (key, apply) = application(&applicant).map_err(|error| error.to_string())?;
        let member = self.verifier.verify(&self.papers.member).map_err(|fault| fault.to_string())?;
        let call = call.within(ASK).with_caller(Caller::Verified(member));
        let given = desk.certify(&call, apply).await;
        let given = given.map_err(|fault| refusal(fault).unwrap_or_else(|fault| fault.to_string()))?;
        let next = papers((system, service, anchor), key, given);
        // Those of another service are not taken, and connections that are there go on.
        self.credentials.replace(pem(&next.certified, &next.key)).map_err(|error| error.to_string())?;
        self.tokens.take(identity(&self.verifier, &next.token));
        self.papers = next;
        self.papers.save(&self.path).map_err(|error| error.to_string())
    }

    /// Asks in time, until the process ends.
    pub(super) fn keep(
        mut self,
        desk: RegistryWireClient,
        calls: Arc<dyn Fn() -> Call + Send + Sync>,
        stop: Stop,
    ) {
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = stop.stopped() => return,
                    () = tokio::time::sleep(LOOK) => {}
                }
                self.renew_if_due(&desk, &calls).await;
            }
        });
    }
}

/// Shows the join token to the platform, and to nobody else: who answers has to be known by what the token says.
async fn ask(
    place: &Place,
    token: &JoinToken,
    applicant: &Applicant,
    address: SocketAddr,
    config: &Config,
    environment: &Environment,
) -> Result<Papers, StartError> {
    let refused = |reason: String| StartError::Join { service: place.part.clone(), reason };
    let Some(anchor) = &token.anchor else {
        return Err(refused("the join token does not say by what the platform is known".to_owned()));
    };
    let trust = Trust::Pem(anchor.root(&token.system)?);
    let tls = ClientTls::new(&service_host(&token.system, REGISTRY), &trust).map_err(BindError::from)?;
    // Nobody is waited for there: it is asked again here.
    let once = MeshConfig { hold: Duration::ZERO, ..config.mesh.clone() };
    // A new way each time: one that has failed is left alone for a while.
    let desk = || {
        let mesh = Mesh::new(once.clone(), environment.mesh_handles());
        mesh.connect_tls(REGISTRY, &[address], tls.clone());
        RegistryWireClient::over(mesh.channel(Origin::new(&*place.part), REGISTRY))
    };

    // The same key every time: an answer may be lost, and the token lets one in.
    let (key, apply) = application(applicant)?;
    let shown = place.join.as_deref().unwrap_or_default().trim();
    // To be verified there, and by nobody here.
    let shown = Caller::Verified(Arc::new(Identity::new(&*place.part, shown, token.expires)));
    let mut failures = 0_u32;
    loop {
        if trust_now() >= token.expires {
            return Err(refused("the join token is over: each is good for ten minutes".to_owned()));
        }
        let call = Call::new(Deadline::after(ASK), environment.ids.trace()).with_caller(shown.clone());
        let fault = match desk().certify(&call, apply.clone()).await {
            Ok(given) => {
                return Ok(papers((&token.system, &token.service, &anchor.to_string()), key, given));
            }
            Err(fault) => match refusal(fault) {
                Ok(reason) => return Err(refused(reason)),
                Err(fault) => fault,
            },
        };
        if let Fault::Platform(fault) = &fault
            && let Some(reason) = refused_handshake(fault)
        {
            let reason =
                format!("what answers at {address} is not the platform that the join token names: {reason}");
            return Err(refused(reason));
        }
        failures = failures.saturating_add(1);
        if failures == 1 {
            tracing::warn!(part = place.part, %address, reason = %fault, "the platform does not answer yet");
        }
        tokio::time::sleep(AGAIN.after(failures, &environment.ids)).await;
    }
}

/// A key, as PEM, and what is asked for it.
fn application(applicant: &Applicant) -> Result<(String, Apply), AuthorityError> {
    let Application { service, public_key, proof } = applicant.application()?;
    Ok((applicant.key_pem(), Apply { service, public_key, proof }))
}

fn papers((system, service, anchor): (&str, &str, &str), key: String, given: Certificate) -> Papers {
    let Certificate { certificate, authority, issued, expires, member, token, keys } = given;
    Papers {
        system: system.to_owned(),
        service: service.to_owned(),
        anchor: anchor.to_owned(),
        key,
        certified: Certified { certificate, authority, issued, expires },
        member,
        token,
        keys: keys.into(),
    }
}

/// Whom a token speaks for. One that is over is nobody's, and is not shown.
fn identity(verifier: &Verifier, token: &str) -> Arc<Identity> {
    verifier.verify(token).unwrap_or_else(|_| Arc::new(Identity::new("", token, 0)))
}

#[cfg(test)]
mod tests;
