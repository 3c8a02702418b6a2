//! The endpoints of OAuth, as the RFCs have them: forms in, JSON out, errors by RFC 6749 section 5.2, nothing cached.
//!
//! Layout: `form` reads a request, `asked` finds out who it is by, `token`, `revoke` and `introspect` are the three endpoints of that name.

mod asked;
mod form;
mod introspect;
mod revoke;
mod token;

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::{HeaderValue, StatusCode, header};
use partie::contract::{FaultKind, Platform};
use serde_json::{Value, json};

use self::form::LARGEST;
use crate::desk::UserDesk;

/// Their routes.
pub(crate) fn router(desk: Arc<UserDesk>) -> Router {
    Router::new()
        .route("/oauth/token", post(token::answer))
        .route("/oauth/revoke", post(revoke::answer))
        .route("/oauth/introspect", post(introspect::answer))
        .route("/.well-known/oauth-authorization-server", get(metadata))
        .route("/.well-known/jwks.json", get(jwks))
        .layer(axum::extract::DefaultBodyLimit::max(LARGEST))
        .with_state(desk)
}

/// An error as RFC 6749 section 5.2 has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OauthError {
    status: StatusCode,
    code: &'static str,
    description: &'static str,
    /// Whether the client showed its secret in `Authorization`, and so is asked for it there.
    challenge: bool,
}

// === impl OauthError ===

impl OauthError {
    fn new(code: &'static str, description: &'static str) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code, description, challenge: false }
    }

    fn invalid_request(description: &'static str) -> Self {
        Self::new("invalid_request", description)
    }

    fn invalid_client(challenge: bool) -> Self {
        let error = Self::new("invalid_client", "there is no client with this name and secret");
        Self { status: StatusCode::UNAUTHORIZED, challenge, ..error }
    }
}

impl From<Platform> for OauthError {
    fn from(fault: Platform) -> Self {
        let code = match fault.kind() {
            FaultKind::Overloaded | FaultKind::Degraded | FaultKind::OutcomeUnknown => {
                "temporarily_unavailable"
            }
            _ => {
                tracing::error!(?fault, "an OAuth endpoint failed");
                "server_error"
            }
        };
        let status = StatusCode::from_u16(fault.outward_kind().status()).unwrap_or(StatusCode::BAD_GATEWAY);
        Self { status, ..Self::new(code, "try again later") }
    }
}

impl IntoResponse for OauthError {
    fn into_response(self) -> Response {
        let body = json!({ "error": self.code, "error_description": self.description });
        let mut response = uncached(self.status, &body);
        if self.challenge {
            let basic = HeaderValue::from_static("Basic realm=\"oauth\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, basic);
        }
        response
    }
}

/// What nobody keeps (RFC 6749 section 5.1).
fn uncached(status: StatusCode, body: &Value) -> Response {
    let no_store = (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let no_cache = (header::PRAGMA, HeaderValue::from_static("no-cache"));
    (status, [no_store, no_cache], Json(body)).into_response()
}

/// RFC 8414.
async fn metadata(State(desk): State<Arc<UserDesk>>) -> Response {
    let issuer = desk.settings.issuer.trim_end_matches('/');
    let methods = json!(["client_secret_basic", "client_secret_post"]);
    Json(json!({
        "issuer": desk.settings.issuer,
        "token_endpoint": format!("{issuer}/oauth/token"),
        "revocation_endpoint": format!("{issuer}/oauth/revoke"),
        "introspection_endpoint": format!("{issuer}/oauth/introspect"),
        "jwks_uri": format!("{issuer}/.well-known/jwks.json"),
        "grant_types_supported": ["client_credentials", "refresh_token"],
        // There is no endpoint to ask for any, but the member has to be there, and not to be empty for some.
        "response_types_supported": ["none"],
        "token_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_methods_supported": ["none", "client_secret_basic", "client_secret_post"],
        "introspection_endpoint_auth_methods_supported": methods,
        "access_token_signing_alg_values_supported": desk.keyring.algorithms(),
    }))
    .into_response()
}

/// RFC 7517. Whoever keeps it hears of the next key long before that signs.
async fn jwks(State(desk): State<Arc<UserDesk>>) -> Response {
    let kept = (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    let kind = (header::CONTENT_TYPE, HeaderValue::from_static("application/jwk-set+json"));
    ([kept, kind], desk.keyring.jwks().to_string()).into_response()
}
