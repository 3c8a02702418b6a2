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
///
/// Made by [`new`](Self::new), so that another field breaks nobody.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Identity {
    /// `sub`: 1 to 255 characters. Subjects of different issuers may be the same.
    pub subject: String,
    /// Roles; a service has the role `service`.
    pub roles: Vec<String>,
    /// The compact token, as it was verified.
    pub token: String,
    /// `iat`, in seconds of the wall clock since the Unix epoch. Whoever revokes says up to when tokens were issued.
    pub issued: i64,
    /// `exp`, in seconds of the wall clock since the Unix epoch.
    pub expires: i64,
    /// `iss`: who says all that.
    pub issuer: String,
    /// `sid`: the session in which the token was issued, if there is one.
    pub session: Option<String>,
    /// `client_id`: the program the token was issued to, if the issuer says so.
    pub client: Option<String>,
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

impl Identity {
    /// Somebody without roles, proven by a token that holds until `expires`, in seconds of the wall clock.
    pub fn new(subject: impl Into<String>, token: impl Into<String>, expires: i64) -> Self {
        Self {
            subject: subject.into(),
            roles: Vec::new(),
            token: token.into(),
            issued: 0,
            expires,
            issuer: String::new(),
            session: None,
            client: None,
        }
    }

    /// The same with these roles.
    #[must_use]
    pub fn with_roles<R: Into<String>>(mut self, roles: impl IntoIterator<Item = R>) -> Self {
        self.roles = roles.into_iter().map(Into::into).collect();
        self
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("subject", &self.subject)
            .field("roles", &self.roles)
            .field("issuer", &self.issuer)
            .field("issued", &self.issued)
            .field("expires", &self.expires)
            .field("session", &self.session)
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}
