//! `POST /oauth/introspect` (RFC 7662): what a token says, for programs that cannot verify it themselves.

use axum::response::Response;
use http::StatusCode;
use partie::contract::{Abort, Id as _, NoProblem, Outcome};
use serde_json::{Value, json};
use users_contracts::SessionId;

use super::asked::Asked;
use super::{OauthError, uncached};
use crate::desk::UserDesk;
use crate::minter::Purpose;
use crate::rows;
use crate::session::{Record, Trade};

pub(super) async fn answer(asked: Asked) -> Result<Response, OauthError> {
    // Section 2.1: nobody tries out tokens here.
    asked.required_client()?;
    let (desk, token) = (&asked.desk, asked.token()?);
    let said = match desk.minter.open::<2>(Purpose::Refresh, &token.into()) {
        Some([session, token]) => refresh(desk, SessionId::from_uuid(session), token).await?,
        None => access(desk, token).await?,
    };
    Ok(uncached(StatusCode::OK, &said.unwrap_or_else(|| json!({ "active": false }))))
}

async fn refresh(desk: &UserDesk, id: SessionId, token: uuid::Uuid) -> Result<Option<Value>, OauthError> {
    let (found, now) = (desk.session(id).await?, desk.store.clock().now());
    let good = found.filter(|one| one.judge(token, now, desk.settings.refresh_grace) == Trade::Fresh);
    Ok(good.map(|session| {
        let ends = session.expires_at.min(session.idle_expires_at).as_millis() / 1000;
        json!({ "active": true, "token_type": "refresh_token", "sub": session.user_id, "exp": ends, "sid": id })
    }))
}

async fn access(desk: &UserDesk, token: &str) -> Result<Option<Value>, OauthError> {
    let Some(identity) = desk.keyring.verify(token) else { return Ok(None) };
    if let Some(session) = &identity.session {
        let now = desk.store.clock().now();
        let found = match session.parse() {
            Ok(id) => desk.session(id).await?,
            Err(_) => None,
        };
        if found.is_none_or(|session| !session.is_open(now)) {
            return Ok(None);
        }
    }
    let mut said = json!({
        "active": true,
        "token_type": "Bearer",
        "sub": identity.subject,
        "roles": identity.roles,
        "iss": desk.settings.issuer,
        "aud": desk.settings.audience,
        "exp": identity.expires,
        "iat": identity.issued,
    });
    for (name, value) in [("sid", &identity.session), ("client_id", &identity.client)] {
        if let Some(value) = value {
            said[name] = value.as_str().into();
        }
    }
    Ok(Some(said))
}

impl UserDesk {
    async fn session(&self, id: SessionId) -> Result<Option<Record>, partie::Platform> {
        let found: Outcome<_, NoProblem> = self.store.read(move |tx| Ok(rows::sessions::find(tx, id)?)).await;
        found.map_err(|fault| Abort::from(fault).into_platform())
    }
}
