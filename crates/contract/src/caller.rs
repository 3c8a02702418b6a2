//! Who calls: nobody known, or an identity proven by a verified token.

use std::fmt;
use std::sync::Arc;

/// The caller of an operation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Caller {
    /// No identity was shown.
    #[default]
    Anonymous,
    /// A token was verified in this process.
    Verified(Arc<Identity>),
}

/// A verified identity together with its token, which is passed on to the services called on its behalf.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// `sub`: 1 to 255 characters.
    pub subject: String,
    /// Roles; a service has the role `service`.
    pub roles: Vec<String>,
    /// The compact token, as it was verified.
    pub token: String,
    /// `exp`, in seconds of the wall clock since the Unix epoch.
    pub expires: i64,
}

// === impl Caller ===

impl Caller {
    /// The identity, if there is one.
    pub fn identity(&self) -> Option<&Identity> {
        match self {
            Self::Anonymous => None,
            Self::Verified(identity) => Some(identity),
        }
    }

    /// The subject, if there is one.
    pub fn subject(&self) -> Option<&str> {
        self.identity().map(|identity| identity.subject.as_str())
    }

    /// Whether the caller has the role.
    pub fn has_role(&self, role: &str) -> bool {
        self.identity().is_some_and(|identity| identity.roles.iter().any(|own| own == role))
    }
}

impl From<Identity> for Caller {
    fn from(identity: Identity) -> Self {
        Self::Verified(Arc::new(identity))
    }
}

// === impl Identity ===

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("subject", &self.subject)
            .field("roles", &self.roles)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}
