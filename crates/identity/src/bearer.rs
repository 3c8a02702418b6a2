//! Reads the token of a request (RFC 6750 section 2.1), or its API key.

use http::{HeaderMap, HeaderName, header};
use partie_contract::{FaultKind, Platform};

use crate::api_keys::API_KEY_PREFIX;

/// The one scheme.
const BEARER: &str = "bearer";
const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// What the request shows of its sender: the token in `Authorization`, as [`bearer`] reads it, or the API key in
/// `X-Api-Key`. It is not verified.
///
/// # Errors
/// As [`bearer`]; and [`FaultKind::MalformedRequest`] for both, of which two programs could believe different ones.
pub fn credential(headers: &HeaderMap, lenient: bool) -> Result<Option<&str>, Platform> {
    let token = bearer(headers, lenient)?;
    let mut keys = headers.get_all(X_API_KEY).iter();
    let Some(key) = keys.next() else { return Ok(token) };
    if token.is_some() || keys.next().is_some() {
        return Err(Platform::new(FaultKind::MalformedRequest)
            .with_detail("there is more than one of Authorization and X-Api-Key"));
    }
    let key = key.to_str().unwrap_or_default();
    if key.starts_with(API_KEY_PREFIX) && is_one_word(key) {
        Ok(Some(key))
    } else {
        Err(unauthenticated("what is in X-Api-Key is not an API key"))
    }
}

/// The token in `Authorization`, `None` if the request has no such field. It is not verified.
///
/// The scheme is `Bearer` in any case; `lenient` also takes a token without a scheme, for routes that have to be
/// compatible with clients that send it so.
///
/// # Errors
/// [`FaultKind::MalformedRequest`] for more than one field, of which two parsers could choose differently;
/// [`FaultKind::Unauthenticated`] for another scheme or what cannot be a token.
pub fn bearer(headers: &HeaderMap, lenient: bool) -> Result<Option<&str>, Platform> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Platform::new(FaultKind::MalformedRequest)
            .with_detail("there is more than one Authorization header"));
    }
    // A token is some hundred bytes, of every request: all of them are looked at at once, here and below, rather than one
    // after the other.
    let value = std::str::from_utf8(value.as_bytes()).unwrap_or_default().trim_matches(' ');
    let token = match after_scheme(value) {
        Some(token) => token,
        None if lenient && !value.contains(' ') && !value.eq_ignore_ascii_case(BEARER) => value,
        None => return Err(unauthenticated("the Authorization header must be: Bearer TOKEN")),
    };
    // One word; which characters it may have is for the verifier to say, who knows what a token looks like.
    if token.is_empty() || !is_one_word(token) {
        return Err(unauthenticated("what follows Bearer is not a token"));
    }
    Ok(Some(token))
}

/// What follows the scheme, which is looked for where it has to be: the end of a word is far in a token.
fn after_scheme(value: &str) -> Option<&str> {
    let (scheme, rest) = value.split_at_checked(BEARER.len())?;
    let token = rest.trim_start_matches(' ');
    (scheme.eq_ignore_ascii_case(BEARER) && token.len() < rest.len()).then_some(token)
}

/// Visible ASCII and nothing else. Without an early end it is a few steps for the whole.
fn is_one_word(text: &str) -> bool {
    text.bytes().fold(true, |so_far, byte| so_far & byte.is_ascii_graphic())
}

fn unauthenticated(detail: &'static str) -> Platform {
    Platform::new(FaultKind::Unauthenticated).with_detail(detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(values: &[&str], lenient: bool) -> Result<Option<String>, FaultKind> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, http::HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        bearer(&headers, lenient).map(|token| token.map(str::to_owned)).map_err(|fault| fault.kind())
    }

    #[test]
    fn the_scheme_is_bearer_in_any_case() {
        for value in ["Bearer a.b.c", "bearer a.b.c", "BEARER  a.b.c ", "bEARER a.b.c"] {
            for lenient in [false, true] {
                assert_eq!(check(&[value], lenient), Ok(Some("a.b.c".to_owned())), "{value:?}");
            }
        }
        assert_eq!(check(&[], false), Ok(None));
    }

    #[test]
    fn a_token_without_a_scheme_is_only_taken_leniently() {
        assert_eq!(check(&["a.b.c"], true), Ok(Some("a.b.c".to_owned())));
        assert_eq!(check(&["a.b.c"], false), Err(FaultKind::Unauthenticated));
    }

    #[test]
    fn an_api_key_has_a_header_of_its_own() {
        let check = |fields: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in fields {
                headers.append(*name, http::HeaderValue::from_static(value));
            }
            credential(&headers, false).map(|key| key.map(str::to_owned)).map_err(|fault| fault.kind())
        };
        assert_eq!(check(&[]), Ok(None));
        assert_eq!(check(&[("x-api-key", "pk_1")]), Ok(Some("pk_1".to_owned())));
        assert_eq!(check(&[("authorization", "Bearer pk_1")]), Ok(Some("pk_1".to_owned())));
        for no_key in ["", "eyJ.e.s", "pk_ 1", "Bearer pk_1"] {
            assert_eq!(check(&[("x-api-key", no_key)]), Err(FaultKind::Unauthenticated), "{no_key}");
        }
        for two in [
            &[("x-api-key", "pk_1"), ("x-api-key", "pk_2")],
            &[("x-api-key", "pk_1"), ("authorization", "Bearer a.b.c")],
        ] {
            assert_eq!(check(two), Err(FaultKind::MalformedRequest));
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for value in [
            "",
            " ",
            "Bearer",
            "Bearer ",
            "Basic dXNlcjpwYXNz",
            "Bearer a b",
            "Bearer \u{e9}",
            "Bearer\ta",
            "Token a",
            "a\tb",
        ] {
            for lenient in [false, true] {
                assert_eq!(check(&[value], lenient), Err(FaultKind::Unauthenticated), "{value:?} {lenient}");
            }
        }
        assert_eq!(check(&["Bearer a", "Bearer b"], false), Err(FaultKind::MalformedRequest));
    }
}
