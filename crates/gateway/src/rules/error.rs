//! Routes and upstreams that cannot work, in one line each.

use crate::cors::CorsError;

/// Routes or upstreams that cannot work. Nothing of their configuration was taken over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A prefix that is none.
    #[error("route {route}: prefix {prefix:?}: {reason}")]
    Prefix {
        /// The route.
        route: String,
        /// The prefix.
        prefix: String,
        /// Why.
        reason: &'static str,
    },
    /// A rewritten prefix that is none.
    #[error("route {route}: rewrite {rewrite:?}: {reason}")]
    Rewrite {
        /// The route.
        route: String,
        /// What the prefix should become.
        rewrite: String,
        /// Why.
        reason: &'static str,
    },
    /// A host that is none.
    #[error(
        "route {route}: {host:?} is no host: say \"api.example.com\" or \"*.example.com\", without a port"
    )]
    Host {
        /// The route.
        route: String,
        /// The host.
        host: String,
    },
    /// A method that is none.
    #[error("route {route}: {method:?} is no method: they are written in capitals")]
    Method {
        /// The route.
        route: String,
        /// The method.
        method: String,
    },
    /// A header field that cannot be.
    #[error("route {route}: no request has a header field {name:?} with the value {value:?}")]
    Header {
        /// The route.
        route: String,
        /// The name.
        name: String,
        /// The value.
        value: String,
    },
    /// It leads nowhere.
    #[error("route {route}: to: {reason}")]
    To {
        /// The route.
        route: String,
        /// Why.
        reason: &'static str,
    },
    /// It needs a role and names none.
    #[error("route {route}: access: the list of roles is empty: say \"authenticated\" for any token")]
    Roles {
        /// The route.
        route: String,
    },
    /// It knows a client by its user and asks for no token.
    #[error(
        "route {route}: a public route knows no users: {setting} needs access = \"authenticated\" or roles"
    )]
    NoUsers {
        /// The route.
        route: String,
        /// What needs one.
        setting: &'static str,
    },
    /// Its timeout is none.
    #[error("route {route}: timeout: it has to be longer than nothing")]
    Timeout {
        /// The route.
        route: String,
    },
    /// Two routes for the same requests, or of the same name.
    #[error("routes {first} and {second} {what}: give one of them another {other}")]
    Twice {
        /// The one that came first.
        first: String,
        /// The one that came second.
        second: String,
        /// What they have in common.
        what: &'static str,
        /// What would tell them apart.
        other: &'static str,
    },
    /// Its pages policy cannot be meant.
    #[error("{place}: {reason}")]
    Cors {
        /// Where it stands.
        place: String,
        /// Why.
        reason: CorsError,
    },
    /// An upstream of which it is not clear where it is.
    #[error("upstream {upstream}: {reason}")]
    Upstream {
        /// The upstream.
        upstream: String,
        /// Why.
        reason: &'static str,
    },
    /// An upstream's URL that is none, or that nobody can look up.
    #[error("upstream {upstream}: {url:?}: {reason}")]
    Url {
        /// The upstream.
        upstream: String,
        /// The URL.
        url: String,
        /// Why.
        reason: String,
    },
    /// An upstream whose certificate could not be checked.
    #[error("upstream {upstream}: {reason}")]
    Tls {
        /// The upstream.
        upstream: String,
        /// Why.
        reason: String,
    },
    /// An upstream that is called like a service of the system.
    #[error("upstream {upstream}: a service of the system has that name: give the upstream another one")]
    Taken {
        /// The upstream.
        upstream: String,
    },
}
