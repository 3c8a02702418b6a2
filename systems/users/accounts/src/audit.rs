//! What matters to whoever looks into who did what: lines of the log under the target `audit`, after the commit.
//!
//! They name accounts and sessions by id and never say a password, a token or an e-mail address.

use std::fmt::Display;

use partie::store::Tx;
use tracing::info;

/// What happened.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) action: &'static str,
    /// Who did it: an account, or nobody known.
    pub(crate) actor: Option<String>,
    /// To what.
    pub(crate) object: String,
    /// From where.
    pub(crate) address: Option<String>,
}

impl Entry {
    pub(crate) fn new(action: &'static str, object: impl Display) -> Self {
        Self { action, actor: None, object: object.to_string(), address: None }
    }

    pub(crate) fn by(mut self, actor: impl Display) -> Self {
        self.actor = Some(actor.to_string());
        self
    }

    pub(crate) fn from(mut self, address: Option<impl Display>) -> Self {
        self.address = address.map(|address| address.to_string());
        self
    }

    /// Told once the transaction has committed.
    pub(crate) fn in_commit(self, tx: &mut Tx) {
        let request = tx.call().map(|call| call.request_id().to_owned());
        tx.after_commit(move || self.tell(request.as_deref()));
    }

    fn tell(&self, request_id: Option<&str>) {
        let Self { action, actor, object, address } = self;
        let (actor, address) = (actor.as_deref().unwrap_or("-"), address.as_deref().unwrap_or("-"));
        let request_id = request_id.unwrap_or("-");
        info!(target: "audit", action, actor, object, address, request_id, "{action}");
    }
}
