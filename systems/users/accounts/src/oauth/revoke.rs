//! `POST /oauth/revoke` (RFC 7009): ends the session of a token.

use axum::response::Response;
use http::StatusCode;
use partie::contract::{Abort, Id as _, NoProblem, Outcome};
use partie::runtime::trust_now;
use serde_json::json;
use users_contracts::SessionId;
use users_contracts::events::EndReason;

use super::asked::Asked;
use super::{OauthError, uncached};
use crate::audit::Entry;
use crate::desk::UserDesk;
use crate::minter::Purpose;
use crate::{rows, session};

/// Whoever has a token of a session may end that. What is no token is as good as ended (section 2.2).
pub(super) async fn answer(asked: Asked) -> Result<Response, OauthError> {
    let (desk, token) = (&asked.desk, asked.token()?);
    let session = match desk.minter.open::<2>(Purpose::Refresh, &token.into()) {
        Some([session, _]) => Some(SessionId::from_uuid(session)),
        None => match desk.keyring.verify(token) {
            Some(identity) if identity.session.is_none() => {
                let only = "a program's token is over when its time is; remove the client to end it before";
                return Err(OauthError::new("unsupported_token_type", only));
            }
            Some(identity) => identity.session.as_deref().and_then(|session| session.parse().ok()),
            None => None,
        },
    };
    if let Some(session) = session {
        desk.revoked(session).await?;
    }
    Ok(uncached(StatusCode::OK, &json!({})))
}

impl UserDesk {
    async fn revoked(&self, id: SessionId) -> Result<(), partie::Platform> {
        let (settings, trusted) = (self.settings.clone(), trust_now());
        let ended: Outcome<(), NoProblem> = self
            .store
            .write(move |tx| {
                if let Some(found) = rows::sessions::find(tx, id)?.filter(|one| one.ended_at.is_none()) {
                    session::end(tx, &found, EndReason::Logout, &settings, trusted)?;
                    Entry::new("token.revoked", id).by(found.user_id).in_commit(tx);
                }
                Ok(())
            })
            .await;
        ended.map_err(|fault| Abort::from(fault).into_platform())
    }
}
