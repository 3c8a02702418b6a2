//! Reads the token of a request (RFC 6750 section 2.1).

use http::{HeaderMap, header};
use partie_contract::{FaultKind, Platform};

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
    let value = value.to_str().unwrap_or_default().trim_matches(' ');
    let token = match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim_start_matches(' '),
        None if lenient && !value.eq_ignore_ascii_case("bearer") => value,
        _ => return Err(unauthenticated("the Authorization header must be: Bearer TOKEN")),
    };
    // One word; which characters it may have is for the verifier to say, who knows what a token looks like.
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(unauthenticated("what follows Bearer is not a token"));
    }
    Ok(Some(token))
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
