//! Who sends calls: a service, with the token that proves it elsewhere.

use std::fmt;
use std::sync::Arc;

use http::HeaderValue;

/// The service on whose behalf calls go out. Cheap to clone.
#[derive(Clone)]
pub struct Origin {
    service: Arc<str>,
    token: Option<Arc<dyn Fn() -> Option<HeaderValue> + Send + Sync>>,
}

// === impl Origin ===

impl Origin {
    /// That service. Within its process it needs no token; to other processes it is nobody.
    pub fn new(service: impl Into<Arc<str>>) -> Self {
        Self { service: service.into(), token: None }
    }

    /// Proves itself to other processes with the token this gives out. Asked for every call, so tokens may be renewed.
    #[must_use]
    pub fn with_token(mut self, source: impl Fn() -> Option<HeaderValue> + Send + Sync + 'static) -> Self {
        self.token = Some(Arc::new(source));
        self
    }

    /// The service.
    pub fn service(&self) -> &Arc<str> {
        &self.service
    }

    /// The current token, marked so that it stays out of logs.
    pub(crate) fn token(&self) -> Option<HeaderValue> {
        let mut token = self.token.as_ref()?()?;
        token.set_sensitive(true);
        Some(token)
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Origin({})", self.service)
    }
}
