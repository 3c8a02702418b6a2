//! What a program adds that has users in it.

use partie::gateway::{RouteConfig, To};

/// What the gateway leads to the users besides their contracts: the endpoints of OAuth and their description.
pub fn routes() -> Vec<RouteConfig> {
    let route = |prefix: &str| RouteConfig {
        prefix: prefix.to_owned(),
        to: To([("users".to_owned(), 1)].into()),
        compression: Some(false),
        ..RouteConfig::default()
    };
    ["/oauth", "/.well-known/oauth-authorization-server"].map(route).into()
}
