//! What pages of other origins may do: preflights answered at the edge, and what browsers are told with every answer.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use partie_contract::Response;

use crate::config::CorsConfig;

/// What browsers are told, ready to be sent.
#[derive(Debug)]
pub(crate) struct Cors {
    /// Nothing for everybody's pages.
    origins: Option<Box<[HeaderValue]>>,
    methods: HeaderValue,
    /// Nothing for whatever they ask for.
    headers: Option<HeaderValue>,
    expose: Option<HeaderValue>,
    credentials: bool,
    max_age: HeaderValue,
}

/// A policy that cannot be meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CorsError {
    /// It has no origin.
    #[error("cors without origins: say whose pages, such as \"https://app.example.com\"")]
    Nobody,
    /// Something is no origin.
    #[error("cors: {0:?} is not an origin like \"https://app.example.com\", without a path, or \"*\" alone")]
    Origin(String),
    /// Something is no method.
    #[error("cors: {0:?} is not a method")]
    Method(String),
    /// Something is no name of a header field.
    #[error("cors: {0:?} is not the name of a header field")]
    Header(String),
    /// Cookies for everybody's pages.
    #[error("cors: credentials for the pages of everybody (\"*\") would let any page act for its visitor")]
    Credentials,
}

// === impl Cors ===

impl Cors {
    /// The policy.
    ///
    /// # Errors
    /// [`CorsError`].
    pub(crate) fn new(config: &CorsConfig) -> Result<Self, CorsError> {
        let all = |list: &[String]| matches!(list, [only] if only == "*");
        let everybody = all(&config.origins);
        if config.origins.is_empty() {
            return Err(CorsError::Nobody);
        }
        if everybody && config.credentials {
            return Err(CorsError::Credentials);
        }
        let origins = config.origins.iter().map(|text| origin(text)).collect::<Result<_, _>>();
        for method in &config.methods {
            let known = Method::from_bytes(method.as_bytes()).is_ok();
            known.then_some(()).ok_or_else(|| CorsError::Method(method.clone()))?;
        }
        let any_header = all(&config.headers);
        let fields = config.headers.iter().filter(|_| !any_header).chain(&config.expose);
        for field in fields {
            let known = HeaderName::from_bytes(field.as_bytes()).is_ok();
            known.then_some(()).ok_or_else(|| CorsError::Header(field.clone()))?;
        }
        Ok(Self {
            origins: if everybody { None } else { Some(origins?) },
            methods: list(&config.methods),
            headers: (!any_header).then(|| list(&config.headers)),
            expose: (!config.expose.is_empty()).then(|| list(&config.expose)),
            credentials: config.credentials,
            max_age: HeaderValue::from(config.max_age.as_secs()),
        })
    }

    /// The answer to a preflight from that origin.
    pub(crate) fn preflight(&self, asked: &HeaderMap) -> Response {
        let mut answer = Response::default();
        *answer.status_mut() = StatusCode::NO_CONTENT;
        // Whoever may not is told nothing, which is a no to browsers.
        if asked.get(header::ORIGIN).is_some_and(|origin| self.admits(origin)) {
            let headers = answer.headers_mut();
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, self.methods.clone());
            let fields = self.headers.as_ref().or_else(|| asked.get(header::ACCESS_CONTROL_REQUEST_HEADERS));
            if let Some(fields) = fields {
                headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, fields.clone());
            }
            headers.insert(header::ACCESS_CONTROL_MAX_AGE, self.max_age.clone());
        }
        answer
    }

    /// Tells the browser whether the page may read the answer. What a service says about that is replaced.
    pub(crate) fn annotate(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
        for name in [
            header::ACCESS_CONTROL_ALLOW_ORIGIN,
            header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
        ] {
            headers.remove(name);
        }
        if self.origins.is_some() {
            // Without an origin too: the answer would be another one with it.
            headers.append(header::VARY, HeaderValue::from_static("origin"));
        }
        let Some(origin) = origin.filter(|origin| self.admits(origin)) else { return };
        let origin = if self.origins.is_some() { origin.clone() } else { HeaderValue::from_static("*") };
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if let Some(expose) = &self.expose {
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, expose.clone());
        }
        if self.credentials {
            headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }

    fn admits(&self, origin: &HeaderValue) -> bool {
        self.origins.as_ref().is_none_or(|origins| origins.contains(origin))
    }
}

/// Whether a request is a browser's question what a page may do, and with which method.
pub(crate) fn preflight(method: &Method, headers: &HeaderMap) -> Option<Method> {
    if *method != Method::OPTIONS || !headers.contains_key(header::ORIGIN) {
        return None;
    }
    Method::from_bytes(headers.get(header::ACCESS_CONTROL_REQUEST_METHOD)?.as_bytes()).ok()
}

/// `scheme://host[:port]`, as browsers write it.
fn origin(text: &str) -> Result<HeaderValue, CorsError> {
    let wrong = || CorsError::Origin(text.to_owned());
    let (scheme, authority) = text.split_once("://").ok_or_else(wrong)?;
    let plain = |text: &str| !text.is_empty() && !text.contains(['/', '@', '*', '?', '#', ' ', ',']);
    let lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
    if !lower || !plain(scheme) || !plain(authority) || authority.parse::<http::uri::Authority>().is_err() {
        return Err(wrong());
    }
    HeaderValue::from_str(text).map_err(|_| wrong())
}

fn list(items: &[String]) -> HeaderValue {
    HeaderValue::try_from(items.join(", ")).unwrap_or(HeaderValue::from_static(""))
}
