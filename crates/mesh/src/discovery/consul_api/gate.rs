//! Who may use which names.

use std::collections::BTreeSet;
use std::fmt;

use http::HeaderMap;

use super::query::Query;
use super::refusal::Refusal;

/// Judges a name and a token.
type Verify = Box<dyn Fn(&str, &str) -> bool + Send + Sync>;

/// Names of services that only a holder of the join token may announce.
pub struct Reserved {
    names: BTreeSet<String>,
    verify: Verify,
}

/// The token of a request, in any of the places Consul takes it from.
pub(super) fn token<'r>(headers: &'r HeaderMap, query: &'r Query) -> Option<&'r str> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = || text("authorization").and_then(|value| value.strip_prefix("Bearer "));
    text("x-consul-token").or_else(bearer).or_else(|| query.first("token"))
}

// === impl Reserved ===

impl Reserved {
    /// No name is reserved.
    pub fn nothing() -> Self {
        Self::new([] as [&str; 0], |_, _| false)
    }

    /// Those names, for whoever has a token of which `verify` says that it is good for that name. Case does not matter in
    /// names: they are shown to `verify` in lower case.
    pub fn new(
        names: impl IntoIterator<Item = impl AsRef<str>>,
        verify: impl Fn(&str, &str) -> bool + Send + Sync + 'static,
    ) -> Self {
        let names = names.into_iter().map(|name| name.as_ref().to_ascii_lowercase()).collect();
        Self { names, verify: Box::new(verify) }
    }

    pub(super) fn check(&self, service: &str, token: Option<&str>) -> Result<(), Refusal> {
        let name = service.to_ascii_lowercase();
        let open = !self.names.contains(&name);
        if open || token.is_some_and(|token| (self.verify)(&name, token)) {
            return Ok(());
        }
        let text = format!("the service name {service:?} is reserved: X-Consul-Token has to be a join token");
        Err(Refusal::forbidden(text))
    }
}

impl fmt::Debug for Reserved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Reserved").field(&self.names).finish()
    }
}
