//! The contract `Sessions`.

use partie::contract::{Call, NoContent, Outcome, Problem};
use partie::runtime::trust_now;
use users_contracts::SessionId;
use users_contracts::events::EndReason;
use users_contracts::sessions::{SessionError, SessionList, Sessions};

use super::UserDesk;
use super::own::Own;
use crate::audit::Entry;
use crate::{rows, session};

impl Sessions for UserDesk {
    async fn list(&self, cx: &Call) -> Outcome<SessionList, SessionError> {
        let own = Own::of(cx)?;
        self.store
            .read(move |tx| {
                let (account, now) = (own.account(tx)?, tx.now());
                let all = rows::sessions::of_user(tx, account.id)?.into_iter();
                let open = all.filter(|session| session.is_open(now));
                Ok(SessionList { data: open.map(|session| session.view(own.session)).collect() })
            })
            .await
    }

    async fn end_others(&self, cx: &Call) -> Outcome<NoContent, SessionError> {
        let (own, settings, trusted) = (Own::of(cx)?, self.settings.clone(), trust_now());
        self.store
            .once(cx, move |tx| {
                own.account(tx)?;
                session::end_all(tx, own.id, own.session, EndReason::EndedElsewhere, &settings, trusted)?;
                Entry::new("sessions.ended", own.id).by(own.id).in_commit(tx);
                Ok(NoContent)
            })
            .await
    }

    async fn end(&self, cx: &Call, sid: SessionId) -> Outcome<NoContent, SessionError> {
        let own = Own::of(cx)?;
        let exists = self
            .store
            .read(move |tx| {
                own.account(tx)?;
                let found = rows::sessions::find(tx, sid)?.filter(|session| session.user_id == own.id);
                Ok::<_, partie::Fault<SessionError>>(found.is_some())
            })
            .await?;
        if !exists {
            return Err(SessionError::NotFound.into());
        }
        self.ended(cx, own, sid).await
    }
}

impl UserDesk {
    /// Ends one of somebody's sessions. One that has ended stays as it is.
    pub(super) async fn ended<E: Problem>(
        &self,
        cx: &Call,
        own: Own,
        id: SessionId,
    ) -> Outcome<NoContent, E> {
        let (settings, trusted) = (self.settings.clone(), trust_now());
        let reason = if own.session == Some(id) { EndReason::Logout } else { EndReason::EndedElsewhere };
        self.store
            .once(cx, move |tx| {
                let found = rows::sessions::find(tx, id)?;
                if let Some(found) = found.filter(|one| one.user_id == own.id && one.ended_at.is_none()) {
                    session::end(tx, &found, reason, &settings, trusted)?;
                    Entry::new("logout", id).by(own.id).in_commit(tx);
                }
                Ok(NoContent)
            })
            .await
    }
}
