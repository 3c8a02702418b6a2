//! How a process proves to others who it is.

use partie_identity::{IssueError, Issuer, ServiceTokens, Signer};

/// By what it does.
#[derive(Clone)]
pub(super) enum Proof {
    /// By the system's key, with which it signs tokens itself.
    Key(Signer),
    /// By what it was given, without which it could not.
    Given {
        /// Renewed from outside.
        tokens: ServiceTokens,
        /// Who signs them, and all others of the system.
        issuer: Issuer,
    },
}

// === impl Proof ===

impl Proof {
    /// The tokens of a service of that system. One that is given tokens has those of one service only.
    pub(super) fn tokens(&self, system: &str, service: &str) -> Result<ServiceTokens, IssueError> {
        match self {
            Self::Key(signer) => ServiceTokens::new(signer.clone(), system, service),
            Self::Given { tokens, .. } => Ok(tokens.clone()),
        }
    }

    /// Whose tokens are the system's own.
    pub(super) fn trusted(&self, system: &str) -> Issuer {
        match self {
            Self::Key(signer) => signer.trusted(system),
            Self::Given { issuer, .. } => issuer.clone(),
        }
    }

    /// The key, if it is here.
    pub(super) fn signer(&self) -> Option<&Signer> {
        match self {
            Self::Key(signer) => Some(signer),
            Self::Given { .. } => None,
        }
    }
}
