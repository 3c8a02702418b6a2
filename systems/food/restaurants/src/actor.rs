//! Who acts on a restaurant: its owner, or an administrator.

use partie::contract::{Call, Platform};

/// The caller of an operation that only owners and administrators have.
#[derive(Debug, Clone)]
pub(crate) struct Actor {
    pub(crate) subject: String,
    pub(crate) is_admin: bool,
}

impl Actor {
    /// The caller.
    ///
    /// # Errors
    /// As [`Call::subject`].
    pub(crate) fn of(cx: &Call) -> Result<Self, Platform> {
        Ok(Self { subject: cx.subject()?.to_owned(), is_admin: cx.caller().has_role("admin") })
    }

    /// Whether the restaurants of that owner are the actor's business. To all others they do not exist.
    pub(crate) fn may_act_for(&self, owner: &str) -> bool {
        self.is_admin || self.subject == owner
    }
}
