//! `POST /oauth/token`: tokens for programs by their secret, and for whoever has a refresh token.

use axum::response::Response;
use http::StatusCode;
use partie::Fault;
use serde_json::{Value, json};
use users_contracts::clients::Client;

use super::asked::Asked;
use super::{OauthError, uncached};

pub(super) async fn answer(asked: Asked) -> Result<Response, OauthError> {
    let granted = match asked.form.required("grant_type", "grant_type is missing")? {
        "client_credentials" => client(&asked)?,
        "refresh_token" => refresh(&asked).await?,
        _ => return Err(OauthError::new("unsupported_grant_type", "client_credentials or refresh_token")),
    };
    Ok(uncached(StatusCode::OK, &granted))
}

/// RFC 6749 section 4.4.
fn client(asked: &Asked) -> Result<Value, OauthError> {
    let client = asked.required_client()?;
    let scope = scope(client, asked.form.optional("scope"))?;
    let (token, lifetime) = asked.desk.client_token(client, &scope)?;
    let mut granted = json!({
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": lifetime.as_secs(),
    });
    if !scope.is_empty() {
        granted["scope"] = scope.into();
    }
    Ok(granted)
}

/// What is asked for, of what the client may have; all of that if nothing is.
fn scope(client: &Client, asked: Option<&str>) -> Result<String, OauthError> {
    let Some(asked) = asked else { return Ok(client.scopes.join(" ")) };
    let may_have = |scope: &str| client.scopes.iter().any(|own| own == scope);
    if asked.split(' ').all(may_have) {
        Ok(asked.to_owned())
    } else {
        Err(OauthError::new("invalid_scope", "the client may not have this scope"))
    }
}

/// RFC 6749 section 6, by the rules of `POST /api/v1/auth/refresh`.
///
/// Refresh tokens are of people, who have no secret; a program that shows one has shown its own.
async fn refresh(asked: &Asked) -> Result<Value, OauthError> {
    let token = asked.form.required("refresh_token", "refresh_token is missing")?;
    let desk = &asked.desk;
    match desk.refreshed(&desk.call(&asked.headers), &token.into()).await {
        Ok(tokens) => Ok(json!(tokens)),
        Err(Fault::Domain(_)) => {
            Err(OauthError::new("invalid_grant", "the refresh token is none, or not good any more"))
        }
        Err(Fault::Platform(fault)) => Err(fault.into()),
    }
}
