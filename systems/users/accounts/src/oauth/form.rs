//! A request to an endpoint of OAuth: a form, and perhaps the client's name and secret.

use std::collections::BTreeMap;

use axum::body::Bytes;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, header};
use users_contracts::SecretText;

use super::OauthError;

/// The largest form, in bytes.
pub(super) const LARGEST: usize = 16 << 10;

/// The fields of a form, each once.
pub(super) struct Form {
    fields: BTreeMap<String, String>,
    /// The client's name and secret, and whether they were in `Authorization`.
    pub(super) credentials: Option<(String, SecretText, bool)>,
}

// === impl Form ===

impl Form {
    /// Reads a request.
    ///
    /// # Errors
    /// `invalid_request` for what is no form, says something twice, or names the client in two ways.
    pub(super) fn read(headers: &HeaderMap, body: &Bytes) -> Result<Self, OauthError> {
        let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(OauthError::invalid_request("the body must be application/x-www-form-urlencoded"));
        }
        let mut fields = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(body) {
            // A field without a value is as good as none (RFC 6749 section 3.2).
            if !value.is_empty() && fields.insert(name.into_owned(), value.into_owned()).is_some() {
                return Err(OauthError::invalid_request("a parameter is there twice"));
            }
        }
        let in_body = fields.remove("client_id").zip(fields.remove("client_secret"));
        let in_header = basic(headers)?;
        let credentials = match (in_header, in_body) {
            (Some(_), Some(_)) => {
                return Err(OauthError::invalid_request("the client shows its secret in two ways"));
            }
            (Some((id, secret)), None) => Some((id, secret.into(), true)),
            (None, Some((id, secret))) => Some((id, secret.into(), false)),
            (None, None) => None,
        };
        Ok(Self { fields, credentials })
    }

    /// A field that has to be there.
    pub(super) fn required(&self, name: &str, missing: &'static str) -> Result<&str, OauthError> {
        self.optional(name).ok_or_else(|| OauthError::invalid_request(missing))
    }

    pub(super) fn optional(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }
}

/// The name and the secret in `Authorization: Basic`, each escaped as in a form (RFC 6749 section 2.3.1).
fn basic(headers: &HeaderMap) -> Result<Option<(String, String)>, OauthError> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let bad = || OauthError::invalid_client(true);
    if values.next().is_some() {
        return Err(OauthError::invalid_request("there is more than one Authorization header"));
    }
    let (scheme, text) = value.to_str().ok().and_then(|value| value.split_once(' ')).ok_or_else(bad)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(bad());
    }
    let decoded = STANDARD.decode(text.trim()).map_err(|_| bad())?;
    let decoded = String::from_utf8(decoded).map_err(|_| bad())?;
    let (id, secret) = decoded.split_once(':').ok_or_else(bad)?;
    let plain = |text: &str| {
        let escaped = format!("x={text}");
        form_urlencoded::parse(escaped.as_bytes())
            .next()
            .map(|(_, value)| value.into_owned())
            .unwrap_or_default()
    };
    Ok(Some((plain(id), plain(secret))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(authorization: Option<&str>, body: &str) -> Result<Form, OauthError> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, "application/x-www-form-urlencoded".parse().unwrap());
        if let Some(value) = authorization {
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
        }
        Form::read(&headers, &Bytes::copy_from_slice(body.as_bytes()))
    }

    fn shown(form: Form) -> (String, String, bool) {
        let (id, secret, in_header) = form.credentials.unwrap();
        (id, secret.reveal().to_owned(), in_header)
    }

    #[test]
    fn the_client_is_named_in_one_of_two_ways() {
        let basic = format!("Basic {}", STANDARD.encode("re%3Aporting:a%20b+c"));
        let form = read(Some(&basic), "grant_type=client_credentials&scope=").unwrap();
        assert_eq!(form.optional("grant_type"), Some("client_credentials"));
        assert_eq!(form.optional("scope"), None);
        assert_eq!(shown(form), ("re:porting".to_owned(), "a b c".to_owned(), true));
        let form = read(None, "client_id=reporting&client_secret=s").unwrap();
        assert_eq!(shown(form), ("reporting".to_owned(), "s".to_owned(), false));
        assert!(read(None, "client_id=reporting").unwrap().credentials.is_none());
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        let basic = format!("Basic {}", STANDARD.encode("a:b"));
        for (authorization, body, code) in [
            (None, "a=1&a=2", "invalid_request"),
            (Some(&*basic), "client_id=a&client_secret=b", "invalid_request"),
            (Some("Bearer a"), "", "invalid_client"),
            (Some("Basic %%%"), "", "invalid_client"),
            (Some("Basic"), "", "invalid_client"),
            (Some("Basic YQ=="), "", "invalid_client"),
        ] {
            assert_eq!(
                read(authorization, body).err().map(|error| error.code),
                Some(code),
                "{authorization:?} {body}"
            );
        }
        let json = Form::read(&HeaderMap::new(), &Bytes::from_static(b"{}"));
        assert_eq!(json.err().map(|error| error.code), Some("invalid_request"));
    }
}
