//! Who asks about themselves, and whether their session still stands.

use partie::contract::{Call, FaultKind, IfMatch, Platform};
use partie::store::Tx;
use users_contracts::accounts::UserStatus;
use users_contracts::{SessionId, UserId};

use crate::rows;
use crate::session;
use crate::user::Account;

/// Somebody with a token of theirs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Own {
    pub(super) id: UserId,
    pub(super) session: Option<SessionId>,
}

impl Own {
    /// The caller. Tokens of programs and services name no user.
    pub(super) fn of(cx: &Call) -> Result<Self, Platform> {
        let id = cx.subject()?.parse().map_err(|_| {
            Platform::new(FaultKind::Forbidden).with_detail("this is for users, and the token names none")
        })?;
        Ok(Self { id, session: session::of(cx) })
    }

    /// Their account, if the session of the token stands: here a session that has ended is over at once, while
    /// others may take a second to hear of it.
    pub(super) fn account(self, tx: &mut Tx) -> Result<Account, Platform> {
        let ended = |detail: &'static str| Platform::new(FaultKind::Unauthenticated).with_detail(detail);
        if let Some(id) = self.session {
            let now = tx.now();
            let session =
                rows::sessions::find(tx, id)?.filter(|one| one.user_id == self.id && one.is_open(now));
            session.ok_or_else(|| ended("the session has ended"))?;
        }
        let account = rows::users::find(tx, self.id)?;
        account
            .filter(|account| !matches!(account.status, UserStatus::Deleted | UserStatus::Suspended))
            .ok_or_else(|| ended("the account is not there any more"))
    }
}

/// The version that the caller has seen. The server asks for it; without one nothing is changed.
pub(super) fn precondition(cx: &Call) -> Result<IfMatch, Platform> {
    cx.if_match().ok_or_else(|| Platform::new(FaultKind::PreconditionRequired))
}
