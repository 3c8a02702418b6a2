//! What a token is to say.

use std::time::Duration;

use crate::ca::Anchor;
use crate::claims::{is_role, is_subject};

/// What a token is to say.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Grant {
    /// For whom the token is: the name of the system.
    pub audience: String,
    /// Whom it speaks for, 1 to 255 characters.
    pub subject: String,
    /// What they may do.
    pub roles: Vec<String>,
    /// How long, in whole seconds, at least one.
    pub lifetime: Duration,
    /// `sid`: the session it belongs to. A revoked session takes its tokens with it.
    pub session: Option<String>,
    /// `client_id`: the program it is issued to.
    pub client: Option<String>,
    /// `scope`: what the program was allowed, names between single spaces.
    pub scope: Option<String>,
    /// `jti`: the token's own name; 128 random bits if nothing is said.
    pub id: Option<String>,
    /// `ca`: by what the authority of the system is known, for those who are to join it.
    pub anchor: Option<Anchor>,
}

/// Why a token cannot be issued.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IssueError {
    /// The subject would be refused.
    #[error("a subject has 1 to 255 characters, none of them a control character")]
    Subject,
    /// A role would be refused.
    #[error("a role has 1 to 255 characters, none of them a control character")]
    Role,
    /// Session, client, scope or the token's own name would be refused.
    #[error("{0} has 1 to 255 characters, none of them a control character")]
    Claim(&'static str),
    /// Nobody could use it.
    #[error("a token lives for at least a second")]
    Lifetime,
    /// It would be refused for its size.
    #[error("the token would be longer than 8 KiB; give it fewer roles")]
    TooLong,
    /// Tokens are signed by those who have the system's key, and this process has joined without it.
    #[error("this process has joined without the system's key, so it signs nothing")]
    NoKey,
    /// The operating system gives no random numbers.
    #[error("the operating system gives no random numbers")]
    Random,
}

// === impl Grant ===

impl Grant {
    /// A grant without roles.
    pub fn new(audience: impl Into<String>, subject: impl Into<String>, lifetime: Duration) -> Self {
        Self {
            audience: audience.into(),
            subject: subject.into(),
            roles: Vec::new(),
            lifetime,
            session: None,
            client: None,
            scope: None,
            id: None,
            anchor: None,
        }
    }

    /// The same grant with one more role.
    #[must_use]
    pub fn role(mut self, role: impl Into<String>) -> Self {
        self.roles.push(role.into());
        self
    }

    /// The same grant within a session, `sid`.
    #[must_use]
    pub fn session(mut self, session: impl Into<String>) -> Self {
        self.session = Some(session.into());
        self
    }

    /// The same grant for a program, `client_id`.
    #[must_use]
    pub fn client(mut self, client: impl Into<String>) -> Self {
        self.client = Some(client.into());
        self
    }

    /// The same grant with a scope: names between single spaces.
    #[must_use]
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.scope = Some(scope.into());
        self
    }

    /// The same grant under a name of its own, `jti`.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// The same grant to a newcomer who is to know that authority, `ca`.
    #[must_use]
    pub fn anchor(mut self, anchor: Anchor) -> Self {
        self.anchor = Some(anchor);
        self
    }

    /// Whether every verifier would take what it says.
    pub(crate) fn check(&self) -> Result<(), IssueError> {
        if !is_subject(&self.subject) {
            return Err(IssueError::Subject);
        }
        if !self.roles.iter().all(|role| is_role(role)) {
            return Err(IssueError::Role);
        }
        let claims =
            [("sid", &self.session), ("client_id", &self.client), ("scope", &self.scope), ("jti", &self.id)];
        let bad =
            claims.into_iter().find(|(_, claim)| claim.as_deref().is_some_and(|text| !is_subject(text)));
        bad.map_or(Ok(()), |(name, _)| Err(IssueError::Claim(name)))
    }
}
