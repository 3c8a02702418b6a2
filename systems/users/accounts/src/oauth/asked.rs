//! How every request to an endpoint of OAuth begins: a form, and the program that shows its secret.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use users_contracts::clients::Client;

use super::OauthError;
use super::form::Form;
use crate::desk::UserDesk;

/// A request to an endpoint, with who it is by.
pub(super) struct Asked {
    pub(super) desk: Arc<UserDesk>,
    pub(super) headers: HeaderMap,
    pub(super) form: Form,
    /// The program that has shown its secret, if one has.
    pub(super) client: Option<Client>,
}

// === impl Asked ===

impl FromRequest<Arc<UserDesk>> for Asked {
    type Rejection = Response;

    /// A form first, then a client that is who it says: a secret that is wrong is told even if none was needed.
    async fn from_request(request: Request, desk: &Arc<UserDesk>) -> Result<Self, Response> {
        let headers = request.headers().clone();
        let body = Bytes::from_request(request, desk).await.map_err(IntoResponse::into_response)?;
        let read = async {
            let form = Form::read(&headers, &body)?;
            let client = match &form.credentials {
                None => None,
                Some((id, secret, in_header)) => {
                    let found = desk.authenticated_client(id.clone(), secret.reveal()).await?;
                    Some(found.ok_or_else(|| OauthError::invalid_client(*in_header))?)
                }
            };
            Ok((form, client))
        };
        let (form, client) = read.await.map_err(|error: OauthError| error.into_response())?;
        Ok(Self { desk: Arc::clone(desk), headers, form, client })
    }
}

impl Asked {
    /// The client, which has to be there.
    pub(super) fn required_client(&self) -> Result<&Client, OauthError> {
        self.client.as_ref().ok_or_else(|| OauthError::invalid_client(true))
    }

    /// A token that is asked about.
    pub(super) fn token(&self) -> Result<&str, OauthError> {
        self.form.required("token", "token is missing")
    }
}
