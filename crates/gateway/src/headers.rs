//! What goes on to the services: nothing a client could have made up about itself, and what every request has.

use std::net::IpAddr;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use partie_contract::{Identity, wire};
use partie_mesh::strip_hop_by_hop;

const X_USER_ID: HeaderName = HeaderName::from_static("x-user-id");
const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Fields by which programs behind a proxy are told who calls, from where, or what was really asked for.
const CLAIMS: [&str; 17] = [
    "forwarded",
    "via",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "true-client-ip",
    "cf-connecting-ip",
    "x-original-url",
    "x-original-uri",
    "x-original-method",
    "x-rewrite-url",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-remote-user",
    "remote-user",
    "x-consumer-id",
];
/// Whole families of such fields; the first is our own.
const FAMILIES: [&str; 6] = ["partie-", "x-forwarded-", "x-user-", "x-auth-", "x-ssl-", "x-envoy-"];

/// Turns what the client sent into what a service gets. The order matters: first take away, then add.
pub(crate) fn outbound(headers: &mut HeaderMap, who: Option<&Identity>, request_id: &HeaderValue) {
    strip_hop_by_hop(headers);
    headers.remove(header::HOST);
    if headers.keys().any(is_claim) {
        let claims: Vec<HeaderName> = headers.keys().filter(|name| is_claim(name)).cloned().collect();
        for name in claims {
            headers.remove(name);
        }
    }
    headers.insert(wire::REQUEST_ID, request_id.clone());
    if let Some(user) = who.and_then(|who| HeaderValue::from_bytes(who.subject.as_bytes()).ok()) {
        headers.insert(X_USER_ID, user);
    }
    // Services know one place to look for who calls.
    if let Some(who) = who.filter(|who| shows_key(headers, who)) {
        headers.remove(X_API_KEY);
        authorize(headers, who);
    }
}

/// Whether the caller is known by the key in a header of its own.
fn shows_key(headers: &HeaderMap, who: &Identity) -> bool {
    headers.get(X_API_KEY).is_some_and(|key| key.as_bytes() == who.token.as_bytes())
}

/// Says where the client is.
pub(crate) fn client(headers: &mut HeaderMap, address: IpAddr) {
    if let Ok(address) = HeaderValue::from_str(&address.to_string()) {
        headers.insert(wire::CLIENT_ADDRESS, address);
    }
}

/// Whether a field says something only the gateway may say. A name with an underscore is one too: programs that turn
/// names into variables cannot tell it from the name with a hyphen.
fn is_claim(name: &HeaderName) -> bool {
    let name = name.as_str();
    // Most names begin otherwise, which is cheaper to see.
    let suspicious = matches!(name.as_bytes().first(), Some(b'c' | b'f' | b'p' | b'r' | b't' | b'v' | b'x'));
    let claims = || CLAIMS.contains(&name) || FAMILIES.iter().any(|family| name.starts_with(family));
    (suspicious && claims()) || name.as_bytes().contains(&b'_')
}

/// Gives the token in the form in which services expect it.
pub(crate) fn authorize(headers: &mut HeaderMap, who: &Identity) {
    if let Ok(mut value) = HeaderValue::from_str(&format!("Bearer {}", who.token)) {
        value.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(fields: &[(&str, &str)]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            let name: HeaderName = name.parse().unwrap();
            headers.append(name, value.parse().unwrap());
        }
        let who = Identity::new("customer-1", "a.b.c", 0);
        outbound(&mut headers, Some(&who), &HeaderValue::from_static("r-1"));
        let mut left: Vec<_> = headers.iter().map(|(n, v)| format!("{n}: {}", v.to_str().unwrap())).collect();
        left.sort_unstable();
        left
    }

    #[test]
    fn every_claim_is_one() {
        let families = FAMILIES.iter().map(|family| format!("{family}a"));
        for name in CLAIMS.iter().map(|name| (*name).to_owned()).chain(families) {
            assert!(is_claim(&name.parse().unwrap()), "{name}");
        }
    }

    #[test]
    fn claims_are_taken_away_and_ours_cannot_be() {
        let left = sent(&[
            ("host", "example.com"),
            ("accept", "application/json"),
            ("connection", "x-user-id, x-request-id"),
            ("connection", "keep-alive"),
            ("x-user-id", "admin"),
            ("X-User-Role", "admin"),
            ("x_user_id", "admin"),
            ("x-forwarded-for", "127.0.0.1"),
            ("forwarded", "for=127.0.0.1"),
            ("partie-service", "stolen"),
            ("partie-timeout-ms", "99999999"),
            ("x-http-method-override", "DELETE"),
        ]);
        assert_eq!(left, ["accept: application/json", "x-request-id: r-1", "x-user-id: customer-1"]);
    }
}
