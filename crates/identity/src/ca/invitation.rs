//! What a join token says to who was given it.

use serde_json::Value;

use super::anchor::Anchor;
use crate::jws::Parts;

/// What a join token says. Nothing of it is proven to who holds it, for he has no key to check it with: he believes whoever
/// gave it to him, by a way that is not ours. Nobody may be let in by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// The system: `aud`.
    pub system: String,
    /// Who he may be: `sub`.
    pub subject: String,
    /// Until when it is good, in seconds of the wall clock.
    pub expires: i64,
    /// The authority of that system: `ca`. Without one there is nothing to know it by.
    pub anchor: Option<Anchor>,
}

/// A text that invites nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotAnInvitation(&'static str);

// === impl Invitation ===

impl Invitation {
    /// Reads a token.
    ///
    /// # Errors
    /// [`NotAnInvitation`] when it is no token, or does not say what such a token has to.
    pub fn read(token: &str) -> Result<Self, NotAnInvitation> {
        let parts = Parts::of(token).map_err(NotAnInvitation)?;
        let text = |name: &str| parts.claim(name).and_then(Value::as_str);
        let missing =
            NotAnInvitation("the token does not say for which system it is, whom it is for, and how long");
        let (Some(system), Some(subject)) = (text("aud"), text("sub")) else { return Err(missing) };
        let expires = parts.claim("exp").and_then(Value::as_i64).ok_or(missing)?;
        let anchor = match text("ca").map(str::parse).transpose() {
            Ok(anchor) => anchor,
            Err(_) => return Err(NotAnInvitation("the token names no authority that can be used")),
        };
        Ok(Self { system: system.to_owned(), subject: subject.to_owned(), expires, anchor })
    }
}
